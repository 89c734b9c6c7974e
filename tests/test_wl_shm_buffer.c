/* SPDX-License-Identifier: MIT */

/* What the compositor sees of a client's buffers, and for how long. */

#include "guard_fixture.h"
#include "harness.h"
#include "needs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NV12 0x3231564e /* as drm_fourcc.h calls it */

TEST(buffer_tells_what_the_client_asked_for)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	ck_assert_int_eq(shmguard_add_format(fixture.guard, NV12), 0);
	int fd = harness_memfd(65536, 0, F_SEAL_SHRINK);
	struct wl_shm_pool *pool =
		wl_shm_create_pool(fixture.client.shm, fd, 65536);
	struct wl_buffer *proxy =
		wl_shm_pool_create_buffer(pool, 100, 20, 10, 24, NV12);
	ck_assert(shm_client_roundtrip(&fixture.client));

	struct shmguard_buffer *buffer = guard_fixture_buffer(&fixture, proxy);
	ck_assert_int_eq(shmguard_buffer_offset(buffer), 100);
	ck_assert_int_eq(shmguard_buffer_width(buffer), 20);
	ck_assert_int_eq(shmguard_buffer_height(buffer), 10);
	ck_assert_int_eq(shmguard_buffer_stride(buffer), 24);
	ck_assert_uint_eq(shmguard_buffer_format(buffer), NV12);
	ck_assert_uint_eq(shmguard_buffer_size(buffer), 24 * 10 + 24 * 5);
	ck_assert_int_eq(shmguard_buffer_tier(buffer), SHMGUARD_TIER_SEALED);
	ck_assert_int_eq(shmguard_buffer_reason(buffer), SHMGUARD_REASON_SEALED);

	struct shmguard_view view;
	ck_assert_int_eq(shmguard_buffer_begin_read(buffer, &view), 0);
	ck_assert_uint_eq(view.size, shmguard_buffer_size(buffer));
	ck_assert_int_eq(shmguard_view_end(&view), 0);

	wl_buffer_destroy(proxy);
	wl_shm_pool_destroy(pool);
	guard_fixture_finish(&fixture);
	close(fd);
}

TEST(writes_reach_the_client)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	int fd = harness_memfd(4096, 0, F_SEAL_SHRINK);
	struct wl_buffer *proxy =
		shm_client_buffer(&fixture.client, fd, 4096, 32, 32);
	struct shmguard_buffer *buffer = guard_fixture_buffer(&fixture, proxy);

	struct shmguard_view view;
	ck_assert_int_eq(shmguard_buffer_begin_write(buffer, &view), 0);
	memset(view.data, 0xc3, view.size);
	ck_assert_int_eq(shmguard_view_end(&view), 0);
	unsigned char byte = 0;
	ck_assert_int_eq(pread(fd, &byte, 1, 4095), 1);
	ck_assert_int_eq(byte, 0xc3);

	wl_buffer_destroy(proxy);
	guard_fixture_finish(&fixture);
	close(fd);
}

static void
do_nothing(struct wl_client *client, struct wl_resource *resource)
{
	(void)client;
	(void)resource;
}

TEST(foreign_objects_are_not_buffers)
{
	/* As libwayland's struct, which this file cannot see next to a client's. */
	static void (*const foreign_impl[])(struct wl_client *,
		struct wl_resource *) = {do_nothing};

	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	struct wl_resource *foreign = wl_resource_create(
		fixture.client.connection, &wl_buffer_interface, 1, 0);
	ck_assert_ptr_nonnull(foreign);
	wl_resource_set_implementation(foreign, foreign_impl, NULL, NULL);
	ck_assert_ptr_null(shmguard_buffer_from_resource(foreign));
	ck_assert_ptr_null(shmguard_buffer_from_resource(
		shm_client_resource(&fixture.client, fixture.client.shm)));

	wl_resource_destroy(foreign);
	guard_fixture_finish(&fixture);
}

static void
expect_usage(struct guard_fixture *fixture, size_t pools, size_t buffers,
	size_t bytes)
{
	struct shmguard_usage usage;
	shmguard_client_usage(fixture->guard, fixture->client.connection, &usage);
	ck_assert_uint_eq(usage.pools, pools);
	ck_assert_uint_eq(usage.buffers, buffers);
	ck_assert_uint_eq(usage.bytes, bytes);
	/* They need none. */
	ck_assert_uint_eq(usage.descriptors, 0);
}

