/* SPDX-License-Identifier: MIT */
#ifndef GUARDED_MAP_PRIVATE_H
#define GUARDED_MAP_PRIVATE_H

/* What guarded_map.c (life), map_resize.c (growth), guarded_view.c and map_copy.c
 * (access) and map_faults.c (reports) share, and nobody else sees. */

#include "guarded_map.h"
#include "range_registry.h"
#include "seal_check.h"

#include <pthread.h>
#include <stdatomic.h>

struct client_mapping;

struct shmguard_map {
	_Atomic unsigned int references; /* the opener, generations, copies */
	/* Kept only where a mapping cannot stand for the file; else -1 (I8). */
	int fd;
	struct account *account; /* a reference */
	struct fd_verdict verdict;
	struct fault_notifier *notifier; /* may be NULL */
	void *owner;                     /* NULL once closed */

	_Atomic size_t size;
	/* Views are begun without a lock; this one orders what replaces mappings
	 * or changes their protection. */
	pthread_mutex_t lock;
	struct trap_range *_Atomic reading; /* NULL in tier COPIED */
	/* A second, shared mapping where the first is private. */
	struct trap_range *_Atomic writing;
	/* A copy that met missing bytes waits here to be reported. */
	struct shmguard_map *lost_next;
	bool lost_listed;

	/* An enum shmguard_tier and an enum shmguard_reason. Maps come in tens of
	 * thousands. */
	_Atomic unsigned char tier, reason;
	_Atomic bool lost;
	bool holds_trap;
	bool keeps_descriptor;

	/* What the policy says. */
	bool handler_allowed;
	bool trap_allowed; /* files that are not sealed may be mapped, too */
	bool dump;
	unsigned int blocking_deadline; /* milliseconds */

	/* SHMGUARD_BLOCKING_COPY, and a file that can block: only another thread
	 * may read it. */
	bool read_elsewhere;

	/* Looking at its holes would have been past a limit. */
	_Atomic bool over_limit;

	/* Stores go through pwrite(2): the mapping is private and nothing may
	 * trap faults in a shared one. */
	bool writes_by_copy;

	/* The owner has been told of lost memory. Its thread's. */
	bool reported;
};

void map_ref(struct shmguard_map *map);
/* Any thread. */
void map_unref(struct shmguard_map *map);

/* Publishes a mapping as the map's way to read or write. Takes it over, on
 * failure too. 0, or -1 with errno. With the lock held, or before the map is
 * known to others. */
int map_add_generation(struct shmguard_map *map,
	struct trap_range *_Atomic *current, struct client_mapping *mapping);

/* A new mapping of `size` bytes of the file, whose descriptor the map has kept. 0, or -1
 * with errno. */
int map_from_descriptor(struct shmguard_map *map, size_t size, bool writable,
	struct client_mapping *mapping);

/* An access to bytes of a pinned range begins, which has holes of the file filled:
 * charges the client for them, or gives the range up. Any thread. */
void map_charge_holes(struct shmguard_map *map, struct trap_range *range,
	size_t bytes);

/* A copy of the map's file met missing bytes. Any thread. */
void map_report_lost_copy(struct shmguard_map *map);
/* Nobody wants to hear of it any more. */
void map_forget_lost_copy(struct shmguard_map *map);

#endif
