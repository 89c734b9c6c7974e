/* SPDX-License-Identifier: MIT */
#ifndef SIEGE_WORKER_H
#define SIEGE_WORKER_H

/*
 * A process that makes attacks as it is told and tells what came of them, with
 * compositors of its own.
 */

#include "options.h"

struct job {
	unsigned int attack; /* as in attack_at() */
	unsigned int repeat;
};

/* Reads jobs from a seqpacket socket and writes results to it, until there is no
 * job or a signal ends it. `directory` exists and is removed, and the one that it
 * is in if that is empty then. */
void worker_run(const struct options *options, int socket,
	const char *directory);

#endif
