/* SPDX-License-Identifier: MIT */
#ifndef RUN_CLOSURE_H
#define RUN_CLOSURE_H

/*
 * The files that make up a program when it starts: itself and what the dynamic
 * linker loads for it. It is the linker who says which those are, so search paths
 * of all kinds, LD_PRELOAD included, are as they will be.
 */

#include "program.h"

struct closure {
	char **paths; /* the program's own is the first */
	size_t count;
};

/* Ends shmguard-run with one line if a library is missing. */
void closure_list(struct closure *closure, const struct program *program);
void closure_free(struct closure *closure);

bool closure_has(const struct closure *closure, const char *path);

#endif