static size_t
count_mappings(struct guard_fixture *fixture)
{
	struct shmguard_usage usage;
	shmguard_client_usage(fixture->guard, fixture->client.connection, &usage);
	return usage.mappings;
}

TEST(I9_what_a_client_holds_is_counted)
{
	needs_mremap();
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	expect_usage(&fixture, 0, 0, 0);

	int fd = harness_memfd(8192, 0, 0);
	struct wl_shm_pool *pool =
		wl_shm_create_pool(fixture.client.shm, fd, 4096);
	struct wl_buffer *first = wl_shm_pool_create_buffer(pool, 0, 32, 32, 128,
		WL_SHM_FORMAT_ARGB8888);
	struct wl_buffer *second = wl_shm_pool_create_buffer(pool, 0, 16, 16, 64,
		WL_SHM_FORMAT_ARGB8888);
	ck_assert(shm_client_roundtrip(&fixture.client));
	expect_usage(&fixture, 1, 2, 4096);

	struct shm_client other;
	shm_client_connect(&other, fixture.server);
	struct shmguard_usage usage;
	shmguard_client_usage(fixture.guard, other.connection, &usage);
	ck_assert_uint_eq(usage.pools + usage.buffers + usage.bytes, 0);

	wl_shm_pool_resize(pool, 8192);
	struct shmguard_buffer *kept =
		shmguard_buffer_ref(guard_fixture_buffer(&fixture, first));
	wl_buffer_destroy(first);
	ck_assert(shm_client_roundtrip(&fixture.client));
	/* There is room to grow by half as much again; and the buffers keep the
	 * mapping that they were made in, if it moved. */
	size_t moved = count_mappings(&fixture) - 1;
	expect_usage(&fixture, 1, 2, 12288 + moved * 4096);

	shmguard_buffer_unref(kept);
	wl_shm_pool_destroy(pool);
	ck_assert(shm_client_roundtrip(&fixture.client));
	expect_usage(&fixture, 1, 1, 12288 + moved * 4096);
	wl_buffer_destroy(second);
	ck_assert(shm_client_roundtrip(&fixture.client));
	expect_usage(&fixture, 0, 0, 0);

	shm_client_disconnect(&other);
	guard_fixture_finish(&fixture);
	close(fd);
}

TEST(client_without_wl_shm_holds_nothing)
{
	struct wl_display *server = shm_server_create();
	struct shm_client client;
	shm_client_connect(&client, server);
	ck_assert_ptr_null(client.shm);
	struct shmguard *guard = shmguard_create(server, NULL);
	ck_assert_ptr_nonnull(guard);
	struct shmguard_usage usage = {.pools = 1, .buffers = 1, .bytes = 1};
	shmguard_client_usage(guard, client.connection, &usage);
	ck_assert_uint_eq(usage.pools + usage.buffers + usage.bytes, 0);
	shmguard_destroy(guard);
	shm_client_disconnect(&client);
	shm_server_destroy(server);
}

/* ---- What outlives what ---- */

/* A buffer of 4 KiB of 0x5a to which the test has a reference. */
static struct shmguard_buffer *
make_kept_buffer(struct guard_fixture *fixture)
{
	int fd = harness_memfd(4096, 0x5a, 0);
	struct wl_buffer *proxy =
		shm_client_buffer(&fixture->client, fd, 4096, 32, 32);
	close(fd);
	struct shmguard_buffer *buffer =
		shmguard_buffer_ref(guard_fixture_buffer(fixture, proxy));
	wl_buffer_destroy(proxy);
	ck_assert(shm_client_roundtrip(&fixture->client));
	return buffer;
}

static void
expect_readable(struct shmguard_buffer *buffer)
{
	const unsigned char *data = shmguard_buffer_data(buffer);
	ck_assert_ptr_nonnull(data);
	ck_assert_int_eq(data[4095], 0x5a);

	struct shmguard_view view;
	ck_assert_int_eq(shmguard_buffer_begin_read(buffer, &view), 0);
	ck_assert_int_eq(((unsigned char *)view.data)[0], 0x5a);
	ck_assert_int_eq(shmguard_view_end(&view), 0);
}

