/* SPDX-License-Identifier: MIT */

/* fork(2) and exec(2) of a child while there are many pools. */

#include "families.h"

#include BENCH_BACKEND
#include "clock.h"
#include "stage.h"

#include <sys/wait.h>
#include <unistd.h>

enum { POOLS = 20000, CHILDREN = 41 };

static void
look(struct actor *actor, struct wl_buffer *proxy)
{
	struct backend_buffer buffer;
	backend_get(&buffer, actor_resource(actor, proxy));
	(void)*(const volatile char *)backend_begin(&buffer);
	backend_end(&buffer);
	backend_put(&buffer);
}

void
measure_spawn(void)
{
	struct samples samples = {0}, forks = {0};
	if (!stage_has_room(POOLS)) {
		report_skip("over a limit", "spawn/%d", POOLS);
		return;
	}
	stage_crowd(stage_open(), POOLS, 1, look);
	for (int i = 0; i < CHILDREN; i++) {
		uint64_t start = clock_now();
		pid_t child = fork();
		if (child == 0) {
			execl("/bin/true", "true", (char *)NULL);
			_exit(1);
		}
		samples_add(&forks, (double)(clock_now() - start) / 1e6);
		waitpid(child, NULL, 0);
		samples_add(&samples, (double)(clock_now() - start) / 1e6);
	}
	report("ms", samples_median(&forks), "spawn/%d/fork", POOLS);
	report("ms", samples_median(&samples), "spawn/%d", POOLS);
}
