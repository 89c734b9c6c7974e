/* SPDX-License-Identifier: MIT */

/* Clients' buffers as wlroots sees them through the adapter. */

#include "harness.h"
#include "wlr_fixture.h"

#include <drm_fourcc.h>
#include <errno.h>
#include <fcntl.h>
#include <shmguard/wlroots.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <wlr/render/wlr_renderer.h>

#define SIDE 32
#define POOL_SIZE (SIDE * SIDE * 4)

static void
create_shm(struct wlr_fixture *fixture)
{
	ck_assert_ptr_nonnull(shmguard_wlr_create_with_renderer(fixture->server,
		2, fixture->renderer, NULL));
}

/* A client and a square buffer of 0x5a that fills its pool. */
struct setup {
	struct wlr_fixture fixture;
	int fd;
	struct wl_buffer *proxy; /* NULL once destroyed */
	struct wlr_buffer *buffer; /* locked; NULL once unlocked */
};

static void
setup_init(struct setup *setup)
{
	wlr_fixture_init(&setup->fixture, create_shm);
	setup->fd = harness_memfd(POOL_SIZE, 0x5a, 0);
	setup->proxy = shm_client_buffer(&setup->fixture.client, setup->fd,
		POOL_SIZE, SIDE, SIDE);
	setup->buffer = wlr_fixture_lock(&setup->fixture, setup->proxy);
}

static void
setup_finish(struct setup *setup)
{
	wlr_buffer_unlock(setup->buffer);
	if (setup->proxy != NULL)
		wl_buffer_destroy(setup->proxy);
	wlr_fixture_finish(&setup->fixture);
	close(setup->fd);
}

static void
destroy_proxy(struct setup *setup)
{
	wl_buffer_destroy(setup->proxy);
	setup->proxy = NULL;
	ck_assert(shm_client_roundtrip(&setup->fixture.client));
}

static void
expect_bytes(const unsigned char *data, size_t size, int value)
{
	for (size_t i = 0; i < size; i++)
		ck_assert_int_eq(data[i], value);
}

static unsigned char
file_byte(int fd, off_t offset)
{
	unsigned char byte;
	ck_assert_int_eq(pread(fd, &byte, 1, offset), 1);
	return byte;
}

TEST(wlroots_sees_what_the_client_drew)
{
	struct setup setup;
	setup_init(&setup);
	struct wlr_buffer *buffer = setup.buffer;
	ck_assert_int_eq(buffer->width, SIDE);
	ck_assert_int_eq(buffer->height, SIDE);

	void *data;
	uint32_t format;
	size_t stride;
	ck_assert(wlr_buffer_begin_data_ptr_access(buffer, READ, &data, &format,
		&stride));
	ck_assert_uint_eq(format, DRM_FORMAT_ARGB8888);
	ck_assert_uint_eq(stride, SIDE * 4);
	expect_bytes(data, POOL_SIZE, 0x5a);
	wlr_buffer_end_data_ptr_access(buffer);

	struct wlr_buffer *again = wlr_fixture_lock(&setup.fixture, setup.proxy);
	ck_assert_ptr_eq(again, buffer);
	wlr_buffer_unlock(again);
	setup_finish(&setup);
}

/* The kernel says by EFAULT whether it could store a byte there. */
static bool
is_writable(const struct setup *setup, void *data)
{
	return pread(setup->fd, data, 1, 0) == 1;
}

TEST(memory_is_writable_when_asked_for)
{
	struct setup setup;
	setup_init(&setup);
	void *data = wlr_fixture_begin(setup.buffer, READ);
	ck_assert(!is_writable(&setup, data));
	ck_assert_int_eq(errno, EFAULT);
	wlr_buffer_end_data_ptr_access(setup.buffer);

	data = wlr_fixture_begin(setup.buffer, WRITE);
	ck_assert_ptr_nonnull(data);
	memset(data, 0xc3, POOL_SIZE);
	wlr_buffer_end_data_ptr_access(setup.buffer);
	ck_assert_int_eq(file_byte(setup.fd, POOL_SIZE - 1), 0xc3);

	data = wlr_fixture_begin(setup.buffer, READ);
	expect_bytes(data, POOL_SIZE, 0xc3);
	wlr_buffer_end_data_ptr_access(setup.buffer);
	setup_finish(&setup);
}

