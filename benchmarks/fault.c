/* SPDX-License-Identifier: MIT */

/* From a look at a page that the file has lost to the byte that is read instead. */

#include "families.h"

#include BENCH_BACKEND
#include "clock.h"
#include "stage.h"

#include <unistd.h>

enum { FAULTS = 50, SIDE = 128 };

static double
fault_time(struct wl_display *server)
{
	struct actor actor;
	actor_connect(&actor, server);
	int fd = stage_drawn_memfd((size_t)SIDE * SIDE * 4, false);
	struct wl_buffer *proxy = actor_buffer(&actor, fd, SIDE, SIDE);
	actor_settle(&actor);
	struct backend_buffer buffer;
	backend_get(&buffer, actor_resource(&actor, proxy));

	const volatile char *data = backend_begin(&buffer);
	(void)*data;
	if (ftruncate(fd, 0) < 0)
		die("ftruncate");
	uint64_t start = clock_now();
	(void)*data;
	uint64_t time = clock_now() - start;
	backend_end(&buffer);

	backend_put(&buffer);
	stage_serve(server);
	wl_buffer_destroy(proxy);
	actor_disconnect(&actor);
	close(fd);
	return (double)time / 1e3;
}

void
measure_fault(void)
{
	static const size_t counts[] = {1, 1000, 45000, 60000};
	struct wl_display *server = stage_open();
	size_t pools = 1;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		if (!stage_has_room(counts[i])) {
			report_skip("over a limit", "fault/%zu", counts[i]);
			continue;
		}
		stage_crowd(server, counts[i] - pools, 1, NULL);
		pools = counts[i];
		struct samples samples = {0};
		for (int j = 0; j < FAULTS; j++)
			samples_add(&samples, fault_time(server));
		report("us", samples_median(&samples), "fault/%zu", counts[i]);
	}
}
