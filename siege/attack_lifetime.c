/* SPDX-License-Identifier: MIT */
#include "attack.h"

#include "capture.h"
#include "pool.h"
#include "window.h"
#include "witness.h"

#include <unistd.h>

/*
 * Memory that is read later, or elsewhere, than a compositor may think: after
 * its wl_buffer is gone, or for a client that left.
 */

#define HOSTILE_PIXEL 0xff404080
#define PRESENTED 3

/* A synchronised subsurface keeps its commit until the parent's. By then
 * nothing is left that an error could be posted on. */
static void
destroyed_before_read(struct client *client, unsigned int number)
{
	static const struct {
		const char *label;
		size_t left;
	} cases[] = {
		{"nothing left", 0},
		{"all but the last page left", PICTURE_BYTES - 4096},
	};
	client_label(client, "%s", cases[number].label);
	struct wl_surface *child;
	if (window_subsurface(client, &child) == NULL)
		return;

	int fd = file_create(PICTURE_BYTES, 0, HOSTILE_PIXEL);
	struct wl_buffer *buffer = buffer_create(client, fd, &picture);
	surface_commit(child, buffer);
	client_sync(client);
	wl_buffer_destroy(buffer);
	client_sync(client);
	file_resize(fd, cases[number].left);
	window_present(client, client->window.buffer, PRESENTED);
	witness_show(client, child);
	close(fd);
}

/* Everything at once, and gone before any of it is answered. */
static void
leave_in_flight(struct client *client, unsigned int number)
{
	(void)number;
	for (int i = 0; i < 10 && client_is_alive(client); i++) {
		struct client leaver;
		if (!client_connect(&leaver, client->patience) ||
				!window_open(&leaver, HOSTILE_PIXEL)) {
			client_disconnect(&leaver);
			return;
		}
		int fd = file_create(PICTURE_BYTES, 0, HOSTILE_PIXEL);
		struct wl_shm_pool *pool =
			pool_create(&leaver, fd, PICTURE_BYTES);
		struct wl_buffer *buffer = pool_buffer(pool, &picture);
		window_present(&leaver, buffer, 1);

		wl_shm_pool_resize(pool, 2 * PICTURE_BYTES);
		window_commit(&leaver, pool_buffer(pool, &picture));
		if (capture_is_offered(&leaver) && capture_begin(&leaver))
			capture_request(&leaver, buffer);
		wl_buffer_destroy(buffer);
		wl_display_flush(leaver.display);
		file_resize(fd, 0);
		client_disconnect(&leaver);
		close(fd);
	}
}

const struct attack lifetime_attacks[] = {
	{
		.name = "destroyed-before-read",
		.about = "destroys the wl_buffer and cuts its file, then shows it",
		.expected = "guards memory longer than the protocol object lives",
		.rule = "F14; I6",
		.accepted = OUTCOME_ANY_SAFE,
		.reads = true,
		.cases = 2,
		.run = destroyed_before_read,
	},
	{
		.name = "leave-in-flight",
		.about = "disconnects with everything in flight, ten times",
		.expected = "cleans up",
		.rule = "I3, I6",
		.accepted = OUTCOME_SERVED,
		.run = leave_in_flight,
	},
	{0},
};
