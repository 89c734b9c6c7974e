/* SPDX-License-Identifier: MIT */
#include "stock_fixture.h"

#include "harness.h"

#include <string.h>
#include <unistd.h>

void
stock_fixture_init_empty(struct stock_fixture *fixture)
{
	memset(fixture, 0, sizeof(*fixture));
	fixture->fd = -1;
	fixture->server = shm_server_create();
	ck_assert_int_eq(wl_display_init_shm(fixture->server), 0);
	shm_client_connect(&fixture->client, fixture->server);
	ck_assert_ptr_nonnull(fixture->client.shm);
}

void
stock_fixture_init(struct stock_fixture *fixture)
{
	stock_fixture_init_empty(fixture);
	fixture->fd = harness_memfd(STOCK_POOL_SIZE, 0x5a, 0);
	fixture->proxy = shm_client_buffer(&fixture->client, fixture->fd,
		STOCK_POOL_SIZE, 128, 128);
	fixture->buffer = stock_fixture_buffer(fixture, fixture->proxy);
}

void
stock_fixture_finish(struct stock_fixture *fixture)
{
	if (fixture->proxy != NULL)
		wl_buffer_destroy(fixture->proxy);
	shm_client_disconnect(&fixture->client);
	shm_server_destroy(fixture->server);
	if (fixture->fd >= 0)
		close(fixture->fd);
}

struct wl_shm_buffer *
stock_fixture_buffer(struct stock_fixture *fixture, struct wl_buffer *proxy)
{
	struct wl_shm_buffer *buffer =
		wl_shm_buffer_get(shm_client_resource(&fixture->client, proxy));
	ck_assert_ptr_nonnull(buffer);
	return buffer;
}

void
stock_fixture_destroy_proxy(struct stock_fixture *fixture)
{
	wl_buffer_destroy(fixture->proxy);
	fixture->proxy = NULL;
	ck_assert(shm_client_roundtrip(&fixture->client));
}

void
stock_fixture_truncate(struct stock_fixture *fixture)
{
	ck_assert_int_eq(ftruncate(fixture->fd, 0), 0);
}

int
byte_at(const void *data, size_t offset)
{
	return ((const volatile unsigned char *)data)[offset];
}

void
stock_access_truncated(struct wl_shm_buffer *buffer)
{
	wl_shm_buffer_begin_access(buffer);
	const void *data = wl_shm_buffer_get_data(buffer);
	ck_assert_int_eq(byte_at(data, STOCK_POOL_SIZE - 1), 0);
	wl_shm_buffer_end_access(buffer);
}
