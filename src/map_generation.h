/* SPDX-License-Identifier: MIT */
#ifndef MAP_GENERATION_H
#define MAP_GENERATION_H

/*
 * One mapping of a client's file, registered in the trap and counted. A map that
 * has to move gets a new generation; the old one goes when its last view ends
 * (I6). The registry's range is the handle, because a range can be looked at
 * when its generation may be gone already.
 *
 * Two things keep a generation:
 *
 * Pins, which any thread takes and drops with an atomic read-modify-write: the
 * map's own and one for each of its buffers.
 *
 * Views. To begin one, somebody must hold a pin meanwhile, so none begins once the
 * last pin has gone; they end at any time, on any thread. Where the configuration
 * names no thread each view is a pin. Else there are two counters, whose sum is
 * the number of views, modulo the size of the counters, although views begin in one
 * and end in the other:
 *   views_here: only the named thread writes it, so plain loads and stores will
 *     do. That is what makes an access on the display's thread cheap.
 *   views_elsewhere: of all other threads, with atomic read-modify-writes.
 *
 * Whoever drops the last pin sums up. Every view's beginning happened before, by
 * way of the pin that was held; views that end meanwhile only lower the sum; so a
 * stale value makes the sum too large and never zero too early. Zero: the
 * generation goes. Otherwise the range is listed, and then marked, as orphaned, and
 * all that is listed is summed up again under a lock. So does every thread that
 * ends a view and then finds the mark. Between the two a generation is not
 * forgotten:
 *   The counter changes, then the mark is read; the mark is set, then the counters
 *   are read; all of that sequentially consistent, so one side sees the other.
 *   But for views_here, whose thread does without the barrier between store and
 *   load: when another thread sets the mark it has the kernel put a barrier into
 *   all threads that run, membarrier(2), before it sums up. (Where a sandbox
 *   forbids that: the next who sums up finds it.) That takes milliseconds, and
 *   happens only to hosts that have moved the display to another thread.
 * Whoever reads the mark may do so when the generation is gone and its range used
 * for another: then it sums up without need.
 */

#include "nosigbus_map.h"
#include "range_registry.h"
#include "this_thread.h"

struct account;

struct map_generation_config {
	/* Charged with the mapping until it is gone. The owner keeps it. */
	struct account *account;
	int notify_fd;
	_Atomic bool *lost;
	/* The thread that begins and ends most of the views, or NULL. */
	const void *views_at;
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

/* Charges it with all of the mapping, if there is plenty, so that nobody need look
 * any more how much of it is filled: see range->prepaid_to. False: not done.
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
/* Any thread. The last one unregisters and unmaps, in that order (I3). */
void map_generation_unpin(struct trap_range *range);

/* A view of a range that is pinned, if only until this returns. Any thread. */
static inline void
map_generation_begin_view(struct trap_range *range)
{
	if (range->views_at == this_thread()) {
		unsigned int views = atomic_load_explicit(&range->views_here,
			memory_order_relaxed);
		atomic_store_explicit(&range->views_here, views + 1,
			memory_order_relaxed);
	} else {
		atomic_fetch_add_explicit(range->views_at == NULL ? &range->pins :
			&range->views_elsewhere, 1, memory_order_relaxed);
	}
}

/* Turns a pin of the caller's into a view. */
void map_generation_view_pinned(struct trap_range *range);

/* As above, for threads other than range->views_at. */
void map_generation_end_view_elsewhere(struct trap_range *range);
/* Has those orphaned go that have no views any more. */
void map_generation_sweep(void);

/* Any thread. The last one of an orphaned range does as the last pin. */
static inline void
map_generation_end_view(struct trap_range *range)
{
	if (range->views_at != this_thread()) {
		map_generation_end_view_elsewhere(range);
		return;
	}
	unsigned int views = atomic_load_explicit(&range->views_here,
		memory_order_relaxed);
	atomic_store_explicit(&range->views_here, views - 1,
		memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&range->orphaned, memory_order_relaxed))
		map_generation_sweep();
}

#endif
