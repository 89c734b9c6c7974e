/* SPDX-License-Identifier: MIT */

/* Accesses and new pools while there are many others. */

#include "families.h"

#include BENCH_BACKEND
#include "clock.h"
#include "stage.h"

#include <unistd.h>

/* Bytes from a different buffer each time would measure the cache: always the
 * same buffer, among many. */
enum { BATCHES = 41, ACCESSES = 5000, POOLS = 16 };

/* The kernel keeps mappings in a tree, about that many to a node. With some numbers
 * of mappings each new one splits a node and its end joins the two again, which
 * takes half as long as all the rest: so the number has to vary. */
#define MAPPINGS_IN_A_NODE 16

struct scene {
	struct actor actor;
	struct wl_buffer *proxy;
	struct backend_buffer buffer;
	int fd;
};

static void
set_scene(struct scene *scene, struct wl_display *server)
{
	actor_connect(&scene->actor, server);
	scene->fd = stage_drawn_memfd(64 * 64 * 4, true);
	scene->proxy = actor_buffer(&scene->actor, scene->fd, 64, 64);
	actor_settle(&scene->actor);
	backend_get(&scene->buffer,
		actor_resource(&scene->actor, scene->proxy));
}

static double
access_time(struct scene *scene)
{
	struct samples samples = {0};
	for (int i = 0; i < BATCHES; i++) {
		uint64_t start = clock_now();
		for (int j = 0; j < ACCESSES; j++) {
			(void)*(const volatile char *)
				backend_begin(&scene->buffer);
			backend_end(&scene->buffer);
		}
		samples_add(&samples, (double)(clock_now() - start) / ACCESSES);
	}
	return samples_median(&samples);
}

static double
churn_time(struct scene *scene)
{
	struct samples samples = {0};
	for (int i = 0; i < 5 * BATCHES; i++) {
		if (i % (5 * BATCHES / MAPPINGS_IN_A_NODE) == 0)
			actor_buffer(&scene->actor, scene->fd, 64, 64);
		actor_settle(&scene->actor);
		for (int j = 0; j < POOLS; j++)
			wl_buffer_destroy(actor_buffer(&scene->actor, scene->fd,
				64, 64));
		actor_flush(&scene->actor);
		samples_add(&samples,
			(double)stage_serve(scene->actor.server) / 1e3 / POOLS);
		actor_settle(&scene->actor);
	}
	return samples_median(&samples);
}

static void
measure_with(struct scene *scene, const char *what, size_t count)
{
	report("ns", access_time(scene), "scale/access/%s/%zu", what, count);
	report("us", churn_time(scene), "scale/churn/%s/%zu", what, count);
}

void
measure_pools(void)
{
	static const size_t counts[] = {1, 1000, 10000, 45000, 60000};
	struct scene scene;
	struct wl_display *server = stage_open();
	set_scene(&scene, server);
	size_t pools = 1;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		if (!stage_has_room(counts[i])) {
			report_skip("over a limit", "scale/access/pools/%zu",
				counts[i]);
			continue;
		}
		stage_crowd(server, counts[i] - pools, 1, NULL);
		pools = counts[i];
		measure_with(&scene, "pools", pools);
	}
}

void
measure_buffers(void)
{
	static const size_t counts[] = {1000, 50000, 1000000};
	struct scene scene;
	struct wl_display *server = stage_open();
	set_scene(&scene, server);
	size_t buffers = 0;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		stage_crowd(server, (counts[i] - buffers) / 1000, 1000, NULL);
		buffers = counts[i];
		measure_with(&scene, "buffers", buffers);
	}
}
