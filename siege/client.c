/* SPDX-License-Identifier: MIT */
#include "client.h"

#include "image-copy-client-protocol.h"
#include "screencopy-client-protocol.h"
#include "virtual-keyboard-client-protocol.h"
#include "virtual-pointer-client-protocol.h"
#include "xdg-shell-client-protocol.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define CLOSE_PATIENCE 20 /* milliseconds */

static volatile sig_atomic_t interrupted;

/* libwayland hands the text of a protocol error to its log only. */
static char last_log_line[256];

static void
keep_log_line(const char *format, va_list args)
{
	vsnprintf(last_log_line, sizeof(last_log_line), format, args);
	last_log_line[strcspn(last_log_line, "\n")] = '\0';
}

static int64_t
now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void
shm_handle_format(void *data, struct wl_shm *shm, uint32_t format)
{
	struct client *client = data;
	(void)shm;
	if (client->n_formats < CLIENT_MAX_FORMATS)
		client->formats[client->n_formats++] = format;
}

static const struct wl_shm_listener shm_listener = {
	.format = shm_handle_format,
};

static void
wm_base_handle_ping(void *data, struct xdg_wm_base *wm_base, uint32_t serial)
{
	(void)data;
	xdg_wm_base_pong(wm_base, serial);
}

static const struct xdg_wm_base_listener wm_base_listener = {
	.ping = wm_base_handle_ping,
};

static void
pointer_handle_enter(void *data, struct wl_pointer *pointer, uint32_t serial,
	struct wl_surface *surface, wl_fixed_t x, wl_fixed_t y)
{
	struct client *client = data;
	(void)pointer, (void)surface, (void)x, (void)y;
	client->pointer_serial = serial;
	client->pointer_entered++;
}

static void
pointer_handle_leave(void *data, struct wl_pointer *pointer, uint32_t serial,
	struct wl_surface *surface)
{
	(void)data, (void)pointer, (void)serial, (void)surface;
}

static void
pointer_handle_motion(void *data, struct wl_pointer *pointer, uint32_t time,
	wl_fixed_t x, wl_fixed_t y)
{
	(void)data, (void)pointer, (void)time, (void)x, (void)y;
}

static void
pointer_handle_button(void *data, struct wl_pointer *pointer, uint32_t serial,
	uint32_t time, uint32_t button, uint32_t state)
{
	struct client *client = data;
	(void)pointer, (void)time, (void)button;
	if (state == WL_POINTER_BUTTON_STATE_PRESSED) {
		client->pointer_serial = serial;
		client->pointer_pressed++;
	}
}

static void
pointer_handle_axis(void *data, struct wl_pointer *pointer, uint32_t time,
	uint32_t axis, wl_fixed_t value)
{
	(void)data, (void)pointer, (void)time, (void)axis, (void)value;
}

static const struct wl_pointer_listener pointer_listener = {
	.enter = pointer_handle_enter,
	.leave = pointer_handle_leave,
	.motion = pointer_handle_motion,
	.button = pointer_handle_button,
	.axis = pointer_handle_axis,
};

static void
seat_handle_capabilities(void *data, struct wl_seat *seat,
	uint32_t capabilities)
{
	struct client *client = data;
	if ((capabilities & WL_SEAT_CAPABILITY_POINTER) == 0 ||
			client->pointer != NULL)
		return;
	client->pointer = wl_seat_get_pointer(seat);
	wl_pointer_add_listener(client->pointer, &pointer_listener, client);
}

static const struct wl_seat_listener seat_listener = {
	.capabilities = seat_handle_capabilities,
};

struct global {
	struct wl_registry *registry;
	uint32_t name, version;
	const char *interface;
};

/* Binds the global if it is the one wanted and the first of its kind. */
static void *
bind_global(void *bound, const struct global *global,
	const struct wl_interface *wanted, uint32_t version)
{
	if (bound != NULL || strcmp(global->interface, wanted->name) != 0)
		return bound;
	return wl_registry_bind(global->registry, global->name, wanted,
		global->version < version ? global->version : version);
}

