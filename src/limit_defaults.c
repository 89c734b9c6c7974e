/* SPDX-License-Identifier: MIT */
#include "limit_defaults.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <unistd.h>

/* Where the kernel does not say: Linux's own default. */
#define USUAL_MAP_COUNT 65530

/* A pool and a buffer cost the compositor some hundred bytes of heap each. */
#define MAX_POOLS 16384
#define MAX_BUFFERS 65536

/* Pages that clients never stored to, made by looking at them. Ordinary clients
 * draw what they show; but where nobody says which accesses write, a screen
 * recorder's buffers count: 16 of 3840x2160 in a quarter of this. */
#define MAX_HOLES_OF_ALL ((size_t)2048 << 20)

/* 16 bits, as in the pixels of many renderers, and a row of that many with 16
 * bytes each, which no format exceeds. */
#define MAX_LENGTH 65535
#define MAX_STRIDE (1 << 20)

/* The first number in a file of the kernel's, or `otherwise`. */
static unsigned long long
read_number(const char *path, unsigned long long otherwise)
{
	unsigned long long number;
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return otherwise;
	if (fscanf(file, "%llu", &number) != 1)
		number = otherwise;
	fclose(file);
	return number;
}

static size_t
count_of(unsigned long long number)
{
	return number < SIZE_MAX ? (size_t)number : SIZE_MAX;
}

static size_t
measure_addresses(void)
{
	/* The first thread's stack is at the top of what a process can have, be
	 * that 3 GiB or 128 TiB, or at least not far below. What the kernel put
	 * on it is there in every thread; other threads' stacks can be anywhere. */
	size_t addresses = getauxval(AT_RANDOM);
	struct rlimit limit = {.rlim_cur = RLIM_INFINITY};
	getrlimit(RLIMIT_AS, &limit);
	size_t allowed = count_of(limit.rlim_cur);
	if (addresses > allowed)
		addresses = allowed;

	unsigned long long used = read_number("/proc/self/statm", 0) *
		(unsigned long long)sysconf(_SC_PAGESIZE);
	return used < addresses ? addresses - (size_t)used : 0;
}

static size_t
measure_memory(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	if (pages <= 0 || page <= 0)
		return SIZE_MAX;
	return count_of((unsigned long long)pages * (unsigned long long)page);
}

static struct process_means measured;

static void
measure(void)
{
	struct rlimit descriptors = {.rlim_cur = RLIM_INFINITY};
	getrlimit(RLIMIT_NOFILE, &descriptors);
	measured = (struct process_means){
		.mappings = count_of(read_number("/proc/sys/vm/max_map_count",
			USUAL_MAP_COUNT)),
		.addresses = measure_addresses(),
		.descriptors = count_of(descriptors.rlim_cur),
		.memory = measure_memory(),
	};
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* 0 stands for the default, so no default can be 0. */
static void
set_default(size_t *limit, size_t value)
{
	if (*limit == 0)
		*limit = value > 0 ? value : 1;
}

static void
set_default_length(int32_t *limit, int32_t value)
{
	if (*limit <= 0)
		*limit = value;
}

void
limits_resolve_for(struct shmguard_limits *limits,
	const struct process_means *means)
{
	struct shmguard_usage *total = &limits->total;
	struct shmguard_usage *client = &limits->client;

	/* The rest is for the program itself, whose need is mostly of
	 * descriptors. */
	set_default(&total->mappings, means->mappings - means->mappings / 4);
	set_default(&total->bytes, means->addresses - means->addresses / 4);
	set_default(&total->descriptors, means->descriptors / 4);
	set_default(&total->pools, SIZE_MAX);
	set_default(&total->buffers, SIZE_MAX);
	set_default(&total->holes, least(means->memory / 4, MAX_HOLES_OF_ALL));

	/* A little less than the first to come could have (account.h), so that it
	 * is told of this limit and not of the total. */
	set_default(&client->mappings, total->mappings / 10);
	set_default(&client->bytes, total->bytes / 2);
	set_default(&client->descriptors, total->descriptors / 2);
	set_default(&client->pools, least(client->mappings, MAX_POOLS));
	set_default(&client->buffers, MAX_BUFFERS);
	set_default(&client->holes, total->holes / 4);

	set_default_length(&limits->width, MAX_LENGTH);
	set_default_length(&limits->height, MAX_LENGTH);
	set_default_length(&limits->stride, MAX_STRIDE);
}

void
limits_resolve(struct shmguard_limits *limits)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, measure);
	limits_resolve_for(limits, &measured);
}
