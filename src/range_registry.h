/* SPDX-License-Identifier: MIT */
#ifndef RANGE_REGISTRY_H
#define RANGE_REGISTRY_H

/*
 * Which address ranges are client memory? Written by ordinary threads under a
 * lock, read by the SIGBUS handler without one.
 *
 * A range is one 64-bit word (first page and number of pages), so that a reader
 * sees a whole range or none: a torn read cannot exist (I3). Words lie densely,
 * in chunks that know their bounds: a fault among 60,000 ranges reads little.
 * Ranges live in memory that is recycled but never returned, so a reader may
 * look at any of them at any time, and a pin can be taken on one that is about
 * to go.
 *
 * In a forked child the mappings are gone (I12), so the ranges are forgotten.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest range in bytes that the word can hold, for 4 KiB pages 4 GiB - 4 KiB. */
size_t range_max_length(void);

/* Threads that use different ranges must not wait for each other's cache lines. */
#define RANGE_ALIGNMENT 64

struct trap_range {
	/* What accesses look at comes first, in one cache line. `addr`, `lost` and
	 * `views_at` are fixed while registered. */
	char *addr;
	_Atomic bool *lost; /* set when a fault is repaired */

	/* The owner's counts of users, see map_generation.h. The handler does not
	 * look at them. Pins are never taken on zero, which also is their value
	 * while the range is not in use. */
	const void *views_at;
	_Atomic unsigned int views_here, views_elsewhere;
	_Atomic unsigned int pins;
	_Atomic bool orphaned;
	/* The owner's too: up to this address holes are paid for. */
	_Atomic uintptr_t prepaid_to;

	/* Fixed while registered. */
	size_t block_size; /* bytes; replacement pages come in multiples */
	int notify_fd;     /* eventfd to write to on a fault, or -1 */
	void *owner;       /* whom range_next_faulted() names */
	void *data;        /* the registering module's */
	struct range_chunk *chunk;

	/* Any block can be missing, not only the last ones: huge pages. */
	bool has_holes;
	bool can_block; /* looking at its pages may wait for a server */

	_Atomic int prot;            /* of the mapping, for replacement pages */
	_Atomic unsigned int faults; /* times the handler had to repair it */
	/* The handler's: from here on it has replaced everything. */
	_Atomic uintptr_t zeros_from;
	struct trap_range *next_free;
} __attribute__((aligned(RANGE_ALIGNMENT)));

struct range_config {
	size_t block_size;
	bool can_block;
	int prot;
	int notify_fd;
	_Atomic bool *lost;
	const void *views_at;
	void *owner;
	void *data;
};

/* Makes a range known, with one pin. `addr` and `length` are multiples of the
 * page size. `lost` and `notify_fd` must stay good until the range is
 * unregistered. NULL with errno ENOMEM, or EOVERFLOW past range_max_length(). */
struct trap_range *range_register(void *addr, size_t length,
	const struct range_config *config);

/* The mapping grew in place, to at most range_max_length(). */
void range_grow(struct trap_range *range, size_t length);

/* From now on replacement pages get this protection: returns when no handler can
 * be about to place one with the old one, which is returned. */
int range_change_prot(struct trap_range *range, int prot);

/* Hides the range from the handler, waits until no handler can be working on
 * it, and recycles it. Returns whether the memory is still ours to unmap: only
 * after this, and only if so, may it be unmapped (I3). */
__attribute__((warn_unused_result))
bool range_unregister(struct trap_range *range);

/* The length in bytes of a registered range, which may grow. */
size_t range_length(const struct trap_range *range);

/* The registered range that holds an address, or NULL; sets its bounds.
 * Async-signal-safe; the result is stable only from range_handler_enter() to
 * range_handler_leave(). */
struct trap_range *range_find(uintptr_t address, uintptr_t *start,
	uintptr_t *end);

/* A handler is looking at ranges, from enter to leave. Async-signal-safe. */
void range_handler_enter(void);
void range_handler_leave(void);

/* Flags the range for range_next_faulted(). Async-signal-safe. */
void range_mark_faulted(struct trap_range *range);

/* Finds one range with that notify_fd that was flagged and not yet reported,
 * calls `hold` with its owner while that cannot go away, and returns what it
 * returns; NULL if there is none. `hold` must not call back. */
void *range_next_faulted(int notify_fd, void *(*hold)(void *owner));

#endif