TEST(I6_buffer_outlives_its_resources)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	struct shmguard_buffer *buffer = make_kept_buffer(&fixture);
	expect_readable(buffer);
	shmguard_buffer_unref(buffer);
	guard_fixture_finish(&fixture);
}

TEST(I6_buffer_outlives_its_client)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	struct shmguard_buffer *buffer = make_kept_buffer(&fixture);
	wl_client_destroy(fixture.client.connection);
	expect_readable(buffer);
	shmguard_buffer_unref(buffer);
	guard_fixture_finish(&fixture);
}

TEST(I6_buffer_outlives_the_guard)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	struct shmguard_buffer *buffer = make_kept_buffer(&fixture);
	shmguard_destroy(fixture.guard);
	expect_readable(buffer);
	shmguard_buffer_unref(buffer);
	guard_fixture_finish(&fixture);
}

TEST(I6_buffer_outlives_the_display)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	struct shmguard_buffer *buffer = make_kept_buffer(&fixture);
	shm_server_destroy(fixture.server);
	fixture.server = NULL;
	expect_readable(buffer);
	shmguard_buffer_unref(buffer);
	guard_fixture_finish(&fixture);
}

TEST(I6_view_outlives_everything)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	struct shmguard_buffer *buffer = make_kept_buffer(&fixture);
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_buffer_begin_read(buffer, &view), 0);
	shmguard_buffer_unref(buffer);
	shm_server_destroy(fixture.server);
	fixture.server = NULL;
	ck_assert_int_eq(((unsigned char *)view.data)[4095], 0x5a);
	ck_assert_int_eq(shmguard_view_end(&view), 0);
	guard_fixture_finish(&fixture);
}

TEST(clients_go_on_after_the_guard)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	int fd = harness_memfd(4096, 0x5a, 0);
	struct wl_shm_pool *pool =
		wl_shm_create_pool(fixture.client.shm, fd, 4096);
	ck_assert(shm_client_roundtrip(&fixture.client));
	shmguard_destroy(fixture.guard);

	struct wl_buffer *proxy = wl_shm_pool_create_buffer(pool, 0, 32, 32, 128,
		WL_SHM_FORMAT_ARGB8888);
	ck_assert(shm_client_roundtrip(&fixture.client));
	ck_assert_uint_eq(fixture.client.shm_globals, 0);
	expect_readable(guard_fixture_buffer(&fixture, proxy));

	/* It reports, but does not call a log function that may be gone. */
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	const volatile unsigned char *data =
		shmguard_buffer_data(guard_fixture_buffer(&fixture, proxy));
	ck_assert_int_eq(data[0], 0);
	ck_assert(!shm_client_roundtrip(&fixture.client));
	shm_client_expect_error(&fixture.client, "wl_buffer",
		WL_SHM_ERROR_INVALID_FD);
	ck_assert_str_eq(guard_fixture_log(), "");

	wl_buffer_destroy(proxy);
	wl_shm_pool_destroy(pool);
	guard_fixture_finish(&fixture);
	close(fd);
}

TEST(two_guards_share_a_display)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	struct shmguard *second = shmguard_create(fixture.server, NULL);
	ck_assert_ptr_nonnull(second);
	ck_assert(shm_client_roundtrip(&fixture.client));
	ck_assert_uint_eq(fixture.client.shm_globals, 2);

	struct shmguard_buffer *buffer = make_kept_buffer(&fixture);
	struct shmguard_usage usage;
	shmguard_client_usage(second, fixture.client.connection, &usage);
	ck_assert_uint_eq(usage.buffers, 0);
	shmguard_client_usage(fixture.guard, fixture.client.connection, &usage);
	ck_assert_uint_eq(usage.buffers, 1);
	shmguard_buffer_unref(buffer);
	guard_fixture_finish(&fixture);
}

/* ---- Growing ---- */

TEST(pool_grows)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	int fd = harness_memfd(16384, 0x77, 0);
	struct wl_shm_pool *pool =
		wl_shm_create_pool(fixture.client.shm, fd, 4096);
	wl_shm_pool_resize(pool, 4096);
	wl_shm_pool_resize(pool, 16384);
	struct wl_buffer *proxy = wl_shm_pool_create_buffer(pool, 12288, 32, 32,
		128, WL_SHM_FORMAT_ARGB8888);
	ck_assert_msg(shm_client_roundtrip(&fixture.client), "%s",
		shm_client_message());

	struct shmguard_buffer *buffer = guard_fixture_buffer(&fixture, proxy);
	const unsigned char *data = shmguard_buffer_data(buffer);
	ck_assert_ptr_nonnull(data);
	ck_assert_int_eq(data[4095], 0x77);

	wl_buffer_destroy(proxy);
	wl_shm_pool_destroy(pool);
	guard_fixture_finish(&fixture);
	close(fd);
}

