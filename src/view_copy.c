/* SPDX-License-Identifier: MIT */
#include "view_copy.h"

#include "private_pages.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Small enough to stay in the cache between pread and the copy out of it. */
#define BOUNCE_SIZE ((size_t)256 << 10)
#define PIECE_SIZE ((size_t)4096)

struct view_copy {
	void *owner;
	/* Private pages: the copy, then what the file is read to, then a byte that
	 * is not zero in writable copies, but for those in forked children. */
	unsigned char *data;
	unsigned char *bounce;
	unsigned char *mark;
	size_t length;
	size_t filled; /* bytes that the file had */
	off_t offset;
	bool writable;
	bool lost;
};

static bool
is_zero(const unsigned char *bytes, size_t size)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

static void
store_nonzero(unsigned char *to, const unsigned char *from, size_t size)
{
	for (size_t done = 0; done < size; done += PIECE_SIZE) {
		size_t piece = size - done < PIECE_SIZE ? size - done : PIECE_SIZE;
		if (!is_zero(from + done, piece))
			memcpy(to + done, from + done, piece);
	}
}

static size_t
bounce_size(size_t length)
{
	return length < BOUNCE_SIZE ? length : BOUNCE_SIZE;
}

static size_t
mapped_size(const struct view_copy *copy)
{
	return (size_t)(copy->mark + 1 - copy->data);
}

static void
read_file(struct view_copy *copy, int fd)
{
	while (copy->filled < copy->length) {
		size_t want = copy->length - copy->filled;
		if (want > BOUNCE_SIZE)
			want = BOUNCE_SIZE;
		ssize_t got = pread(fd, copy->bounce, want,
			copy->offset + (off_t)copy->filled);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			/* The end of the file, or an I/O error. */
			copy->lost = true;
			return;
		}
		store_nonzero(copy->data + copy->filled, copy->bounce, (size_t)got);
		copy->filled += (size_t)got;
	}
}

/* Wraps to 0 at the end of the addresses. */
static size_t
round_up(size_t length, size_t page)
{
	return (length + page - 1) & ~(page - 1);
}

struct view_copy *
view_copy_create_zeros(off_t offset, size_t length, bool writable, void *owner)
{
	struct view_copy *copy = malloc(sizeof(*copy));
	if (copy == NULL)
		return NULL;
	*copy = (struct view_copy){
		.owner = owner,
		.length = length,
		.offset = offset,
		.writable = writable,
	};

	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t bounce = round_up(length, page);
	size_t mark = bounce + round_up(bounce_size(length), page);
	if (mark > length)
		copy->data = private_pages_map(mark + 1);
	if (copy->data == NULL) {
		free(copy);
		errno = ENOMEM;
		return NULL;
	}
	copy->bounce = copy->data + bounce;
	copy->mark = copy->data + mark;
	if (writable)
		*copy->mark = 1;
	return copy;
}

void
view_copy_fill(struct view_copy *copy, int fd)
{
	read_file(copy, fd);
	madvise(copy->bounce, (size_t)(copy->mark - copy->bounce), MADV_DONTNEED);
}

struct view_copy *
view_copy_create(int fd, off_t offset, size_t length, bool writable,
	void *owner)
{
	struct view_copy *copy =
		view_copy_create_zeros(offset, length, writable, owner);
	if (copy != NULL)
		view_copy_fill(copy, fd);
	return copy;
}

bool
view_copy_is_lost(const struct view_copy *copy)
{
	return copy->lost;
}

void
view_copy_set_lost(struct view_copy *copy)
{
	copy->lost = true;
}

void *
view_copy_data(struct view_copy *copy)
{
	return copy->data;
}

void *
view_copy_owner(const struct view_copy *copy)
{
	return copy->owner;
}

/* Storing past the end of a file that has shrunk would make it grow again. */
static size_t
bytes_still_there(const struct view_copy *copy, int fd)
{
	struct stat file;
	if (fstat(fd, &file) < 0 || file.st_size <= copy->offset)
		return 0;
	off_t left = file.st_size - copy->offset;
	return (uint64_t)left < copy->filled ? (size_t)left : copy->filled;
}

static void
write_back(struct view_copy *copy, int fd)
{
	size_t done = 0, end = bytes_still_there(copy, fd);
	copy->lost |= end < copy->length;
	while (done < end) {
		ssize_t put = pwrite(fd, copy->data + done, end - done,
			copy->offset + (off_t)done);
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0) {
			copy->lost = true;
			return;
		}
		done += (size_t)put;
	}
}

bool
view_copy_finish(struct view_copy *copy, int fd)
{
	if (copy->writable && *copy->mark != 0)
		write_back(copy, fd);

	bool lost = copy->lost;
	munmap(copy->data, mapped_size(copy));
	free(copy);
	return lost;
}
