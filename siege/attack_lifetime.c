/* SPDX-License-Identifier: MIT */
#include "attack.h"

#include "capture.h"
#include "pool.h"
#include "virtual-pointer-client-protocol.h"
#include "window.h"
#include "witness.h"
#include "xdg-shell-client-protocol.h"

#include <unistd.h>

/*
 * Memory that is read later, or elsewhere, than a compositor may think: after
 * its wl_buffer is gone, for a cursor, for a keyboard, for a client that left.
 */

#define HOSTILE_PIXEL 0xff404080
#define PRESENTED 3

static struct wl_subsurface *
subsurface_open(struct client *client, struct wl_surface **surface)
{
	if (client->subcompositor == NULL) {
		client_skip(client, "no wl_subcompositor");
		return NULL;
	}
	*surface = wl_compositor_create_surface(client->compositor);
	struct wl_subsurface *subsurface = wl_subcompositor_get_subsurface(
		client->subcompositor, *surface, client->window.surface);
	wl_subsurface_set_position(subsurface, 64, 64);
	return subsurface;
}

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
	if (subsurface_open(client, &child) == NULL)
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

static void
subsurface_lost(struct client *client, unsigned int number)
{
	(void)number;
	struct wl_surface *child;
	struct wl_subsurface *subsurface = subsurface_open(client, &child);
	if (subsurface == NULL)
		return;

	int fd = file_create(PICTURE_BYTES, 0, HOSTILE_PIXEL);
	struct wl_buffer *buffer = buffer_create(client, fd, &picture);
	surface_commit(child, buffer);
	window_present(client, client->window.buffer, 1);
	wl_subsurface_set_desync(subsurface);
	for (int i = 0; i < PRESENTED; i++) {
		window_ask_frame(client, child);
		surface_commit(child, buffer);
		file_resize(fd, page_size());
		window_await_frames(client);
	}
	witness_show(client, child);
	close(fd);
}

/* Points in each direction at which the pointer looks for the window. */
#define GRID 8

/* Brings the pointer over the window, wherever the compositor put it. */
static bool
attract_pointer(struct client *client)
{
	xdg_toplevel_set_fullscreen(client->window.toplevel, NULL);
	window_present(client, client->window.buffer, 2);
	if (client->virtual_pointers == NULL || client->seat == NULL)
		return client->pointer_entered > 0;

	struct zwlr_virtual_pointer_v1 *pointer =
		zwlr_virtual_pointer_manager_v1_create_virtual_pointer(
			client->virtual_pointers, client->seat);
	for (uint32_t i = 0; i < GRID * GRID && client->pointer_entered == 0 &&
			client_is_alive(client); i++) {
		zwlr_virtual_pointer_v1_motion_absolute(pointer, i, i % GRID,
			i / GRID, GRID, GRID);
		zwlr_virtual_pointer_v1_frame(pointer);
		client_sync(client);
	}
	return client->pointer_entered > 0;
}

/* The picture of a cursor is copied away at once by some, read for each frame
 * by others. */
static void
cursor_lost(struct client *client, unsigned int number)
{
	(void)number;
	const struct claim claim = {
		.width = 64,
		.height = 64,
		.stride = 256,
		.format = WL_SHM_FORMAT_ARGB8888,
	};
	if (!attract_pointer(client)) {
		client_skip(client, "no pointer over the window");
		return;
	}

	int fd = file_create(PICTURE_BYTES, 0, HOSTILE_PIXEL);
	struct wl_buffer *buffer = buffer_create(client, fd, &claim);
	struct wl_surface *cursor =
		wl_compositor_create_surface(client->compositor);
	wl_pointer_set_cursor(client->pointer, client->pointer_serial, cursor,
		0, 0);
	client_sync(client);
	for (int i = 0; i < PRESENTED; i++) {
		surface_commit(cursor, buffer);
		file_resize(fd, 0);
		window_present(client, client->window.buffer, 1);
	}
	witness_show(client, cursor);
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
		.name = "subsurface-lost",
		.about = "cuts the file behind a subsurface",
		.expected = "shows zeros for what is missing, posts invalid_fd",
		.rule = "wl_shm error invalid_fd; I7",
		.accepted = OUTCOME_TOLD,
		.reads = true,
		.run = subsurface_lost,
	},
	{
		.name = "cursor-lost",
		.about = "cuts the file behind the pointer's picture",
		.expected = "shows zeros for what is missing, posts invalid_fd",
		.rule = "wl_shm error invalid_fd; I7",
		.accepted = OUTCOME_TOLD,
		.covers = true,
		.reads = true,
		.run = cursor_lost,
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
