/* SPDX-License-Identifier: MIT */
#include "attack.h"

#include "pool.h"
#include "window.h"

#include <unistd.h>

/*
 * Too much of everything. What matters is whether anybody else is still served
 * afterwards: the process has a limited number of descriptors and mappings.
 */

#define HOSTILE_PIXEL 0xff603060

unsigned int flood_size = 2000;

/* The connection holds few descriptors and bytes; a request that does not fit
 * any more would break it. */
static bool
pace(struct client *client, unsigned int number)
{
	if (number % 256 == 255)
		return client_sync(client);
	if (number % 8 == 7)
		wl_display_flush(client->display);
	return client_is_alive(client);
}

static void
pool_flood(struct client *client, unsigned int number)
{
	(void)number;
	int fd = file_create(page_size(), 0, HOSTILE_PIXEL);
	for (unsigned int i = 0; i < flood_size && pace(client, i); i++)
		pool_create(client, fd, (int32_t)page_size());
	close(fd);
}

/* A file for each buffer; only the buffers are kept. */
static void
file_flood(struct client *client, unsigned int number)
{
	(void)number;
	const struct claim claim = {.width = 16, .height = 16, .stride = 64};
	for (unsigned int i = 0; i < flood_size && pace(client, i); i++) {
		int fd = file_create(page_size(), 0, HOSTILE_PIXEL);
		struct wl_shm_pool *pool =
			pool_create(client, fd, (int32_t)page_size());
		pool_buffer(pool, &claim);
		wl_shm_pool_destroy(pool);
		close(fd);
	}
}

/* The pool grows by a page each time, its file only every other time, and a
 * buffer of it is on the screen. */
static void
resize_storm(struct client *client, unsigned int number)
{
	(void)number;
	size_t size = PICTURE_BYTES;
	int fd = file_create(size, 0, HOSTILE_PIXEL);
	struct wl_shm_pool *pool = pool_create(client, fd, PICTURE_BYTES);
	struct wl_buffer *buffer = pool_buffer(pool, &picture);
	window_present(client, buffer, 1);

	for (unsigned int i = 0; i < flood_size && pace(client, i); i++) {
		size += page_size();
		if (i % 2 == 0)
			file_resize(fd, size);
		wl_shm_pool_resize(pool, (int32_t)size);
		if (i % 512 == 0)
			window_present(client, buffer, 1);
	}
	window_present(client, buffer, 1);
	close(fd);
}

const struct attack flood_attacks[] = {
	{
		.name = "pool-flood",
		.about = "makes pools of one page without end",
		.expected = "serves the others, whatever it does to this client",
		.rule = "F18; I9",
		.accepted = OUTCOME_ANY_SAFE,
		.run = pool_flood,
	},
	{
		.name = "file-flood",
		.about = "makes buffers in a file each without end",
		.expected = "keeps no descriptor for each, serves the others",
		.rule = "F15; I8",
		.accepted = OUTCOME_ANY_SAFE,
		.run = file_flood,
	},
	{
		.name = "resize-storm",
		.about = "resizes a pool that is on the screen without end",
		.expected = "keeps showing the buffer, serves the others",
		.rule = "I6, I9",
		.accepted = OUTCOME_ANY_SAFE,
		.run = resize_storm,
	},
	{0},
};
