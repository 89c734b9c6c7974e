/* SPDX-License-Identifier: MIT */
#ifndef READ_FD_H
#define READ_FD_H

/*
 * The two halves of shmguard_read_fd(), for callers that keep the descriptor or
 * bring the memory. Neither maps anything, so no signal can come of them.
 */

#include "seal_check.h"

#include <stdint.h>
#include <sys/types.h>

/* Whether the file may be read at all. False with errno. */
bool read_fd_allowed(const struct fd_verdict *verdict,
	enum shmguard_blocking blocking);

/* Copies what the file has of `length` bytes at `offset`, which at the end of the
 * file are fewer. Returns their number, or -1 with errno. Offsets are 64 bits
 * wide whatever off_t is to the caller. Any thread. */
ssize_t read_fd_copy(int fd, uint64_t offset, void *bytes, size_t length);

#endif
