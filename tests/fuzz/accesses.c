/* SPDX-License-Identifier: MIT */
#include "accesses.h"

#include "fuzz.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define PADDING 0x11

bool
access_may_fail(bool writable)
{
	return errno == ENOMEM || (writable && (errno == EACCES ||
		errno == EPERM || errno == EDQUOT || errno == EFAULT));
}

struct glance {
	const struct access *access;
	const struct client_files *files;
};

static void *
look(void *data)
{
	const struct glance *glance = data;
	const struct access *access = glance->access;
	client_files_check(glance->files, access->contents, access->view.data,
		access->view.size, access->offset, access->exact);
	return NULL;
}

void
access_look(const struct access *access, const struct client_files *files,
	bool elsewhere)
{
	struct glance glance = {access, files};
	pthread_t thread;
	if (!access->open)
		return;
	if (!elsewhere)
		look(&glance);
	else if (pthread_create(&thread, NULL, look, &glance) == 0)
		pthread_join(thread, NULL);
}

void
access_store(const struct access *access, size_t offset, size_t length)
{
	if (!access->open || !access->writable || access->contents == NULL ||
			access->contents->fill == 0 ||
			offset >= access->view.size)
		return;
	if (length > access->view.size - offset)
		length = access->view.size - offset;
	memset((uint8_t *)access->view.data + offset, access->contents->fill,
		length < COPY_MAX ? length : COPY_MAX);
}

bool
access_close(struct access *access)
{
	bool was_open = access->open;
	access->open = false;
	errno = 0;
	return was_open;
}

void
access_check_end(int status)
{
	FUZZ_CHECK(status == 0 || errno == EFAULT, "%s", strerror(errno));
}

uint8_t *
rows_create(size_t size)
{
	size_t room = size > 0 ? size : 1;
	uint8_t *copy = malloc(room);
	FUZZ_CHECK(copy != NULL, "no memory for %zu bytes", room);
	memset(copy, PADDING, room);
	return copy;
}

void
rows_check(const struct rows *rows, const uint8_t *copy,
	const struct client_files *files, const struct contents *contents,
	bool exact)
{
	for (size_t i = 0; i < rows->rows; i++) {
		const uint8_t *at = copy + i * (rows->row + rows->padding);
		client_files_check(files, contents, at, rows->row,
			rows->offset + i * rows->stride, exact);
		for (size_t j = 0; j < rows->padding; j++)
			FUZZ_CHECK(at[rows->row + j] == PADDING,
				"0x%02x in row %zu", at[rows->row + j], i);
	}
}
