/* SPDX-License-Identifier: MIT */

/*
 * tinywl-safe: a small Wayland compositor that no client can crash through
 * shared memory.
 *
 * It is a plain wlroots compositor. Two things make it safe, and neither is in
 * its drawing or window code:
 *
 * - wl_shm. With wlroots 0.18 and later it comes from libshmguard-wlroots; see
 *   compat_buffers_create(). With 0.15 tinywl-safe is linked with
 *   libshmguard-stock ahead of libwayland-server, so wlroots' own calls to
 *   wl_display_init_shm() and wl_shm_buffer_*() arrive there. Either way
 *   shm_is_guarded() makes sure.
 * - Other files of clients. There is one kind, keymaps: see virtual_keyboard.c.
 *
 * What depends on the version of wlroots is in wlr_compat.h.
 */

#include <dlfcn.h>
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <linux/input-event-codes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <wlr/render/allocator.h>
#include <wlr/types/wlr_data_device.h>
#include <wlr/types/wlr_screencopy_v1.h>
#include <wlr/types/wlr_viewporter.h>
#include <wlr/types/wlr_xdg_output_v1.h>
#include <wlr/util/edges.h>
#include <wlr/util/log.h>
#include <xkbcommon/xkbcommon.h>
#include "virtual_keyboard.h"
#include "wlr_compat.h"

#define CURSOR_SIZE 24
#define CASCADE_STEP 40 /* pixels from one new window to the next */
#define CASCADE_LENGTH 8
#define SIGNAL_COUNT 3
#define SIZE_LIMIT 16384 /* pixels, of a window */
#define FINGER_COUNT 16

struct server {
	struct wl_display *display;
	struct wlr_backend *backend;
	struct wlr_session *session; /* may be NULL */
	struct wlr_renderer *renderer;
	struct wlr_allocator *allocator;
	struct wlr_scene *scene;
	struct wlr_scene_rect *background;
	struct wlr_scene_tree *window_layer;
	struct wlr_scene_tree *drag_layer; /* while there is a drag */
	struct wlr_output_layout *layout;
	struct wlr_cursor *cursor;
	struct wlr_xcursor_manager *cursor_theme;
	struct wlr_seat *seat;
	struct compat_xdg_shell xdg_shell;
	struct wl_event_source *signals[SIGNAL_COUNT];

	struct wl_list windows; /* mapped ones, last focused first */
	struct wl_list keyboards;
	unsigned windows_placed;
	/* While a button is held: the origin of the surface it went to. */
	double press_x, press_y;
	/* The same for each finger that touches one, by its touch id. */
	struct {
		double x, y;
	} touched[FINGER_COUNT];
	bool has_touch;

	/* A window being moved or, if there are edges, resized. Past its end all
	 * but `active` stays: the client may still be catching up on sizes. */
	struct {
		bool active;
		struct window *window;
		uint32_t edges;            /* enum wlr_edges */
		struct wlr_box box;        /* the window's when it began */
		double cursor_x, cursor_y; /* the cursor's when it began */
	} grab;

	struct {
		struct wl_listener new_output, layout_change;
		struct wl_listener new_toplevel, new_popup;
		struct wl_listener new_input;
		struct wl_listener new_virtual_keyboard, new_virtual_pointer;
		struct wl_listener motion, motion_absolute, button, axis, frame;
		struct wl_listener touch_down, touch_up, touch_motion;
		struct wl_listener touch_cancel, touch_frame;
		struct wl_listener set_cursor, set_selection;
		struct wl_listener start_drag, drag_destroy;
	} on;
};

struct output {
	struct server *server;
	struct wlr_output *wlr;
	struct {
		struct wl_listener frame, request_state, destroy;
	} on;
};

struct keyboard {
	struct wl_list link;
	struct server *server;
	struct wlr_input_device *device;
	struct {
		struct wl_listener key, modifiers, destroy;
	} on;
};

/* It and a popup live as long as their tree, which is at the same time the data
 * of their xdg_surface. The tree may go first, with the tree of a parent. */
struct window {
	struct wl_list link; /* server.windows, while mapped */
	struct server *server;
	struct wlr_xdg_toplevel *toplevel;
	/* Its origin is the top left corner of the window's geometry, and its
	 * node's data is the window. */
	struct wlr_scene_tree *tree;
	struct {
		struct wl_listener map, unmap, commit, destroy, tree_destroy;
		struct wl_listener move, resize, maximize, fullscreen;
	} on;
};

struct popup {
	struct server *server;
	struct wlr_xdg_popup *wlr;
	struct wlr_scene_tree *tree;
	struct {
		struct wl_listener commit, destroy, tree_destroy;
	} on;
};

/* ON(window, map) { ... } is what happens to a struct window when its on.map is
 * notified; `data` is what the signal carries. */
#define ON(owner, event) \
	static void owner##_on_##event(struct owner *owner, void *data); \
	static void \
	owner##_##event##_notify(struct wl_listener *listener, void *data) \
	{ \
		struct owner *owner = \
			wl_container_of(listener, owner, on.event); \
		owner##_on_##event(owner, data); \
	} \
	static void owner##_on_##event(struct owner *owner, void *data)

