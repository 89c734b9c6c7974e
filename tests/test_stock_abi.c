/* SPDX-License-Identifier: MIT */

/*
 * The wl_shm functions of libwayland-server, called as a compositor does that
 * was built for libwayland. The tests are run against libwayland's own as well
 * (with ON_LIBWAYLAND defined), so what they expect is what it does.
 */

#include "harness.h"
#include "stock_fixture.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* libwayland has them since 1.24. */
struct wl_shm_buffer *wl_shm_buffer_ref(struct wl_shm_buffer *buffer)
	__attribute__((weak));
void wl_shm_buffer_unref(struct wl_shm_buffer *buffer) __attribute__((weak));

/* As drm_fourcc.h calls them. */
#define RGB565 0x36314752
#define ABGR8888 0x34324241
#define YUV420_8BIT 0x38305559 /* has no linear layout */

static unsigned int
times_offered(const struct shm_client *client, uint32_t format)
{
	unsigned int times = 0;
	for (size_t i = 0; i < client->format_count; i++)
		times += client->formats[i] == format;
	return times;
}

TEST(tests_run_against_the_library_they_are_for)
{
	Dl_info info;
	ck_assert_int_ne(dladdr((void *)(uintptr_t)wl_shm_buffer_get, &info), 0);
#ifdef ON_LIBWAYLAND
	ck_assert_ptr_nonnull(strstr(info.dli_fname, "libwayland-server"));
#else
	ck_assert_ptr_nonnull(strstr(info.dli_fname, "libshmguard-stock"));
#endif
}

TEST(formats_can_be_added_before_and_after_init)
{
	struct wl_display *server = shm_server_create();
	uint32_t *slot = wl_display_add_shm_format(server, RGB565);
	ck_assert_ptr_nonnull(slot);
	ck_assert_uint_eq(*slot, RGB565);
	ck_assert_int_eq(wl_display_init_shm(server), 0);
	slot = wl_display_add_shm_format(server, ABGR8888);
	ck_assert_ptr_nonnull(slot);
	ck_assert_uint_eq(*slot, ABGR8888);

	struct shm_client client;
	shm_client_connect(&client, server);
	ck_assert_uint_eq(client.format_count, 4);
	ck_assert_uint_eq(times_offered(&client, WL_SHM_FORMAT_ARGB8888), 1);
	ck_assert_uint_eq(times_offered(&client, WL_SHM_FORMAT_XRGB8888), 1);
	ck_assert_uint_eq(times_offered(&client, RGB565), 1);
	ck_assert_uint_eq(times_offered(&client, ABGR8888), 1);
	shm_client_disconnect(&client);
	shm_server_destroy(server);
}

TEST(formats_belong_to_their_display)
{
	struct wl_display *server = shm_server_create();
	struct wl_display *other = shm_server_create();
	ck_assert_int_eq(wl_display_init_shm(server), 0);
	ck_assert_int_eq(wl_display_init_shm(other), 0);
	ck_assert_ptr_nonnull(wl_display_add_shm_format(other, RGB565));

	struct shm_client client;
	shm_client_connect(&client, server);
	ck_assert_uint_eq(client.format_count, 2);
	shm_client_disconnect(&client);
	shm_server_destroy(other);
	shm_server_destroy(server);
}

TEST(formats_can_be_added_without_init)
{
	struct wl_display *server = shm_server_create();
	ck_assert_ptr_nonnull(wl_display_add_shm_format(server, RGB565));
	shm_server_destroy(server);
}

TEST(any_format_can_be_added)
{
	struct wl_display *server = shm_server_create();
	ck_assert_int_eq(wl_display_init_shm(server), 0);
	ck_assert_ptr_nonnull(wl_display_add_shm_format(server, YUV420_8BIT));
	ck_assert_ptr_nonnull(wl_display_add_shm_format(server, RGB565));
	ck_assert_ptr_nonnull(wl_display_add_shm_format(server, RGB565));
	shm_server_destroy(server);
}

TEST(each_init_makes_a_global)
{
	struct wl_display *server = shm_server_create();
	ck_assert_ptr_nonnull(wl_display_add_shm_format(server, RGB565));
	ck_assert_int_eq(wl_display_init_shm(server), 0);
	ck_assert_int_eq(wl_display_init_shm(server), 0);
	struct shm_client client;
	shm_client_connect(&client, server);
	ck_assert_uint_eq(client.shm_globals, 2);
	/* libwayland 1.26 describes version 3 and offers version 2. */
	ck_assert_uint_eq(client.shm_version,
		wl_shm_interface.version < 2 ? 1 : 2);
	ck_assert_uint_eq(times_offered(&client, RGB565), 1);
	shm_client_disconnect(&client);
	shm_server_destroy(server);
}

