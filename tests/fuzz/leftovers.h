/* SPDX-License-Identifier: MIT */
#ifndef FUZZ_LEFTOVERS_H
#define FUZZ_LEFTOVERS_H

/*
 * What must be as it was when an input has been tried: descriptors, mappings of
 * clients' files, what they are charged for, the action for SIGBUS. The sanitizer
 * looks after the heap.
 */

#include <signal.h>

struct leftovers {
	int descriptors;
	struct sigaction action;
};

/* With `host` a handler of the host's is installed meanwhile, which asks
 * shmguard_handle_sigbus(). */
void leftovers_begin(struct leftovers *before, int host);
/* Waits for what is given back on other threads. */
void leftovers_check(const struct leftovers *before);

#endif