#define LISTEN(owner, event, signal) do { \
		(owner)->on.event.notify = owner##_##event##_notify; \
		wl_signal_add(signal, &(owner)->on.event); \
	} while (0)

/* Takes an `on` struct: listeners are all it has. */
#define STOP_LISTENING(on) stop_listening((struct wl_listener *)&(on), \
	sizeof(on) / sizeof(struct wl_listener))

static void
stop_listening(struct wl_listener *listeners, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (listeners[i].link.next != NULL)
			wl_list_remove(&listeners[i].link);
}

/* `low` wins if the limits contradict each other. */
static int
clamp(int value, int low, int high)
{
	if (value > high)
		value = high;
	return value < low ? low : value;
}

static uint32_t
now_msec(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint32_t)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

/* --- Windows --- */

static struct wlr_box
window_box(struct window *window)
{
	struct wlr_box box;
	wlr_xdg_surface_get_geometry(window->toplevel->base, &box);
	wlr_scene_node_coords(&window->tree->node, &box.x, &box.y);
	return box;
}

static struct window *
window_from_node(struct wlr_scene_node *node)
{
	while (node != NULL && node->data == NULL)
		node = compat_node_parent(node);
	return node == NULL ? NULL : node->data;
}

static struct window *
focused_window(struct server *server)
{
	struct window *window;
	return wl_list_empty(&server->windows) ? NULL :
		wl_container_of(server->windows.next, window, link);
}

static void pointer_update(struct server *server, uint32_t time);
static void grab_begin(struct window *window, uint32_t edges);

static void
window_focus(struct window *window)
{
	struct wlr_seat *seat = window->server->seat;
	struct window *previous = focused_window(window->server);
	if (previous != window)
		wlr_xdg_toplevel_set_activated(previous->toplevel, false);

	wl_list_remove(&window->link);
	wl_list_insert(&window->server->windows, &window->link);
	wlr_scene_node_raise_to_top(&window->tree->node);
	wlr_xdg_toplevel_set_activated(window->toplevel, true);

	struct wlr_keyboard *keyboard = wlr_seat_get_keyboard(seat);
	wlr_seat_keyboard_notify_enter(seat, window->toplevel->base->surface,
		keyboard == NULL ? NULL : keyboard->keycodes,
		keyboard == NULL ? 0 : keyboard->num_keycodes,
		keyboard == NULL ? NULL : &keyboard->modifiers);
	/* It may have come up, or another gone away, under the cursor. */
	pointer_update(window->server, now_msec());
}

/* The output at a point of the layout, or else the most central one. Empty if
 * there is none. */
static struct wlr_box
output_box_at(struct server *server, double x, double y)
{
	struct wlr_box box = {0};
	struct wlr_output *output =
		wlr_output_layout_output_at(server->layout, x, y);
	if (output == NULL)
		output = wlr_output_layout_get_center_output(server->layout);
	if (output != NULL)
		wlr_output_layout_get_box(server->layout, output, &box);
	return box;
}

/* New windows step down and to the right, inside the output of the cursor. */
static void
window_place(struct window *window)
{
	struct server *server = window->server;
	struct wlr_box box = window_box(window);
	struct wlr_box output =
		output_box_at(server, server->cursor->x, server->cursor->y);
	int step = CASCADE_STEP *
		(1 + (int)(server->windows_placed++ % CASCADE_LENGTH));
	wlr_scene_node_set_position(&window->tree->node,
		output.x + clamp(step, 0, output.width - box.width),
		output.y + clamp(step, 0, output.height - box.height));
}

ON(window, map)
{
	wl_list_insert(window->server->windows.prev, &window->link);
	window_place(window);
	window_focus(window);
}

ON(window, unmap)
{
	struct server *server = window->server;
	if (server->grab.window == window) {
		server->grab.active = false;
		server->grab.window = NULL;
	}
	wl_list_remove(&window->link);
	wl_list_init(&window->link);
	if (!wl_list_empty(&server->windows)) {
		window_focus(focused_window(server));
	} else {
		wlr_seat_keyboard_notify_clear_focus(server->seat);
		pointer_update(server, now_msec());
	}
}

/* Resized by its left or top edge, a window has to move as well: but only once
 * the client shows the new size, which may not be the one asked for. */
ON(window, commit)
{
	const struct wlr_box *before = &window->server->grab.box;
	uint32_t edges = window->server->grab.edges;
	if (compat_is_initial_commit(window->toplevel->base))
		wlr_xdg_toplevel_set_size(window->toplevel, 0, 0); /* any */
	if (window->server->grab.window != window)
		return;

	struct wlr_box box = window_box(window);
	if (edges & WLR_EDGE_LEFT)
		box.x = before->x + before->width - box.width;
	if (edges & WLR_EDGE_TOP)
		box.y = before->y + before->height - box.height;
	wlr_scene_node_set_position(&window->tree->node, box.x, box.y);
}

ON(window, destroy)
{
	wlr_scene_node_destroy(&window->tree->node);
}

ON(window, tree_destroy)
{
	window->toplevel->base->data = NULL;
	STOP_LISTENING(window->on);
	free(window);
}

/* A client may have its window dragged by the one button it saw pressed. */
static bool
may_grab(struct window *window, struct wlr_seat_client *client, uint32_t serial)
{
	struct wlr_seat *seat = window->server->seat;
	return !wl_list_empty(&window->link) &&
		seat->pointer_state.focused_client == client &&
		wlr_seat_validate_pointer_grab_serial(seat, NULL, serial);
}

