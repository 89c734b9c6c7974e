/* SPDX-License-Identifier: MIT */
#include "buffer_copy.h"

#include "private_pages.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PIECE_SIZE ((size_t)4096)

struct buffer_copy {
	void *data;
	size_t size;

	pthread_mutex_t lock; /* for what follows, and while the file is read */
	size_t accesses;
	bool filled; /* for an access that has not begun yet */
};

struct buffer_copy *
buffer_copy_create(size_t size)
{
	struct buffer_copy *copy = calloc(1, sizeof(*copy));
	if (copy == NULL)
		return NULL;
	copy->data = private_pages_map(size);
	if (copy->data == NULL) {
		free(copy);
		return NULL;
	}
	copy->size = size;
	pthread_mutex_init(&copy->lock, NULL);
	return copy;
}

void
buffer_copy_destroy(struct buffer_copy *copy)
{
	munmap(copy->data, copy->size);
	pthread_mutex_destroy(&copy->lock);
	free(copy);
}

/* What is zero on both sides takes memory on neither. */
static void
copy_differing(char *to, const char *from, size_t size)
{
	for (size_t done = 0; done < size; done += PIECE_SIZE) {
		size_t piece = size - done < PIECE_SIZE ? size - done : PIECE_SIZE;
		if (memcmp(to + done, from + done, piece) != 0)
			memcpy(to + done, from + done, piece);
	}
}

/* Without memory to read it into it stays as it was, zeros in most cases. */
static void
fill(struct buffer_copy *copy, struct shmguard_buffer *buffer)
{
	struct shmguard_view view;
	if (shmguard_buffer_begin_read(buffer, &view) < 0)
		return;
	copy_differing(copy->data, view.data, copy->size);
	shmguard_view_end(&view);
}

void
buffer_copy_begin(struct buffer_copy *copy, struct shmguard_buffer *buffer)
{
	pthread_mutex_lock(&copy->lock);
	if (copy->accesses++ == 0 && !copy->filled)
		fill(copy, buffer);
	copy->filled = false;
	pthread_mutex_unlock(&copy->lock);
}

void
buffer_copy_end(struct buffer_copy *copy)
{
	pthread_mutex_lock(&copy->lock);
	if (copy->accesses > 0 && --copy->accesses == 0)
		madvise(copy->data, copy->size, MADV_DONTNEED);
	pthread_mutex_unlock(&copy->lock);
}

void *
buffer_copy_data(struct buffer_copy *copy, struct shmguard_buffer *buffer)
{
	pthread_mutex_lock(&copy->lock);
	if (copy->accesses == 0) {
		fill(copy, buffer);
		copy->filled = true;
	}
	pthread_mutex_unlock(&copy->lock);
	return copy->data;
}
