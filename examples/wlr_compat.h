/* SPDX-License-Identifier: MIT */
#ifndef WLR_COMPAT_H
#define WLR_COMPAT_H

/*
 * tinywl-safe.c and virtual_keyboard.c are written in the vocabulary of wlroots
 * 0.18. Whatever another version names or does otherwise is here and nowhere
 * else: first what was only renamed since 0.15, then the functions that each
 * side of 0.16 does in its own way, for 0.15 and for 0.18 and later.
 */

#include <stdlib.h>
#include <wlr/version.h>

#define COMPAT_WLR_0_15 (WLR_VERSION_MINOR == 15)

#if WLR_VERSION_MAJOR != 0 || !(COMPAT_WLR_0_15 || \
	(WLR_VERSION_MINOR >= 18 && WLR_VERSION_MINOR <= 20))
#error "wlr_compat.h knows wlroots 0.15 and 0.18 to 0.20"
#endif

#include <wlr/backend.h>
#include <wlr/backend/headless.h>
#include <wlr/backend/session.h>
#include <wlr/interfaces/wlr_keyboard.h>
#include <wlr/render/wlr_renderer.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_output_layout.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/types/wlr_touch.h>
#include <wlr/types/wlr_virtual_pointer_v1.h>
#include <wlr/types/wlr_xcursor_manager.h>
#include <wlr/types/wlr_xdg_shell.h>

#if WLR_VERSION_MINOR >= 19
#include <wlr/types/wlr_ext_image_capture_source_v1.h>
#include <wlr/types/wlr_ext_image_copy_capture_v1.h>
#endif
#if COMPAT_WLR_0_15
#include <wlr/interfaces/wlr_input_device.h>
#else
#ifndef COMPAT_UNGUARDED
#include <shmguard/wlroots.h>
#endif
#include <wlr/types/wlr_linux_dmabuf_v1.h>
#include <wlr/types/wlr_subcompositor.h>
#endif

/*
 * What both sides below provide. Macros take what functions of that name in the
 * comments would.
 */

/* A keyboard of our own, embedded in whatever is behind it:
 * void compat_keyboard_finish(struct compat_keyboard *)
 * struct wlr_input_device *compat_keyboard_device(struct compat_keyboard *) */
struct compat_keyboard;
static inline void compat_keyboard_init(struct compat_keyboard *keyboard,
	const char *name);

/* Of events and virtual pointers:
 * struct wlr_input_device *compat_event_device(event)
 * struct wlr_input_device *compat_touch_device(event)
 * struct wlr_input_device *compat_virtual_pointer_device(pointer)
 * void compat_notify_axis(struct wlr_seat *, event)
 * void compat_notify_touch_cancel(struct wlr_seat *, struct wlr_touch_point *,
 *	uint32_t time)
 * With a keyboard's device or NULL:
 * void compat_seat_set_keyboard(struct wlr_seat *, struct wlr_input_device *) */

/* Calls new_toplevel with a struct wlr_xdg_toplevel and new_popup with a struct
 * wlr_xdg_popup, at their first commit or before. `shell` lives as long as the
 * display. False: out of memory. */
struct compat_xdg_shell;
static inline bool compat_xdg_shell_init(struct compat_xdg_shell *shell,
	struct wl_display *display, struct wl_listener *new_toplevel,
	struct wl_listener *new_popup);

/* Where a toplevel or popup signals map and unmap, and that it is destroyed
 * while its xdg_surface may live on:
 * compat_map_events(role)->map
 * struct wl_signal *compat_role_destroy(role)
 * Whether configure events may be scheduled, and whether the commit that was
 * just signalled asks for the first of them:
 * bool compat_is_initialized(struct wlr_xdg_surface *)
 * bool compat_is_initial_commit(struct wlr_xdg_surface *) */

/* A new tree on top of the others, NULL if out of memory:
 * struct wlr_scene_tree *compat_scene_layer(struct wlr_scene *)
 * void compat_scene_destroy(struct wlr_scene *)
 * struct wlr_scene_node *compat_node_parent(struct wlr_scene_node *)
 * Takes a point of the layout and makes it relative to what is found there: a
 * node and its surface, each NULL if there is none. */
static inline struct wlr_surface *compat_surface_at(struct wlr_scene_tree *tree,
	double *x, double *y, struct wlr_scene_node **node);

/* Lets the scene follow the layout, whose `data` belongs to this header:
 * bool compat_scene_attach_layout(struct wlr_scene *,
 *	struct wlr_output_layout *)
 * Adds an output to the right of the others. Both: false if out of memory. */
