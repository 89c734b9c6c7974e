/* SPDX-License-Identifier: MIT */
#ifndef SEAL_CHECK_H
#define SEAL_CHECK_H

/*
 * What can this descriptor do to us? Leaf module: no mapping, no Wayland.
 * Nothing here waits for a FUSE or network server (I10).
 */

#include <shmguard/map.h>
#include <stdbool.h>
#include <stddef.h>

struct fd_verdict {
	enum shmguard_reason reason;
	/* No policy can make this descriptor acceptable. */
	bool refused;
	/* Reading it, and closing it, can block for ever. */
	bool may_block;
	/* F_SEAL_SHRINK is set and the file holds at least the claimed size, and
	 * pages inside the size cannot be missing: never true for huge pages. */
	bool sealed;
	/* Huge pages: mappings change in steps of block_size, and mremap cannot
	 * grow or duplicate them. */
	bool hugetlb;
	/* The kernel allocates a page for whoever looks at a hole. */
	bool fills_holes;
	/* The descriptor and the seals allow MAP_SHARED with PROT_WRITE. */
	bool can_write;
	/* Granularity in bytes at which a mapping of this file can be replaced:
	 * the page size, or the huge page size. */
	size_t block_size;
};

/*
 * Judges `fd` for a mapping of `size` bytes: access mode, then seals, then (only
 * where that cannot block) size and file system. With `adopt` F_SEAL_SHRINK is
 * added first where the file allows it. errno is not meaningful afterwards.
 * Any thread.
 */
struct fd_verdict seal_check(int fd, size_t size, bool adopt);

/* False if it is known to be no regular file or directory: these are all that a
 * file system's server can be asked about. Keeps errno. Any thread. */
bool fd_may_be_file(int fd);

/* The errno that goes with a refusal for one of the reasons of a verdict, or for
 * SHMGUARD_REASON_POLICY. */
int refusal_errno(enum shmguard_reason reason);

#endif
