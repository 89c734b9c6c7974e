/* SPDX-License-Identifier: MIT */
#include "attack.h"

#include "pool.h"
#include "window.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

/*
 * Files that are shorter than what was promised, or become so. Reading the
 * missing part of a mapping raises SIGBUS in the compositor.
 */

#define HOSTILE_PIXEL 0xff802040

/* Enough commits to reach every stage of a compositor that renders late. */
#define PRESENTED 3

/* Not at the start of a page, so that none of its pages is its own. */
#define ODD_OFFSET 1004

/* The file is whole when the pool is made and gone before the commit arrives. */
static void
truncate_before_read(struct client *client, unsigned int number)
{
	static const struct {
		const char *label;
		int32_t offset;
		size_t lost; /* bytes at the end of the file */
	} cases[] = {
		{"nothing left", 0, PICTURE_BYTES},
		{"one byte left", 0, PICTURE_BYTES - 1},
		{"one row left", 0, PICTURE_BYTES - PICTURE_STRIDE},
		{"half left, not page-aligned", 0, PICTURE_BYTES / 2 - 100},
		{"all but the last page left", 0, 4096},
		{"all from an odd offset on lost", ODD_OFFSET, PICTURE_BYTES},
		{"half from an odd offset on lost", ODD_OFFSET,
			PICTURE_BYTES / 2 - 100},
	};
	client_label(client, "%s", cases[number].label);

	struct claim claim = picture;
	claim.offset = cases[number].offset;
	size_t size = claim_bytes(&claim);
	int fd = file_create(size, 0, HOSTILE_PIXEL);
	struct wl_buffer *buffer = buffer_create(client, fd, &claim);
	client_sync(client);
	window_commit(client, buffer);
	file_resize(fd, size - cases[number].lost);
	window_await_frames(client);
	window_present(client, buffer, PRESENTED);
	close(fd);
}

/* As a client does that is shut down badly: frame after frame, then no file. */
static void
truncate_while_presenting(struct client *client, unsigned int number)
{
	(void)number;
	int fd = file_create(PICTURE_BYTES, 0, HOSTILE_PIXEL);
	struct wl_buffer *buffer = buffer_create(client, fd, &picture);
	window_present(client, buffer, 10);
	window_commit(client, buffer);
	wl_display_flush(client->display);
	file_resize(fd, 0);
	window_present(client, buffer, PRESENTED);
	close(fd);
}

static void
short_file(struct client *client, unsigned int number)
{
	static const struct {
		const char *label;
		int32_t offset;
		size_t size;
	} cases[] = {
		{"empty", 0, 0},
		{"one byte", 0, 1},
		{"all but the last page", 0, PICTURE_BYTES - 4096},
		{"ends before an odd offset", ODD_OFFSET, ODD_OFFSET - 1},
		{"ends a page after an odd offset", ODD_OFFSET, 4096 + ODD_OFFSET},
		{"ends a page before the buffer", 1 << 20, (1 << 20) - 4096},
	};
	client_label(client, "%s", cases[number].label);

	struct claim claim = picture;
	claim.offset = cases[number].offset;
	int fd = file_create(cases[number].size, 0, HOSTILE_PIXEL);
	struct wl_buffer *buffer = buffer_create(client, fd, &claim);
	window_present(client, buffer, PRESENTED);
	close(fd);
}

struct race {
	int fd;
	size_t left; /* when the file is small */
	_Atomic bool over;
};

static void *
grow_and_shrink(void *data)
{
	struct race *race = data;
	while (!race->over) {
		file_resize(race->fd, race->left);
		file_resize(race->fd, PICTURE_BYTES);
	}
	return NULL;
}

/* The size is right whenever it is asked for and wrong whenever it matters. */
static void
size_race(struct client *client, unsigned int number)
{
	bool all = number == 0;
	client_label(client, "%s", all ? "all of it" : "the last page");
	struct race race = {
		.fd = file_create(PICTURE_BYTES, 0, HOSTILE_PIXEL),
		.left = all ? 0 : PICTURE_BYTES - page_size(),
	};
	struct wl_buffer *buffer = buffer_create(client, race.fd, &picture);
	window_present(client, buffer, 1);

	pthread_t thread;
	if (pthread_create(&thread, NULL, grow_and_shrink, &race) != 0)
		fail("pthread_create");
	window_present(client, buffer, 60);
	race.over = true;
	pthread_join(thread, NULL);
	close(race.fd);
}

/* The seal is good for the size that was asked about first, and no further. */
static void
sealed_then_resized(struct client *client, unsigned int number)
{
	static const struct {
		const char *label;
		size_t file, grown; /* its size before and after the resize */
		int32_t pool;       /* before the resize */
		int32_t offset;
	} cases[] = {
		{"from a page", 4096, 4096, 4096, 0},
		{"by a page", PICTURE_BYTES, PICTURE_BYTES, PICTURE_BYTES, 4096},
		{"by less than a page, at an odd offset", PICTURE_BYTES,
			PICTURE_BYTES, PICTURE_BYTES, ODD_OFFSET},
		{"further than its file", 4096, PICTURE_BYTES / 2, 4096, 0},
	};
	client_label(client, "%s", cases[number].label);

	struct claim claim = picture;
	claim.offset = cases[number].offset;
	int fd = file_create(cases[number].file, MFD_ALLOW_SEALING,
		HOSTILE_PIXEL);
	file_seal(fd, F_SEAL_SHRINK);
	struct wl_shm_pool *pool = pool_create(client, fd, cases[number].pool);
	client_sync(client);
	file_resize(fd, cases[number].grown);
	file_seal(fd, F_SEAL_GROW | F_SEAL_SEAL);
	wl_shm_pool_resize(pool, (int32_t)claim_bytes(&claim));
	window_present(client, pool_buffer(pool, &claim), PRESENTED);
	close(fd);
}