static inline bool compat_layout_add(struct wlr_output_layout *layout,
	struct wlr_scene *scene, struct wlr_output *output);

/* Switches it on, in the mode that it likes best. A headless one has no modes
 * and says 0 Hz where it means 60, by which GTK 4.24 divides. */
#define COMPAT_HEADLESS_REFRESH 60000 /* mHz */
static inline bool compat_output_enable(struct wlr_output *output);
/* That its backend asks for a change, and how to grant that:
 * struct wl_signal *compat_request_state(struct wlr_output *)
 * void compat_output_accept(struct wlr_output *, event) */

/* `session` is set to NULL where there is none. */
static inline struct wlr_backend *compat_backend_create(
	struct wl_display *display, struct wlr_session **session);

/* wl_compositor and wl_subcompositor:
 * bool compat_compositor_create(struct wl_display *, struct wlr_renderer *) */

/* ext-image-copy-capture, of outputs, where wlroots has it: clients capture into
 * buffers through it as through wlr-screencopy. */
static inline bool compat_image_copy_create(struct wl_display *display);

/* What wlr_renderer_init_wl_display() creates, wl_shm and linux-dmabuf, but with
 * shmguard's wl_shm; without it for COMPAT_UNGUARDED, to compare with. A sample is where clients are tried, so they may ask how
 * they are guarded. COMPAT_SHM_FUNCTION is the name of the function that wl_shm
 * comes from then, COMPAT_SHM_LIBRARY how the file must be called that has it. */
static inline bool compat_buffers_create(struct wl_display *display,
	struct wlr_renderer *renderer);

#if COMPAT_WLR_0_15

/* --- 0.15: names and signatures --- */

#define wlr_keyboard_key_event wlr_event_keyboard_key
#define wlr_pointer_motion_event wlr_event_pointer_motion
#define wlr_pointer_motion_absolute_event wlr_event_pointer_motion_absolute
#define wlr_pointer_button_event wlr_event_pointer_button
#define wlr_pointer_axis_event wlr_event_pointer_axis
#define wlr_touch_down_event wlr_event_touch_down
#define wlr_touch_up_event wlr_event_touch_up
#define wlr_touch_motion_event wlr_event_touch_motion
#define wlr_touch_cancel_event wlr_event_touch_cancel
#define WL_POINTER_BUTTON_STATE_PRESSED WLR_BUTTON_PRESSED
#define wlr_keyboard_from_input_device(device) ((device)->keyboard)

/* Events name the device where later ones name what embeds it. */
#define compat_event_device(event) ((event)->device)
#define compat_touch_device(event) ((event)->device)
#define compat_virtual_pointer_device(pointer) (&(pointer)->input_device)
#define compat_notify_axis(seat, event) \
	wlr_seat_pointer_notify_axis(seat, (event)->time_msec, \
		(event)->orientation, (event)->delta, \
		(event)->delta_discrete, (event)->source)
/* Its own wlr_seat_touch_notify_cancel() would leave the point behind. */
#define compat_notify_touch_cancel(seat, point, time) \
	wlr_seat_touch_notify_up(seat, time, (point)->touch_id)
#define compat_seat_set_keyboard(seat, device) \
	wlr_seat_set_keyboard(seat, device)
#define compat_keyboard_finish(keyboard) \
	wlr_input_device_destroy(&(keyboard)->device)
#define compat_keyboard_device(keyboard) (&(keyboard)->device)

#define wlr_xdg_toplevel_set_size(toplevel, width, height) \
	(wlr_xdg_toplevel_set_size)((toplevel)->base, (uint32_t)(width), \
		(uint32_t)(height))
#define wlr_xdg_toplevel_set_activated(toplevel, on) \
	(wlr_xdg_toplevel_set_activated)((toplevel)->base, on)
#define wlr_xdg_toplevel_set_resizing(toplevel, on) \
	(wlr_xdg_toplevel_set_resizing)((toplevel)->base, on)
#define wlr_xdg_surface_try_from_wlr_surface(surface) \
	(wlr_surface_is_xdg_surface(surface) ? \
		wlr_xdg_surface_from_wlr_surface(surface) : NULL)

#define compat_map_events(role) (&(role)->base->events)
#define compat_role_destroy(role) (&(role)->base->events.destroy)
#define compat_is_initialized(surface) ((surface)->added)

