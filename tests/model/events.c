/* SPDX-License-Identifier: MIT */

/* The small kernel's eventfds, and what is called by number. */

#include "world.h"

#include "internal.h"

#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { EVENTS = 4, FIRST_EVENT = 2000 };

static struct events {
	uint64_t values[EVENTS];
	unsigned int count;
} *events;

void
events_reset(void)
{
	if (events == NULL)
		events = lasting_memory(sizeof(*events));
	memset(events, 0, sizeof(*events));
}

uint64_t
events_hash(void)
{
	uint64_t hash = 5;
	for (unsigned int i = 0; i < events->count; i++)
		hash = mix(hash, events->values[i]);
	return hash;
}

static uint64_t *
event_of(int fd)
{
	if (fd < FIRST_EVENT || fd >= FIRST_EVENT + EVENTS ||
			fd - FIRST_EVENT >= (int)events->count)
		fail_run("%d is no eventfd", fd);
	return &events->values[fd - FIRST_EVENT];
}

int __wrap_eventfd(unsigned int count, int flags);
int
__wrap_eventfd(unsigned int count, int flags)
{
	(void)count;
	(void)flags;
	return FIRST_EVENT + (int)events->count++;
}

static ssize_t
write_event(int fd)
{
	kernel_step();
	*event_of(fd) = 1;
	note("wake", (uintptr_t)fd, 0);
	return 8;
}

ssize_t __wrap_write(int fd, const void *bytes, size_t size);
ssize_t
__wrap_write(int fd, const void *bytes, size_t size)
{
	(void)bytes;
	(void)size;
	return write_event(fd);
}

ssize_t __wrap_read(int fd, void *bytes, size_t size);
ssize_t
__wrap_read(int fd, void *bytes, size_t size)
{
	kernel_step();
	uint64_t *event = event_of(fd);
	memcpy(bytes, event, size);
	*event = 0;
	note("clear", (uintptr_t)fd, 0);
	return (ssize_t)size;
}

long __wrap_syscall(long number, ...);
long
__wrap_syscall(long number, ...)
{
	va_list args;
	if (number == SYS_membarrier) {
		memory_fence_everywhere();
		return 0;
	}
	if (number != SYS_write)
		fail_run("system call %ld is not known here", number);
	va_start(args, number);
	int fd = va_arg(args, int);
	va_end(args);
	return write_event(fd);
}

static bool
is_readable(struct thread *thread)
{
	return *event_of((int)(intptr_t)thread->waits_for) != 0;
}

void
world_poll(int fd)
{
	give_way_until(is_readable, (const void *)(intptr_t)fd);
	memory_progress(explorer->current);
	note("poll", (uintptr_t)fd, 0);
}
