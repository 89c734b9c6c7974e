/* SPDX-License-Identifier: MIT */
#ifndef WORLD_H
#define WORLD_H

/*
 * A kernel with a few pages, files, and eventfds, for what is explored: each of
 * its calls is one step. It fails the run if a repair goes anywhere but to the
 * mapping that faulted, and if a mapping goes while somebody uses it.
 */

#include <stdbool.h>
#include <stddef.h>

/* Before anything else: how large pages are, which decides what is worth the
 * reaper's while. 4 KiB otherwise. */
void world_use_page_size(size_t size);
size_t world_page_size(void);

/* A client's file of so many pages; it can be truncated and extended. */
int world_file(size_t pages);
void world_truncate(int file, size_t pages);

enum content {
	CONTENT_ZERO = -1, /* else: the file */
};

/* Touches a byte of client memory that must be there, as an access that faults
 * until the trap repairs it. What is there then: a file or CONTENT_ZERO. */
int world_load(const void *address);
int world_store(void *address);

/* The mapping at an address may not go meanwhile. */
void world_hold(const void *address);
void world_release(const void *address);

/* A page of the host's own file, which is empty: mapped where the kernel sees fit,
 * that is where the last one was unmapped. Touching it must not be repaired. */
void *world_map_foreign(void);
void world_touch_foreign(void *address);
void world_unmap_foreign(void *address);

/* Waits until an eventfd is readable. */
void world_poll(int fd);

/* Waits until no file is mapped. */
void world_wait_for_unmapping(void);

/* Mappings of files, and spare ones, in pages. */
unsigned int world_mappings(void);
unsigned int world_spares(void);

#endif