TEST(buffer_tells_its_geometry)
{
	struct wl_display *server = shm_server_create();
	ck_assert_int_eq(wl_display_init_shm(server), 0);
	struct shm_client client;
	shm_client_connect(&client, server);
	int fd = harness_memfd(8192, 0, 0);
	ck_assert_int_eq(pwrite(fd, "x", 1, 100), 1);
	struct wl_shm_pool *pool = wl_shm_create_pool(client.shm, fd, 8192);
	struct wl_buffer *proxy = wl_shm_pool_create_buffer(pool, 100, 20, 10, 96,
		WL_SHM_FORMAT_XRGB8888);
	ck_assert(shm_client_roundtrip(&client));

	struct wl_shm_buffer *buffer =
		wl_shm_buffer_get(shm_client_resource(&client, proxy));
	ck_assert_ptr_nonnull(buffer);
	ck_assert_int_eq(wl_shm_buffer_get_width(buffer), 20);
	ck_assert_int_eq(wl_shm_buffer_get_height(buffer), 10);
	ck_assert_int_eq(wl_shm_buffer_get_stride(buffer), 96);
	ck_assert_uint_eq(wl_shm_buffer_get_format(buffer),
		WL_SHM_FORMAT_XRGB8888);
	ck_assert_int_eq(*(char *)wl_shm_buffer_get_data(buffer), 'x');

	wl_buffer_destroy(proxy);
	wl_shm_pool_destroy(pool);
	shm_client_disconnect(&client);
	shm_server_destroy(server);
	close(fd);
}

static void
do_nothing(struct wl_client *client, struct wl_resource *resource)
{
	(void)client;
	(void)resource;
}

TEST(foreign_objects_are_not_shm_buffers)
{
	static void (*const foreign_impl[])(struct wl_client *,
		struct wl_resource *) = {do_nothing};

	struct stock_fixture stock;
	stock_fixture_init(&stock);
	struct wl_resource *foreign = wl_resource_create(stock.client.connection,
		&wl_buffer_interface, 1, 0);
	ck_assert_ptr_nonnull(foreign);
	wl_resource_set_implementation(foreign, foreign_impl, NULL, NULL);
	ck_assert_ptr_null(wl_shm_buffer_get(foreign));
	ck_assert_ptr_null(wl_shm_buffer_get(
		shm_client_resource(&stock.client, stock.client.shm)));
	ck_assert_ptr_null(wl_shm_buffer_get(NULL));
	wl_resource_destroy(foreign);
	stock_fixture_finish(&stock);
}

TEST(buffer_create_gives_nothing)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	ck_assert_ptr_null(wl_shm_buffer_create(NULL, 1, 1, 1, 4, 0));
#pragma GCC diagnostic pop
}

STOCK_TEST(access_reads_and_writes)
{
	struct stock_fixture stock;
	stock_fixture_init(&stock);
	wl_shm_buffer_begin_access(stock.buffer);
	wl_shm_buffer_begin_access(stock.buffer);
	unsigned char *data = wl_shm_buffer_get_data(stock.buffer);
	ck_assert_int_eq(data[STOCK_POOL_SIZE - 1], 0x5a);
	data[STOCK_POOL_SIZE - 1] = 0x77;
	wl_shm_buffer_end_access(stock.buffer);
	wl_shm_buffer_end_access(stock.buffer);

	unsigned char byte = 0;
	ck_assert_int_eq(pread(stock.fd, &byte, 1, STOCK_POOL_SIZE - 1), 1);
	ck_assert_int_eq(byte, 0x77);
	ck_assert(shm_client_roundtrip(&stock.client));
	stock_fixture_finish(&stock);
}

STOCK_TEST(I7_end_access_tells_the_client_at_once)
{
	struct stock_fixture stock;
	stock_fixture_init(&stock);
	stock_fixture_truncate(&stock);
	stock_access_truncated(stock.buffer);
	ck_assert(!shm_client_receive(&stock.client));
	shm_client_expect_error(&stock.client, "wl_buffer",
		WL_SHM_ERROR_INVALID_FD);
	stock_fixture_finish(&stock);
}

static void *
access_truncated(void *buffer)
{
	stock_access_truncated(buffer);
	return NULL;
}

