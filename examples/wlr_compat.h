/* SPDX-License-Identifier: MIT */
#ifndef WLR_COMPAT_H
#define WLR_COMPAT_H

/*
 * tinywl-safe.c and virtual_keyboard.c are written in the vocabulary of wlroots
 * 0.18. Whatever another version names or does otherwise is here and nowhere
 * else. This header teaches it to wlroots 0.15.
 */

#include <wlr/version.h>

#if WLR_VERSION_MAJOR != 0 || WLR_VERSION_MINOR != 15
#error "wlr_compat.h knows wlroots 0.15 only"
#endif

#include <wlr/backend.h>
#include <wlr/interfaces/wlr_input_device.h>
#include <wlr/interfaces/wlr_keyboard.h>
#include <wlr/render/wlr_renderer.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_output_layout.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/types/wlr_virtual_pointer_v1.h>
#include <wlr/types/wlr_xcursor_manager.h>
#include <wlr/types/wlr_xdg_shell.h>

/* Input events: renamed, and 0.15 names the device where 0.18 names the
 * keyboard or pointer that embeds it. */

#define wlr_keyboard_key_event wlr_event_keyboard_key
#define wlr_pointer_motion_event wlr_event_pointer_motion
#define wlr_pointer_motion_absolute_event wlr_event_pointer_motion_absolute
#define wlr_pointer_button_event wlr_event_pointer_button
#define wlr_pointer_axis_event wlr_event_pointer_axis

#define compat_event_device(event) ((event)->device)
#define compat_button_pressed(event) ((event)->state == WLR_BUTTON_PRESSED)
#define compat_virtual_pointer_device(pointer) (&(pointer)->input_device)

static inline void
compat_notify_axis(struct wlr_seat *seat,
	const struct wlr_pointer_axis_event *event)
{
	/* wlroots asserts that a frame has one source of scrolling only, which
	 * two pointers, or one virtual pointer, need not keep to. */
	if (seat->pointer_state.sent_axis_source &&
			seat->pointer_state.cached_axis_source != event->source)
		wlr_seat_pointer_notify_frame(seat);
	wlr_seat_pointer_notify_axis(seat, event->time_msec,
		event->orientation, event->delta, event->delta_discrete,
		event->source);
}

static inline struct wlr_keyboard *
wlr_keyboard_from_input_device(struct wlr_input_device *device)
{
	return device->keyboard;
}

/* A keyboard of our own: 0.15 keeps device and keyboard apart. */
struct compat_keyboard {
	struct wlr_input_device device;
	struct wlr_keyboard keyboard;
};

static inline void
compat_keyboard_ignore_destroy(struct wlr_keyboard *keyboard)
{
	(void)keyboard; /* whoever embeds it frees it */
}

static inline void
compat_keyboard_ignore_device_destroy(struct wlr_input_device *device)
{
	(void)device;
}

static inline void
compat_keyboard_init(struct compat_keyboard *keyboard, const char *name)
{
	static const struct wlr_input_device_impl device_impl = {
		.destroy = compat_keyboard_ignore_device_destroy,
	};
	static const struct wlr_keyboard_impl keyboard_impl = {
		.destroy = compat_keyboard_ignore_destroy,
	};
	wlr_input_device_init(&keyboard->device, WLR_INPUT_DEVICE_KEYBOARD,
		&device_impl, name, 0, 0);
	wlr_keyboard_init(&keyboard->keyboard, &keyboard_impl);
	keyboard->device.keyboard = &keyboard->keyboard;
}

static inline void
compat_keyboard_finish(struct compat_keyboard *keyboard)
{
	wlr_input_device_destroy(&keyboard->device);
}

/* Toplevels: the functions want the xdg_surface. */

#define wlr_xdg_toplevel_set_size(toplevel, width, height) \
	(wlr_xdg_toplevel_set_size)((toplevel)->base, width, height)
#define wlr_xdg_toplevel_set_activated(toplevel, on) \
	(wlr_xdg_toplevel_set_activated)((toplevel)->base, on)
#define wlr_xdg_toplevel_set_maximized(toplevel, on) \
	(wlr_xdg_toplevel_set_maximized)((toplevel)->base, on)
#define wlr_xdg_toplevel_set_fullscreen(toplevel, on) \
	(wlr_xdg_toplevel_set_fullscreen)((toplevel)->base, on)
#define wlr_xdg_toplevel_set_resizing(toplevel, on) \
	(wlr_xdg_toplevel_set_resizing)((toplevel)->base, on)

/* Where a toplevel signals map and unmap. */
#define compat_map_events(toplevel) (&(toplevel)->base->events)
#define compat_destroy_events(toplevel) (&(toplevel)->base->events)