static void
registry_handle_global(void *data, struct wl_registry *registry,
	uint32_t name, const char *interface, uint32_t version)
{
	struct client *client = data;
	const struct global global = {registry, name, version, interface};

	client->compositor = bind_global(client->compositor, &global,
		&wl_compositor_interface, 4);
	client->shm = bind_global(client->shm, &global, &wl_shm_interface, 1);
	client->wm_base = bind_global(client->wm_base, &global,
		&xdg_wm_base_interface, 1);
	client->subcompositor = bind_global(client->subcompositor, &global,
		&wl_subcompositor_interface, 1);
	client->output = bind_global(client->output, &global,
		&wl_output_interface, 1);
	client->seat = bind_global(client->seat, &global,
		&wl_seat_interface, 1);
	client->data_devices = bind_global(client->data_devices, &global,
		&wl_data_device_manager_interface, 1);
	client->screencopy = bind_global(client->screencopy, &global,
		&zwlr_screencopy_manager_v1_interface, 1);
	client->image_copy = bind_global(client->image_copy, &global,
		&ext_image_copy_capture_manager_v1_interface, 1);
	client->output_sources = bind_global(client->output_sources, &global,
		&ext_output_image_capture_source_manager_v1_interface, 1);
	client->virtual_pointers = bind_global(client->virtual_pointers,
		&global, &zwlr_virtual_pointer_manager_v1_interface, 1);
	client->virtual_keyboards = bind_global(client->virtual_keyboards,
		&global, &zwp_virtual_keyboard_manager_v1_interface, 1);
}

static void
registry_handle_global_remove(void *data, struct wl_registry *registry,
	uint32_t name)
{
	(void)data, (void)registry, (void)name;
}

static const struct wl_registry_listener registry_listener = {
	.global = registry_handle_global,
	.global_remove = registry_handle_global_remove,
};

static void
sync_handle_done(void *data, struct wl_callback *callback, uint32_t serial)
{
	struct client *client = data;
	(void)serial;
	wl_callback_destroy(callback);
	client->synced++;
}

static const struct wl_callback_listener sync_listener = {
	.done = sync_handle_done,
};

void
client_interrupt(void)
{
	interrupted = 1;
}

bool
client_is_interrupted(void)
{
	return interrupted != 0;
}

bool
client_connect(struct client *client, int patience)
{
	*client = (struct client){.patience = patience};
	wl_log_set_handler_client(keep_log_line);
	client->display = wl_display_connect(NULL);
	if (client->display == NULL)
		return false;

	client->registry = wl_display_get_registry(client->display);
	wl_registry_add_listener(client->registry, &registry_listener, client);
	if (!client_sync(client))
		return false;
	if (client->compositor == NULL || client->shm == NULL ||
			client->wm_base == NULL) {
		client_wrong(client, "no wl_compositor, wl_shm and xdg_wm_base");
		return false;
	}
	wl_shm_add_listener(client->shm, &shm_listener, client);
	xdg_wm_base_add_listener(client->wm_base, &wm_base_listener, client);
	if (client->seat != NULL)
		wl_seat_add_listener(client->seat, &seat_listener, client);
	return client_sync(client);
}

void
client_disconnect(struct client *client)
{
	if (client->display != NULL)
		wl_display_disconnect(client->display);
	client->display = NULL;
}

static void
forget_reset(int fd)
{
	int pending;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &pending,
		&(socklen_t){sizeof(pending)});
}

/* Whether wl_display.error is next, or behind other events. */
static bool
sees_error(int fd)
{
	uint32_t words[1024];
	ssize_t length = recv(fd, words, sizeof(words), MSG_PEEK | MSG_DONTWAIT);
	size_t count = length > 0 ? (size_t)length / sizeof(*words) : 0;
	for (size_t i = 0; i + 2 <= count;) {
		if (words[i] == 1 && (words[i + 1] & 0xffff) == 0)
			return true;
		size_t size = (words[i + 1] >> 16) / sizeof(*words);
		i += size < 2 ? 2 : size;
	}
	return false;
}

/* Since 1.23 libwayland reads on until there is nothing more, and if what it meets
 * then is ECONNRESET it forgets what it has read. A compositor that closes the
 * connection right after an error is waited for; others do so when they hear of the
 * client again. */
static void
prepare_to_read(int fd)
{
	if (sees_error(fd))
		poll(&(struct pollfd){.fd = fd}, 1, CLOSE_PATIENCE);
	forget_reset(fd);
}

