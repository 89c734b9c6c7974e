/* SPDX-License-Identifier: MIT */
#include "wlr_fixture.h"

#include "harness.h"

#include <string.h>
#include <wlr/interfaces/wlr_buffer.h>
#include <wlr/render/pixman.h>
#include <wlr/render/wlr_renderer.h>

static bool
is_never_instance(struct wl_resource *resource)
{
	(void)resource;
	return false;
}

static struct wlr_buffer *
from_no_resource(struct wl_resource *resource)
{
	(void)resource;
	return NULL;
}

/* wlroots never frees its list of resource interfaces: it must be there before
 * a test counts what there is. */
__attribute__((constructor))
static void
make_list_of_interfaces(void)
{
	static const struct wlr_buffer_resource_interface interface = {
		.name = "none",
		.is_instance = is_never_instance,
		.from_resource = from_no_resource,
	};
	wlr_buffer_register_resource_interface(&interface);
}

void
wlr_fixture_init(struct wlr_fixture *fixture,
	void (*create_shm)(struct wlr_fixture *fixture))
{
	memset(fixture, 0, sizeof(*fixture));
	fixture->server = shm_server_create();
	fixture->renderer = wlr_pixman_renderer_create();
	ck_assert_ptr_nonnull(fixture->renderer);
	create_shm(fixture);
	shm_client_connect(&fixture->client, fixture->server);
	ck_assert_ptr_nonnull(fixture->client.shm);
}

void
wlr_fixture_finish(struct wlr_fixture *fixture)
{
	shm_client_disconnect(&fixture->client);
	wl_display_destroy_clients(fixture->server);
	wlr_renderer_destroy(fixture->renderer);
	shm_server_destroy(fixture->server);
}

struct wlr_buffer *
wlr_fixture_lock(struct wlr_fixture *fixture, struct wl_buffer *proxy)
{
	struct wlr_buffer *buffer = wlr_buffer_try_from_resource(
		shm_client_resource(&fixture->client, proxy));
	ck_assert_ptr_nonnull(buffer);
	return buffer;
}

void *
wlr_fixture_begin(struct wlr_buffer *buffer, uint32_t flags)
{
	void *data = NULL;
	uint32_t format = 0;
	size_t stride = 0;
	if (!wlr_buffer_begin_data_ptr_access(buffer, flags, &data, &format,
			&stride))
		return NULL;
	ck_assert_ptr_nonnull(data);
	ck_assert_uint_eq(stride, (size_t)buffer->width * 4);
	return data;
}
