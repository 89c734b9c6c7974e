/* SPDX-License-Identifier: MIT */
#ifndef HOLE_CHECK_H
#define HOLE_CHECK_H

/*
 * Which pages of a mapping would the kernel have to make? A look at a hole of a
 * shared memory file has it allocated, and charged to whoever looked. Leaf
 * module; nothing here touches the memory.
 */

#include <stdbool.h>
#include <stddef.h>

/* Pages that one look tells about. */
#define HOLE_WINDOW_PAGES 4096

/* What the kernel knows of some pages in a row. */
struct hole_window {
	const char *start, *end; /* page-aligned; empty at first: all zero */
	unsigned char pages[HOLE_WINDOW_PAGES];
};

enum hole_kind {
	HOLE_PRESENT,
	HOLE_ABSENT,  /* in no memory: a hole, or swapped out */
	HOLE_UNKNOWN, /* a sandbox forbids mincore(2) */
};

/* How many of the `length` bytes from `at` on are of one kind. Moves the window where
 * it has to, to look up to `ahead` bytes ahead, which must be mapped. Any thread,
 * each with a window of its own. */
size_t hole_window_run(struct hole_window *window, const void *at,
	size_t length, size_t ahead, enum hole_kind *kind);

/* Bytes of `length` at `start` in pages that are not known to be in memory. */
size_t hole_check_absent(const void *start, size_t length);

/* Whether any pages are known to be. */
bool hole_check_works(void);

/* Bytes that the system has swapped out: so many may be absent and no holes. */
size_t hole_check_swapped(void);

#endif
