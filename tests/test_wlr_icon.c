/* SPDX-License-Identifier: MIT */

/*
 * Icons of windows: wlroots takes shared memory for them and nothing else, and
 * ends clients whose buffer says that it is none.
 */

#include "harness.h"
#include "wlr_fixture.h"
#include "xdg-toplevel-icon-client-protocol.h"

#include <shmguard/wlroots.h>
#include <string.h>
#include <unistd.h>
#include <wlr/types/wlr_xdg_toplevel_icon_v1.h>

#define SIDE 32
#define POOL_SIZE (SIDE * SIDE * 4)

static void
create_globals(struct wlr_fixture *fixture)
{
	ck_assert_ptr_nonnull(shmguard_wlr_create_with_renderer(fixture->server,
		2, fixture->renderer, NULL));
	ck_assert_ptr_nonnull(
		wlr_xdg_toplevel_icon_manager_v1_create(fixture->server, 1));
}

static void
handle_global(void *data, struct wl_registry *registry, uint32_t name,
	const char *interface, uint32_t version)
{
	(void)version;
	struct xdg_toplevel_icon_manager_v1 **manager = data;
	if (strcmp(interface, xdg_toplevel_icon_manager_v1_interface.name) == 0)
		*manager = wl_registry_bind(registry, name,
			&xdg_toplevel_icon_manager_v1_interface, 1);
}

static void
handle_global_remove(void *data, struct wl_registry *registry, uint32_t name)
{
	(void)data;
	(void)registry;
	(void)name;
}

/* Whether the client is still there afterwards. */
static bool
add_icon(int32_t width, int32_t height)
{
	static const struct wl_registry_listener listener = {
		.global = handle_global,
		.global_remove = handle_global_remove,
	};
	struct wlr_fixture fixture;
	wlr_fixture_init(&fixture, create_globals);
	struct shm_client *client = &fixture.client;
	struct xdg_toplevel_icon_manager_v1 *manager = NULL;
	struct wl_registry *registry = wl_display_get_registry(client->display);
	wl_registry_add_listener(registry, &listener, &manager);
	ck_assert(shm_client_roundtrip(client));
	ck_assert_ptr_nonnull(manager);

	int fd = harness_memfd(POOL_SIZE, 0x5a, 0);
	struct wl_buffer *proxy =
		shm_client_buffer(client, fd, POOL_SIZE, width, height);
	struct xdg_toplevel_icon_v1 *icon =
		xdg_toplevel_icon_manager_v1_create_icon(manager);
	xdg_toplevel_icon_v1_add_buffer(icon, proxy, 1);
	bool connected = shm_client_roundtrip(client);

	xdg_toplevel_icon_v1_destroy(icon);
	wl_buffer_destroy(proxy);
	xdg_toplevel_icon_manager_v1_destroy(manager);
	wl_registry_destroy(registry);
	wlr_fixture_finish(&fixture);
	close(fd);
	return connected;
}

TEST(icons_can_be_square_buffers)
{
	ck_assert(add_icon(SIDE, SIDE));
}

TEST(icons_that_are_not_square_are_refused)
{
	ck_assert(!add_icon(SIDE, SIDE / 2));
}
