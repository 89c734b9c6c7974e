/* SPDX-License-Identifier: MIT */
#ifndef PAGE_PROBE_H
#define PAGE_PROBE_H

/*
 * Does a file have what a mapping shows, found out without touching it? Leaf
 * module.
 */

#include <stddef.h>

enum page_backing {
	PAGE_BACKED,
	PAGE_LOST,
	PAGE_UNKNOWN, /* the kernel cannot tell, or may not */
};

/* Looks at the block of `block_size` bytes at `block`, a multiple of that. Asks
 * whoever serves the file. Async-signal-safe; errno is not meaningful
 * afterwards. */
enum page_backing page_probe(void *block, size_t block_size);

#endif
