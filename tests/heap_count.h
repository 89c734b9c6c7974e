/* SPDX-License-Identifier: MIT */
#ifndef HEAP_COUNT_H
#define HEAP_COUNT_H

/*
 * Live heap blocks of this process, counted by malloc and free functions that
 * stand before libc's. What the dynamic loader allocates is left out: it keeps
 * a block for each thread stack that libc caches.
 */

/* Always 0 where the heap is another tool's: sanitizers, valgrind. */
long heap_count_live(void);

#endif
