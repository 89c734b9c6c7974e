/* SPDX-License-Identifier: MIT */
#include "view_copy.h"

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
	unsigned char *data; /* anonymous: zero until stored to */
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

static void
fill(struct view_copy *copy, int fd, unsigned char *bounce)
{
	while (copy->filled < copy->length) {
		size_t want = copy->length - copy->filled;
		if (want > BOUNCE_SIZE)
			want = BOUNCE_SIZE;
		ssize_t got = pread(fd, bounce, want,
			copy->offset + (off_t)copy->filled);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			/* The end of the file, or an I/O error. */
			copy->lost = true;
			return;
		}
		store_nonzero(copy->data + copy->filled, bounce, (size_t)got);
		copy->filled += (size_t)got;
	}
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
		.data = mmap(NULL, length, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
	};
	if (copy->data != MAP_FAILED)
		return copy;
	free(copy);
	errno = ENOMEM;
	return NULL;
}

bool
view_copy_fill(struct view_copy *copy, int fd)
{
	unsigned char *bounce = malloc(
		copy->length < BOUNCE_SIZE ? copy->length : BOUNCE_SIZE);
	if (bounce == NULL)
		return false;
	fill(copy, fd, bounce);
	free(bounce);
	return true;
}

static void
destroy(struct view_copy *copy)
{
	munmap(copy->data, copy->length);
	free(copy);
}

struct view_copy *
view_copy_create(int fd, off_t offset, size_t length, bool writable,
	void *owner)
{
	struct view_copy *copy =
		view_copy_create_zeros(offset, length, writable, owner);
	if (copy == NULL || view_copy_fill(copy, fd))
		return copy;
	destroy(copy);
	errno = ENOMEM;
	return NULL;
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
	if (copy->writable)
		write_back(copy, fd);

	bool lost = copy->lost;
	destroy(copy);
	return lost;
}
