/* SPDX-License-Identifier: MIT */

/* Pools and buffers that come and go: what the compositor's dispatch takes. */

#include "families.h"

#include "clock.h"
#include "stage.h"

#include <unistd.h>

/* As many as there are in a message at most, with room to spare. */
enum { POOLS = 16, BATCHES = 301 };

static double
churn_time(struct actor *actor, int fd, int32_t width, int32_t height)
{
	struct samples samples = {0};
	for (int i = -10; i < BATCHES; i++) {
		for (int j = 0; j < POOLS; j++)
			wl_buffer_destroy(actor_buffer(actor, fd, width,
				height));
		actor_flush(actor);
		uint64_t time = stage_serve(actor->server);
		if (i >= 0)
			samples_add(&samples, (double)time / 1e3 / POOLS);
		actor_settle(actor);
	}
	return samples_median(&samples);
}

void
measure_churn(void)
{
	static const struct {
		const char *name;
		int32_t width, height;
	} sizes[] = {{"64KiB", 128, 128}, {"8MiB", 2048, 1024}};
	struct actor actor;
	actor_connect(&actor, stage_open());
	for (int i = 0; i < 2; i++) {
		for (int sealed = 1; sealed >= 0; sealed--) {
			int fd = stage_memfd((size_t)sizes[i].width *
				(size_t)sizes[i].height * 4, sealed);
			report("us", churn_time(&actor, fd, sizes[i].width,
				sizes[i].height), "churn/%s/%s", sizes[i].name,
				sealed ? "sealed" : "unsealed");
			close(fd);
		}
	}
}
