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

/* The file is whole when the pool is made and gone before the commit arrives. */
static void
truncate_before_read(struct client *client, unsigned int number)
{
	static const struct {
		const char *label;
		size_t left;
	} cases[] = {
		{"nothing left", 0},
		{"one row left", PICTURE_STRIDE},
		{"half left, not page-aligned", PICTURE_BYTES / 2 + 100},
	};
	client_label(client, "%s", cases[number].label);

	int fd = file_create(PICTURE_BYTES, 0, HOSTILE_PIXEL);
	struct wl_buffer *buffer = buffer_create(client, fd, &picture);
	client_sync(client);
	window_commit(client, buffer);
	file_resize(fd, cases[number].left);
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
		size_t size;
	} cases[] = {
		{"empty", 0},
		{"one byte", 1},
		{"all but the last two rows", PICTURE_BYTES - 2 * PICTURE_STRIDE},
	};
	client_label(client, "%s", cases[number].label);

	int fd = file_create(cases[number].size, 0, HOSTILE_PIXEL);
	struct wl_buffer *buffer = buffer_create(client, fd, &picture);
	window_present(client, buffer, PRESENTED);
	close(fd);
}

struct race {
	int fd;
	_Atomic bool over;
};

static void *
grow_and_shrink(void *data)
{
	struct race *race = data;
	while (!race->over) {
		file_resize(race->fd, 0);
		file_resize(race->fd, PICTURE_BYTES);
	}
	return NULL;
}

/* The size is right whenever it is asked for and wrong whenever it matters. */
static void
size_race(struct client *client, unsigned int number)
{
	(void)number;
	struct race race = {.fd = file_create(PICTURE_BYTES, 0, HOSTILE_PIXEL)};
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
	(void)number;
	int fd = file_create(page_size(), MFD_ALLOW_SEALING, HOSTILE_PIXEL);
	file_seal(fd, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	struct wl_shm_pool *pool = pool_create(client, fd, (int32_t)page_size());
	client_sync(client);
	wl_shm_pool_resize(pool, PICTURE_BYTES);
	window_present(client, pool_buffer(pool, &picture), PRESENTED);
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

/* A surface and its subsurface, read for the same frame, both lost. */
static void
two_pools(struct client *client, unsigned int number)
{
	(void)number;
	if (client->subcompositor == NULL) {
		client_skip(client, "no wl_subcompositor");
		return;
	}

	int fds[2];
	struct wl_buffer *buffers[2];
	for (int i = 0; i < 2; i++) {
		fds[i] = file_create(PICTURE_BYTES, 0, HOSTILE_PIXEL);
		buffers[i] = buffer_create(client, fds[i], &picture);
	}
	struct wl_surface *child =
		wl_compositor_create_surface(client->compositor);
	struct wl_subsurface *subsurface = wl_subcompositor_get_subsurface(
		client->subcompositor, child, client->window.surface);
	wl_subsurface_set_position(subsurface, PICTURE_WIDTH / 2, 0);
	client_sync(client);

	for (int i = 0; i < PRESENTED; i++) {
		surface_commit(child, buffers[1]);
		window_commit(client, buffers[0]);
		file_resize(fds[0], 0);
		file_resize(fds[1], 0);
		window_await_frames(client);
	}
	close(fds[0]);
	close(fds[1]);
}

const struct attack truncate_attacks[] = {
	{
		.name = "truncate-before-read",
		.about = "commits a buffer and cuts its file before it is read",
		.expected = "shows zeros for what is missing, posts invalid_fd",
		.rule = "wl_shm error invalid_fd; I7",
		.accepted = OUTCOME_TOLD,
		.reads = true,
		.cases = 3,
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
		.cases = 3,
		.run = short_file,
	},
	{
		.name = "size-race",
		.about = "grows and cuts the file from a thread while it is shown",
		.expected = "never trusts a size that it asked for",
		.rule = "I1, I7",
		.accepted = OUTCOME_TOLD,
		.reads = true,
		.run = size_race,
	},
	{
		.name = "sealed-then-resized",
		.about = "seals a small file, then resizes the pool past its end",
		.expected = "asks again at every resize, posts invalid_fd",
		.rule = "F1",
		.accepted = OUTCOME_TOLD,
		.reads = true,
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
		.about = "loses a surface's and its subsurface's pool in one frame",
		.expected = "survives two broken pools that are read at once",
		.rule = "F5",
		.accepted = OUTCOME_TOLD,
		.reads = true,
		.run = two_pools,
	},
	{0},
};