ON(window, move)
{
	struct wlr_xdg_toplevel_move_event *event = data;
	if (may_grab(window, event->seat, event->serial))
		grab_begin(window, WLR_EDGE_NONE);
}

ON(window, resize)
{
	struct wlr_xdg_toplevel_resize_event *event = data;
	if (event->edges != WLR_EDGE_NONE &&
			may_grab(window, event->seat, event->serial))
		grab_begin(window, event->edges);
}

/* Clients are owed an answer, even if it is that nothing changes. */
static void
answer_request(struct window *window)
{
	if (compat_is_initialized(window->toplevel->base))
		wlr_xdg_surface_schedule_configure(window->toplevel->base);
}

ON(window, maximize)
{
	answer_request(window);
}

ON(window, fullscreen)
{
	answer_request(window);
}

/* No decoration protocol is offered, so clients draw their own. Those that do
 * not can be moved and resized with Alt held down. */
ON(server, new_toplevel)
{
	struct wlr_xdg_toplevel *toplevel = data;
	struct window *window = calloc(1, sizeof(*window));
	if (window != NULL)
		window->tree = wlr_scene_xdg_surface_create(
			server->window_layer, toplevel->base);
	if (window == NULL || window->tree == NULL) {
		free(window);
		wl_resource_post_no_memory(toplevel->resource);
		return;
	}
	window->server = server;
	window->toplevel = toplevel;
	wl_list_init(&window->link);
	window->tree->node.data = window;
	toplevel->base->data = window->tree;

	LISTEN(window, map, &compat_map_events(toplevel)->map);
	LISTEN(window, unmap, &compat_map_events(toplevel)->unmap);
	LISTEN(window, commit, &toplevel->base->surface->events.commit);
	LISTEN(window, destroy, compat_role_destroy(toplevel));
	LISTEN(window, tree_destroy, &window->tree->node.events.destroy);
	LISTEN(window, move, &toplevel->events.request_move);
	LISTEN(window, resize, &toplevel->events.request_resize);
	LISTEN(window, maximize, &toplevel->events.request_maximize);
	LISTEN(window, fullscreen, &toplevel->events.request_fullscreen);
}

/* Keeps it inside the output, as its toplevel's surface sees that. */
ON(popup, commit)
{
	if (!compat_is_initial_commit(popup->wlr->base))
		return;
	struct window *window = window_from_node(&popup->tree->node);
	struct wlr_box geometry, box = window_box(window);
	wlr_xdg_surface_get_geometry(window->toplevel->base, &geometry);
	struct wlr_box limits = output_box_at(popup->server,
		box.x + box.width / 2.0, box.y + box.height / 2.0);
	limits.x -= box.x - geometry.x;
	limits.y -= box.y - geometry.y;
	wlr_xdg_popup_unconstrain_from_box(popup->wlr, &limits);
}

ON(popup, destroy)
{
	wlr_scene_node_destroy(&popup->tree->node);
}

ON(popup, tree_destroy)
{
	popup->wlr->base->data = NULL;
	STOP_LISTENING(popup->on);
	free(popup);
}

/* It is part of its parent's tree and moves with it. Clients can leave the
 * parent out, or name one that is not on the screen: it is shown nowhere then. */
ON(server, new_popup)
{
	struct wlr_xdg_popup *wlr = data;
	struct wlr_xdg_surface *parent = wlr->parent == NULL ? NULL :
		wlr_xdg_surface_try_from_wlr_surface(wlr->parent);
	struct wlr_scene_tree *tree = parent == NULL ? NULL : parent->data;
	if (tree == NULL)
		return;

	struct popup *popup = calloc(1, sizeof(*popup));
	if (popup != NULL)
		popup->tree = wlr_scene_xdg_surface_create(tree, wlr->base);
	if (popup == NULL || popup->tree == NULL) {
		free(popup);
		wl_resource_post_no_memory(wlr->resource);
		return;
	}
	popup->server = server;
	popup->wlr = wlr;
	wlr->base->data = popup->tree;

	LISTEN(popup, commit, &wlr->base->surface->events.commit);
	LISTEN(popup, destroy, compat_role_destroy(wlr));
	LISTEN(popup, tree_destroy, &popup->tree->node.events.destroy);
}

/* --- Pointer --- */

static void
grab_begin(struct window *window, uint32_t edges)
{
	struct server *server = window->server;
	server->grab.active = true;
	server->grab.window = window;
	server->grab.edges = edges;
	server->grab.box = window_box(window);
	server->grab.cursor_x = server->cursor->x;
	server->grab.cursor_y = server->cursor->y;
	if (edges != WLR_EDGE_NONE)
		wlr_xdg_toplevel_set_resizing(window->toplevel, true);
	/* The client learns of the pointer again when the grab ends, and sets
	 * its cursor then. */
	wlr_seat_pointer_notify_clear_focus(server->seat);
	wlr_cursor_set_xcursor(server->cursor, server->cursor_theme,
		edges == WLR_EDGE_NONE ? "grabbing" : "sizing");
}

