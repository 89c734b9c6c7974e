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
	bool hung_up = number % 8 == 7 && wl_display_flush(client->display) < 0;
	/* What it said before it did is still to be read. */
	if (number % 256 == 255 || hung_up)
		return client_sync(client);
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

/* As many as there can be and no more: whoever asks for one too many is shown
 * the door, and with it goes what it has. So the attacker finds out how many
 * those are. Another connection then makes all but a few of them, and further
 * ones, which have little to lose, the rest. They stay for the verdict. */
#define HOARD_MAX 80000 /* whatever --flood is: fewer hurt nobody */
#define HOARDERS 64
#define HOARD_RESERVE 32

static struct client hoarders[HOARDERS];
static unsigned int n_hoarders;

/* Returns how many there were when the client was told to stop. */
static unsigned int
make_pools(struct client *client, int fd, unsigned int count)
{
	unsigned int i;
	for (i = 0; i < count && pace(client, i); i++)
		pool_create(client, fd, (int32_t)page_size());
	client_sync(client);
	return i;
}

static void
pool_hoard(struct client *client, unsigned int number)
{
	(void)number;
	int fd = file_create(page_size(), 0, HOSTILE_PIXEL);
	unsigned int most = make_pools(client, fd, HOARD_MAX);
	/* It may be as many fewer as were on their way. */
	unsigned int sure = most > 256 ? most - 256 : 0;
	if (sure <= HOARD_RESERVE || client_is_alive(client)) {
		close(fd);
		return;
	}
	unsigned int share = sure - HOARD_RESERVE;
	while (share > 0 && n_hoarders < HOARDERS) {
		struct client *hoarder = &hoarders[n_hoarders++];
		if (!client_connect(hoarder, client->patience))
			break;
		make_pools(hoarder, fd, share);
		if (share > 16)
			share = 16;
		else if (!client_is_alive(hoarder))
			share = share > 1 ? 1 : 0;
	}
	close(fd);
}

static void
end_hoard(void)
{
	while (n_hoarders > 0)
		client_disconnect(&hoarders[--n_hoarders]);
}

/* Each buffer keeps the mapping that its pool had when it was made. */
static void
mapping_flood(struct client *client, unsigned int number)
{
	(void)number;
	const struct claim claim = {.width = 16, .height = 16, .stride = 64};
	size_t size = page_size();
	int fd = file_create(size, 0, HOSTILE_PIXEL);
	file_resize(fd, (flood_size + 1) * page_size());
	struct wl_shm_pool *pool = pool_create(client, fd, (int32_t)size);
	for (unsigned int i = 0; i < flood_size && pace(client, i); i++) {
		pool_buffer(pool, &claim);
		size += page_size();
		wl_shm_pool_resize(pool, (int32_t)size);
	}
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

/* As file_flood, with the pools kept, so that a compositor that holds on to
 * descriptors has one for each. */
static void
descriptor_flood(struct client *client, unsigned int number)
{
	(void)number;
	for (unsigned int i = 0; i < flood_size && pace(client, i); i++) {
		int fd = file_create(page_size(), 0, HOSTILE_PIXEL);
		pool_create(client, fd, (int32_t)page_size());
		close(fd);
	}
}

static void
buffer_flood(struct client *client, unsigned int number)
{
	(void)number;
	const struct claim claim = {.width = 16, .height = 16, .stride = 64};
	int fd = file_create(page_size(), 0, HOSTILE_PIXEL);
	struct wl_shm_pool *pool =
		pool_create(client, fd, (int32_t)page_size());
	for (unsigned int i = 0; i < 10 * flood_size && pace(client, i); i++)
		pool_buffer(pool, &claim);
	close(fd);
}

/* Freeing that much takes as long as several frames. Nobody but the compositor
 * holds the files in the end. */
#define TEARDOWN_BYTES (256 << 20)
#define TEARDOWNS 4

/* Half of what the machine has to spare, but no more than it takes. */
static unsigned int
count_teardowns(void)
{
	size_t spare = (size_t)sysconf(_SC_AVPHYS_PAGES) / 2 * page_size();
	return spare / TEARDOWN_BYTES < TEARDOWNS ?
		(unsigned int)(spare / TEARDOWN_BYTES) : TEARDOWNS;
}

static void
huge_teardown(struct client *client, unsigned int number)
{
	const bool by_leaving = number == 1;
	client_label(client, "%s", by_leaving ? "by leaving" : "by request");
	const unsigned int count = count_teardowns();
	struct wl_shm_pool *pools[TEARDOWNS];
	struct client leaver;
	if (count == 0) {
		client_skip(client, "too little memory is free");
		return;
	}
	if (client_connect(&leaver, client->patience)) {
		for (unsigned int i = 0; i < count; i++) {
			int fd = file_create(TEARDOWN_BYTES, 0, HOSTILE_PIXEL);
			pools[i] = pool_create(&leaver, fd, TEARDOWN_BYTES);
			client_sync(&leaver);
			close(fd);
		}
		for (unsigned int i = 0; i < count && !by_leaving; i++)
			wl_shm_pool_destroy(pools[i]);
		client_sync(&leaver);
	}
	client_disconnect(&leaver);
	client_sync(client);
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
		.name = "pool-hoard",
		.about = "makes as many pools as it may and keeps them",
		.expected = "leaves enough for the others",
		.rule = "F18; I9",
		.accepted = OUTCOME_ANY_SAFE,
		.run = pool_hoard,
		.finish = end_hoard,
	},
	{
		.name = "mapping-flood",
		.about = "resizes a pool after each buffer, which keeps its mapping",
		.expected = "serves the others, whatever it does to this client",
		.rule = "I6; I9",
		.accepted = OUTCOME_ANY_SAFE,
		.run = mapping_flood,
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
		.name = "descriptor-flood",
		.about = "makes pools in a file each without end",
		.expected = "keeps no descriptor for each, serves the others",
		.rule = "F15; I8",
		.accepted = OUTCOME_ANY_SAFE,
		.run = descriptor_flood,
	},
	{
		.name = "buffer-flood",
		.about = "makes buffers of one page without end",
		.expected = "serves the others, whatever it does to this client",
		.rule = "F18; I9",
		.accepted = OUTCOME_ANY_SAFE,
		.run = buffer_flood,
	},
	{
		.name = "huge-teardown",
		.about = "destroys 1 GiB of pools, the last to hold their files",
		.expected = "frees them without making anybody wait",
		.rule = "F19; I11",
		.accepted = OUTCOME_ANY_SAFE,
		.cases = 2,
		.run = huge_teardown,
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
