/* SPDX-License-Identifier: MIT */

/* 3840x2160 pixels out of a pool into memory of the compositor's. */

#include "families.h"

#include BENCH_BACKEND
#include "clock.h"
#include "stage.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WIDTH = 3840, HEIGHT = 2160, STRIDE = WIDTH * 4, FRAMES = 15 };

static char *
make_target(void)
{
	char *target = malloc((size_t)STRIDE * HEIGHT);
	if (target == NULL)
		die("malloc");
	memset(target, 1, (size_t)STRIDE * HEIGHT);
	return target;
}

static double
frame_time(struct actor *actor, bool sealed, char *target)
{
	int fd = stage_drawn_memfd((size_t)STRIDE * HEIGHT, sealed);
	struct wl_buffer *proxy = actor_buffer(actor, fd, WIDTH, HEIGHT);
	actor_flush(actor);

	uint64_t start = clock_now();
	stage_serve(actor->server);
	struct backend_buffer buffer;
	backend_get(&buffer, actor_resource(actor, proxy));
	backend_copy(&buffer, HEIGHT, target, STRIDE);
	clock_keep(target);
	backend_put(&buffer);
	uint64_t time = clock_now() - start;

	wl_buffer_destroy(proxy);
	actor_flush(actor);
	time += stage_serve(actor->server);
	actor_settle(actor);
	close(fd);
	return (double)time / 1e6;
}

void
measure_frame(void)
{
	struct actor actor;
	char *target = make_target();
	actor_connect(&actor, stage_open());
	for (int sealed = 1; sealed >= 0; sealed--) {
		struct samples samples = {0};
		for (int i = 0; i < FRAMES; i++)
			samples_add(&samples,
				frame_time(&actor, sealed, target));
		report("ms", samples_median(&samples), "frame/4K/%s",
			sealed ? "sealed" : "unsealed");
	}
	free(target);
}

void
measure_copy(void)
{
	struct actor actor;
	char *target = make_target();
	actor_connect(&actor, stage_open());
	int fd = stage_drawn_memfd((size_t)STRIDE * HEIGHT, true);
	struct wl_buffer *proxy = actor_buffer(&actor, fd, WIDTH, HEIGHT);
	actor_settle(&actor);
	struct backend_buffer buffer;
	backend_get(&buffer, actor_resource(&actor, proxy));

	struct samples samples = {0};
	for (int i = -2; i < 4 * FRAMES; i++) {
		uint64_t start = clock_now();
		backend_copy(&buffer, HEIGHT, target, STRIDE);
		clock_keep(target);
		if (i >= 0)
			samples_add(&samples,
				(double)(clock_now() - start) / 1e6);
	}
	report("ms", samples_median(&samples), "copy/4K");
	backend_put(&buffer);
	free(target);
}