TEST(F22_read_only_files_can_be_read)
{
	struct wlr_fixture fixture;
	wlr_fixture_init(&fixture, create_shm);
	int fd = harness_memfd(POOL_SIZE, 0x5a, 0);
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int read_only = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(read_only, 0);
	struct wl_buffer *proxy = shm_client_buffer(&fixture.client, read_only,
		POOL_SIZE, SIDE, SIDE);
	struct wlr_buffer *buffer = wlr_fixture_lock(&fixture, proxy);

	void *data = wlr_fixture_begin(buffer, READ);
	ck_assert_ptr_nonnull(data);
	expect_bytes(data, POOL_SIZE, 0x5a);
	wlr_buffer_end_data_ptr_access(buffer);
	ck_assert_ptr_null(wlr_fixture_begin(buffer, WRITE));
	ck_assert_ptr_null(wlr_fixture_begin(buffer, READ | WRITE));
	ck_assert(shm_client_roundtrip(&fixture.client));

	wlr_buffer_unlock(buffer);
	wl_buffer_destroy(proxy);
	wlr_fixture_finish(&fixture);
	close(read_only);
	close(fd);
}

static void
end_two(bool first_first)
{
	struct setup setup;
	setup_init(&setup);
	int fd = harness_memfd(POOL_SIZE, 0x77, 0);
	struct wl_buffer *proxy = shm_client_buffer(&setup.fixture.client, fd,
		POOL_SIZE, SIDE, SIDE);
	struct wlr_buffer *second = wlr_fixture_lock(&setup.fixture, proxy);

	void *data = wlr_fixture_begin(setup.buffer, READ);
	void *second_data = wlr_fixture_begin(second, READ);
	expect_bytes(data, POOL_SIZE, 0x5a);
	expect_bytes(second_data, POOL_SIZE, 0x77);
	wlr_buffer_end_data_ptr_access(first_first ? setup.buffer : second);
	if (first_first)
		expect_bytes(second_data, POOL_SIZE, 0x77);
	else
		expect_bytes(data, POOL_SIZE, 0x5a);
	wlr_buffer_end_data_ptr_access(first_first ? second : setup.buffer);

	wlr_buffer_unlock(second);
	wl_buffer_destroy(proxy);
	setup_finish(&setup);
	close(fd);
}

TEST(F5_two_buffers_at_once_ended_in_order)
{
	end_two(true);
}

TEST(F5_two_buffers_at_once_ended_in_reverse)
{
	end_two(false);
}

static void *
read_elsewhere(void *data)
{
	struct setup *setup = data;
	const void *pixels = wlr_fixture_begin(setup->buffer, READ);
	expect_bytes(pixels, POOL_SIZE, 0);
	wlr_buffer_end_data_ptr_access(setup->buffer);
	return NULL;
}

static void
expect_disconnected(struct setup *setup, const char *interface)
{
	ck_assert(!shm_client_roundtrip(&setup->fixture.client));
	shm_client_expect_error(&setup->fixture.client, interface,
		WL_SHM_ERROR_INVALID_FD);
}

/* Memory that was mapped for writing faults with every kernel. */
static void
truncate_written(struct setup *setup)
{
	ck_assert_ptr_nonnull(wlr_fixture_begin(setup->buffer, WRITE));
	wlr_buffer_end_data_ptr_access(setup->buffer);
	ck_assert_int_eq(ftruncate(setup->fd, 0), 0);
}

TEST(I7_truncated_pool_costs_its_client_only)
{
	struct setup setup;
	setup_init(&setup);
	struct shm_client bystander;
	shm_client_connect(&bystander, setup.fixture.server);
	truncate_written(&setup);

	const void *data = wlr_fixture_begin(setup.buffer, READ);
	ck_assert_ptr_nonnull(data);
	expect_bytes(data, POOL_SIZE, 0);
	wlr_buffer_end_data_ptr_access(setup.buffer);
	expect_disconnected(&setup, "wl_buffer");

	ck_assert(shm_client_roundtrip(&bystander));
	shm_client_disconnect(&bystander);
	setup_finish(&setup);
}

TEST(F4_truncated_pool_is_read_by_another_thread)
{
	struct setup setup;
	setup_init(&setup);
	truncate_written(&setup);
	run_on_thread(read_elsewhere, &setup);
	expect_disconnected(&setup, "wl_buffer");
	setup_finish(&setup);
}

TEST(I6_truncated_while_accessed)
{
	struct setup setup;
	setup_init(&setup);
	const void *data = wlr_fixture_begin(setup.buffer, READ | WRITE);
	ck_assert_int_eq(ftruncate(setup.fd, 0), 0);
	expect_bytes(data, POOL_SIZE, 0);
	wlr_buffer_end_data_ptr_access(setup.buffer);
	expect_disconnected(&setup, "wl_buffer");
	setup_finish(&setup);
}

