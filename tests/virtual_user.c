/* SPDX-License-Identifier: MIT */
#include "virtual_user.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>
#include <xkbcommon/xkbcommon.h>
#include "virtual-keyboard-unstable-v1-client-protocol.h"
#include "wlr-virtual-pointer-unstable-v1-client-protocol.h"

#define ALT_MASK 8 /* Mod1, in every keymap */

struct user user = {.waiting_for = ""};

static struct wl_compositor *compositor;
static struct wl_shm *shm;
static struct xdg_wm_base *wm_base;
static struct zwlr_virtual_pointer_manager_v1 *pointer_manager;
static struct zwlr_virtual_pointer_v1 *mouse;
static struct zwp_virtual_keyboard_manager_v1 *keyboard_manager;
static struct zwp_virtual_keyboard_v1 *keys;
static uint32_t event_time;

/* --- Windows --- */

void
window_paint(struct window *window, int width, int height)
{
	int stride = width * 4, size = stride * height;
	size_t length = (size_t)size;
	int fd = memfd_create("pixels", MFD_CLOEXEC);
	CHECK(fd >= 0 && ftruncate(fd, size) == 0);
	void *pixels = mmap(NULL, length, PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(pixels != MAP_FAILED);
	memset(pixels, 0xc0, length);
	munmap(pixels, length);

	struct wl_shm_pool *pool = wl_shm_create_pool(shm, fd, size);
	struct wl_buffer *buffer = wl_shm_pool_create_buffer(pool, 0, width,
		height, stride, WL_SHM_FORMAT_XRGB8888);
	wl_surface_attach(window->surface, buffer, 0, 0);
	wl_surface_damage_buffer(window->surface, 0, 0, width, height);
	wl_surface_commit(window->surface);
	wl_shm_pool_destroy(pool);
	close(fd);
}

static void
xdg_surface_configure(void *data, struct xdg_surface *xdg_surface,
	uint32_t serial)
{
	struct window *window = data;
	window->configured = true;
	xdg_surface_ack_configure(xdg_surface, serial);
}

static const struct xdg_surface_listener xdg_surface_listener = {
	.configure = xdg_surface_configure,
};

static void
toplevel_configure(void *data, struct xdg_toplevel *toplevel, int32_t width,
	int32_t height, struct wl_array *states)
{
	struct window *window = data;
	window->width = width;
	window->height = height;
	window->activated = window->resizing = false;
	uint32_t *state;
	wl_array_for_each(state, states) {
		if (*state == XDG_TOPLEVEL_STATE_ACTIVATED)
			window->activated = true;
		else if (*state == XDG_TOPLEVEL_STATE_RESIZING)
			window->resizing = true;
	}
}

static void
toplevel_close(void *data, struct xdg_toplevel *toplevel)
{
}

static const struct xdg_toplevel_listener toplevel_listener = {
	.configure = toplevel_configure,
	.close = toplevel_close,
};

static void
window_begin(struct window *window)
{
	*window = (struct window){0};
	window->surface = wl_compositor_create_surface(compositor);
	window->xdg_surface =
		xdg_wm_base_get_xdg_surface(wm_base, window->surface);
	xdg_surface_add_listener(window->xdg_surface, &xdg_surface_listener,
		window);
}

void
window_get_role(struct window *window)
{
	window->toplevel = xdg_surface_get_toplevel(window->xdg_surface);
	xdg_toplevel_add_listener(window->toplevel, &toplevel_listener, window);
}

void
window_show(struct window *window, int width, int height)
{
	window->configured = false;
	wl_surface_commit(window->surface);
	AWAIT(window->configured);
	window_paint(window, width, height);
	AWAIT(window->activated);
}

void
window_hide(struct window *window)
{
	window->activated = false;
	wl_surface_attach(window->surface, NULL, 0, 0);
	wl_surface_commit(window->surface);
}

void
window_open(struct window *window, int width, int height)
{
	window_begin(window);
	window_get_role(window);
	window_show(window, width, height);
}

static void
popup_configure(void *data, struct xdg_popup *popup, int32_t x, int32_t y,
	int32_t width, int32_t height)
{
	struct window *window = data;
	window->x = x;
	window->y = y;
}

static void
popup_done(void *data, struct xdg_popup *popup)
{
}

static const struct xdg_popup_listener popup_listener = {
	.configure = popup_configure,
	.popup_done = popup_done,
};

void
popup_open(struct window *popup, struct window *parent, int x, int y)
{
	struct xdg_positioner *positioner =
		xdg_wm_base_create_positioner(wm_base);
	xdg_positioner_set_size(positioner, 100, 100);
	xdg_positioner_set_anchor_rect(positioner, x, y, 1, 1);
	xdg_positioner_set_anchor(positioner, XDG_POSITIONER_ANCHOR_TOP_LEFT);
	xdg_positioner_set_gravity(positioner,
		XDG_POSITIONER_GRAVITY_BOTTOM_RIGHT);
	xdg_positioner_set_constraint_adjustment(positioner,
		XDG_POSITIONER_CONSTRAINT_ADJUSTMENT_SLIDE_X |
		XDG_POSITIONER_CONSTRAINT_ADJUSTMENT_SLIDE_Y);
	window_begin(popup);
	popup->popup = xdg_surface_get_popup(popup->xdg_surface,
		parent == NULL ? NULL : parent->xdg_surface, positioner);
	xdg_popup_add_listener(popup->popup, &popup_listener, popup);
	wl_surface_commit(popup->surface);
	xdg_positioner_destroy(positioner);
}

/* --- Devices, both ends of them --- */

static void
pointer_enter(void *data, struct wl_pointer *wl_pointer, uint32_t serial,
	struct wl_surface *surface, wl_fixed_t x, wl_fixed_t y)
{
	user.pointed_at = surface;
	user.x = wl_fixed_to_double(x);
	user.y = wl_fixed_to_double(y);
}

static void
pointer_leave(void *data, struct wl_pointer *wl_pointer, uint32_t serial,
	struct wl_surface *surface)
{
	user.pointed_at = NULL;
}

static void
pointer_motion(void *data, struct wl_pointer *wl_pointer, uint32_t time,
	wl_fixed_t x, wl_fixed_t y)
{
	user.x = wl_fixed_to_double(x);
	user.y = wl_fixed_to_double(y);
}

static void
pointer_button(void *data, struct wl_pointer *wl_pointer, uint32_t serial,
	uint32_t time, uint32_t button, uint32_t state)
{
	user.button_serial = serial;
	if (state == WL_POINTER_BUTTON_STATE_PRESSED)
		user.presses++;
	else
		user.releases++;
}

static void
pointer_axis(void *data, struct wl_pointer *wl_pointer, uint32_t time,
	uint32_t axis, wl_fixed_t value)
{
}

static const struct wl_pointer_listener pointer_listener = {
	.enter = pointer_enter,
	.leave = pointer_leave,
	.motion = pointer_motion,
	.button = pointer_button,
	.axis = pointer_axis,
};

static void
keyboard_keymap(void *data, struct wl_keyboard *wl_keyboard, uint32_t format,
	int32_t fd, uint32_t size)
{
	close(fd);
}

static void
keyboard_enter(void *data, struct wl_keyboard *wl_keyboard, uint32_t serial,
	struct wl_surface *surface, struct wl_array *held)
{
	user.typed_into = surface;
}

static void
keyboard_leave(void *data, struct wl_keyboard *wl_keyboard, uint32_t serial,
	struct wl_surface *surface)
{
	user.typed_into = NULL;
}

static void
keyboard_key(void *data, struct wl_keyboard *wl_keyboard, uint32_t serial,
	uint32_t time, uint32_t key, uint32_t state)
{
	user.last_key = key;
}

static void
keyboard_modifiers(void *data, struct wl_keyboard *wl_keyboard,
	uint32_t serial, uint32_t depressed, uint32_t latched, uint32_t locked,
	uint32_t group)
{
}

static const struct wl_keyboard_listener keyboard_listener = {
	.keymap = keyboard_keymap,
	.enter = keyboard_enter,
	.leave = keyboard_leave,
	.key = keyboard_key,
	.modifiers = keyboard_modifiers,
};

void
mouse_move(double dx, double dy)
{
	zwlr_virtual_pointer_v1_motion(mouse, ++event_time,
		wl_fixed_from_double(dx), wl_fixed_from_double(dy));
	zwlr_virtual_pointer_v1_frame(mouse);
}

void
mouse_button(uint32_t button, bool pressed)
{
	zwlr_virtual_pointer_v1_button(mouse, ++event_time, button, pressed);
	zwlr_virtual_pointer_v1_frame(mouse);
	wl_display_roundtrip(user.display);
}

void
mouse_find(struct window *window, double x, double y)
{
	/* Windows lie on the diagonal. */
	mouse_move(-10000, -10000);
	wl_display_roundtrip(user.display);
	for (int i = 0; user.pointed_at != window->surface; i++) {
		CHECK(i < 100);
		mouse_move(10, 10);
		wl_display_roundtrip(user.display);
	}
	mouse_move(x - user.x, y - user.y);
	AWAIT(user.x == x && user.y == y);
}

void
mouse_scroll_by_wheel_and_finger(void)
{
	for (uint32_t axis = 0; axis < 2; axis++) {
		zwlr_virtual_pointer_v1_axis(mouse, ++event_time, axis,
			wl_fixed_from_int(10));
		zwlr_virtual_pointer_v1_axis_source(mouse,
			axis == 0 ? WL_POINTER_AXIS_SOURCE_WHEEL :
				WL_POINTER_AXIS_SOURCE_FINGER);
	}
	zwlr_virtual_pointer_v1_frame(mouse);
}

void
keyboard_set_keymap(const char *text, size_t file_size, size_t size)
{
	int fd = memfd_create("keymap", MFD_CLOEXEC);
	CHECK(fd >= 0 && write(fd, text, strlen(text)) >= 0);
	CHECK(ftruncate(fd, (off_t)file_size) == 0);
	zwp_virtual_keyboard_v1_keymap(keys, WL_KEYBOARD_KEYMAP_FORMAT_XKB_V1,
		fd, (uint32_t)size);
	close(fd);
}

char *
keyboard_usual_keymap(void)
{
	struct xkb_context *context = xkb_context_new(XKB_CONTEXT_NO_FLAGS);
	struct xkb_keymap *keymap = xkb_keymap_new_from_names(context, NULL,
		XKB_KEYMAP_COMPILE_NO_FLAGS);
	CHECK(keymap != NULL);
	char *text = xkb_keymap_get_as_string(keymap, XKB_KEYMAP_FORMAT_TEXT_V1);
	CHECK(text != NULL);
	xkb_keymap_unref(keymap);
	xkb_context_unref(context);
	return text;
}

void
keyboard_open(void)
{
	char *text = keyboard_usual_keymap();
	keyboard_set_keymap(text, strlen(text) + 1, strlen(text) + 1);
	free(text);
	/* Only now does the seat have a keyboard. */
	wl_display_roundtrip(user.display);
	struct wl_keyboard *keyboard = wl_seat_get_keyboard(user.seat);
	wl_keyboard_add_listener(keyboard, &keyboard_listener, NULL);
	wl_display_roundtrip(user.display);
}

void
keyboard_type(uint32_t key)
{
	zwp_virtual_keyboard_v1_key(keys, ++event_time, key, true);
	zwp_virtual_keyboard_v1_key(keys, ++event_time, key, false);
}

void
keyboard_hold_alt(bool held)
{
	zwp_virtual_keyboard_v1_modifiers(keys, held ? ALT_MASK : 0, 0, 0, 0);
}

void
user_check_thrown_out(void)
{
	while (wl_display_roundtrip(user.display) >= 0)
		continue;
	CHECK(wl_display_get_error(user.display) == EPROTO);
	struct wl_display *other = wl_display_connect(NULL);
	CHECK(other != NULL && wl_display_roundtrip(other) >= 0);
	wl_display_disconnect(other);
}

/* --- Start --- */

static void
give_up(int signal)
{
	static const char text[] = "waited too long until: ";
	const struct iovec words[] = {
		{(void *)text, sizeof(text) - 1},
		{(void *)user.waiting_for, strlen(user.waiting_for)},
		{(void *)"\n", 1},
	};
	(void)!writev(STDERR_FILENO, words, 3);
	_exit(EXIT_FAILURE);
}

static void
registry_global(void *data, struct wl_registry *registry, uint32_t name,
	const char *interface, uint32_t version)
{
#define BIND(type, object, type_version) \
	if (strcmp(interface, type##_interface.name) == 0) \
		object = wl_registry_bind(registry, name, &type##_interface, \
			type_version)
	BIND(wl_compositor, compositor, 4);
	BIND(wl_shm, shm, 1);
	BIND(wl_seat, user.seat, 3);
	BIND(xdg_wm_base, wm_base, 1);
	BIND(zwlr_virtual_pointer_manager_v1, pointer_manager, 1);
	BIND(zwp_virtual_keyboard_manager_v1, keyboard_manager, 1);
#undef BIND
}

static void
registry_global_remove(void *data, struct wl_registry *registry, uint32_t name)
{
}

static const struct wl_registry_listener registry_listener = {
	.global = registry_global,
	.global_remove = registry_global_remove,
};

void
user_connect(unsigned int patience)
{
	signal(SIGALRM, give_up);
	alarm(patience);
	user.display = wl_display_connect(NULL);
	CHECK(user.display != NULL);
	struct wl_registry *registry = wl_display_get_registry(user.display);
	wl_registry_add_listener(registry, &registry_listener, NULL);
	wl_display_roundtrip(user.display);
	CHECK(compositor != NULL && shm != NULL && user.seat != NULL &&
		wm_base != NULL && pointer_manager != NULL &&
		keyboard_manager != NULL);

	struct wl_pointer *pointer = wl_seat_get_pointer(user.seat);
	wl_pointer_add_listener(pointer, &pointer_listener, NULL);
	mouse = zwlr_virtual_pointer_manager_v1_create_virtual_pointer(
		pointer_manager, user.seat);
	keys = zwp_virtual_keyboard_manager_v1_create_virtual_keyboard(
		keyboard_manager, user.seat);
	wl_display_roundtrip(user.display);
}
