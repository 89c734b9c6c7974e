/* SPDX-License-Identifier: MIT */
#ifndef TRAPPED_MEMORY_H
#define TRAPPED_MEMORY_H

/* A client's file mapped and registered in the trap by hand: the trap without
 * the maps that usually stand on it. */

#include "range_registry.h"

#include <stdbool.h>
#include <stddef.h>

struct trapped_memory {
	int fd; /* numbered_memfd() */
	volatile unsigned char *bytes;
	size_t page, pages;
	struct trap_range *range;
	_Atomic bool lost;
};

/* Registers a shared mapping; the handler is the caller's business. `notify_fd`
 * may be -1. The struct must not move. */
void trapped_memory_init(struct trapped_memory *memory, size_t pages,
	int prot, int notify_fd);
void trapped_memory_finish(struct trapped_memory *memory);

/* The client keeps the first pages only. */
void trapped_memory_truncate(const struct trapped_memory *memory,
	size_t pages);

/* The first byte of a page. */
int trapped_memory_read(const struct trapped_memory *memory, size_t page);

/* Fails unless the first `kept` pages show the file and the others zeros. */
void trapped_memory_check(const struct trapped_memory *memory, size_t kept);

#endif
