/* SPDX-License-Identifier: MIT */
#ifndef EXPLORER_H
#define EXPLORER_H

/*
 * Runs the library's own code in every order that its threads can come in, and
 * with every value that the memory model lets an atomic load see.
 *
 * The code is compiled with -fsanitize=thread, which turns each access to memory
 * into a call with its address and memory order, and linked with calls.c in place
 * of ThreadSanitizer. Threads are coroutines that give way before each atomic
 * access, lock and system call that others can notice. A scenario is run again
 * and again, one other choice made each time, until all have been made. Runs that
 * come to a state that was met before end there.
 *
 * Everything that a scenario and the library change lies in the program's own
 * data or comes from malloc(3): it is put back before each run.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MAX_THREADS = 6 };

struct scenario {
	const char *name;
	/* Makes the threads. Nothing runs beside it. */
	void (*set_up)(void);
	/* Checks what is left once all threads have ended; may be NULL. */
	void (*finish)(void);
	/* How often a run may turn from a thread that could go on to another; 0:
	 * any number of times. For ./test, and for ./test --long. */
	unsigned int switches, long_switches;
};

struct exploration {
	unsigned long runs, states, steps;
	bool bounded; /* the bound on switches was met */
	double seconds; /* of processor time */
};

/* All runs of a scenario. Ends the program with status 1 and the steps that led
 * there on standard output if one of them fails. */
struct exploration explore(const struct scenario *scenario, bool is_long);

/* For set_up(). Threads have the numbers 0, 1, ... in the order of these calls; and
 * which of them set_up() is taken for, 0 at first. */
void start_thread(void (*func)(void *data), void *data);
void act_as_thread(unsigned int number);

/* For code that is not compiled with -fsanitize=thread: as if it was. */
void watched_read(const void *address, size_t size);

/* This run shows a fault. */
__attribute__((format(printf, 1, 2)))
_Noreturn void fail_run(const char *format, ...);
#define CHECK(condition) \
	((condition) ? (void)0 : fail_run("%s:%d: not so: %s", __FILE__, \
		__LINE__, #condition))

#endif
