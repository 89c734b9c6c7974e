/* SPDX-License-Identifier: MIT */
#ifndef SIEGE_ATTACK_RUN_H
#define SIEGE_ATTACK_RUN_H

/*
 * The list of attacks, and how one is made: all its cases, in the calling
 * process. That process should have been started for it: what the system
 * refuses ends it with EXIT_UNABLE, and attacks leave files and memory behind.
 */

#include "attack.h"

#include <stdio.h>

struct attack_options {
	int patience;      /* milliseconds to wait for an answer */
	unsigned int seed; /* of the order of the cases; 0: as they are listed */
	FILE *verbose;     /* how each case ended goes there; may be NULL */
};

struct attack_report {
	enum outcome outcome;
	bool accepted; /* a correct compositor may act like that */
	char shape[64]; /* which case decided that; may be empty */
	char text[512];
};

/* By number from 0, NULL past the last one. */
const struct attack *attack_at(size_t index);

/* NULL if there is none of that name. */
const struct attack *attack_find(const char *name);

/* Against the compositor at WAYLAND_DISPLAY. Later cases are left out once it
 * has died or hangs. */
void attack_run(const struct attack *attack,
	const struct attack_options *options, struct attack_report *report);

#endif
