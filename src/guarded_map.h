/* SPDX-License-Identifier: MIT */
#ifndef GUARDED_MAP_H
#define GUARDED_MAP_H

/*
 * One client file's life: open, pin, grow, write, close. The public face is
 * <shmguard/map.h>; this adds what the wl_shm objects need beyond it.
 */

#include "fault_notifier.h"
#include "map_generation.h"

#include <shmguard/map.h>

struct account;

/* shmguard_map_open() on behalf of a client, whose account is charged; NULL is one
 * of the map's own. And with somebody to tell about lost memory: `notifier` is
 * woken, and guarded_map_dispatch_faults() then names `owner`. Both may be NULL;
 * the map keeps references to account and notifier. */
struct shmguard_map *guarded_map_open(int fd, size_t size,
	const struct shmguard_policy *policy, struct account *account,
	struct fault_notifier *notifier, void *owner,
	enum shmguard_reason *reason);

/* Keeps the memory that the map shows now, at its address, whether or not anybody
 * ever looks there. NULL in tier COPIED. Given back with map_generation_unpin().
 * Any thread. */
struct trap_range *guarded_map_pin(struct shmguard_map *map);

/* Somebody is about to look at pinned bytes: to be called before. True: whoever looks
 * at these bytes of the range from now on need only prepare the thread, see
 * sigbus_trap.h. Any thread. */
bool guarded_map_begin_look(struct shmguard_map *map, struct trap_range *range,
	size_t offset, size_t length);

/* A view of a pinned range that has been counted. */
static inline void
guarded_map_set_view(struct shmguard_view *view, struct trap_range *range,
	size_t offset, size_t length)
{
	view->data = range->addr + offset;
	view->size = length;
	view->range = range;
	view->copy = NULL;
}

/* Logs, once per occurrence, that somebody has replaced our handler: a system call
 * that need not be made for every map. Any thread. */
void guarded_map_warn_of_other_handler(const struct shmguard_policy *policy);

/* Whether the map was given up, and reads as zeros, for what its account was
 * refused. Any thread. */
bool guarded_map_is_over_limit(const struct shmguard_map *map);

/* Clears the notifier and calls `func` with the owner of every map that has lost
 * memory, once in its life, unless it has been closed. `func` may close maps.
 * Only on the thread that closes the notifier's maps. */
void guarded_map_dispatch_faults(struct fault_notifier *notifier,
	void (*func)(void *owner));

#endif
