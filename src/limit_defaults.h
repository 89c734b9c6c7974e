/* SPDX-License-Identifier: MIT */
#ifndef LIMIT_DEFAULTS_H
#define LIMIT_DEFAULTS_H

/*
 * How much of this process may clients take? Leaf module: knows what the system
 * gives a process, not who takes it.
 */

#include <shmguard/map.h>

/* Puts the defaults where `limits` says 0. The system is asked once in a
 * process, the first time. Any thread. */
void limits_resolve(struct shmguard_limits *limits);

/* What the defaults are made from. */
struct process_means {
	size_t mappings;    /* vm.max_map_count */
	size_t addresses;   /* bytes that are not mapped yet, RLIMIT_AS heeded */
	size_t descriptors; /* RLIMIT_NOFILE */
	size_t memory;      /* bytes, of the machine */
};

/* The same with means that the caller knows. */
void limits_resolve_for(struct shmguard_limits *limits,
	const struct process_means *means);

#endif
