/* SPDX-License-Identifier: MIT */
#include "sigbus_host.h"

#include "harness.h"
#include "memory_look.h"
#include "sigbus_trap.h"
#include "trapped_memory.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

volatile sig_atomic_t host_calls;
siginfo_t host_info;
sigset_t host_mask;

void
host_repair(int signal, siginfo_t *info, void *context)
{
	if (signal != SIGBUS || context == NULL)
		abort();
	host_calls++;
	host_info = *info;
	pthread_sigmask(SIG_SETMASK, NULL, &host_mask);
	if (info->si_code <= 0)
		return;
	size_t page = page_size();
	char *bytes = mmap((char *)((uintptr_t)info->si_addr & ~(page - 1)),
		page, PROT_READ | PROT_WRITE,
		MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bytes[0] = 5;
}

struct sigaction
host_repair_action(int flags)
{
	return (struct sigaction){
		.sa_sigaction = host_repair,
		.sa_flags = SA_SIGINFO | flags,
	};
}

void
host_count(int signal)
{
	if (signal != SIGBUS)
		abort();
	host_calls++;
	errno = EDOM;
}

struct sigaction
host_action(void (*handler)(int), int flags)
{
	return (struct sigaction){.sa_handler = handler, .sa_flags = flags};
}

void
host_install_then_trap(struct sigaction action)
{
	ck_assert_int_eq(sigaction(SIGBUS, &action, NULL), 0);
	ck_assert_int_eq(sigbus_trap_ref(), 0);
}

bool
host_handler_is(const void *handler)
{
	struct sigaction action;
	ck_assert_int_eq(sigaction(SIGBUS, NULL, &action), 0);
	return (const void *)action.sa_handler == handler;
}

volatile char *
host_faulty_page(void)
{
	int fd = harness_memfd(0, 0, 0);
	void *page = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED,
		fd, 0);
	ck_assert_ptr_ne(page, MAP_FAILED);
	close(fd);
	return page;
}

void
host_send_memory_error(int code)
{
	siginfo_t info = {.si_signo = SIGBUS, .si_code = code};
	info.si_addr = &info;
	ck_assert_int_eq(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(),
		SIGBUS, &info), 0);
}

void
host_check_protection(void)
{
	static struct trapped_memory memory;
	trapped_memory_init(&memory, 4, PROT_READ, -1);
	trapped_memory_truncate(&memory, 2);
	trapped_memory_check(&memory, 2);
	ck_assert_uint_eq(memory.range->faults, 1);
	trapped_memory_finish(&memory);
}