TEST(F14_buffer_outlives_its_wl_buffer_and_pool)
{
	struct setup setup;
	setup_init(&setup);
	/* shm_client_buffer() has destroyed the pool already. */
	destroy_proxy(&setup);
	const void *data = wlr_fixture_begin(setup.buffer, READ);
	ck_assert_ptr_nonnull(data);
	expect_bytes(data, POOL_SIZE, 0x5a);
	wlr_buffer_end_data_ptr_access(setup.buffer);

	ck_assert_int_eq(ftruncate(setup.fd, 0), 0);
	data = wlr_fixture_begin(setup.buffer, READ);
	expect_bytes(data, POOL_SIZE, 0);
	wlr_buffer_end_data_ptr_access(setup.buffer);
	setup_finish(&setup);
}

TEST(I6_buffer_outlives_its_client)
{
	struct setup setup;
	setup_init(&setup);
	const void *data = wlr_fixture_begin(setup.buffer, READ);
	wl_client_destroy(setup.fixture.client.connection);
	expect_bytes(data, POOL_SIZE, 0x5a);
	wlr_buffer_end_data_ptr_access(setup.buffer);
	setup_finish(&setup);
}

TEST(I6_pool_grows_while_accessed)
{
	struct wlr_fixture fixture;
	wlr_fixture_init(&fixture, create_shm);
	int fd = harness_memfd(2 * POOL_SIZE, 0x5a, 0);
	struct wl_shm_pool *pool =
		wl_shm_create_pool(fixture.client.shm, fd, POOL_SIZE);
	struct wl_buffer *proxy = wl_shm_pool_create_buffer(pool, 0, SIDE, SIDE,
		SIDE * 4, WL_SHM_FORMAT_XRGB8888);
	ck_assert(shm_client_roundtrip(&fixture.client));
	struct wlr_buffer *buffer = wlr_fixture_lock(&fixture, proxy);

	const void *data = wlr_fixture_begin(buffer, READ);
	wl_shm_pool_resize(pool, 2 * POOL_SIZE);
	struct wl_buffer *larger = wl_shm_pool_create_buffer(pool, 0, SIDE,
		2 * SIDE, SIDE * 4, WL_SHM_FORMAT_XRGB8888);
	ck_assert(shm_client_roundtrip(&fixture.client));
	expect_bytes(data, POOL_SIZE, 0x5a);
	struct wlr_buffer *larger_buffer = wlr_fixture_lock(&fixture, larger);
	const void *larger_data = wlr_fixture_begin(larger_buffer, READ);
	expect_bytes(larger_data, 2 * POOL_SIZE, 0x5a);
	wlr_buffer_end_data_ptr_access(buffer);
	wlr_buffer_end_data_ptr_access(larger_buffer);

	wlr_buffer_unlock(buffer);
	wlr_buffer_unlock(larger_buffer);
	wl_buffer_destroy(proxy);
	wl_buffer_destroy(larger);
	wl_shm_pool_destroy(pool);
	wlr_fixture_finish(&fixture);
	close(fd);
}

static void
count_release(void *data, struct wl_buffer *proxy)
{
	(void)proxy;
	(*(int *)data)++;
}

TEST(buffer_is_released_by_the_last_lock)
{
	static const struct wl_buffer_listener listener = {
		.release = count_release,
	};
	struct setup setup;
	setup_init(&setup);
	int releases = 0;
	wl_buffer_add_listener(setup.proxy, &listener, &releases);

	struct wlr_buffer *second = wlr_fixture_lock(&setup.fixture, setup.proxy);
	wlr_buffer_unlock(second);
	ck_assert(shm_client_roundtrip(&setup.fixture.client));
	ck_assert_int_eq(releases, 0);
	wlr_buffer_unlock(setup.buffer);
	ck_assert(shm_client_roundtrip(&setup.fixture.client));
	ck_assert_int_eq(releases, 1);

	/* The same wl_buffer, used again. */
	setup.buffer = wlr_fixture_lock(&setup.fixture, setup.proxy);
	wlr_buffer_unlock(setup.buffer);
	ck_assert(shm_client_roundtrip(&setup.fixture.client));
	ck_assert_int_eq(releases, 2);
	setup.buffer = NULL;
	setup_finish(&setup);
}

static int destroyed;

static void
count_destroy(struct wl_listener *listener, void *data)
{
	(void)data;
	wl_list_remove(&listener->link);
	destroyed++;
}

