/* SPDX-License-Identifier: MIT */

/* How long the display's thread is busy with pools that go, and with others'
 * requests while such a pool is torn down elsewhere. */

#include "families.h"

#include BENCH_BACKEND
#include "clock.h"
#include "stage.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { WIDTH = 16384, ROUNDS = 3, BYSTANDER_MS = 200 };

static void
look_at_all_pages(struct actor *actor, struct wl_buffer *proxy, size_t size)
{
	struct backend_buffer buffer;
	backend_get(&buffer, actor_resource(actor, proxy));
	const volatile char *data = backend_begin(&buffer);
	for (size_t at = 0; at < size; at += 4096)
		(void)data[at];
	backend_end(&buffer);
	backend_put(&buffer);
}

/* The longest that another client waits, who makes small pools meanwhile. */
static double
bystander_time(struct actor *bystander, int fd, unsigned int milliseconds)
{
	uint64_t longest = 0, end = clock_now() + milliseconds * UINT64_C(1000000);
	while (clock_now() < end) {
		wl_buffer_destroy(actor_buffer(bystander, fd, 64, 64));
		actor_flush(bystander);
		uint64_t time = stage_serve(bystander->server);
		if (time > longest)
			longest = time;
		actor_settle(bystander);
	}
	return (double)longest / 1e6;
}

struct stall {
	double teardown, bystander; /* milliseconds */
};

static struct stall
tear_down(struct actor *bystander, int small, size_t mib, bool client_first)
{
	struct actor actor;
	actor_connect(&actor, bystander->server);
	/* 2 GiB are more than a wl_shm_pool can have. */
	int32_t height = (int32_t)((mib << 20) / WIDTH / 4) - (mib == 2048);
	size_t size = (size_t)WIDTH * (size_t)height * 4;
	int fd = stage_drawn_memfd(size, true);
	struct wl_buffer *proxy = actor_buffer(&actor, fd, WIDTH, height);
	actor_settle(&actor);
	look_at_all_pages(&actor, proxy, size);

	if (client_first)
		close(fd);
	wl_buffer_destroy(proxy);
	actor_flush(&actor);
	struct stall stall = {
		.teardown = (double)stage_serve(actor.server) / 1e6,
	};
	stall.bystander = bystander_time(bystander, small,
		BYSTANDER_MS + (unsigned int)mib / 4);
	actor_disconnect(&actor);
	if (!client_first)
		close(fd);
	return stall;
}

void
measure_stall(void)
{
	static const size_t sizes[] = {64, 256, 2048};
	struct actor bystander;
	actor_connect(&bystander, stage_open());
	int small = stage_memfd(64 * 64 * 4, true);
	report("ms", bystander_time(&bystander, small, BYSTANDER_MS),
		"stall/nothing/bystander");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (int client_first = 1; client_first >= 0; client_first--) {
			const char *who = client_first ? "first" : "last";
			struct samples teardown = {0}, others = {0};
			for (int j = 0; j < (sizes[i] > 256 ? 1 : ROUNDS); j++) {
				struct stall stall = tear_down(&bystander, small,
					sizes[i], client_first);
				samples_add(&teardown, stall.teardown);
				samples_add(&others, stall.bystander);
			}
			report("ms", samples_max(&teardown),
				"stall/%zuMiB/client-%s", sizes[i], who);
			report("ms", samples_max(&others),
				"stall/%zuMiB/client-%s/bystander", sizes[i],
				who);
		}
	}
}