/* The root of the scene and the parents are plain nodes. */
#define compat_scene_layer(scene) wlr_scene_tree_create(&(scene)->node)
#define compat_scene_destroy(scene) wlr_scene_node_destroy(&(scene)->node)
#define compat_node_parent(scene_node) ((scene_node)->parent)
#define compat_scene_attach_layout(scene, layout) \
	wlr_scene_attach_output_layout(scene, layout)
#define wlr_scene_rect_create(parent, width, height, color) \
	(wlr_scene_rect_create)(&(parent)->node, width, height, color)
#define wlr_scene_xdg_surface_create(parent, surface) \
	((struct wlr_scene_tree *) \
		(wlr_scene_xdg_surface_create)(&(parent)->node, surface))
#define wlr_scene_subsurface_tree_create(parent, surface) \
	wlr_scene_subsurface_tree_create(&(parent)->node, surface)
#define wlr_scene_output_commit(output, options) \
	(wlr_scene_output_commit)(output)
#define wlr_output_layout_create(display) (wlr_output_layout_create)()
#define wlr_cursor_set_xcursor(cursor, theme, name) \
	wlr_xcursor_manager_set_cursor_image(theme, name, cursor)

/* Outputs change by themselves and tell afterwards. */
#define compat_request_state(output) (&(output)->events.mode)
#define compat_output_accept(output, event) ((void)(event))

#define compat_compositor_create(display, renderer) \
	(wlr_compositor_create(display, renderer) != NULL)
#define COMPAT_SHM_FUNCTION "wl_display_init_shm"
#ifdef COMPAT_UNGUARDED
#define COMPAT_SHM_LIBRARY "libwayland-server.so"
#else
#define COMPAT_SHM_LIBRARY "libshmguard-stock.so"
#endif

/* --- 0.15: functions --- */

/* Device and keyboard are two objects. */
struct compat_keyboard {
	struct wlr_input_device device;
	struct wlr_keyboard keyboard;
};

static inline void
compat_ignore_keyboard_destroy(struct wlr_keyboard *keyboard)
{
	/* whoever embeds it frees it */
}

static inline void
compat_ignore_device_destroy(struct wlr_input_device *device)
{
}

static inline void
compat_keyboard_init(struct compat_keyboard *keyboard, const char *name)
{
	static const struct wlr_input_device_impl device_impl = {
		.destroy = compat_ignore_device_destroy,
	};
	static const struct wlr_keyboard_impl keyboard_impl = {
		.destroy = compat_ignore_keyboard_destroy,
	};
	wlr_input_device_init(&keyboard->device, WLR_INPUT_DEVICE_KEYBOARD,
		&device_impl, name, 0, 0);
	wlr_keyboard_init(&keyboard->keyboard, &keyboard_impl);
	keyboard->device.keyboard = &keyboard->keyboard;
}

/* Both roles are announced by one signal, at the surface's first commit. */
struct compat_xdg_shell {
	struct wl_listener new_surface;
	struct wl_listener *new_toplevel, *new_popup;
};

static inline void
compat_handle_new_surface(struct wl_listener *listener, void *data)
{
	struct compat_xdg_shell *shell =
		wl_container_of(listener, shell, new_surface);
	struct wlr_xdg_surface *surface = data;

	if (surface->role == WLR_XDG_SURFACE_ROLE_TOPLEVEL)
		shell->new_toplevel->notify(shell->new_toplevel,
			surface->toplevel);
	else if (surface->role == WLR_XDG_SURFACE_ROLE_POPUP)
		shell->new_popup->notify(shell->new_popup, surface->popup);
}

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
	shell->new_surface.notify = compat_handle_new_surface;
	wl_signal_add(&xdg_shell->events.new_surface, &shell->new_surface);
	return true;
}

/* Also unconfigured is what has just been taken away: it had a buffer before. */
static inline bool
compat_is_initial_commit(struct wlr_xdg_surface *surface)
{
	return !surface->configured &&
		surface->surface->previous.buffer_width == 0;
}

static inline struct wlr_surface *
compat_surface_at(struct wlr_scene_tree *tree, double *x, double *y,
	struct wlr_scene_node **node)
{
	*node = wlr_scene_node_at(&tree->node, *x, *y, x, y);
	if (*node == NULL || (*node)->type != WLR_SCENE_NODE_SURFACE)
		return NULL;
	return wlr_scene_surface_from_node(*node)->surface;
}

static inline bool
compat_layout_add(struct wlr_output_layout *layout, struct wlr_scene *scene,
	struct wlr_output *output)
{
	wlr_output_layout_add_auto(layout, output); /* the scene hears of it */
	return true;
}

