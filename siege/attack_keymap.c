/* SPDX-License-Identifier: MIT */
#include "attack.h"

#include "fuse_file.h"
#include "pool.h"
#include "virtual-keyboard-client-protocol.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * A keymap is a file that the compositor reads as a string, so there is one more
 * thing to lie about than with pixels: where the string ends.
 */

#define CLAIMED ((uint32_t)64 << 10)

/* Long enough for the parser to be surprised in the middle. */
#define LONG_KEYMAP ((size_t)1 << 20)

/* Four of what the parser skips. */
#define BLANKS 0x20202020

static struct zwp_virtual_keyboard_v1 *
keyboard_create(struct client *client)
{
	if (client->virtual_keyboards == NULL || client->seat == NULL) {
		client_skip(client, "no virtual keyboards");
		return NULL;
	}
	return zwp_virtual_keyboard_manager_v1_create_virtual_keyboard(
		client->virtual_keyboards, client->seat);
}

static void
keymap_send(struct zwp_virtual_keyboard_v1 *keyboard, int fd, uint32_t size)
{
	zwp_virtual_keyboard_v1_keymap(keyboard,
		WL_KEYBOARD_KEYMAP_FORMAT_XKB_V1, fd, size);
}

static void
keymap_lost(struct client *client, unsigned int number)
{
	static const struct {
		const char *label;
		size_t size;
		uint32_t claimed;
	} files[] = {
		{"an empty file", 0, CLAIMED},
		{"a file of one page", 4096, CLAIMED},
		{"size 0", 4096, 0},
		{"size 4 GiB - 1", 4096, UINT32_MAX},
	};
	client_label(client, "%s", files[number].label);
	struct zwp_virtual_keyboard_v1 *keyboard = keyboard_create(client);
	if (keyboard == NULL)
		return;
	int fd = file_create(files[number].size, 0, BLANKS);
	keymap_send(keyboard, fd, files[number].claimed);
	client_sync(client);
	close(fd);
}

/* Nobody knows how fast the compositor is. */
static void
keymap_cut(struct client *client, unsigned int number)
{
	client_label(client, "after %u ms", number);
	struct zwp_virtual_keyboard_v1 *keyboard = keyboard_create(client);
	if (keyboard == NULL)
		return;
	int fd = file_create(LONG_KEYMAP, 0, BLANKS);
	keymap_send(keyboard, fd, LONG_KEYMAP);
	wl_display_flush(client->display);
	poll(NULL, 0, (int)number);
	file_resize(fd, 0);
	client_sync(client);
	close(fd);
}

static void
keymap_endless(struct client *client, unsigned int number)
{
	size_t pages[] = {1, 16, 256};
	size_t size = pages[number] * page_size();
	client_label(client, "%zu pages", pages[number]);
	struct zwp_virtual_keyboard_v1 *keyboard = keyboard_create(client);
	if (keyboard == NULL)
		return;
	int fd = file_create(size, 0, BLANKS);
	keymap_send(keyboard, fd, (uint32_t)size);
	client_sync(client);
	close(fd);
}