static void
grab_end(struct server *server)
{
	if (server->grab.active && server->grab.edges != WLR_EDGE_NONE)
		wlr_xdg_toplevel_set_resizing(server->grab.window->toplevel,
			false);
	server->grab.active = false;
}

/* For a client a limit of 0 is none, and it can set negative ones. */
static int
allowed_size(int wanted, int min, int max)
{
	return clamp(wanted, min > 0 ? min : 1, max > 0 ? max : SIZE_LIMIT);
}

static void
grab_update(struct server *server)
{
	struct window *window = server->grab.window;
	struct wlr_box box = server->grab.box;
	uint32_t edges = server->grab.edges;
	int dx = (int)(server->cursor->x - server->grab.cursor_x);
	int dy = (int)(server->cursor->y - server->grab.cursor_y);
	if (edges == WLR_EDGE_NONE) {
		wlr_scene_node_set_position(&window->tree->node, box.x + dx,
			box.y + dy);
		return;
	}
	if (edges & (WLR_EDGE_LEFT | WLR_EDGE_RIGHT))
		box.width += edges & WLR_EDGE_LEFT ? -dx : dx;
	if (edges & (WLR_EDGE_TOP | WLR_EDGE_BOTTOM))
		box.height += edges & WLR_EDGE_TOP ? -dy : dy;

	const struct wlr_xdg_toplevel_state *limits = &window->toplevel->current;
	wlr_xdg_toplevel_set_size(window->toplevel,
		allowed_size(box.width, (int)limits->min_width,
			(int)limits->max_width),
		allowed_size(box.height, (int)limits->min_height,
			(int)limits->max_height));
}

/* Tells whoever the pointer belongs to where it is now. */
static void
pointer_update(struct server *server, uint32_t time)
{
	struct wlr_seat *seat = server->seat;
	double x = server->cursor->x, y = server->cursor->y;
	if (server->drag_layer != NULL)
		wlr_scene_node_set_position(&server->drag_layer->node, (int)x,
			(int)y);
	if (server->grab.active) {
		grab_update(server);
		return;
	}

	/* A pressed button keeps the pointer on the surface it was pressed on,
	 * unless a menu or drag and drop has taken it over. */
	if (seat->pointer_state.button_count > 0 &&
			seat->pointer_state.focused_surface != NULL &&
			!wlr_seat_pointer_has_grab(seat)) {
		wlr_seat_pointer_notify_motion(seat, time, x - server->press_x,
			y - server->press_y);
		return;
	}

	struct wlr_scene_node *node;
	struct wlr_surface *surface =
		compat_surface_at(server->window_layer, &x, &y, &node);
	if (surface != NULL) {
		wlr_seat_pointer_notify_enter(seat, surface, x, y);
		wlr_seat_pointer_notify_motion(seat, time, x, y);
	} else {
		wlr_seat_pointer_notify_clear_focus(seat);
		wlr_cursor_set_xcursor(server->cursor, server->cursor_theme,
			"left_ptr");
	}
}

ON(server, motion)
{
	struct wlr_pointer_motion_event *event = data;
	wlr_cursor_move(server->cursor, compat_event_device(event),
		event->delta_x, event->delta_y);
	pointer_update(server, event->time_msec);
}

ON(server, motion_absolute)
{
	struct wlr_pointer_motion_absolute_event *event = data;
	wlr_cursor_warp_absolute(server->cursor, compat_event_device(event),
		event->x, event->y);
	pointer_update(server, event->time_msec);
}

/* Returns the window under the cursor or NULL. */
static struct window *
begin_press(struct server *server, uint32_t button)
{
	struct wlr_keyboard *keyboard = wlr_seat_get_keyboard(server->seat);
	bool alt = keyboard != NULL &&
		wlr_keyboard_get_modifiers(keyboard) & WLR_MODIFIER_ALT;
	double x = server->cursor->x, y = server->cursor->y;
	struct wlr_scene_node *node;
	compat_surface_at(server->window_layer, &x, &y, &node);
	server->press_x = server->cursor->x - x;
	server->press_y = server->cursor->y - y;

	struct window *window = window_from_node(node);
	if (window != NULL && alt && button == BTN_LEFT)
		grab_begin(window, WLR_EDGE_NONE);
	else if (window != NULL && alt && button == BTN_RIGHT)
		grab_begin(window, WLR_EDGE_RIGHT | WLR_EDGE_BOTTOM);
	return window;
}

ON(server, button)
{
	struct wlr_pointer_button_event *event = data;
	struct wlr_seat *seat = server->seat;
	struct window *window = NULL;
	if (event->state == WL_POINTER_BUTTON_STATE_PRESSED &&
			seat->pointer_state.button_count == 0)
		window = begin_press(server, event->button);

	/* Also in a grab, when no client hears of it: the seat counts buttons.
	 * And before the focus moves, because it ends the grab of a menu. */
	wlr_seat_pointer_notify_button(seat, event->time_msec, event->button,
		event->state);
	if (window != NULL && window != focused_window(server))
		window_focus(window);
	if (seat->pointer_state.button_count == 0) {
		grab_end(server);
		pointer_update(server, event->time_msec);
	}
}

