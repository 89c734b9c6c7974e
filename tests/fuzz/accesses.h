/* SPDX-License-Identifier: MIT */
#ifndef FUZZ_ACCESSES_H
#define FUZZ_ACCESSES_H

/*
 * Accesses to the files of a hostile client, through maps or through buffers, and
 * what may come of them.
 */

#include "client_files.h"

#include <shmguard/map.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Larger ones cost more time and memory than they teach. Bytes. */
#define ACCESS_MAX ((size_t)16 << 20)
#define COPY_MAX ((size_t)1 << 20)

struct access {
	bool open, writable;
	bool exact; /* no limit takes what the file still has */
	struct shmguard_view view;
	struct contents *contents; /* NULL: of one of many files */
	size_t offset;             /* in the file */
};

/* Whether errno is what an access to bytes that there are may fail with. */
bool access_may_fail(bool writable);

/* Looks at what an access shows, if it is open, here or on another thread. */
void access_look(const struct access *access, const struct client_files *files,
	bool elsewhere);

/* Stores what the file is full of, if the access allows it: `offset` in the view. */
void access_store(const struct access *access, size_t offset, size_t length);

/* Closes it, if it is open: true. The caller ends the view, and says how. */
bool access_close(struct access *access);
void access_check_end(int status);

/* Rows of a file, `stride` bytes apart there and `row` and `padding` here. */
struct rows {
	size_t offset, stride; /* in the file */
	size_t row, rows, padding;
};

/* Room for them, which is filled with what must stay in the padding. The caller's, to
 * be freed. Of nothing it is one byte. */
uint8_t *rows_create(size_t size);

/* Looks at rows that were copied. */
void rows_check(const struct rows *rows, const uint8_t *copy,
	const struct client_files *files, const struct contents *contents,
	bool exact);

#endif
