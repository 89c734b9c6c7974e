/* SPDX-License-Identifier: MIT */
#include "window.h"

#include "pool.h"
#include "xdg-shell-client-protocol.h"

#include <fcntl.h>
#include <unistd.h>

static void
xdg_surface_handle_configure(void *data, struct xdg_surface *xdg_surface,
	uint32_t serial)
{
	struct client *client = data;
	xdg_surface_ack_configure(xdg_surface, serial);
	client->window.configured++;
}

static const struct xdg_surface_listener xdg_surface_listener = {
	.configure = xdg_surface_handle_configure,
};

static void
toplevel_handle_configure(void *data, struct xdg_toplevel *toplevel,
	int32_t width, int32_t height, struct wl_array *states)
{
	/* The size is the attack's business. */
	(void)data, (void)toplevel, (void)width, (void)height, (void)states;
}

static void
toplevel_handle_close(void *data, struct xdg_toplevel *toplevel)
{
	(void)data, (void)toplevel;
}

static const struct xdg_toplevel_listener toplevel_listener = {
	.configure = toplevel_handle_configure,
	.close = toplevel_handle_close,
};

static void
frame_handle_done(void *data, struct wl_callback *callback, uint32_t time)
{
	struct client *client = data;
	(void)time;
	wl_callback_destroy(callback);
	client->window.frames_done++;
}

static const struct wl_callback_listener frame_listener = {
	.done = frame_handle_done,
};

bool
window_map(struct client *client, const char *title)
{
	struct window *window = &client->window;
	window->surface = wl_compositor_create_surface(client->compositor);
	window->xdg_surface = xdg_wm_base_get_xdg_surface(client->wm_base,
		window->surface);
	xdg_surface_add_listener(window->xdg_surface, &xdg_surface_listener,
		client);
	window->toplevel = xdg_surface_get_toplevel(window->xdg_surface);
	xdg_toplevel_add_listener(window->toplevel, &toplevel_listener, client);
	xdg_toplevel_set_title(window->toplevel, title);
	xdg_toplevel_set_app_id(window->toplevel, "shmguard-siege");
	wl_surface_commit(window->surface);
	return client_wait(client, &window->configured,
		window->configured + 1);
}

bool
window_open(struct client *client, uint32_t pixel)
{
	if (!window_map(client, "hostile client"))
		return false;

	int fd = file_create(PICTURE_BYTES, MFD_ALLOW_SEALING, pixel);
	file_seal(fd, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	client->window.buffer = buffer_create(client, fd, &picture);
	close(fd);
	return window_present(client, client->window.buffer, 1);
}

struct wl_subsurface *
window_subsurface(struct client *client, struct wl_surface **surface)
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

void
window_ask_frame(struct client *client, struct wl_surface *surface)
{
	wl_callback_add_listener(wl_surface_frame(surface), &frame_listener,
		client);
	client->window.frames_asked++;
}

bool
window_await_frames(struct client *client)
{
	return client_wait(client, &client->window.frames_done,
		client->window.frames_asked);
}

void
surface_commit(struct wl_surface *surface, struct wl_buffer *buffer)
{
	wl_surface_attach(surface, buffer, 0, 0);
	wl_surface_damage(surface, 0, 0, INT32_MAX, INT32_MAX);
	wl_surface_commit(surface);
}

void
window_commit(struct client *client, struct wl_buffer *buffer)
{
	window_ask_frame(client, client->window.surface);
	surface_commit(client->window.surface, buffer);
}

bool
window_present(struct client *client, struct wl_buffer *buffer,
	unsigned int times)
{
	while (times-- > 0) {
		window_commit(client, buffer);
		if (!window_await_frames(client))
			return false;
	}
	return true;
}
