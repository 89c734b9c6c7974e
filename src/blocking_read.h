/* SPDX-License-Identifier: MIT */
#ifndef BLOCKING_READ_H
#define BLOCKING_READ_H

/*
 * Copies of files whose server may answer late or never: another thread reads,
 * and whoever asked waits for it no longer than a deadline.
 */

#include "view_copy.h"

/* Threads that may hang in a read at a time, in the process. */
#define BLOCKING_READERS_MAX 4

/* Of the time that passes, one part in so many can be spent waiting for servers
 * that are late but not too late. */
#define BLOCKING_READ_SHARE 8

struct blocking_source {
	int fd;
	unsigned int deadline; /* ms */
	void *owner;           /* of the copy, and for the function below */
	/* Called exactly once, on any thread, when `fd` is not used any more. */
	void (*released)(void *owner);
};

/*
 * The file's bytes, as view_copy_create() for reading. The copy is zeros and lost
 * where the file had no such bytes, where they did not arrive in time, and where
 * BLOCKING_READERS_MAX others hang already. NULL with errno ENOMEM.
 *
 * All calls in the process together wait no longer than the deadline, plus the
 * share above of the time that passes, plus what it takes to copy the bytes if
 * nobody has to be waited for: whoever makes a hundred slow files makes us wait no
 * longer than with one. Any thread.
 */
struct view_copy *blocking_read(const struct blocking_source *source,
	off_t offset, size_t length);

#endif
