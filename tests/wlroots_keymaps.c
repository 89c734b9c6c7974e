/* SPDX-License-Identifier: MIT */

/*
 * A server that is nothing but wlroots' virtual keyboards, and one client of it.
 * Prints what became of the client. What becomes of the server is for whoever
 * started it to see: wlroots is not guarded here unless something is preloaded.
 */

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wayland-client.h>
#include <wayland-server-core.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/types/wlr_virtual_keyboard_v1.h>
#include "virtual-keyboard-unstable-v1-client-protocol.h"

#define SECONDS 20 /* that it may all take */
#define EXIT_UNABLE 2

static const char keymap[] =
	"xkb_keymap {"
	" xkb_keycodes { include \"evdev\" };"
	" xkb_types { include \"complete\" };"
	" xkb_compat { include \"complete\" };"
	" xkb_symbols { include \"pc+us\" };"
	"};";

/* ---- Client ---- */

struct globals {
	struct wl_seat *seat;
	struct zwp_virtual_keyboard_manager_v1 *keyboards;
};

static void
add_global(void *data, struct wl_registry *registry, uint32_t name,
	const char *interface, uint32_t version)
{
	(void)version;
	struct globals *globals = data;
	if (strcmp(interface, wl_seat_interface.name) == 0)
		globals->seat = wl_registry_bind(registry, name,
			&wl_seat_interface, 1);
	else if (strcmp(interface,
			zwp_virtual_keyboard_manager_v1_interface.name) == 0)
		globals->keyboards = wl_registry_bind(registry, name,
			&zwp_virtual_keyboard_manager_v1_interface, 1);
}

static void
remove_global(void *data, struct wl_registry *registry, uint32_t name)
{
	(void)data, (void)registry, (void)name;
}

static const struct wl_registry_listener registry_listener = {
	.global = add_global,
	.global_remove = remove_global,
};

/* The text and as many blanks as there is room for, or its NUL. */
static int
keymap_file(size_t size)
{
	static char text[65536];
	memset(text, ' ', sizeof(text));
	size_t length = sizeof(keymap) - (size == sizeof(keymap) ? 0 : 1);
	memcpy(text, keymap, length);
	int fd = memfd_create("keymap", MFD_CLOEXEC);
	if (fd < 0 || write(fd, text, size) != (ssize_t)size)
		err(EXIT_UNABLE, "keymap");
	return fd;
}

static int
choose_file(const char *shape, uint32_t *size)
{
	*size = 65536;
	if (strcmp(shape, "good") == 0)
		*size = sizeof(keymap);
	else if (strcmp(shape, "lost") != 0 && strcmp(shape, "endless") != 0)
		errx(EXIT_UNABLE, "unknown shape %s", shape);
	return keymap_file(strcmp(shape, "lost") == 0 ? 0 : *size);
}

static void
run_client(int socket, const char *shape)
{
	uint32_t size;
	int fd = choose_file(shape, &size);
	struct globals globals = {0};
	struct wl_display *display = wl_display_connect_to_fd(socket);
	struct wl_registry *registry = wl_display_get_registry(display);
	wl_registry_add_listener(registry, &registry_listener, &globals);
	wl_display_roundtrip(display);
	if (globals.seat == NULL || globals.keyboards == NULL)
		errx(EXIT_UNABLE, "no virtual keyboards");

	struct zwp_virtual_keyboard_v1 *keyboard =
		zwp_virtual_keyboard_manager_v1_create_virtual_keyboard(
			globals.keyboards, globals.seat);
	zwp_virtual_keyboard_v1_keymap(keyboard,
		WL_KEYBOARD_KEYMAP_FORMAT_XKB_V1, fd, size);
	puts(wl_display_roundtrip(display) < 0 ? "disconnected" : "served");
	wl_display_disconnect(display);
	close(fd);
}

/* ---- Server ---- */

static void
handle_client_destroy(struct wl_listener *listener, void *data)
{
	(void)listener;
	wl_display_terminate(wl_client_get_display(data));
}

static void
run_server(int socket)
{
	struct wl_display *display = wl_display_create();
	struct wlr_seat *seat = display == NULL ? NULL :
		wlr_seat_create(display, "seat0");
	if (seat == NULL || wlr_virtual_keyboard_manager_v1_create(display) == NULL)
		errx(EXIT_UNABLE, "server");
	struct wl_client *client = wl_client_create(display, socket);
	struct wl_listener destroy = {.notify = handle_client_destroy};
	wl_client_add_destroy_listener(client, &destroy);
	wl_display_run(display);
	wl_display_destroy(display);
}

int
main(int argc, char *argv[])
{
	int sockets[2];
	if (argc != 2)
		errx(EXIT_UNABLE, "usage: %s good|lost|endless", argv[0]);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
		err(EXIT_UNABLE, "socketpair");
	alarm(SECONDS);
	pid_t client = fork();
	if (client < 0)
		err(EXIT_UNABLE, "fork");
	if (client == 0) {
		alarm(SECONDS);
		close(sockets[0]);
		run_client(sockets[1], argv[1]);
		return EXIT_SUCCESS;
	}
	close(sockets[1]);
	run_server(sockets[0]);
	int status;
	if (waitpid(client, &status, 0) < 0)
		err(EXIT_UNABLE, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_UNABLE;
}