static inline void
compat_layout_get_box(struct wlr_output_layout *layout,
	struct wlr_output *output, struct wlr_box *box)
{
	const struct wlr_box none = {0};
	const struct wlr_box *found = wlr_output_layout_get_box(layout, output);
	*box = *(found != NULL ? found : &none);
}
#define wlr_output_layout_get_box compat_layout_get_box

static inline bool
compat_output_enable(struct wlr_output *output)
{
	struct wlr_output_mode *mode = wlr_output_preferred_mode(output);
	if (mode != NULL)
		wlr_output_set_mode(output, mode);
	else if (wlr_output_is_headless(output))
		wlr_output_set_custom_mode(output, output->width,
			output->height, COMPAT_HEADLESS_REFRESH);
	wlr_output_enable(output, true);
	return wlr_output_commit(output);
}

static inline struct wlr_backend *
compat_backend_create(struct wl_display *display, struct wlr_session **session)
{
	struct wlr_backend *backend = wlr_backend_autocreate(display);
	*session = backend == NULL ? NULL : wlr_backend_get_session(backend);
	return backend;
}

static inline bool
compat_image_copy_create(struct wl_display *display)
{
	(void)display;
	return true;
}

static inline bool
compat_buffers_create(struct wl_display *display, struct wlr_renderer *renderer)
{
	setenv("SHMGUARD_FEEDBACK", "1", false);
	return wlr_renderer_init_wl_display(renderer, display);
}

#else

/* --- 0.18 and later: names --- */

#if WLR_VERSION_MINOR >= 19
#define wlr_xdg_surface_get_geometry(surface, box) \
	((void)(*(box) = (surface)->geometry))
#endif

#define compat_event_device(event) (&(event)->pointer->base)
#define compat_touch_device(event) (&(event)->touch->base)
#define compat_virtual_pointer_device(virtual) (&(virtual)->pointer.base)
#define compat_notify_axis(seat, event) \
	wlr_seat_pointer_notify_axis(seat, (event)->time_msec, \
		(event)->orientation, (event)->delta, \
		(event)->delta_discrete, (event)->source, \
		(event)->relative_direction)
#define compat_notify_touch_cancel(seat, point, time) \
	wlr_seat_touch_notify_cancel(seat, (point)->client)
#define compat_keyboard_finish(device) \
	wlr_keyboard_finish(&(device)->keyboard)
#define compat_keyboard_device(device) (&(device)->keyboard.base)

#define compat_map_events(role) (&(role)->base->surface->events)
#define compat_role_destroy(role) (&(role)->events.destroy)
#define compat_is_initialized(surface) ((surface)->initialized)
#define compat_is_initial_commit(surface) ((surface)->initial_commit)

#define compat_scene_layer(scene) wlr_scene_tree_create(&(scene)->tree)
#define compat_scene_destroy(scene) wlr_scene_node_destroy(&(scene)->tree.node)

/* Outputs ask before they change, as when their window on another compositor is
 * resized. */
#define compat_request_state(output) (&(output)->events.request_state)
#define compat_output_accept(output, event) \
	wlr_output_commit_state(output, \
		((struct wlr_output_event_request_state *)(event))->state)

#define COMPAT_STRING_(x) #x
#define COMPAT_STRING(x) COMPAT_STRING_(x)
#ifdef COMPAT_UNGUARDED
#define COMPAT_SHM_FUNCTION "wlr_shm_create_with_renderer"
#define COMPAT_SHM_LIBRARY \
	"libwlroots-0." COMPAT_STRING(WLR_VERSION_MINOR) ".so"
#else
#define COMPAT_SHM_FUNCTION "shmguard_wlr_create_with_renderer"
#define COMPAT_SHM_LIBRARY \
	"libshmguard-wlroots-0." COMPAT_STRING(WLR_VERSION_MINOR) ".so"
#endif

/* --- 0.18 and later: functions --- */

struct compat_keyboard {
	struct wlr_keyboard keyboard;
};

static inline void
compat_keyboard_init(struct compat_keyboard *keyboard, const char *name)
{
	static const struct wlr_keyboard_impl impl = {
		.name = "tinywl-safe",
	};
	wlr_keyboard_init(&keyboard->keyboard, &impl, name);
}

static inline void
compat_seat_set_keyboard(struct wlr_seat *seat, struct wlr_input_device *device)
{
	wlr_seat_set_keyboard(seat,
		device == NULL ? NULL : wlr_keyboard_from_input_device(device));
}

