/* SPDX-License-Identifier: MIT */

/* A pool that grows page by page. */

#include "families.h"

#include BENCH_BACKEND
#include "clock.h"
#include "stage.h"

#include <unistd.h>

enum { PAGE = 4096, PAGES = 80 << 8, AT_A_TIME = 64 };

static double
grow_time(struct actor *actor, bool held)
{
	int fd = stage_memfd((size_t)PAGES * PAGE, false);
	struct wl_shm_pool *pool = wl_shm_create_pool(actor->shm, fd, PAGE);
	struct wl_buffer *proxy = wl_shm_pool_create_buffer(pool, 0, 32, 32, 128,
		WL_SHM_FORMAT_XRGB8888);
	actor_settle(actor);
	struct backend_buffer buffer;
	if (held) {
		backend_get(&buffer, actor_resource(actor, proxy));
		(void)*(const volatile char *)backend_begin(&buffer);
	}

	uint64_t time = 0;
	for (int32_t pages = 2; pages <= PAGES; pages++) {
		wl_shm_pool_resize(pool, pages * PAGE);
		if (pages % AT_A_TIME != 0)
			continue;
		actor_flush(actor);
		time += stage_serve(actor->server);
	}
	if (held) {
		backend_end(&buffer);
		backend_put(&buffer);
	}
	wl_buffer_destroy(proxy);
	wl_shm_pool_destroy(pool);
	actor_settle(actor);
	close(fd);
	return (double)time / 1e3 / PAGES;
}

void
measure_resize(void)
{
	struct actor actor;
	actor_connect(&actor, stage_open());
	for (int held = 0; held <= 1; held++) {
		struct samples samples = {0};
		for (int i = 0; i < 5; i++)
			samples_add(&samples, grow_time(&actor, held));
		report("us", samples_median(&samples), "resize/%s",
			held ? "held" : "free");
	}
}
