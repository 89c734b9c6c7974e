/* SPDX-License-Identifier: MIT */

/* explore [PATTERN]...: explores all scenarios, or those with such names. The
 * output is TAP. */

#include "explorer.h"
#include "scenarios.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static bool
is_wanted(const char *name, char **patterns)
{
	if (*patterns == NULL)
		return true;
	for (; *patterns != NULL; patterns++)
		if (fnmatch(*patterns, name, 0) == 0)
			return true;
	return false;
}

/* In a process of its own, that what it does stays without consequences. */
static bool
explore_apart(const struct scenario *scenario)
{
	int status;
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		struct exploration e = explore(scenario,
			getenv("SHMGUARD_TEST_LONG") != NULL);
		printf("# %s: %lu states, %lu runs, %lu steps, %.1f s%s\n",
			scenario->name, e.states, e.runs, e.steps, e.seconds,
			e.bounded ? ", not all: the bound was met" : "");
		fflush(stdout);
		_exit(0);
	}
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static const struct scenario *const sets[] = {
	registry_scenarios, map_scenarios, end_scenarios,
};
enum { SETS = sizeof(sets) / sizeof(*sets) };

int
main(int argc, char **argv)
{
	unsigned int count = 0, number = 0, failed = 0;
	(void)argc;
	for (unsigned int i = 0; i < SETS; i++)
		for (const struct scenario *s = sets[i]; s->name != NULL; s++)
			count += is_wanted(s->name, argv + 1);
	printf("1..%u\n", count);
	for (unsigned int i = 0; i < SETS; i++) {
		for (const struct scenario *s = sets[i]; s->name != NULL; s++) {
			if (!is_wanted(s->name, argv + 1))
				continue;
			bool good = explore_apart(s);
			failed += !good;
			printf("%sok %u %s\n", good ? "" : "not ", ++number,
				s->name);
		}
	}
	return failed == 0 ? 0 : 1;
}
