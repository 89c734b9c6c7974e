/* SPDX-License-Identifier: MIT */
#ifndef RUN_GUARDS_H
#define RUN_GUARDS_H

/*
 * Which preload objects guard a program, by what its files define and call.
 */

#include "closure.h"

#define GUARDS_MAX 3

struct guards {
	char *objects[GUARDS_MAX]; /* absolute paths, in the order of preloading */
	size_t count;
	char text[1024]; /* a sentence without a subject: what is guarded by which */
};

/* The objects lie in `directory` or in its subdirectory shmguard. Ends
 * shmguard-run with one line if nothing can be guarded or an object that it takes
 * is not there. */
void guards_choose(struct guards *guards, const struct closure *closure,
	const char *directory);
void guards_free(struct guards *guards);

#endif