ON(server, axis)
{
	struct wlr_pointer_axis_event *event = data;
	struct wlr_seat_pointer_state *state = &server->seat->pointer_state;
	/* wlroots asserts that a frame has one source of scrolling only, which
	 * two pointers, or one virtual pointer, need not keep to. */
	if (state->sent_axis_source &&
			state->cached_axis_source != event->source)
		wlr_seat_pointer_notify_frame(server->seat);
	compat_notify_axis(server->seat, event);
}

ON(server, frame)
{
	wlr_seat_pointer_notify_frame(server->seat);
}

ON(server, set_cursor)
{
	struct wlr_seat_pointer_request_set_cursor_event *event = data;
	if (server->seat->pointer_state.focused_client == event->seat_client)
		wlr_cursor_set_surface(server->cursor, event->surface,
			event->hotspot_x, event->hotspot_y);
}

ON(server, set_selection)
{
	struct wlr_seat_request_set_selection_event *event = data;
	wlr_seat_set_selection(server->seat, event->source, event->serial);
}

/* The surface of the icon may outlive its drag, but not be seen. */
ON(server, drag_destroy)
{
	wl_list_remove(&server->on.drag_destroy.link);
	wlr_scene_node_destroy(&server->drag_layer->node);
	server->drag_layer = NULL;
}

static void
show_drag(struct server *server, struct wlr_drag *drag)
{
	server->drag_layer = compat_scene_layer(server->scene);
	if (server->drag_layer == NULL)
		return;
	LISTEN(server, drag_destroy, &drag->events.destroy);
	wlr_scene_node_set_position(&server->drag_layer->node,
		(int)server->cursor->x, (int)server->cursor->y);
	if (drag->icon != NULL)
		wlr_scene_subsurface_tree_create(server->drag_layer,
			drag->icon->surface);
}

ON(server, start_drag)
{
	struct wlr_seat_request_start_drag_event *event = data;
	if (server->drag_layer == NULL &&
			wlr_seat_validate_pointer_grab_serial(server->seat,
				event->origin, event->serial)) {
		show_drag(server, event->drag);
		wlr_seat_start_pointer_drag(server->seat, event->drag,
			event->serial);
	} else if (event->drag->source != NULL) {
		wlr_data_source_destroy(event->drag->source);
	}
}

/* --- Touch --- */

static struct wlr_touch_point *
touch_point(struct server *server, int32_t id)
{
	return id < 0 || id >= FINGER_COUNT ? NULL :
		wlr_seat_touch_get_point(server->seat, id);
}

/* A finger belongs to the surface that it came down on until it is lifted. */
ON(server, touch_down)
{
	struct wlr_touch_down_event *event = data;
	double layout_x, layout_y;
	if (event->touch_id < 0 || event->touch_id >= FINGER_COUNT)
		return;
	wlr_cursor_absolute_to_layout_coords(server->cursor,
		compat_touch_device(event), event->x, event->y,
		&layout_x, &layout_y);
	double x = layout_x, y = layout_y;
	struct wlr_scene_node *node;
	struct wlr_surface *surface =
		compat_surface_at(server->window_layer, &x, &y, &node);
	if (surface == NULL)
		return;
	server->touched[event->touch_id].x = layout_x - x;
	server->touched[event->touch_id].y = layout_y - y;
	wlr_seat_touch_notify_down(server->seat, surface, event->time_msec,
		event->touch_id, x, y);
	struct window *window = window_from_node(node);
	if (window != NULL && window != focused_window(server))
		window_focus(window);
}

ON(server, touch_motion)
{
	struct wlr_touch_motion_event *event = data;
	double x, y;
	if (touch_point(server, event->touch_id) == NULL)
		return;
	wlr_cursor_absolute_to_layout_coords(server->cursor,
		compat_touch_device(event), event->x, event->y, &x, &y);
	wlr_seat_touch_notify_motion(server->seat, event->time_msec,
		event->touch_id, x - server->touched[event->touch_id].x,
		y - server->touched[event->touch_id].y);
}

ON(server, touch_up)
{
	struct wlr_touch_up_event *event = data;
	if (touch_point(server, event->touch_id) != NULL)
		wlr_seat_touch_notify_up(server->seat, event->time_msec,
			event->touch_id);
}

ON(server, touch_cancel)
{
	struct wlr_touch_cancel_event *event = data;
	struct wlr_touch_point *point = touch_point(server, event->touch_id);
	if (point != NULL)
		compat_notify_touch_cancel(server->seat, point,
			event->time_msec);
}

ON(server, touch_frame)
{
	wlr_seat_touch_notify_frame(server->seat);
}

/* --- Keyboards --- */

/* Returns whether the key was meant for us. */
static bool
run_binding(struct server *server, xkb_keysym_t symbol, bool alt)
{
	struct window *window;
	if (server->session != NULL && symbol >= XKB_KEY_XF86Switch_VT_1 &&
			symbol <= XKB_KEY_XF86Switch_VT_12) {
		wlr_session_change_vt(server->session,
			symbol - XKB_KEY_XF86Switch_VT_1 + 1);
	} else if (alt && symbol == XKB_KEY_Escape) {
		wl_display_terminate(server->display);
	} else if (alt && symbol == XKB_KEY_F1) {
		if (!wl_list_empty(&server->windows))
			window_focus(wl_container_of(server->windows.prev,
				window, link));
	} else {
		return false;
	}
	return true;
}

