/* SPDX-License-Identifier: MIT */
#include "inject_memory.h"

#include "inject_files.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAPPINGS_MAX 1024

struct mapping {
	uintptr_t start, end; /* the same where the entry is not in use */
	bool of_client, refused;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct mapping mappings[MAPPINGS_MAX];

/* The kernel's unit, whatever the caller said. */
static uintptr_t
end_of(const void *address, size_t length)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	return ((uintptr_t)address + length + page - 1) / page * page;
}

static bool
is_of_client(int fd)
{
	char path[64], name[256];
	if (fd < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ssize_t length = readlink(path, name, sizeof(name) - 1);
	if (length < 0)
		return false;
	name[length] = '\0';
	return strstr(name, INJECT_MEMFD) != NULL ||
		strstr(name, INJECT_FILE) != NULL;
}

/* With the lock held, as what follows. */
static void
add(struct mapping mapping)
{
	for (size_t i = 0; i < MAPPINGS_MAX; i++) {
		if (mappings[i].start == mappings[i].end) {
			mappings[i] = mapping;
			return;
		}
	}
	abort();
}

static struct mapping *
find(uintptr_t address)
{
	for (size_t i = 0; i < MAPPINGS_MAX; i++) {
		if (mappings[i].start <= address && address < mappings[i].end)
			return &mappings[i];
	}
	return NULL;
}

static void
cut(struct mapping *mapping, uintptr_t start, uintptr_t end)
{
	struct mapping rest = *mapping;
	if (mapping->start >= end || mapping->end <= start)
		return;
	rest.start = end;
	mapping->end = start > mapping->start ? start : mapping->start;
	if (rest.start < rest.end)
		add(rest);
}

void
inject_memory_add(void *address, size_t length, int fd)
{
	struct mapping mapping = {
		.start = (uintptr_t)address,
		.end = end_of(address, length),
		.of_client = is_of_client(fd),
	};
	pthread_mutex_lock(&lock);
	add(mapping);
	pthread_mutex_unlock(&lock);
}

void
inject_memory_move(void *old, size_t old_length, void *address, size_t length)
{
	pthread_mutex_lock(&lock);
	const struct mapping *found = find((uintptr_t)old);
	if (found == NULL)
		abort();
	struct mapping mapping = *found;
	for (size_t i = 0; i < MAPPINGS_MAX && old_length > 0; i++)
		cut(&mappings[i], (uintptr_t)old, end_of(old, old_length));
	mapping.start = (uintptr_t)address;
	mapping.end = end_of(address, length);
	add(mapping);
	pthread_mutex_unlock(&lock);
}

void
inject_memory_remove(void *address, size_t length)
{
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < MAPPINGS_MAX; i++)
		cut(&mappings[i], (uintptr_t)address, end_of(address, length));
	pthread_mutex_unlock(&lock);
}

void
inject_memory_refuse(void *address)
{
	pthread_mutex_lock(&lock);
	struct mapping *found = find((uintptr_t)address);
	if (found == NULL)
		abort();
	found->refused = true;
	pthread_mutex_unlock(&lock);
}

long
inject_memory_bytes(void)
{
	uintptr_t bytes = 0;
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < MAPPINGS_MAX; i++)
		bytes += mappings[i].end - mappings[i].start;
	pthread_mutex_unlock(&lock);
	return (long)bytes;
}

size_t
inject_memory_of_clients(size_t *count)
{
	size_t bytes = 0;
	*count = 0;
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < MAPPINGS_MAX; i++) {
		if (!mappings[i].of_client || mappings[i].start == mappings[i].end)
			continue;
		bytes += mappings[i].end - mappings[i].start;
		++*count;
	}
	pthread_mutex_unlock(&lock);
	return bytes;
}

static bool
is_refused(const struct mapping *mapping)
{
	return mapping->refused && mapping->start < mapping->end;
}

bool
inject_memory_has_refused(void)
{
	bool found = false;
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < MAPPINGS_MAX; i++)
		found |= is_refused(&mappings[i]);
	pthread_mutex_unlock(&lock);
	return found;
}

void
inject_memory_unmap_refused(void)
{
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < MAPPINGS_MAX; i++) {
		struct mapping *mapping = &mappings[i];
		if (!is_refused(mapping))
			continue;
		munmap((void *)mapping->start, mapping->end - mapping->start);
		mapping->end = mapping->start;
	}
	pthread_mutex_unlock(&lock);
}
