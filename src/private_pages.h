/* SPDX-License-Identifier: MIT */
#ifndef PRIVATE_PAGES_H
#define PRIVATE_PAGES_H

/*
 * Memory of our own that client pixels are copied to (I12). Not the heap: what
 * has been freed there stays readable.
 */

#include <stdbool.h>
#include <stddef.h>

/* Zeros, which take no memory before they are stored to. Left out of core dumps;
 * a forked child has zeros there, and may unmap them as its parent does. NULL
 * with errno ENOMEM. Given back with munmap(2). Any thread. */
void *private_pages_map(size_t size);

/* Whether the kernel keeps memory out of core dumps and forked children when it is told
 * to; errno if not. Any thread. */
bool private_pages_can_be_kept(void);

#endif