TEST(wlroots_is_told_when_a_buffer_goes)
{
	struct setup setup;
	setup_init(&setup);
	struct wl_listener listener = {.notify = count_destroy};
	wl_signal_add(&setup.buffer->events.destroy, &listener);

	wlr_buffer_unlock(setup.buffer);
	setup.buffer = NULL;
	ck_assert_int_eq(destroyed, 0);
	destroy_proxy(&setup);
	ck_assert_int_eq(destroyed, 1);
	setup_finish(&setup);
}

/* wlroots disconnects clients whose toplevel icon does not have it. */
TEST(square_buffers_are_shared_memory_that_nobody_can_import)
{
	struct setup setup;
	setup_init(&setup);
	struct wlr_shm_attributes attributes;
	ck_assert(wlr_buffer_get_shm(setup.buffer, &attributes));
	ck_assert_int_eq(attributes.fd, -1);
	ck_assert_uint_eq(attributes.format, DRM_FORMAT_INVALID);
	ck_assert_int_eq(attributes.width, SIDE);
	ck_assert_int_eq(attributes.height, SIDE);
	ck_assert_int_eq(attributes.stride, SIDE * 4);
	ck_assert_int_eq(attributes.offset, 0);

	struct wl_buffer *proxy = shm_client_buffer(&setup.fixture.client,
		setup.fd, POOL_SIZE, SIDE, SIDE / 2);
	struct wlr_buffer *buffer = wlr_fixture_lock(&setup.fixture, proxy);
	ck_assert(!wlr_buffer_get_shm(buffer, &attributes));
	wlr_buffer_unlock(buffer);
	wl_buffer_destroy(proxy);
	setup_finish(&setup);
}

static void
create_shm_version_1(struct wlr_fixture *fixture)
{
	ck_assert_ptr_nonnull(shmguard_wlr_create_with_renderer(fixture->server,
		1, fixture->renderer, NULL));
}

static void
create_shm_version_9(struct wlr_fixture *fixture)
{
	ck_assert_ptr_nonnull(shmguard_wlr_create_with_renderer(fixture->server,
		9, fixture->renderer, NULL));
}

TEST(version_is_what_the_compositor_wants_at_most)
{
	struct wlr_fixture fixture;
	wlr_fixture_init(&fixture, create_shm_version_1);
	ck_assert_uint_eq(fixture.client.shm_version, 1);
	wlr_fixture_finish(&fixture);

	wlr_fixture_init(&fixture, create_shm_version_9);
	ck_assert_uint_eq(fixture.client.shm_version, 2);
	errno = 0;
	ck_assert_ptr_null(shmguard_wlr_create_with_renderer(fixture.server, 0,
		fixture.renderer, NULL));
	ck_assert_int_eq(errno, EINVAL);
	wlr_fixture_finish(&fixture);
}

static bool
is_offered(const struct shm_client *client, uint32_t format)
{
	for (size_t i = 0; i < client->format_count; i++) {
		if (client->formats[i] == format)
			return true;
	}
	return false;
}

TEST(formats_are_the_renderers)
{
	struct wlr_fixture fixture;
	wlr_fixture_init(&fixture, create_shm);
	ck_assert(is_offered(&fixture.client, WL_SHM_FORMAT_ARGB8888));
	ck_assert(is_offered(&fixture.client, WL_SHM_FORMAT_XRGB8888));
	ck_assert(is_offered(&fixture.client, DRM_FORMAT_RGB565));
	ck_assert(!is_offered(&fixture.client, DRM_FORMAT_ARGB8888));
	ck_assert(!is_offered(&fixture.client, DRM_FORMAT_NV12));
	wlr_fixture_finish(&fixture);
}

static void
create_shm_formats(struct wlr_fixture *fixture)
{
	static const uint32_t formats[] = {DRM_FORMAT_ARGB8888,
		DRM_FORMAT_YUV420_8BIT, DRM_FORMAT_XRGB8888, DRM_FORMAT_NV12};
	ck_assert_ptr_nonnull(shmguard_wlr_create(fixture->server, 2, formats,
		4, NULL));
}

TEST(formats_without_a_layout_are_not_offered)
{
	struct wlr_fixture fixture;
	wlr_fixture_init(&fixture, create_shm_formats);
	ck_assert_uint_eq(fixture.client.format_count, 3);
	ck_assert(is_offered(&fixture.client, DRM_FORMAT_NV12));

	static const uint32_t formats[] = {DRM_FORMAT_ARGB8888, DRM_FORMAT_NV12};
	errno = 0;
	ck_assert_ptr_null(shmguard_wlr_create(fixture.server, 2, formats, 2,
		NULL));
	ck_assert_int_eq(errno, EINVAL);
	wlr_fixture_finish(&fixture);
}