TEST(I7_access_on_another_thread_tells_the_client)
{
	struct stock_fixture stock;
	stock_fixture_init(&stock);
	ck_assert_int_eq(ftruncate(stock.fd, 0), 0);
	run_on_thread(access_truncated, stock.buffer);
#ifndef ON_LIBWAYLAND
	/* I5: but not from there. */
	ck_assert(shm_client_receive(&stock.client));
#endif
	ck_assert(!shm_client_roundtrip(&stock.client));
	shm_client_expect_error(&stock.client, "wl_buffer",
		WL_SHM_ERROR_INVALID_FD);
	stock_fixture_finish(&stock);
}

static void *
serve_and_access(void *server)
{
	struct shm_client client;
	shm_client_connect(&client, server);
	int fd = harness_memfd(STOCK_POOL_SIZE, 0x5a, 0);
	struct wl_buffer *proxy =
		shm_client_buffer(&client, fd, STOCK_POOL_SIZE, 128, 128);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	stock_access_truncated(
		wl_shm_buffer_get(shm_client_resource(&client, proxy)));
	ck_assert(!shm_client_receive(&client));
	shm_client_expect_error(&client, "wl_buffer", WL_SHM_ERROR_INVALID_FD);
	wl_buffer_destroy(proxy);
	shm_client_disconnect(&client);
	close(fd);
	return NULL;
}

TEST(I5_display_thread_is_the_one_that_serves)
{
	struct wl_display *server = shm_server_create();
	ck_assert_int_eq(wl_display_init_shm(server), 0);
	run_on_thread(serve_and_access, server);
	shm_server_destroy(server);
}

TEST(I6_pool_reference_keeps_the_data)
{
	struct stock_fixture stock;
	stock_fixture_init(&stock);
	const unsigned char *data = wl_shm_buffer_get_data(stock.buffer);
	struct wl_shm_pool *pool = wl_shm_buffer_ref_pool(stock.buffer);
	ck_assert_ptr_nonnull(pool);
	stock_fixture_destroy_proxy(&stock);
	ck_assert_int_eq(data[STOCK_POOL_SIZE - 1], 0x5a);
	wl_client_destroy(stock.client.connection);
	ck_assert_int_eq(data[STOCK_POOL_SIZE - 1], 0x5a);
	wl_shm_pool_unref(pool);
	stock_fixture_finish(&stock);
}

STOCK_TEST(I6_buffer_reference_keeps_the_buffer)
{
	if (wl_shm_buffer_ref == NULL)
		SKIP("this libwayland has no wl_shm_buffer_ref");

	struct stock_fixture stock;
	stock_fixture_init(&stock);
	ck_assert_ptr_eq(wl_shm_buffer_ref(stock.buffer), stock.buffer);
	stock_fixture_destroy_proxy(&stock);
	wl_client_destroy(stock.client.connection);
	ck_assert_int_eq(wl_shm_buffer_get_width(stock.buffer), 128);
	wl_shm_buffer_begin_access(stock.buffer);
	const unsigned char *data = wl_shm_buffer_get_data(stock.buffer);
	ck_assert_int_eq(data[STOCK_POOL_SIZE - 1], 0x5a);
	wl_shm_buffer_end_access(stock.buffer);
	wl_shm_buffer_unref(stock.buffer);
	stock_fixture_finish(&stock);
}

/* ---- Errors: what is wrong, on which object, with which code ---- */

#define GOOD 1, 1, 4, WL_SHM_FORMAT_ARGB8888

