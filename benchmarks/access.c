/* SPDX-License-Identifier: MIT */

/* begin + pointer + end of a buffer that is warm, by one thread and by two. */

#include "families.h"

#include BENCH_BACKEND
#include "clock.h"
#include "stage.h"

#include <pthread.h>
#include <unistd.h>

enum { BATCHES = 41, ACCESSES = 20000, THREADED_ACCESSES = 1000000 };

static char
access_often(struct backend_buffer *buffer, int accesses)
{
	char sum = 0;
	for (int i = 0; i < accesses; i++) {
		const volatile char *data = backend_begin(buffer);
		sum = (char)(sum + *data);
		backend_end(buffer);
	}
	return sum;
}

static double
access_time(struct backend_buffer *buffer)
{
	struct samples samples = {0};
	access_often(buffer, ACCESSES);
	for (int i = 0; i < BATCHES; i++) {
		uint64_t start = clock_now();
		access_often(buffer, ACCESSES);
		samples_add(&samples, (double)(clock_now() - start) / ACCESSES);
	}
	return samples_median(&samples);
}

/* Compositor's side of a buffer that was drawn, shown and looked at once. */
static void
make_warm(struct actor *actor, bool sealed, int32_t side,
	struct backend_buffer *buffer)
{
	size_t size = (size_t)side * (size_t)side * 4;
	int fd = stage_drawn_memfd(size, sealed);
	struct wl_buffer *proxy = actor_buffer(actor, fd, side, side);
	actor_settle(actor);
	close(fd);
	backend_get(buffer, actor_resource(actor, proxy));
	const volatile char *data = backend_begin(buffer);
	for (size_t at = 0; at < size; at += 4096)
		(void)data[at];
	backend_end(buffer);
}

void
measure_access(void)
{
	static const int32_t sides[] = {64, 256, 1024};
	struct actor actor;
	actor_connect(&actor, stage_open());
	for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
		for (int sealed = 1; sealed >= 0; sealed--) {
			struct backend_buffer buffer;
			make_warm(&actor, sealed, sides[i], &buffer);
			report("ns", access_time(&buffer), "access/%dx%d/%s",
				(int)sides[i], (int)sides[i],
				sealed ? "sealed" : "unsealed");
			backend_put(&buffer);
		}
	}
}

/* Threads that use different buffers must not meet in cache lines of ours. */
#define CACHE_LINE 64 /* bytes; processors fetch two at a time */

struct worker {
	pthread_t thread;
	pthread_barrier_t *start;
	struct backend_buffer buffer;
	double rate; /* accesses per nanosecond */
} __attribute__((aligned(2 * CACHE_LINE)));

static void *
work(void *data)
{
	struct worker *worker = data;
	access_often(&worker->buffer, ACCESSES);
	pthread_barrier_wait(worker->start);
	uint64_t start = clock_now();
	access_often(&worker->buffer, THREADED_ACCESSES);
	worker->rate = (double)THREADED_ACCESSES /
		(double)(clock_now() - start);
	return NULL;
}

static double
rate_of(struct worker *workers, unsigned int count)
{
	pthread_barrier_t start;
	double rate = 0;
	pthread_barrier_init(&start, NULL, count);
	for (unsigned int i = 0; i < count; i++) {
		workers[i].start = &start;
		if (pthread_create(&workers[i].thread, NULL, work,
				&workers[i]) != 0)
			die("pthread_create");
	}
	for (unsigned int i = 0; i < count; i++) {
		pthread_join(workers[i].thread, NULL);
		rate += workers[i].rate;
	}
	pthread_barrier_destroy(&start);
	return rate;
}

static void
measure_two(struct worker workers[2], const char *what)
{
	struct samples samples = {0};
	for (int i = 0; i < 5; i++) {
		double one = rate_of(workers, 1);
		samples_add(&samples, rate_of(workers, 2) / one);
	}
	report("x", samples_median(&samples), "threads/%s", what);
}

void
measure_threads(void)
{
	if (!BACKEND_HAS_THREADS) {
		report_skip("accesses belong to one thread", "threads/disjoint");
		report_skip("accesses belong to one thread", "threads/same");
		return;
	}
	struct actor actor;
	struct worker workers[2];
	actor_connect(&actor, stage_open());
	for (int i = 0; i < 2; i++)
		make_warm(&actor, false, 256, &workers[i].buffer);
	measure_two(workers, "disjoint");
	workers[1].buffer = workers[0].buffer;
	measure_two(workers, "same");
}