/* Seals, ends and lengths as various clients choose them. */
static void
keymap_unusual(struct client *client, unsigned int number)
{
	static const char text[] =
		"xkb_keymap {"
		" xkb_keycodes { include \"evdev\" };"
		" xkb_types { include \"complete\" };"
		" xkb_compat { include \"complete\" };"
		" xkb_symbols { include \"pc+us\" };"
		"};";
	enum { TEXT_LENGTH = sizeof(text) - 1 };
	const size_t page = page_size();
	const struct {
		const char *label;
		size_t claimed, file_size;
		size_t nul_at; /* SIZE_MAX: nowhere */
	} files[] = {
		{"as long as its text", sizeof(text), sizeof(text), TEXT_LENGTH},
		{"in a longer file", sizeof(text), 3 * page, TEXT_LENGTH},
		{"without a NUL", TEXT_LENGTH, TEXT_LENGTH, SIZE_MAX},
		{"fills a page", page, page, page - 1},
		{"fills a page without a NUL", page, page, SIZE_MAX},
		{"fills two pages without a NUL", 2 * page, 2 * page, SIZE_MAX},
	};
	client_label(client, "%s", files[number].label);
	struct zwp_virtual_keyboard_v1 *keyboard = keyboard_create(client);
	if (keyboard == NULL)
		return;

	int fd = file_create(files[number].file_size, MFD_ALLOW_SEALING, BLANKS);
	if (pwrite(fd, text, TEXT_LENGTH, 0) < 0 ||
			(files[number].nul_at != SIZE_MAX &&
				pwrite(fd, "", 1, (off_t)files[number].nul_at) < 0))
		fail("pwrite");
	file_seal(fd, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	int reader = file_reopen(fd, O_RDONLY);
	keymap_send(keyboard, reader, (uint32_t)files[number].claimed);
	close(reader);
	close(fd);
	client_sync(client);
}

/* Kept up until the compositor has been judged. */
static struct fuse_file *server;
static int server_file = -1;

static void
stop_serving(void)
{
	fuse_file_stop(server);
	server = NULL;
	if (server_file >= 0)
		close(server_file);
	server_file = -1;
}

static void
keymap_silent(struct client *client, unsigned int number)
{
	(void)number;
	struct zwp_virtual_keyboard_v1 *keyboard = keyboard_create(client);
	if (keyboard == NULL)
		return;
	server = fuse_file_start(CLAIMED, FUSE_FILE_SILENT);
	if (server == NULL) {
		client_skip(client, "FUSE is not available (%s)",
			fuse_file_problem());
		return;
	}
	server_file = fuse_file_open(server, O_RDWR);
	if (server_file < 0)
		fail("file on FUSE");

	const uint32_t request[4] = {
		wl_proxy_get_id((struct wl_proxy *)keyboard),
		sizeof(request) << 16 | ZWP_VIRTUAL_KEYBOARD_V1_KEYMAP,
		WL_KEYBOARD_KEYMAP_FORMAT_XKB_V1,
		CLAIMED,
	};
	request_send_unclosed(client, request, sizeof(request), server_file);
	client_sync(client);
}

const struct attack keymap_attacks[] = {
	{
		.name = "keymap-lost",
		.about = "gives a virtual keyboard a keymap file that is too short",
		.expected = "ignores the keymap or refuses it, and lives",
		.rule = "F24",
		.accepted = OUTCOME_ANY_SAFE,
		.cases = 4,
		.run = keymap_lost,
	},
	{
		.name = "keymap-cut",
		.about = "cuts the keymap file while it is read",
		.expected = "ignores the keymap or refuses it, and lives",
		.rule = "F24",
		.accepted = OUTCOME_ANY_SAFE,
		.cases = 8,
		.run = keymap_cut,
	},
	{
		.name = "keymap-endless",
		.about = "fills pages with a keymap that has no end",
		.expected = "reads no further than the keymap, and lives",
		.rule = "F24",
		.accepted = OUTCOME_ANY_SAFE,
		.cases = 3,
		.run = keymap_endless,
	},
	{
		.name = "keymap-silent",
		.about = "gives a keymap file whose FUSE server never answers",
		.expected = "does not wait for it",
		.rule = "F17, F24; I10",
		.accepted = OUTCOME_ANY_SAFE,
		.run = keymap_silent,
		.finish = stop_serving,
	},
	{
		.name = "friendly-keymap",
		.about = "gives a virtual keyboard keymaps of unusual lengths",
		.expected = "takes them",
		.rule = "virtual-keyboard-unstable-v1, keymap",
		.accepted = OUTCOME_SERVED,
		.cases = 6,
		.run = keymap_unusual,
	},
	{0},
};
