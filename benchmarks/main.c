/* SPDX-License-Identifier: MIT */

/* main FAMILY...: measures one implementation, which one is up to what it was
 * linked with. Lines of: what, unit or "skip", value or reason; with tabs. */

#include "families.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static const struct {
	const char *name;
	void (*measure)(void);
} families[] = {
	{"access", measure_access},
	{"threads", measure_threads},
	{"churn", measure_churn},
	{"frame", measure_frame},
	{"copy", measure_copy},
	{"stall", measure_stall},
	{"resize", measure_resize},
	{"fault", measure_fault},
	{"pools", measure_pools},
	{"buffers", measure_buffers},
	{"memory", measure_memory},
	{"spawn", measure_spawn},
};

static int
measure(const char *name)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		if (strcmp(name, families[i].name) == 0) {
			families[i].measure();
			return 0;
		}
	}
	fprintf(stderr, "no family of measurements is called %s\n", name);
	return 2;
}

int
main(int argc, char **argv)
{
	/* Some implementations keep a descriptor for each pool. */
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	for (int i = 1; i < argc; i++) {
		int status = measure(argv[i]);
		if (status != 0)
			return status;
	}
	return 0;
}
