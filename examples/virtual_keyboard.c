/* SPDX-License-Identifier: MIT */
#include "virtual_keyboard.h"

#include <shmguard/map.h>
#include <stdlib.h>
#include <time.h>
#include <xkbcommon/xkbcommon.h>
#include "virtual-keyboard-unstable-v1-protocol.h"
#include "wlr_compat.h"

/* The keymap of a PC keyboard with four layouts takes about 80 KiB. */
#define KEYMAP_SIZE_MAX ((uint32_t)1 << 20)

struct virtual_keyboard {
	struct compat_keyboard base;
	struct wl_listener *new_keyboard;
	bool has_keymap;
};

/* Takes the descriptor. NULL: the client has been told why. */
static char *
read_keymap(struct wl_client *client, int fd, uint32_t size)
{
	enum shmguard_reason reason;
	char *text = shmguard_read_fd(fd, 0, size, KEYMAP_SIZE_MAX, NULL,
		&reason);
	if (text == NULL && reason == SHMGUARD_REASON_NO_MEMORY)
		wl_client_post_no_memory(client);
	else if (text == NULL)
		wl_client_post_implementation_error(client,
			"keymap refused: %s", shmguard_reason_text(reason));
	return text;
}

static void
handle_keymap(struct wl_client *client, struct wl_resource *resource,
	uint32_t format, int32_t fd, uint32_t size)
{
	struct virtual_keyboard *keyboard = wl_resource_get_user_data(resource);

	char *text = read_keymap(client, fd, size);
	if (text == NULL)
		return;

	struct xkb_context *context = xkb_context_new(XKB_CONTEXT_NO_FLAGS);
	struct xkb_keymap *keymap = context == NULL ? NULL :
		xkb_keymap_new_from_string(context, text,
			XKB_KEYMAP_FORMAT_TEXT_V1, XKB_KEYMAP_COMPILE_NO_FLAGS);
	if (keymap == NULL)
		wl_client_post_implementation_error(client,
			"keymap refused: it does not compile");
	else if (!wlr_keyboard_set_keymap(&keyboard->base.keyboard, keymap))
		wl_client_post_no_memory(client);
	else if (!keyboard->has_keymap) {
		keyboard->has_keymap = true;
		keyboard->new_keyboard->notify(keyboard->new_keyboard,
			compat_keyboard_device(&keyboard->base));
	}

	xkb_keymap_unref(keymap);
	xkb_context_unref(context);
	free(text);
}

static struct virtual_keyboard *
keyboard_with_keymap(struct wl_resource *resource)
{
	struct virtual_keyboard *keyboard = wl_resource_get_user_data(resource);
	if (keyboard->has_keymap)
		return keyboard;
	wl_resource_post_error(resource,
		ZWP_VIRTUAL_KEYBOARD_V1_ERROR_NO_KEYMAP, "no keymap was set");
	return NULL;
}

static void
handle_key(struct wl_client *client, struct wl_resource *resource,
	uint32_t time, uint32_t key, uint32_t state)
{
	struct virtual_keyboard *keyboard = keyboard_with_keymap(resource);
	if (keyboard == NULL)
		return;
	struct wlr_keyboard_key_event event = {
		.time_msec = time,
		.keycode = key,
		.state = state == WL_KEYBOARD_KEY_STATE_PRESSED ?
			WL_KEYBOARD_KEY_STATE_PRESSED :
			WL_KEYBOARD_KEY_STATE_RELEASED,
	};
	wlr_keyboard_notify_key(&keyboard->base.keyboard, &event);
}

static void
handle_modifiers(struct wl_client *client, struct wl_resource *resource,
	uint32_t depressed, uint32_t latched, uint32_t locked, uint32_t group)
{
	struct virtual_keyboard *keyboard = keyboard_with_keymap(resource);
	if (keyboard != NULL)
		wlr_keyboard_notify_modifiers(&keyboard->base.keyboard,
			depressed, latched, locked, group);
}

static void
handle_destroy(struct wl_client *client, struct wl_resource *resource)
{
	wl_resource_destroy(resource);
}

static const struct zwp_virtual_keyboard_v1_interface keyboard_impl = {
	.keymap = handle_keymap,
	.key = handle_key,
	.modifiers = handle_modifiers,
	.destroy = handle_destroy,
};

/* No kernel lets go of a virtual keyboard's keys when it is pulled out. */
static void
release_all_keys(struct wlr_keyboard *keyboard)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	while (keyboard->num_keycodes > 0) {
		struct wlr_keyboard_key_event event = {
			.time_msec = (uint32_t)(now.tv_sec * 1000 +
				now.tv_nsec / 1000000),
			.keycode = keyboard->keycodes[keyboard->num_keycodes - 1],
			.state = WL_KEYBOARD_KEY_STATE_RELEASED,
		};
		wlr_keyboard_notify_key(keyboard, &event);
	}
}

static void
handle_resource_destroy(struct wl_resource *resource)
{
	struct virtual_keyboard *keyboard = wl_resource_get_user_data(resource);
	release_all_keys(&keyboard->base.keyboard);
	compat_keyboard_finish(&keyboard->base);
	free(keyboard);
}

static void
handle_create(struct wl_client *client, struct wl_resource *manager,
	struct wl_resource *seat, uint32_t id)
{
	struct wl_resource *resource = wl_resource_create(client,
		&zwp_virtual_keyboard_v1_interface,
		wl_resource_get_version(manager), id);
	struct virtual_keyboard *keyboard = calloc(1, sizeof(*keyboard));
	if (resource == NULL || keyboard == NULL) {
		if (resource != NULL)
			wl_resource_destroy(resource);
		free(keyboard);
		wl_client_post_no_memory(client);
		return;
	}
	compat_keyboard_init(&keyboard->base, "virtual keyboard");
	wl_resource_set_implementation(resource, &keyboard_impl, keyboard,
		handle_resource_destroy);
	keyboard->new_keyboard = wl_resource_get_user_data(manager);
}

static const struct zwp_virtual_keyboard_manager_v1_interface manager_impl = {
	.create_virtual_keyboard = handle_create,
};

static void
bind_manager(struct wl_client *client, void *new_keyboard, uint32_t version,
	uint32_t id)
{
	struct wl_resource *resource = wl_resource_create(client,
		&zwp_virtual_keyboard_manager_v1_interface, (int)version, id);
	if (resource == NULL) {
		wl_client_post_no_memory(client);
		return;
	}
	wl_resource_set_implementation(resource, &manager_impl, new_keyboard,
		NULL);
}

bool
virtual_keyboard_global_create(struct wl_display *display,
	struct wl_listener *new_keyboard)
{
	return wl_global_create(display,
		&zwp_virtual_keyboard_manager_v1_interface, 1, new_keyboard,
		bind_manager) != NULL;
}
