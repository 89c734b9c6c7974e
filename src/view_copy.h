/* SPDX-License-Identifier: MIT */
#ifndef VIEW_COPY_H
#define VIEW_COPY_H

/*
 * An access to a file that is not mapped: its bytes in private memory. No signal
 * can come of it, and holes in the file stay holes: pread(2) allocates nothing
 * there, and pages that are all zero are not stored here either.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct view_copy;

/* Copies `length` bytes at `offset` (> 0 in length). NULL with errno ENOMEM.
 * `owner` is the caller's to get back. */
struct view_copy *view_copy_create(int fd, off_t offset, size_t length,
	bool writable, void *owner);

/* The same in two steps: first zeros, then bytes of the file. */
struct view_copy *view_copy_create_zeros(off_t offset, size_t length,
	bool writable, void *owner);
void view_copy_fill(struct view_copy *copy, int fd);

/* Whether bytes could not be read; and says that they could not. */
bool view_copy_is_lost(const struct view_copy *copy);
void view_copy_set_lost(struct view_copy *copy);

void *view_copy_data(struct view_copy *copy);
void *view_copy_owner(const struct view_copy *copy);

/* Writes the bytes back if the copy is writable, and frees it. Returns whether
 * some of the bytes could not be read or written. A forked child, which has no
 * bytes, writes none. */
bool view_copy_finish(struct view_copy *copy, int fd);

#endif