static const struct bad_request {
	int32_t pool_size;
	bool pool_is_pipe;
	int32_t resize_to; /* 0: not resized */
	int32_t offset, width, height, stride;
	uint32_t format;
	const char *interface;
	uint32_t code;
} bad_requests[] = {
	{0, false, 0, 0, GOOD, "wl_shm", WL_SHM_ERROR_INVALID_STRIDE},
	{-1, false, 0, 0, GOOD, "wl_shm", WL_SHM_ERROR_INVALID_STRIDE},
	{INT32_MIN, false, 0, 0, GOOD, "wl_shm", WL_SHM_ERROR_INVALID_STRIDE},
	{STOCK_POOL_SIZE, true, 0, 0, GOOD, "wl_shm", WL_SHM_ERROR_INVALID_FD},
	{-1, true, 0, 0, GOOD, "wl_shm", WL_SHM_ERROR_INVALID_STRIDE},
#define RESIZE(size) STOCK_POOL_SIZE, false, size, 0, GOOD, "wl_shm_pool"
	{RESIZE(STOCK_POOL_SIZE - 1), WL_SHM_ERROR_INVALID_FD},
	{RESIZE(1), WL_SHM_ERROR_INVALID_FD},
	{RESIZE(-1), WL_SHM_ERROR_INVALID_FD},
	{RESIZE(INT32_MIN), WL_SHM_ERROR_INVALID_FD},
#define BUFFER(...) STOCK_POOL_SIZE, false, 0, __VA_ARGS__, "wl_shm_pool"
#define ARGB WL_SHM_FORMAT_ARGB8888
	{BUFFER(0, 1, 1, 4, RGB565), WL_SHM_ERROR_INVALID_FORMAT},
	{BUFFER(0, 1, 1, 4, UINT32_MAX), WL_SHM_ERROR_INVALID_FORMAT},
	{BUFFER(-1, -1, -1, -1, RGB565), WL_SHM_ERROR_INVALID_FORMAT},
	{BUFFER(-1, 1, 1, 4, ARGB), WL_SHM_ERROR_INVALID_STRIDE},
	{BUFFER(INT32_MIN, 1, 1, 4, ARGB), WL_SHM_ERROR_INVALID_STRIDE},
	{BUFFER(0, 0, 1, 4, ARGB), WL_SHM_ERROR_INVALID_STRIDE},
	{BUFFER(0, INT32_MIN, 1, 4, ARGB), WL_SHM_ERROR_INVALID_STRIDE},
	{BUFFER(0, 1, 0, 4, ARGB), WL_SHM_ERROR_INVALID_STRIDE},
	{BUFFER(0, 1, INT32_MIN, 4, ARGB), WL_SHM_ERROR_INVALID_STRIDE},
	{BUFFER(0, 1, 1, 0, ARGB), WL_SHM_ERROR_INVALID_STRIDE},
	{BUFFER(0, 1, 1, INT32_MIN, ARGB), WL_SHM_ERROR_INVALID_STRIDE},
	{BUFFER(STOCK_POOL_SIZE - 3, 1, 1, 4, ARGB), WL_SHM_ERROR_INVALID_STRIDE},
	{BUFFER(INT32_MAX, 1, 1, 4, ARGB), WL_SHM_ERROR_INVALID_STRIDE},
	{BUFFER(1, 128, 128, 512, ARGB), WL_SHM_ERROR_INVALID_STRIDE},
	{BUFFER(0, 128, 129, 512, ARGB), WL_SHM_ERROR_INVALID_STRIDE},
	{BUFFER(0, 1, 1, STOCK_POOL_SIZE + 1, ARGB), WL_SHM_ERROR_INVALID_STRIDE},
	{BUFFER(0, 1, 1 << 30, 4, ARGB), WL_SHM_ERROR_INVALID_STRIDE},
	{BUFFER(0, INT32_MAX, INT32_MAX, INT32_MAX, ARGB),
		WL_SHM_ERROR_INVALID_STRIDE},
};

static void
expect_error(const struct bad_request *request)
{
	struct wl_display *server = shm_server_create();
	ck_assert_int_eq(wl_display_init_shm(server), 0);
	struct shm_client client;
	shm_client_connect(&client, server);

	int fd = harness_memfd(STOCK_POOL_SIZE, 0, 0);
	int ends[2];
	ck_assert_int_eq(pipe(ends), 0);
	struct wl_shm_pool *pool = wl_shm_create_pool(client.shm,
		request->pool_is_pipe ? ends[0] : fd, request->pool_size);
	if (request->resize_to != 0)
		wl_shm_pool_resize(pool, request->resize_to);
	struct wl_buffer *proxy = wl_shm_pool_create_buffer(pool, request->offset,
		request->width, request->height, request->stride, request->format);
	ck_assert(!shm_client_roundtrip(&client));
	shm_client_expect_error(&client, request->interface, request->code);

	wl_buffer_destroy(proxy);
	wl_shm_pool_destroy(pool);
	shm_client_disconnect(&client);
	shm_server_destroy(server);
	close(fd);
	close(ends[0]);
	close(ends[1]);
}

TEST(errors_are_those_of_libwayland)
{
	for (size_t i = 0; i < sizeof(bad_requests) / sizeof(bad_requests[0]); i++)
		expect_error(&bad_requests[i]);
}

#ifndef ON_LIBWAYLAND
/* libwayland's own needs none. */
TEST(init_without_a_descriptor_left_fails)
{
	struct wl_display *server = shm_server_create();
	struct rlimit limit, none;
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){0, limit.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_eq(wl_display_init_shm(server), -1);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(wl_display_init_shm(server), 0);
	shm_server_destroy(server);
}
#endif
