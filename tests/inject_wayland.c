/* SPDX-License-Identifier: MIT */

/* The calls of libwayland-server that can fail. */

#include "inject_calls.h"

#include <wayland-server-core.h>

#define CALL(type, name, parameters, arguments) \
	type inject_##name parameters; \
	type inject_##name parameters \
	{ return inject_fails(INJECT_##name) ? NULL : name arguments; }

CALL(void *, wl_array_add, (struct wl_array *array, size_t size),
	(array, size))
CALL(struct wl_resource *, wl_resource_create, (struct wl_client *client,
	const struct wl_interface *interface, int version, uint32_t id),
	(client, interface, version, id))
CALL(struct wl_global *, wl_global_create, (struct wl_display *display,
	const struct wl_interface *interface, int version, void *data,
	wl_global_bind_func_t bind),
	(display, interface, version, data, bind))
CALL(struct wl_event_source *, wl_event_loop_add_fd,
	(struct wl_event_loop *loop, int fd, uint32_t mask,
	wl_event_loop_fd_func_t func, void *data),
	(loop, fd, mask, func, data))
