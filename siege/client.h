/* SPDX-License-Identifier: MIT */
#ifndef SIEGE_CLIENT_H
#define SIEGE_CLIENT_H

/*
 * One connection to the compositor under siege, with one window.
 *
 * Nothing here waits for longer than the client's patience. A compositor that
 * has not answered by then counts as stalled and every later wait returns at
 * once; on a broken connection requests go nowhere and waits return at once
 * too. So an attack can be written straight down, without looking at results.
 *
 * Counters only grow. One thread.
 */

#include <stdbool.h>
#include <stdint.h>
#include <wayland-client.h>

struct ext_image_copy_capture_manager_v1;
struct ext_image_copy_capture_session_v1;
struct ext_output_image_capture_source_manager_v1;
struct xdg_wm_base;
struct xdg_surface;
struct xdg_toplevel;
struct zwlr_screencopy_frame_v1;
struct zwlr_screencopy_manager_v1;
struct zwlr_virtual_pointer_manager_v1;
struct zwp_virtual_keyboard_manager_v1;

#define CLIENT_MAX_FORMATS 128

/* See window.h. */
struct window {
	struct wl_surface *surface;
	struct xdg_surface *xdg_surface;
	struct xdg_toplevel *toplevel;
	struct wl_buffer *buffer; /* whole and sealed */
	int configured;
	int frames_asked, frames_done;
};

/* See capture.h and image_copy.h. */
struct capture {
	struct ext_image_copy_capture_session_v1 *session;
	struct zwlr_screencopy_frame_v1 *frame;
	uint32_t format, width, height, stride;
	int offered, ready, finished;
};

/* Whether the compositor reads what is shown. */
enum witness {
	WITNESS_NONE,
	WITNESS_UNREAD,
	WITNESS_READ,
};

struct client {
	int patience; /* milliseconds */

	struct wl_display *display;
	struct wl_registry *registry;
	struct wl_compositor *compositor;
	struct wl_shm *shm;
	struct xdg_wm_base *wm_base;
	/* These may be NULL. */
	struct wl_subcompositor *subcompositor;
	struct wl_output *output;
	struct wl_seat *seat;
	struct wl_pointer *pointer;
	struct wl_data_device_manager *data_devices;
	struct zwlr_screencopy_manager_v1 *screencopy;
	struct ext_image_copy_capture_manager_v1 *image_copy;
	struct ext_output_image_capture_source_manager_v1 *output_sources;
	struct zwlr_virtual_pointer_manager_v1 *virtual_pointers;
	struct zwp_virtual_keyboard_manager_v1 *virtual_keyboards;

	uint32_t formats[CLIENT_MAX_FORMATS];
	unsigned int n_formats;
	int synced;
	int pointer_entered, pointer_pressed;
	uint32_t pointer_serial; /* of the last of these */

	struct window window;
	struct capture capture;

	bool stalled;
	/* Set by witness_show(), which an attack calls itself if its bad memory
	 * is not the window's. */
	enum witness witness;
	char label[64];    /* which case of an attack this is; may be empty */
	char skipped[128]; /* why the attack does not apply here; or empty */
	char wrong[128];   /* what a compositor did wrong although it answers */
};

/* Asks every wait, in every client, to end. Safe in a signal handler. */
void client_interrupt(void);
bool client_is_interrupted(void);

/* Connects to $WAYLAND_DISPLAY and binds what there is. Returns false with a
 * client that can only be disconnected. `patience` in milliseconds. */
bool client_connect(struct client *client, int patience);

/* Closes the connection at once, whatever is in flight. */
void client_disconnect(struct client *client);

/* Dispatches until *counter has reached target. */
bool client_wait(struct client *client, const int *counter, int target);

/* Until the compositor has handled everything sent so far. */
bool client_sync(struct client *client);

/* The connection is good and the compositor answers. */
bool client_is_alive(const struct client *client);

bool client_has_format(const struct client *client, uint32_t format);

/* Explains the protocol error that ended the connection, if one did. */
bool client_was_told(const struct client *client, char *text, size_t size);

__attribute__((format(printf, 2, 3)))
void client_label(struct client *client, const char *format, ...);
__attribute__((format(printf, 2, 3)))
void client_skip(struct client *client, const char *format, ...);
__attribute__((format(printf, 2, 3)))
void client_wrong(struct client *client, const char *format, ...);

#endif
