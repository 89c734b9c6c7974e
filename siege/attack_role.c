/* SPDX-License-Identifier: MIT */
#include "attack.h"

#include "pool.h"
#include "virtual-pointer-client-protocol.h"
#include "window.h"
#include "witness.h"
#include "xdg-shell-client-protocol.h"

#include <linux/input-event-codes.h>
#include <unistd.h>

/*
 * Surfaces that are no windows: each kind is drawn by other code.
 */

#define HOSTILE_PIXEL 0xff404080
#define PRESENTED 3

/* What is left of a file that is cut, by case. */
static const struct {
	const char *label;
	size_t divisor;
} remains[] = {
	{"nothing left", 0},
	{"half left", 2},
};
#define REMAINS 2

static size_t
remainder_of(struct client *client, unsigned int number, size_t size)
{
	client_label(client, "%s", remains[number].label);
	return remains[number].divisor == 0 ? 0 : size / remains[number].divisor;
}

static void
subsurface_lost(struct client *client, unsigned int number)
{
	size_t left = remainder_of(client, number, PICTURE_BYTES);
	struct wl_surface *child;
	struct wl_subsurface *subsurface = window_subsurface(client, &child);
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
		file_resize(fd, left);
		window_await_frames(client);
	}
	witness_show(client, child);
	close(fd);
}

/* A client of its own, so that what it holds down is let go of whatever becomes
 * of the attacker. */
struct hand {
	struct client client;
	struct zwlr_virtual_pointer_v1 *pointer; /* NULL: cannot move it */
};

static void
hand_connect(struct hand *hand, int patience)
{
	struct client *client = &hand->client;
	hand->pointer = NULL;
	if (client_connect(client, patience) && client->seat != NULL &&
			client->virtual_pointers != NULL)
		hand->pointer =
			zwlr_virtual_pointer_manager_v1_create_virtual_pointer(
				client->virtual_pointers, client->seat);
}

static void
hand_press(struct hand *hand, enum wl_pointer_button_state state)
{
	zwlr_virtual_pointer_v1_button(hand->pointer, state, BTN_LEFT, state);
	zwlr_virtual_pointer_v1_frame(hand->pointer);
	client_sync(&hand->client);
}

/* Points in each direction at which the pointer looks for the window. */
#define GRID 8

/* Brings the pointer over the window, wherever the compositor put it. */
static bool
attract_pointer(struct client *client, struct hand *hand)
{
	xdg_toplevel_set_fullscreen(client->window.toplevel, NULL);
	window_present(client, client->window.buffer, 2);
	for (uint32_t i = 0; hand->pointer != NULL && i < GRID * GRID &&
			client->pointer_entered == 0 &&
			client_is_alive(client); i++) {
		zwlr_virtual_pointer_v1_motion_absolute(hand->pointer, i,
			i % GRID, i / GRID, GRID, GRID);
		zwlr_virtual_pointer_v1_frame(hand->pointer);
		client_sync(&hand->client);
		client_sync(client);
	}
	if (client->pointer_entered == 0)
		client_skip(client, "no pointer over the window");
	return client->pointer_entered > 0;
}

static const struct claim icon = {
	.width = 64,
	.height = 64,
	.stride = 256,
	.format = WL_SHM_FORMAT_ARGB8888,
};
#define ICON_BYTES (64 * 256)

/* The surface has the role that is in question. */
static void
lose_icon(struct client *client, struct wl_surface *surface, size_t left)
{
	int fd = file_create(ICON_BYTES, 0, HOSTILE_PIXEL);
	struct wl_buffer *buffer = buffer_create(client, fd, &icon);
	client_sync(client);
	for (int i = 0; i < PRESENTED; i++) {
		surface_commit(surface, buffer);
		file_resize(fd, left);
		window_present(client, client->window.buffer, 1);
	}
	witness_show(client, surface);
	close(fd);
}

/* The picture of a cursor is copied away at once by some, read for each frame
 * by others. */
static void
cursor_lost(struct client *client, unsigned int number)
{
	struct hand hand;
	size_t left = remainder_of(client, number, ICON_BYTES);
	hand_connect(&hand, client->patience);
	/* Where a pointer lies that nobody moves is a matter of luck. */
	if (hand.pointer == NULL) {
		client_skip(client, "no virtual pointers");
	} else if (attract_pointer(client, &hand)) {
		struct wl_surface *cursor =
			wl_compositor_create_surface(client->compositor);
		wl_pointer_set_cursor(client->pointer, client->pointer_serial,
			cursor, 0, 0);
		lose_icon(client, cursor, left);
	}
	client_disconnect(&hand.client);
}

static void
drag_and_lose(struct client *client, size_t left)
{
	struct wl_surface *surface =
		wl_compositor_create_surface(client->compositor);
	struct wl_data_source *source =
		wl_data_device_manager_create_data_source(client->data_devices);
	wl_data_source_offer(source, "text/plain");
	wl_data_device_start_drag(
		wl_data_device_manager_get_data_device(client->data_devices,
			client->seat),
		source, client->window.surface, surface,
		client->pointer_serial);
	lose_icon(client, surface, left);
}

/* A drag takes a button that is held down. */
static void
drag_icon_lost(struct client *client, unsigned int number)
{
	struct hand hand;
	size_t left = remainder_of(client, number, ICON_BYTES);
	hand_connect(&hand, client->patience);
	if (client->data_devices == NULL || hand.pointer == NULL) {
		client_skip(client, "no wl_data_device_manager or no "
			"virtual pointers");
	} else if (attract_pointer(client, &hand)) {
		hand_press(&hand, WL_POINTER_BUTTON_STATE_PRESSED);
		if (client_wait(client, &client->pointer_pressed, 1))
			drag_and_lose(client, left);
		hand_press(&hand, WL_POINTER_BUTTON_STATE_RELEASED);
	}
	client_disconnect(&hand.client);
}

const struct attack role_attacks[] = {
	{
		.name = "subsurface-lost",
		.about = "cuts the file behind a subsurface",
		.expected = "shows zeros for what is missing, posts invalid_fd",
		.rule = "wl_shm error invalid_fd; I7",
		.accepted = OUTCOME_TOLD,
		.reads = true,
		.cases = REMAINS,
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
		.cases = REMAINS,
		.run = cursor_lost,
	},
	{
		.name = "drag-icon-lost",
		.about = "cuts the file behind what is dragged",
		.expected = "shows zeros for what is missing, posts invalid_fd",
		.rule = "wl_shm error invalid_fd; I7",
		.accepted = OUTCOME_TOLD,
		.reads = true,
		.cases = REMAINS,
		.run = drag_icon_lost,
	},
	{0},
};