TEST(I6_pointers_survive_resize)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	int fd = harness_memfd(16 << 20, 0x5a, 0);
	struct wl_shm_pool *pool =
		wl_shm_create_pool(fixture.client.shm, fd, 4096);
	struct wl_buffer *proxy = wl_shm_pool_create_buffer(pool, 0, 32, 32, 128,
		WL_SHM_FORMAT_ARGB8888);
	ck_assert(shm_client_roundtrip(&fixture.client));
	struct shmguard_buffer *buffer = guard_fixture_buffer(&fixture, proxy);
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_buffer_begin_read(buffer, &view), 0);
	const unsigned char *data = shmguard_buffer_data(buffer);

	for (int32_t size = 8192; size <= 16 << 20; size *= 2)
		wl_shm_pool_resize(pool, size);
	wl_buffer_destroy(proxy);
	wl_shm_pool_destroy(pool);
	shmguard_buffer_ref(buffer);
	ck_assert(shm_client_roundtrip(&fixture.client));

	ck_assert_int_eq(data[4095], 0x5a);
	ck_assert_ptr_eq(shmguard_buffer_data(buffer), data);
	ck_assert_int_eq(((unsigned char *)view.data)[4095], 0x5a);
	ck_assert_int_eq(shmguard_view_end(&view), 0);
	expect_readable(buffer);
	shmguard_buffer_unref(buffer);
	guard_fixture_finish(&fixture);
	close(fd);
}

struct reader {
	struct shmguard_buffer *buffer;
	atomic_bool stop;
	atomic_int rounds;
};

static void *
read_until_stopped(void *data)
{
	struct reader *reader = data;
	while (!atomic_load(&reader->stop)) {
		expect_readable(reader->buffer);
		atomic_fetch_add(&reader->rounds, 1);
	}
	return NULL;
}

TEST(I6_threads_read_while_the_pool_grows)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	int fd = harness_memfd(4 << 20, 0x5a, 0);
	struct wl_shm_pool *pool =
		wl_shm_create_pool(fixture.client.shm, fd, 4096);
	struct wl_buffer *proxy = wl_shm_pool_create_buffer(pool, 0, 32, 32, 128,
		WL_SHM_FORMAT_ARGB8888);
	ck_assert(shm_client_roundtrip(&fixture.client));

	struct reader reader = {
		.buffer = shmguard_buffer_ref(guard_fixture_buffer(&fixture, proxy)),
	};
	pthread_t threads[2];
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL,
			read_until_stopped, &reader), 0);
	for (int32_t size = 8192; size <= 4 << 20; size += 16384) {
		wl_shm_pool_resize(pool, size);
		ck_assert(shm_client_roundtrip(&fixture.client));
	}
	while (atomic_load(&reader.rounds) < 10)
		sched_yield();
	atomic_store(&reader.stop, true);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);

	shmguard_buffer_unref(reader.buffer);
	wl_buffer_destroy(proxy);
	wl_shm_pool_destroy(pool);
	guard_fixture_finish(&fixture);
	close(fd);
}

TEST(I8_pools_hold_no_descriptors)
{
	needs_mremap();
	enum { POOLS = 1000 };
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	int fd = harness_memfd(4096, 0x5a, 0);
	int before = harness_open_fds();

	struct wl_buffer *proxies[POOLS];
	for (int i = 0; i < POOLS; i++)
		proxies[i] = shm_client_buffer(&fixture.client, fd, 4096, 32, 32);
	ck_assert_int_eq(harness_open_fds(), before);
	expect_usage(&fixture, POOLS, POOLS, POOLS * 4096);
	for (int i = 0; i < POOLS; i++)
		wl_buffer_destroy(proxies[i]);
	ck_assert(shm_client_roundtrip(&fixture.client));
	expect_usage(&fixture, 0, 0, 0);

	guard_fixture_finish(&fixture);
	close(fd);
}