static void
sealed_too_late(struct client *client, unsigned int number)
{
	(void)number;
	int fd = file_create(PICTURE_BYTES, MFD_ALLOW_SEALING, HOSTILE_PIXEL);
	file_resize(fd, 2 * page_size());
	file_seal(fd, F_SEAL_SHRINK);
	window_present(client, buffer_create(client, fd, &picture), PRESENTED);
	close(fd);
}

/* Sealed once the compositor has asked, and cut just before. */
static void
sealed_meanwhile(struct client *client, unsigned int number)
{
	(void)number;
	int fd = file_create(PICTURE_BYTES, MFD_ALLOW_SEALING, HOSTILE_PIXEL);
	struct wl_buffer *buffer = buffer_create(client, fd, &picture);
	client_sync(client);
	file_resize(fd, page_size());
	file_seal(fd, F_SEAL_SHRINK | F_SEAL_GROW);
	window_present(client, buffer, PRESENTED);
	close(fd);
}

#define POOLS_MAX 16

/* A surface and its subsurfaces, read for the same frame, all lost. */
static void
two_pools(struct client *client, unsigned int number)
{
	static const int counts[] = {2, POOLS_MAX};
	const int count = counts[number];
	client_label(client, "%d", count);
	if (client->subcompositor == NULL) {
		client_skip(client, "no wl_subcompositor");
		return;
	}

	int fds[POOLS_MAX] = {0};
	struct wl_buffer *buffers[POOLS_MAX] = {NULL};
	struct wl_surface *surfaces[POOLS_MAX] = {client->window.surface};
	for (int i = 0; i < count; i++) {
		fds[i] = file_create(PICTURE_BYTES, 0, HOSTILE_PIXEL);
		buffers[i] = buffer_create(client, fds[i], &picture);
		if (i == 0)
			continue;
		surfaces[i] = wl_compositor_create_surface(client->compositor);
		wl_subsurface_set_position(wl_subcompositor_get_subsurface(
			client->subcompositor, surfaces[i], surfaces[0]),
			PICTURE_WIDTH / count * i, 0);
	}
	client_sync(client);

	for (int i = 0; i < PRESENTED; i++) {
		for (int k = 1; k < count; k++)
			surface_commit(surfaces[k], buffers[k]);
		window_commit(client, buffers[0]);
		for (int k = 0; k < count; k++)
			file_resize(fds[k], 0);
		window_await_frames(client);
	}
	for (int i = 0; i < count; i++)
		close(fds[i]);
}

const struct attack truncate_attacks[] = {
	{
		.name = "truncate-before-read",
		.about = "commits a buffer and cuts its file before it is read",
		.expected = "shows zeros for what is missing, posts invalid_fd",
		.rule = "wl_shm error invalid_fd; I7",
		.accepted = OUTCOME_TOLD,
		.reads = true,
		.cases = 7,
		.run = truncate_before_read,
	},
	{
		.name = "truncate-while-presenting",
		.about = "cuts the file while its frames are on the screen",
		.expected = "shows zeros for what is missing, posts invalid_fd",
		.rule = "wl_shm error invalid_fd; I7",
		.accepted = OUTCOME_TOLD,
		.reads = true,
		.run = truncate_while_presenting,
	},
	{
		.name = "short-file",
		.about = "makes a pool larger than its file ever was",
		.expected = "refuses the pool, or posts invalid_fd at the first read",
		.rule = "wl_shm error invalid_fd; I7",
		.accepted = OUTCOME_TOLD,
		.reads = true,
		.cases = 6,
		.run = short_file,
	},
	{
		.name = "size-race",
		.about = "grows and cuts the file from a thread while it is shown",
		.expected = "never trusts a size that it asked for",
		.rule = "I1, I7",
		.accepted = OUTCOME_TOLD,
		.reads = true,
		.cases = 2,
		.run = size_race,
	},
	{
		.name = "sealed-then-resized",
		.about = "seals a small file, then resizes the pool past its end",
		.expected = "asks again at every resize, posts invalid_fd",
		.rule = "F1",
		.accepted = OUTCOME_TOLD,
		.reads = true,
		.cases = 4,
		.run = sealed_then_resized,
	},
	{
		.name = "sealed-too-late",
		.about = "cuts the file, seals it, then claims the old size",
		.expected = "compares the size with the claim after the seal",
		.rule = "I7: a seal means nothing for a file that is too short",
		.accepted = OUTCOME_TOLD,
		.reads = true,
		.run = sealed_too_late,
	},
	{
		.name = "sealed-meanwhile",
		.about = "cuts and seals the file behind a pool that was whole",
		.expected = "does not take a later seal for an earlier size",
		.rule = "I7",
		.accepted = OUTCOME_TOLD,
		.reads = true,
		.run = sealed_meanwhile,
	},
	{
		.name = "two-pools",
		.about = "loses two pools that are read for one frame, then 16",
		.expected = "survives broken pools that are read at once",
		.rule = "F5",
		.accepted = OUTCOME_TOLD,
		.reads = true,
		.cases = 2,
		.run = two_pools,
	},
	{0},
};