struct compat_xdg_shell {
	struct wlr_xdg_shell *wlr;
};

static inline bool
compat_xdg_shell_init(struct compat_xdg_shell *shell,
	struct wl_display *display, struct wl_listener *new_toplevel,
	struct wl_listener *new_popup)
{
	/* All that 0.15 has. In 3 clients can move popups. */
	shell->wlr = wlr_xdg_shell_create(display, 2);
	if (shell->wlr == NULL)
		return false;
	wl_signal_add(&shell->wlr->events.new_toplevel, new_toplevel);
	wl_signal_add(&shell->wlr->events.new_popup, new_popup);
	return true;
}

static inline struct wlr_surface *
compat_surface_at(struct wlr_scene_tree *tree, double *x, double *y,
	struct wlr_scene_node **node)
{
	*node = wlr_scene_node_at(&tree->node, *x, *y, x, y);
	if (*node == NULL || (*node)->type != WLR_SCENE_NODE_BUFFER)
		return NULL;
	struct wlr_scene_surface *surface = wlr_scene_surface_try_from_buffer(
		wlr_scene_buffer_from_node(*node));
	return surface == NULL ? NULL : surface->surface;
}

static inline struct wlr_scene_node *
compat_node_parent(struct wlr_scene_node *node)
{
	return node->parent == NULL ? NULL : &node->parent->node;
}

static inline bool
compat_scene_attach_layout(struct wlr_scene *scene,
	struct wlr_output_layout *layout)
{
	layout->data = wlr_scene_attach_output_layout(scene, layout);
	return layout->data != NULL;
}

static inline bool
compat_layout_add(struct wlr_output_layout *layout, struct wlr_scene *scene,
	struct wlr_output *output)
{
	struct wlr_scene_output *in_scene =
		wlr_scene_output_create(scene, output);
	if (in_scene == NULL)
		return false;
	struct wlr_output_layout_output *in_layout =
		wlr_output_layout_add_auto(layout, output);
	if (in_layout == NULL) {
		wlr_scene_output_destroy(in_scene);
		return false;
	}
	wlr_scene_output_layout_add_output(layout->data, in_layout, in_scene);
	return true;
}

static inline bool
compat_output_enable(struct wlr_output *output)
{
	struct wlr_output_state state;
	struct wlr_output_mode *mode = wlr_output_preferred_mode(output);
	wlr_output_state_init(&state);
	wlr_output_state_set_enabled(&state, true);
	if (mode != NULL)
		wlr_output_state_set_mode(&state, mode);
	else if (wlr_output_is_headless(output))
		wlr_output_state_set_custom_mode(&state, output->width,
			output->height, COMPAT_HEADLESS_REFRESH);
	bool ok = wlr_output_commit_state(output, &state);
	wlr_output_state_finish(&state);
	return ok;
}

static inline struct wlr_backend *
compat_backend_create(struct wl_display *display, struct wlr_session **session)
{
	*session = NULL;
	return wlr_backend_autocreate(wl_display_get_event_loop(display),
		session);
}

static inline bool
compat_compositor_create(struct wl_display *display,
	struct wlr_renderer *renderer)
{
	return wlr_compositor_create(display, 6, renderer) != NULL &&
		wlr_subcompositor_create(display) != NULL;
}

static inline bool
compat_image_copy_create(struct wl_display *display)
{
#if WLR_VERSION_MINOR >= 19
	return wlr_ext_output_image_capture_source_manager_v1_create(display, 1)
			!= NULL &&
		wlr_ext_image_copy_capture_manager_v1_create(display, 1) != NULL;
#else
	(void)display;
	return true;
#endif
}

static inline bool
compat_buffers_create(struct wl_display *display, struct wlr_renderer *renderer)
{
#ifdef COMPAT_UNGUARDED
	return wlr_renderer_init_wl_display(renderer, display);
#else
	const struct shmguard_policy policy = {.feedback = true};
	if (shmguard_wlr_create_with_renderer(display, 2, renderer, &policy) ==
			NULL)
		return false;
	bool takes_dmabufs = wlr_renderer_get_drm_fd(renderer) >= 0 &&
		wlr_renderer_get_texture_formats(renderer,
			WLR_BUFFER_CAP_DMABUF) != NULL;
	return !takes_dmabufs || wlr_linux_dmabuf_v1_create_with_renderer(
		display, 4, renderer) != NULL;
#endif
}

#endif

#endif
