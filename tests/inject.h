/* SPDX-License-Identifier: MIT */
#ifndef INJECT_H
#define INJECT_H

/*
 * Runs a scenario as often as the library makes calls that can fail, each time in
 * a process of its own in which nothing is cached yet, and with another of them
 * failing. Then the scenario runs once more there, without failures: that must
 * succeed, and leave what it leaves where nothing ever failed.
 */

#include <check.h>
#include <stdbool.h>

/* Between these the library's calls count. A scenario may do so several times. */
void inject_begin(void);
void inject_end(void);

/* Whether something has failed, in this run of the scenario: the only excuse for
 * anything that does not work. */
bool inject_happened(void);

/* ck_assert() for what has to hold unless something has failed. Returns whether it
 * does. */
#define inject_works(condition) \
	((condition) ? true : (ck_assert(inject_happened()), false))

/* In this scenario files are mapped that nobody is charged for in the end, because
 * they are too many, or that do not have the names of inject_files.h. */
void inject_may_be_uncharged(void);

/* `scenario` gives back all that it takes. Fails the test if nothing failed in
 * it. */
void inject_run(const char *name, void (*scenario)(void));

#define INJECT_TEST(name) \
	static void name##_scenario(void); \
	TEST(name) { inject_run(#name, name##_scenario); } \
	static void name##_scenario(void)

#endif