ON(keyboard, key)
{
	struct wlr_keyboard *wlr =
		wlr_keyboard_from_input_device(keyboard->device);
	struct wlr_keyboard_key_event *event = data;
	bool alt = wlr_keyboard_get_modifiers(wlr) & WLR_MODIFIER_ALT;
	const xkb_keysym_t *symbols;
	int count = 0;
	if (wlr->xkb_state != NULL &&
			event->state == WL_KEYBOARD_KEY_STATE_PRESSED)
		count = xkb_state_key_get_syms(wlr->xkb_state,
			event->keycode + 8, &symbols);
	for (int i = 0; i < count; i++)
		if (run_binding(keyboard->server, symbols[i], alt))
			return;

	compat_seat_set_keyboard(keyboard->server->seat, keyboard->device);
	wlr_seat_keyboard_notify_key(keyboard->server->seat, event->time_msec,
		event->keycode, event->state);
}

ON(keyboard, modifiers)
{
	compat_seat_set_keyboard(keyboard->server->seat, keyboard->device);
	wlr_seat_keyboard_notify_modifiers(keyboard->server->seat,
		&wlr_keyboard_from_input_device(keyboard->device)->modifiers);
}

static void
update_capabilities(struct server *server)
{
	wlr_seat_set_capabilities(server->seat, WL_SEAT_CAPABILITY_POINTER |
		(server->has_touch ? WL_SEAT_CAPABILITY_TOUCH : 0) |
		(wl_list_empty(&server->keyboards) ? 0 :
			WL_SEAT_CAPABILITY_KEYBOARD));
}

ON(keyboard, destroy)
{
	struct server *server = keyboard->server;
	struct keyboard *other;
	STOP_LISTENING(keyboard->on);
	wl_list_remove(&keyboard->link);
	free(keyboard);
	other = wl_container_of(server->keyboards.next, other, link);
	compat_seat_set_keyboard(server->seat,
		wl_list_empty(&server->keyboards) ? NULL : other->device);
	update_capabilities(server);
}

/* It must have a keymap: a client that is sent none is lost. */
static void
add_keyboard(struct server *server, struct wlr_input_device *device)
{
	struct wlr_keyboard *wlr = wlr_keyboard_from_input_device(device);
	struct keyboard *keyboard = calloc(1, sizeof(*keyboard));
	if (keyboard == NULL) {
		warn("cannot use a keyboard");
		return;
	}
	keyboard->server = server;
	keyboard->device = device;
	LISTEN(keyboard, key, &wlr->events.key);
	LISTEN(keyboard, modifiers, &wlr->events.modifiers);
	LISTEN(keyboard, destroy, &device->events.destroy);
	wl_list_insert(&server->keyboards, &keyboard->link);
	compat_seat_set_keyboard(server->seat, device);
	update_capabilities(server);
}

/* The layout comes from XKB_DEFAULT_LAYOUT and its companions. */
static bool
set_default_keymap(struct wlr_keyboard *keyboard)
{
	struct xkb_context *context = xkb_context_new(XKB_CONTEXT_NO_FLAGS);
	struct xkb_keymap *keymap = context == NULL ? NULL :
		xkb_keymap_new_from_names(context, NULL,
			XKB_KEYMAP_COMPILE_NO_FLAGS);
	bool ok = keymap != NULL && wlr_keyboard_set_keymap(keyboard, keymap);
	xkb_keymap_unref(keymap);
	xkb_context_unref(context);
	return ok;
}

ON(server, new_input)
{
	struct wlr_input_device *device = data;
	if (device->type == WLR_INPUT_DEVICE_POINTER ||
			device->type == WLR_INPUT_DEVICE_TOUCH)
		wlr_cursor_attach_input_device(server->cursor, device);
	server->has_touch |= device->type == WLR_INPUT_DEVICE_TOUCH;
	update_capabilities(server);
	if (device->type != WLR_INPUT_DEVICE_KEYBOARD)
		return;
	if (set_default_keymap(wlr_keyboard_from_input_device(device)))
		add_keyboard(server, device);
	else
		warnx("no keymap for %s: check XKB_DEFAULT_LAYOUT",
			device->name);
}

/* Announced when they have got a keymap. */
ON(server, new_virtual_keyboard)
{
	add_keyboard(server, data);
}

ON(server, new_virtual_pointer)
{
	struct wlr_virtual_pointer_v1_new_pointer_event *event = data;
	wlr_cursor_attach_input_device(server->cursor,
		compat_virtual_pointer_device(event->new_pointer));
}

/* --- Outputs --- */

ON(output, frame)
{
	struct wlr_scene_output *scene_output =
		wlr_scene_get_scene_output(output->server->scene, output->wlr);
	struct timespec now;
	if (scene_output == NULL)
		return;
	wlr_scene_output_commit(scene_output, NULL);
	clock_gettime(CLOCK_MONOTONIC, &now);
	wlr_scene_output_send_frame_done(scene_output, &now);
}

ON(output, request_state)
{
	compat_output_accept(output->wlr, data);
}

ON(output, destroy)
{
	STOP_LISTENING(output->on);
	free(output); /* the layout and the scene forget it by themselves */
}