/* One step of dispatching. Returns false when there will be no more. */
static bool
dispatch(struct client *client, int64_t deadline)
{
	struct wl_display *display = client->display;
	if (wl_display_prepare_read(display) != 0)
		return wl_display_dispatch_pending(display) >= 0;

	struct pollfd pollfd = {
		.fd = wl_display_get_fd(display),
		.events = POLLIN,
	};
	/* A compositor that closes the connection without having read all of it
	 * leaves ECONNRESET, which libwayland takes for the end. Without that it is
	 * EPIPE, and the protocol error is still there to be read. */
	forget_reset(pollfd.fd);
	if (wl_display_flush(display) < 0) {
		if (errno == EAGAIN) {
			pollfd.events |= POLLOUT;
		} else if (errno != EPIPE) {
			wl_display_cancel_read(display);
			return false;
		}
	}

	int64_t left = deadline - now();
	int ready = interrupted || left <= 0 ? 0 : poll(&pollfd, 1, (int)left);
	if (ready <= 0 || pollfd.revents == POLLOUT) {
		wl_display_cancel_read(display);
		if (ready == 0)
			client->stalled = true;
		return ready > 0 || (ready < 0 && errno == EINTR);
	}
	prepare_to_read(pollfd.fd);
	if (wl_display_read_events(display) < 0)
		return false;
	return wl_display_dispatch_pending(display) >= 0;
}

bool
client_wait(struct client *client, const int *counter, int target)
{
	int64_t deadline = now() + client->patience;
	while (*counter < target) {
		if (!client_is_alive(client) || !dispatch(client, deadline))
			return false;
	}
	return true;
}

bool
client_sync(struct client *client)
{
	if (!client_is_alive(client))
		return false;
	int target = client->synced + 1;
	struct wl_callback *callback = wl_display_sync(client->display);
	wl_callback_add_listener(callback, &sync_listener, client);
	return client_wait(client, &client->synced, target);
}

bool
client_is_alive(const struct client *client)
{
	return !client->stalled && client->display != NULL &&
		wl_display_get_error(client->display) == 0;
}

bool
client_has_format(const struct client *client, uint32_t format)
{
	for (unsigned int i = 0; i < client->n_formats; i++) {
		if (client->formats[i] == format)
			return true;
	}
	return false;
}

static const char *
error_name(const struct wl_interface *interface, uint32_t code)
{
	static const char *const shm_errors[] = {
		[WL_SHM_ERROR_INVALID_FORMAT] = "invalid_format",
		[WL_SHM_ERROR_INVALID_STRIDE] = "invalid_stride",
		[WL_SHM_ERROR_INVALID_FD] = "invalid_fd",
	};
	static const char *const display_errors[] = {
		[WL_DISPLAY_ERROR_INVALID_OBJECT] = "invalid_object",
		[WL_DISPLAY_ERROR_INVALID_METHOD] = "invalid_method",
		[WL_DISPLAY_ERROR_NO_MEMORY] = "no_memory",
		[WL_DISPLAY_ERROR_IMPLEMENTATION] = "implementation",
	};

	/* wl_shm's errors are posted on pools and buffers as well. */
	if (interface == NULL)
		return "";
	if (strcmp(interface->name, "wl_display") == 0)
		return code < 4 ? display_errors[code] : "";
	if (strcmp(interface->name, "wl_shm") == 0 ||
			strcmp(interface->name, "wl_shm_pool") == 0 ||
			strcmp(interface->name, "wl_buffer") == 0)
		return code < 3 ? shm_errors[code] : "";
	return "";
}

bool
client_was_told(const struct client *client, char *text, size_t size)
{
	if (client->display == NULL)
		return false;

	const struct wl_interface *interface = NULL;
	uint32_t code = wl_display_get_protocol_error(client->display,
		&interface, NULL);
	/* The display's own errors have other numbers than EPROTO, and errors of
	 * objects that are gone have no interface. */
	if (interface == NULL &&
			wl_display_get_error(client->display) != EPROTO)
		return false;

	const char *message = strstr(last_log_line, ": error ");
	if (message != NULL)
		message = strstr(message + 2, ": ");
	const char *name = error_name(interface, code);
	snprintf(text, size, "%s error %u%s%s: %s",
		interface != NULL ? interface->name : "(destroyed object)", code,
		name[0] != '\0' ? " " : "", name,
		message != NULL ? message + 2 : "");
	return true;
}

void
client_label(struct client *client, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(client->label, sizeof(client->label), format, args);
	va_end(args);
}

void
client_skip(struct client *client, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(client->skipped, sizeof(client->skipped), format, args);
	va_end(args);
}

void
client_wrong(struct client *client, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(client->wrong, sizeof(client->wrong), format, args);
	va_end(args);
}
