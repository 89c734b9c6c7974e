/* SPDX-License-Identifier: MIT */
#ifndef RANGE_REGISTRY_H
#define RANGE_REGISTRY_H

/*
 * Which address ranges are client memory? Written by ordinary threads under a
 * lock, read by the SIGBUS handler without one.
 *
 * A range is one 64-bit word (first page and number of pages), so that a reader
 * sees a whole range or none: a torn read cannot exist (I3). Ranges live in
 * memory that is recycled but never returned, so a reader may look at any of
 * them at any time, and a pin can be taken on one that is about to go.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trap_range {
	_Atomic uint64_t word; /* 0: not registered */
	/* Fixed while registered. */
	size_t block_size; /* bytes; replacement pages come in multiples */
	int notify_fd;     /* eventfd to write to on a fault, or -1 */
	void *owner;       /* for whoever collects the faults */
	_Atomic int prot;  /* of the mapping, for replacement pages */
	_Atomic uint32_t faults; /* times the handler had to repair it */
	/* The owner's: the handler does not look at it. Never taken on zero. */
	_Atomic uint32_t pins;
	struct trap_range *next_free;
};

/* Makes a range known. `addr` and `length` are multiples of the page size.
 * `pins` starts at 1. NULL with errno ENOMEM, or EOVERFLOW for a range that the
 * word cannot hold (4 GiB and more with 4 KiB pages). */
struct trap_range *range_register(void *addr, size_t length, size_t block_size,
	int prot, int notify_fd, void *owner);

/* The mapping grew in place. EOVERFLOW as above. */
int range_grow(struct trap_range *range, size_t length);

/* Hides the range from the handler, waits until no handler can be working on
 * it, and recycles it. Only after this may the memory be unmapped. */
void range_unregister(struct trap_range *range);

/* Address and length in bytes of a registered range. */
void *range_addr(const struct trap_range *range);
size_t range_length(const struct trap_range *range);

/* The registered range that holds an address, or NULL. Async-signal-safe; the
 * result is stable only between range_handler_enter() and _leave(). */
struct trap_range *range_find(uintptr_t address);

/* Async-signal-safe: a fault was repaired. Counts it and flags the range. */
void range_mark_faulted(struct trap_range *range);

/* Calls `func` for each owner with that notify_fd whose ranges faulted since the
 * last time. `func` may unregister ranges. */
void range_collect_faulted(int notify_fd, void (*func)(void *owner));

/* A handler is looking at ranges, from enter to leave; async-signal-safe. */
void range_handler_enter(void);
void range_handler_leave(void);

/* In a forked child: its copy of the mappings is gone (I12), so are the ranges,
 * and handlers that were running in other threads are not. */
void range_forget_all(void);

#endif
