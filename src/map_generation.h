/* SPDX-License-Identifier: MIT */
#ifndef MAP_GENERATION_H
#define MAP_GENERATION_H

/*
 * One mapping of a client's file, registered in the trap and counted. A map that
 * has to move gets a new generation; the old one goes when its last view ends
 * (I6). The registry's range is the handle, because a range can be looked at
 * when its generation may be gone already.
 */

#include "nosigbus_map.h"
#include "range_registry.h"

struct account;

struct map_generation_config {
	/* Charged with the mapping until it is gone. The owner keeps it. */
	struct account *account;
	int notify_fd;
	_Atomic bool *lost;
	void *owner;
	/* Called once the mapping is gone, on any thread. */
	void (*released)(void *owner);
	/* A server may keep whoever reads or unmaps it waiting: unmapped elsewhere,
	 * whatever the size. */
	bool can_block;
};

/* Takes the mapping over and returns its range with one pin, or NULL with errno
 * ENOMEM or EDQUOT, the mapping still the caller's. */
struct trap_range *map_generation_create(const struct client_mapping *mapping,
	const struct map_generation_config *config);

/* Charges the account with bytes of a pinned range that an access is about to have
 * the kernel fill. Each counts once, until the mapping is gone. False: past a
 * limit, and nothing is charged. Any thread. */
bool map_generation_charge_holes(struct trap_range *range, size_t bytes);

/* What was charged for one range stays charged with another of the same account
 * that shows the same file. Both pinned. */
void map_generation_hand_over_holes(struct trap_range *from,
	struct trap_range *to);

/* Charges it with all of a small mapping, if there is plenty, so that nobody need
 * look any more how much of it is filled: see range->prepaid_to. False: not done.
 * Any thread. */
bool map_generation_prepay(struct trap_range *range);

/* The mapping of a pinned range. */
struct client_mapping *map_generation_mapping(struct trap_range *range);

/* Makes the mapping of a pinned range at least `length` bytes long without moving
 * it: 0, or -1 with errno as client_mapping_grow() or EDQUOT. One thread at a
 * time for a range. */
int map_generation_grow(struct trap_range *range, size_t length);

/* Whether a pinned range takes stores already. Lock-free. */
bool map_generation_is_writable(const struct trap_range *range);
/* Makes it so: 0, or -1 with errno as client_mapping_make_writable(). One thread
 * at a time for a range. */
int map_generation_make_writable(struct trap_range *range);

/* Pins what `current` points to; it may be changed and unpinned by another thread
 * meanwhile. Lock-free. NULL if there is none. */
struct trap_range *map_generation_pin(struct trap_range *_Atomic *current);
/* One pin more on a range that the caller knows pinned. */
static inline void
map_generation_pin_again(struct trap_range *range)
{
	atomic_fetch_add_explicit(&range->pins, 1, memory_order_relaxed);
}
/* Any thread. The last one unregisters and unmaps, in that order (I3). */
void map_generation_unpin(struct trap_range *range);

#endif