ON(server, new_output)
{
	struct wlr_output *wlr = data;
	struct output *output = calloc(1, sizeof(*output));
	if (output == NULL ||
			!wlr_output_init_render(wlr, server->allocator,
				server->renderer) ||
			!compat_output_enable(wlr) ||
			!compat_layout_add(server->layout, server->scene, wlr)) {
		warnx("cannot use output %s", wlr->name);
		free(output);
		return;
	}
	output->server = server;
	output->wlr = wlr;
	LISTEN(output, frame, &wlr->events.frame);
	LISTEN(output, request_state, compat_request_state(wlr));
	LISTEN(output, destroy, &wlr->events.destroy);
}

/* Covers all outputs with the background and brings windows back that lie
 * outside of them now. */
ON(server, layout_change)
{
	struct wlr_box all;
	wlr_output_layout_get_box(server->layout, NULL, &all);
	wlr_scene_node_set_position(&server->background->node, all.x, all.y);
	wlr_scene_rect_set_size(server->background, all.width, all.height);

	struct window *window;
	wl_list_for_each(window, &server->windows, link) {
		struct wlr_box box = window_box(window);
		if (!wlr_output_layout_intersects(server->layout, NULL, &box))
			window_place(window);
	}
}

/* --- The server --- */

/* A compositor that was linked wrongly would run all the same, unguarded. */
static bool
shm_is_guarded(void)
{
	void *function = dlsym(RTLD_DEFAULT, COMPAT_SHM_FUNCTION);
	Dl_info library;
	if (function == NULL || dladdr(function, &library) == 0) {
		warnx("cannot find out where wl_shm comes from");
		return false;
	}
	const char *slash = strrchr(library.dli_fname, '/');
	if (strstr(slash != NULL ? slash : library.dli_fname,
			COMPAT_SHM_LIBRARY) == NULL) {
		warnx("wl_shm comes from %s and is not guarded: the first "
			"library with %s() must be %s", library.dli_fname,
			COMPAT_SHM_FUNCTION, COMPAT_SHM_LIBRARY);
		return false;
	}
	warnx("wl_shm is guarded by %s", library.dli_fname);
	return true;
}

static int
handle_signal(int signal, void *data)
{
	struct server *server = data;
	if (signal != SIGCHLD)
		wl_display_terminate(server->display);
	else
		while (waitpid(-1, NULL, WNOHANG) > 0)
			continue;
	return 0;
}

static bool
failed(const char *why)
{
	warnx("%s", why);
	return false;
}

static bool
create_scene(struct server *server)
{
	static const float color[4] = {0.16f, 0.22f, 0.28f, 1.0f};
	server->scene = wlr_scene_create();
	server->layout = wlr_output_layout_create(server->display);
	server->cursor = wlr_cursor_create();
	server->cursor_theme = wlr_xcursor_manager_create(NULL, CURSOR_SIZE);
	server->seat = wlr_seat_create(server->display, "seat0");
	if (server->scene == NULL || server->layout == NULL ||
			server->cursor == NULL || server->cursor_theme == NULL ||
			server->seat == NULL)
		return false;
	wlr_cursor_attach_output_layout(server->cursor, server->layout);
	wlr_xcursor_manager_load(server->cursor_theme, 1);
	update_capabilities(server);

	struct wlr_scene_tree *bottom = compat_scene_layer(server->scene);
	server->window_layer = compat_scene_layer(server->scene);
	if (bottom == NULL || server->window_layer == NULL)
		return false;
	server->background = wlr_scene_rect_create(bottom, 0, 0, color);
	return server->background != NULL &&
		compat_scene_attach_layout(server->scene, server->layout);
}

/* What clients can bind besides wl_shm, wl_output and wl_seat. */
static bool
create_globals(struct server *server)
{
	struct wl_display *display = server->display;
	struct wlr_virtual_pointer_manager_v1 *pointers =
		wlr_virtual_pointer_manager_v1_create(display);
	if (pointers == NULL)
		return false;
	LISTEN(server, new_virtual_pointer, &pointers->events.new_virtual_pointer);
	server->on.new_virtual_keyboard.notify = server_new_virtual_keyboard_notify;
	server->on.new_toplevel.notify = server_new_toplevel_notify;
	server->on.new_popup.notify = server_new_popup_notify;
	return virtual_keyboard_global_create(display,
			&server->on.new_virtual_keyboard) &&
		compat_xdg_shell_init(&server->xdg_shell, display,
			&server->on.new_toplevel, &server->on.new_popup) &&
		compat_compositor_create(display, server->renderer) &&
		wlr_data_device_manager_create(display) != NULL &&
		wlr_screencopy_manager_v1_create(display) != NULL &&
		compat_image_copy_create(display) &&
		wlr_viewporter_create(display) != NULL &&
		wlr_xdg_output_manager_v1_create(display, server->layout) != NULL;
}