/* 0.15 announces both roles by one signal, at the surface's first commit. */
struct compat_xdg_shell {
	struct wl_listener new_surface;
	struct wl_listener *new_toplevel; /* gets a struct wlr_xdg_toplevel */
	struct wl_listener *new_popup;    /* gets a struct wlr_xdg_popup */
};

static inline void
compat_handle_new_xdg_surface(struct wl_listener *listener, void *data)
{
	struct compat_xdg_shell *shell =
		wl_container_of(listener, shell, new_surface);
	struct wlr_xdg_surface *surface = data;

	if (surface->role == WLR_XDG_SURFACE_ROLE_TOPLEVEL)
		shell->new_toplevel->notify(shell->new_toplevel, surface->toplevel);
	else if (surface->role == WLR_XDG_SURFACE_ROLE_POPUP)
		shell->new_popup->notify(shell->new_popup, surface->popup);
}

/* `shell` lives as long as the display. False: out of memory. */
static inline bool
compat_xdg_shell_init(struct compat_xdg_shell *shell,
	struct wl_display *display, struct wl_listener *new_toplevel,
	struct wl_listener *new_popup)
{
	struct wlr_xdg_shell *xdg_shell = wlr_xdg_shell_create(display);
	if (xdg_shell == NULL)
		return false;
	shell->new_toplevel = new_toplevel;
	shell->new_popup = new_popup;
	shell->new_surface.notify = compat_handle_new_xdg_surface;
	wl_signal_add(&xdg_shell->events.new_surface, &shell->new_surface);
	return true;
}

/*
 * What was stored in the `data` of the popup's parent, or NULL. A client can
 * leave the parent out, or name one that was never announced or is no longer a
 * toplevel or popup: `data` is stale then.
 */
static inline void *
compat_popup_parent_data(struct wlr_xdg_popup *popup)
{
	if (popup->parent == NULL || !wlr_surface_is_xdg_surface(popup->parent))
		return NULL;
	struct wlr_xdg_surface *parent =
		wlr_xdg_surface_from_wlr_surface(popup->parent);
	return parent != NULL && parent->added ? parent->data : NULL;
}

/* The scene: the root and the parents are plain nodes, not trees. */

#define compat_scene_layer(scene) (wlr_scene_tree_create)(&(scene)->node)
#define wlr_scene_rect_create(parent, width, height, color) \
	(wlr_scene_rect_create)(&(parent)->node, width, height, color)

static inline struct wlr_scene_tree *
compat_scene_xdg_surface_create(struct wlr_scene_tree *parent,
	struct wlr_xdg_surface *surface)
{
	struct wlr_scene_tree *tree;
	struct wlr_scene_node *node =
		wlr_scene_xdg_surface_create(&parent->node, surface);
	return node == NULL ? NULL : wl_container_of(node, tree, node);
}

/* Takes a point of the layout and makes it relative to what is found there:
 * node and surface, both NULL if there is nothing. */
static inline struct wlr_surface *
compat_surface_at(struct wlr_scene *scene, double *x, double *y,
	struct wlr_scene_node **node)
{
	*node = wlr_scene_node_at(&scene->node, *x, *y, x, y);
	if (*node == NULL || (*node)->type != WLR_SCENE_NODE_SURFACE)
		return NULL;
	return wlr_scene_surface_from_node(*node)->surface;
}

#define compat_node_parent(scene_node) ((scene_node)->parent)
#define compat_scene_destroy(scene) wlr_scene_node_destroy(&(scene)->node)
#define compat_scene_attach_layout(scene, layout) \
	wlr_scene_attach_output_layout(scene, layout)
#define compat_scene_output_commit(output) wlr_scene_output_commit(output)

/* Outputs. */

static inline bool
compat_output_enable(struct wlr_output *output)
{
	struct wlr_output_mode *mode = wlr_output_preferred_mode(output);
	if (mode != NULL)
		wlr_output_set_mode(output, mode);
	wlr_output_enable(output, true);
	return wlr_output_commit(output);
}

/* With `output` NULL the box that contains all of them; empty if none. */
static inline struct wlr_box
compat_layout_box(struct wlr_output_layout *layout, struct wlr_output *output)
{
	struct wlr_box *box = wlr_output_layout_get_box(layout, output);
	return box == NULL ? (struct wlr_box){0} : *box;
}

/* The rest. */

#define compat_backend_create(display) wlr_backend_autocreate(display)
#define compat_compositor_create(display, renderer) \
	(wlr_compositor_create(display, renderer) != NULL)
#define compat_layout_create(display) wlr_output_layout_create()
#define compat_cursor_set_name(cursor, theme, name) \
	wlr_xcursor_manager_set_cursor_image(theme, name, cursor)
#define compat_session(server_backend) wlr_backend_get_session(server_backend)
#define compat_seat_set_keyboard(seat, device) \
	wlr_seat_set_keyboard(seat, device)

#endif
