/* SPDX-License-Identifier: MIT */

/*
 * stagehand X Y TO_X TO_Y: waits until there is a window at X, Y of the screen
 * and then drags it to TO_X, TO_Y with Alt held down. For compositors that move
 * windows like that and let clients be keyboards and pointers. The demo arranges
 * its windows with it.
 */

#include "capture.h"
#include "client.h"
#include "pool.h"

#include "virtual-keyboard-client-protocol.h"
#include "virtual-pointer-client-protocol.h"

#include <err.h>
#include <linux/input-event-codes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE 5000 /* milliseconds */
#define LOOKS 100     /* for a window, each LOOK_PAUSE after the last */
#define LOOK_PAUSE 100 /* milliseconds */
#define WIDTH 1280    /* of the coordinates; the output is scaled to it */
#define HEIGHT 720
#define STEPS 4
#define MOD1_MASK (1 << 3)

static const char keymap[] =
	"xkb_keymap {"
	" xkb_keycodes { include \"evdev\" };"
	" xkb_types { include \"complete\" };"
	" xkb_compat { include \"complete\" };"
	" xkb_symbols { include \"pc+us\" };"
	"};";

struct stagehand {
	struct client client;
	struct zwlr_virtual_pointer_v1 *pointer;
	struct zwp_virtual_keyboard_v1 *keyboard;
	uint32_t time;
};

/* A window is what does not have the colour of the bottom right corner. */
static bool
window_is_at(struct client *client, int x, int y)
{
	struct screenshot shot;
	if (!screenshot_take(client, &shot))
		return false;
	size_t index = (size_t)y * shot.width + (size_t)x;
	size_t last = (size_t)shot.width * shot.height - 1;
	bool found = index < last && shot.pixels[index] != shot.pixels[last];
	screenshot_free(&shot);
	return found;
}

static void
await_window(struct client *client, int x, int y)
{
	for (int i = 0; i < LOOKS && client_is_alive(client); i++) {
		if (window_is_at(client, x, y))
			return;
		poll(NULL, 0, LOOK_PAUSE);
	}
	errx(EXIT_FAILURE, "no window at %d, %d", x, y);
}

static void
move(struct stagehand *hand, int x, int y)
{
	zwlr_virtual_pointer_v1_motion_absolute(hand->pointer, hand->time++,
		(uint32_t)x, (uint32_t)y, WIDTH, HEIGHT);
	zwlr_virtual_pointer_v1_frame(hand->pointer);
	client_sync(&hand->client);
}

static void
button(struct stagehand *hand, enum wl_pointer_button_state state)
{
	zwlr_virtual_pointer_v1_button(hand->pointer, hand->time++, BTN_LEFT,
		state);
	zwlr_virtual_pointer_v1_frame(hand->pointer);
	client_sync(&hand->client);
}

static void
take_hands(struct stagehand *hand)
{
	struct client *client = &hand->client;
	hand->pointer = zwlr_virtual_pointer_manager_v1_create_virtual_pointer(
		client->virtual_pointers, client->seat);
	hand->keyboard = zwp_virtual_keyboard_manager_v1_create_virtual_keyboard(
		client->virtual_keyboards, client->seat);

	int fd = memfd_create("keymap", MFD_CLOEXEC);
	if (fd < 0 || write(fd, keymap, sizeof(keymap)) != sizeof(keymap))
		err(EXIT_FAILURE, "keymap");
	zwp_virtual_keyboard_v1_keymap(hand->keyboard,
		WL_KEYBOARD_KEYMAP_FORMAT_XKB_V1, fd, sizeof(keymap));
	close(fd);
}

int
main(int argc, char *argv[])
{
	if (argc != 5)
		errx(EXIT_FAILURE, "usage: stagehand X Y TO_X TO_Y");
	int x = atoi(argv[1]), y = atoi(argv[2]);
	int dx = atoi(argv[3]) - x, dy = atoi(argv[4]) - y;

	struct stagehand hand = {0};
	struct client *client = &hand.client;
	if (!client_connect(client, PATIENCE))
		errx(EXIT_FAILURE, "no compositor at WAYLAND_DISPLAY");
	if (client->seat == NULL || client->virtual_pointers == NULL ||
			client->virtual_keyboards == NULL ||
			!capture_is_offered(client))
		errx(EXIT_FAILURE, "no virtual pointers, keyboards, screencopy");

	await_window(client, x, y);
	take_hands(&hand);
	move(&hand, x, y);
	zwp_virtual_keyboard_v1_key(hand.keyboard, hand.time++, KEY_LEFTALT,
		WL_KEYBOARD_KEY_STATE_PRESSED);
	zwp_virtual_keyboard_v1_modifiers(hand.keyboard, MOD1_MASK, 0, 0, 0);
	button(&hand, WL_POINTER_BUTTON_STATE_PRESSED);
	for (int step = 1; step <= STEPS; step++)
		move(&hand, x + dx * step / STEPS, y + dy * step / STEPS);
	button(&hand, WL_POINTER_BUTTON_STATE_RELEASED);
	zwp_virtual_keyboard_v1_modifiers(hand.keyboard, 0, 0, 0, 0);
	zwp_virtual_keyboard_v1_key(hand.keyboard, hand.time++, KEY_LEFTALT,
		WL_KEYBOARD_KEY_STATE_RELEASED);

	char told[192];
	bool moved = client_sync(client);
	if (client_was_told(client, told, sizeof(told)))
		warnx("%s", told);
	client_disconnect(client);
	return moved ? EXIT_SUCCESS : EXIT_FAILURE;
}