static void
listen_to_backend_and_seat(struct server *server)
{
	struct wlr_cursor *cursor = server->cursor;
	struct wlr_seat *seat = server->seat;
	LISTEN(server, new_output, &server->backend->events.new_output);
	LISTEN(server, new_input, &server->backend->events.new_input);
	LISTEN(server, layout_change, &server->layout->events.change);
	LISTEN(server, motion, &cursor->events.motion);
	LISTEN(server, motion_absolute, &cursor->events.motion_absolute);
	LISTEN(server, button, &cursor->events.button);
	LISTEN(server, axis, &cursor->events.axis);
	LISTEN(server, frame, &cursor->events.frame);
	LISTEN(server, touch_down, &cursor->events.touch_down);
	LISTEN(server, touch_up, &cursor->events.touch_up);
	LISTEN(server, touch_motion, &cursor->events.touch_motion);
	LISTEN(server, touch_cancel, &cursor->events.touch_cancel);
	LISTEN(server, touch_frame, &cursor->events.touch_frame);
	LISTEN(server, set_cursor, &seat->events.request_set_cursor);
	LISTEN(server, set_selection, &seat->events.request_set_selection);
	LISTEN(server, start_drag, &seat->events.request_start_drag);
}

/* On failure, which has been reported, server_finish() is due as well. */
static bool
server_init(struct server *server)
{
	wl_list_init(&server->windows);
	wl_list_init(&server->keyboards);
	server->display = wl_display_create();
	if (server->display == NULL)
		return failed("cannot create a display");
	server->backend = compat_backend_create(server->display, &server->session);
	if (server->backend == NULL)
		return failed("no screen to run on; WLR_BACKENDS=headless needs "
			"none");
	server->renderer = wlr_renderer_autocreate(server->backend);
	if (server->renderer == NULL)
		return failed("no way to draw; WLR_RENDERER=pixman needs no GPU");
	server->allocator =
		wlr_allocator_autocreate(server->backend, server->renderer);
	if (server->allocator == NULL)
		return failed("cannot allocate buffers to draw to");
	if (!compat_buffers_create(server->display, server->renderer))
		return failed("cannot create wl_shm");
	if (!create_scene(server) || !create_globals(server))
		return failed("out of memory");
	listen_to_backend_and_seat(server);
	return true;
}

static void
server_finish(struct server *server)
{
	if (server->display == NULL)
		return;
	wl_display_destroy_clients(server->display);
	STOP_LISTENING(server->on);
	wlr_backend_destroy(server->backend);
	wlr_xcursor_manager_destroy(server->cursor_theme);
	if (server->cursor != NULL)
		wlr_cursor_destroy(server->cursor);
	wlr_output_layout_destroy(server->layout);
	if (server->scene != NULL)
		compat_scene_destroy(server->scene);
	wlr_allocator_destroy(server->allocator);
	wlr_renderer_destroy(server->renderer);
	for (size_t i = 0; i < SIGNAL_COUNT; i++)
		if (server->signals[i] != NULL)
			wl_event_source_remove(server->signals[i]);
	wl_display_destroy(server->display);
}

static void
start_command(const char *command, const char *socket)
{
	pid_t child = fork();
	if (child < 0)
		warn("cannot start \"%s\"", command);
	if (child != 0)
		return;
	/* The event loop has blocked the signals that it reads. */
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setenv("WAYLAND_DISPLAY", socket, true);
	execl("/bin/sh", "sh", "-c", command, NULL);
	warn("cannot run /bin/sh");
	_exit(127);
}

static bool
server_run(struct server *server, const char *command)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGCHLD};
	for (size_t i = 0; i < SIGNAL_COUNT; i++)
		server->signals[i] = wl_event_loop_add_signal(
			wl_display_get_event_loop(server->display), signals[i],
			handle_signal, server);
	const char *socket = wl_display_add_socket_auto(server->display);
	if (socket == NULL)
		return failed("cannot open a socket in XDG_RUNTIME_DIR");
	if (!wlr_backend_start(server->backend))
		return failed("cannot start the backend");
	/* For scripts, and alone on standard output. */
	printf("WAYLAND_DISPLAY=%s\n", socket);
	fflush(stdout);
	if (command != NULL)
		start_command(command, socket);
	wl_display_run(server->display);
	return true;
}

static const char usage[] =
	"usage: tinywl-safe [-v] [-s command]\n"
	"  -s command  run it with /bin/sh once clients can connect\n"
	"  -v          let wlroots log what it does\n"
	"  -h          print this\n"
	"Keys: Alt+Escape quits, Alt+F1 shows the next window. Held down, Alt also\n"
	"lets the left button move a window and the right one resize it.\n"
	"Environment: WLR_BACKENDS=headless, wayland, x11 or drm,libinput;\n"
	"WLR_RENDERER=pixman or gles2; WLR_HEADLESS_OUTPUTS=number.\n";

int
main(int argc, char *argv[])
{
	enum wlr_log_importance verbosity = WLR_ERROR;
	const char *command = NULL;
	for (int option; (option = getopt(argc, argv, "hs:v")) != -1;) {
		switch (option) {
		case 's':
			command = optarg;
			break;
		case 'v':
			verbosity = WLR_DEBUG;
			break;
		default:
			fputs(usage, option == 'h' ? stdout : stderr);
			return option == 'h' ? EXIT_SUCCESS : EXIT_FAILURE;
		}
	}
	if (optind < argc) {
		fputs(usage, stderr);
		return EXIT_FAILURE;
	}

	wlr_log_init(verbosity, NULL);
	if (!shm_is_guarded())
		return EXIT_FAILURE;
	struct server server = {0};
	bool ok = server_init(&server) && server_run(&server, command);
	server_finish(&server);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
