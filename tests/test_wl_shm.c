/* SPDX-License-Identifier: MIT */

/* Every request of wl_shm, wl_shm_pool and wl_buffer, and every error. */

#include "guard_fixture.h"
#include "harness.h"
#include "needs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What drm_fourcc.h and enum wl_shm_format call them. */
#define RGB888 0x34324752
#define NV12 0x3231564e
#define YUV420_8BIT 0x38305559 /* has no linear layout */

static bool
offers(const struct shm_client *client, uint32_t format)
{
	for (size_t i = 0; i < client->format_count; i++) {
		if (client->formats[i] == format)
			return true;
	}
	return false;
}

TEST(offers_the_version_that_libwayland_has)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	ck_assert_uint_eq(fixture.client.shm_version,
		wl_shm_interface.version < 2 ? 1 : 2);
	guard_fixture_finish(&fixture);
}

TEST(release_leaves_pools_alone)
{
#ifdef WL_SHM_RELEASE_SINCE_VERSION
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	int fd = harness_memfd(4096, 0x11, 0);
	struct wl_shm_pool *pool =
		wl_shm_create_pool(fixture.client.shm, fd, 4096);
	wl_shm_release(fixture.client.shm);
	fixture.client.shm = NULL;
	struct wl_buffer *buffer = wl_shm_pool_create_buffer(pool, 0, 32, 32, 128,
		WL_SHM_FORMAT_ARGB8888);
	ck_assert(shm_client_roundtrip(&fixture.client));
	guard_fixture_buffer(&fixture, buffer);

	wl_buffer_destroy(buffer);
	wl_shm_pool_destroy(pool);
	guard_fixture_finish(&fixture);
	close(fd);
#else
	SKIP("this libwayland has wl_shm version 1");
#endif
}

TEST(offers_the_two_formats_that_all_have)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	ck_assert_uint_eq(fixture.client.format_count, 2);
	ck_assert(offers(&fixture.client, WL_SHM_FORMAT_ARGB8888));
	ck_assert(offers(&fixture.client, WL_SHM_FORMAT_XRGB8888));
	guard_fixture_finish(&fixture);
}

TEST(added_formats_are_offered_once)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	ck_assert_int_eq(shmguard_add_format(fixture.guard, NV12), 0);
	ck_assert_int_eq(shmguard_add_format(fixture.guard, NV12), 0);
	ck_assert_int_eq(
		shmguard_add_format(fixture.guard, WL_SHM_FORMAT_XRGB8888), 0);

	struct shm_client late;
	shm_client_connect(&late, fixture.server);
	ck_assert_uint_eq(late.format_count, 3);
	ck_assert(offers(&late, NV12));
	ck_assert_uint_eq(fixture.client.format_count, 2);

	shm_client_disconnect(&late);
	guard_fixture_finish(&fixture);
}

TEST(formats_without_linear_layout_cannot_be_added)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	errno = 0;
	ck_assert_int_eq(shmguard_add_format(fixture.guard, YUV420_8BIT), -1);
	ck_assert_int_eq(errno, ENOTSUP);
	errno = 0;
	ck_assert_int_eq(shmguard_add_format(fixture.guard, 0xdeadbeef), -1);
	ck_assert_int_eq(errno, ENOTSUP);
	guard_fixture_finish(&fixture);
}

/* ---- create_pool ---- */

static void
expect_pool_error(int fd, int32_t size, const struct shmguard_policy *policy,
	uint32_t code, const char *reason)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, policy);
	struct wl_shm_pool *pool =
		wl_shm_create_pool(fixture.client.shm, fd, size);
	ck_assert(!shm_client_roundtrip(&fixture.client));
	shm_client_expect_error(&fixture.client, "wl_shm", code);

	char pid[32];
	snprintf(pid, sizeof(pid), "pid %d ", (int)getpid());
	ck_assert_ptr_nonnull(strstr(guard_fixture_log(), pid));
	ck_assert_ptr_nonnull(strstr(guard_fixture_log(), reason));
	ck_assert_ptr_nonnull(strstr(shm_client_message(), reason));

	wl_shm_pool_destroy(pool);
	guard_fixture_finish(&fixture);
	close(fd);
}

static void
expect_refusal(int fd, enum shmguard_reason reason)
{
	ck_assert_int_ge(fd, 0);
	expect_pool_error(fd, 4096, NULL, WL_SHM_ERROR_INVALID_FD,
		shmguard_reason_text(reason));
}

TEST(pool_of_no_bytes)
{
	expect_pool_error(harness_memfd(4096, 0, 0), 0, NULL,
		WL_SHM_ERROR_INVALID_STRIDE, "size 0 ");
}

TEST(pool_of_minus_one_byte)
{
	expect_pool_error(harness_memfd(4096, 0, 0), -1, NULL,
		WL_SHM_ERROR_INVALID_STRIDE, "size -1 ");
}

TEST(pool_of_the_least_number_of_bytes)
{
	expect_pool_error(harness_memfd(4096, 0, 0), INT32_MIN, NULL,
		WL_SHM_ERROR_INVALID_STRIDE, "size -2147483648 ");
}

TEST(pool_that_is_a_device)
{
	needs_statx();
	expect_refusal(open("/dev/null", O_RDWR | O_CLOEXEC),
		SHMGUARD_REASON_NOT_REGULAR);
}

TEST(pool_that_is_a_directory)
{
	needs_statx();
	expect_refusal(open("/", O_RDONLY | O_CLOEXEC),
		SHMGUARD_REASON_NOT_REGULAR);
}

TEST(pool_that_is_a_pipe)
{
	needs_statx();
	int ends[2];
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	close(ends[1]);
	expect_refusal(ends[0], SHMGUARD_REASON_NOT_REGULAR);
}

TEST(pool_that_is_a_path)
{
	expect_refusal(open("/proc/self/stat", O_PATH | O_CLOEXEC),
		SHMGUARD_REASON_PATH_ONLY);
}

TEST(pool_that_cannot_be_read)
{
	int fd = harness_memfd(4096, 0, 0);
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int write_only = open(path, O_WRONLY | O_CLOEXEC);
	close(fd);
	expect_refusal(write_only, SHMGUARD_REASON_WRITE_ONLY);
}

TEST(pool_that_the_policy_forbids)
{
	struct shmguard_policy policy = {.unsealed = SHMGUARD_UNSEALED_REJECT};
	expect_pool_error(harness_memfd(4096, 0, 0), 4096, &policy,
		WL_SHM_ERROR_INVALID_FD, shmguard_reason_text(SHMGUARD_REASON_POLICY));
}

TEST(pool_of_the_greatest_number_of_bytes)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	int fd = harness_memfd(4096, 0, 0);
	struct wl_shm_pool *pool =
		wl_shm_create_pool(fixture.client.shm, fd, INT32_MAX);
	struct wl_buffer *buffer = wl_shm_pool_create_buffer(pool,
		INT32_MAX - 4096, 32, 32, 128, WL_SHM_FORMAT_ARGB8888);
	ck_assert(shm_client_roundtrip(&fixture.client));

	wl_buffer_destroy(buffer);
	wl_shm_pool_destroy(pool);
	guard_fixture_finish(&fixture);
	close(fd);
}

static void
expect_accepted(int fd, enum shmguard_reason reason)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	struct wl_buffer *proxy =
		shm_client_buffer(&fixture.client, fd, 4096, 32, 32);
	struct shmguard_buffer *buffer = guard_fixture_buffer(&fixture, proxy);
	ck_assert_int_eq(shmguard_buffer_reason(buffer), reason);

	struct shmguard_view view;
	ck_assert_int_eq(shmguard_buffer_begin_read(buffer, &view), 0);
	ck_assert_int_eq(((unsigned char *)view.data)[4095], 0x5a);
	ck_assert_int_eq(shmguard_view_end(&view), 0);

	errno = 0;
	ck_assert_int_eq(shmguard_buffer_begin_write(buffer, &view), -1);
	ck_assert(errno == EACCES || errno == EPERM);
	ck_assert(shm_client_roundtrip(&fixture.client));

	wl_buffer_destroy(proxy);
	guard_fixture_finish(&fixture);
	close(fd);
}

TEST(F22_read_only_descriptor_is_accepted)
{
	int fd = harness_memfd(4096, 0x5a, 0);
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int read_only = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(read_only, 0);
	close(fd);
	expect_accepted(read_only, SHMGUARD_REASON_SEALABLE);
}

TEST(F22_write_sealed_file_is_accepted)
{
	expect_accepted(harness_memfd(4096, 0x5a, F_SEAL_SHRINK | F_SEAL_WRITE),
		SHMGUARD_REASON_SEALED);
}

/* ---- create_buffer ---- */

struct geometry {
	int32_t offset, width, height, stride;
	uint32_t format;
};

/* Buffers in a pool of 64 KiB; `code` < 0: accepted. */
static void
expect_buffer(const struct geometry *geometry, int code)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	ck_assert_int_eq(shmguard_add_format(fixture.guard, RGB888), 0);
	ck_assert_int_eq(shmguard_add_format(fixture.guard, NV12), 0);

	int fd = harness_memfd(65536, 0, 0);
	struct wl_shm_pool *pool =
		wl_shm_create_pool(fixture.client.shm, fd, 65536);
	struct wl_buffer *buffer = wl_shm_pool_create_buffer(pool,
		geometry->offset, geometry->width, geometry->height,
		geometry->stride, geometry->format);
	bool accepted = shm_client_roundtrip(&fixture.client);
	if (code < 0)
		ck_assert_msg(accepted, "%s", shm_client_message());
	else
		shm_client_expect_error(&fixture.client, "wl_shm_pool",
			(uint32_t)code);

	wl_buffer_destroy(buffer);
	wl_shm_pool_destroy(pool);
	guard_fixture_finish(&fixture);
	close(fd);
}

static void
expect_buffers(const struct geometry *geometries, size_t count, int code)
{
	for (size_t i = 0; i < count; i++)
		expect_buffer(&geometries[i], code);
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

TEST(buffers_that_fit)
{
	static const struct geometry fit[] = {
		{0, 128, 128, 512, WL_SHM_FORMAT_ARGB8888},
		{65532, 1, 1, 4, WL_SHM_FORMAT_XRGB8888},
		{1, 1, 1, 4, WL_SHM_FORMAT_XRGB8888},
		{0, 1, 128, 512, WL_SHM_FORMAT_XRGB8888},
		{0, 16384, 1, 65536, WL_SHM_FORMAT_ARGB8888},
		{0, 1, 16384, 4, WL_SHM_FORMAT_ARGB8888},
	};
	expect_buffers(fit, COUNT(fit), -1);
}

TEST(F23_padded_stride_of_three_byte_pixels_is_accepted)
{
	expect_buffer(&(struct geometry){0, 10, 10, 32, RGB888}, -1);
}

TEST(formats_that_were_not_offered)
{
	static const struct geometry foreign[] = {
		{0, 1, 1, 4, WL_SHM_FORMAT_ABGR8888},
		{0, 1, 1, 4, 0x34325258 /* XRGB8888, as DRM calls it */},
		{0, 1, 1, 4, UINT32_MAX},
		/* The format is looked at first. */
		{-1, -1, -1, -1, WL_SHM_FORMAT_ABGR8888},
	};
	expect_buffers(foreign, COUNT(foreign), WL_SHM_ERROR_INVALID_FORMAT);
}

TEST(buffers_that_are_nonsense)
{
	static const struct geometry bad[] = {
		{-1, 1, 1, 4, WL_SHM_FORMAT_ARGB8888},
		{INT32_MIN, 1, 1, 4, WL_SHM_FORMAT_ARGB8888},
		{0, 0, 1, 4, WL_SHM_FORMAT_ARGB8888},
		{0, -1, 1, 4, WL_SHM_FORMAT_ARGB8888},
		{0, INT32_MIN, 1, 4, WL_SHM_FORMAT_ARGB8888},
		{0, 1, 0, 4, WL_SHM_FORMAT_ARGB8888},
		{0, 1, -1, 4, WL_SHM_FORMAT_ARGB8888},
		{0, 1, INT32_MIN, 4, WL_SHM_FORMAT_ARGB8888},
		{0, 1, 1, 0, WL_SHM_FORMAT_ARGB8888},
		{0, 1, 1, -4, WL_SHM_FORMAT_ARGB8888},
		{0, 1, 1, INT32_MIN, WL_SHM_FORMAT_ARGB8888},
	};
	expect_buffers(bad, COUNT(bad), WL_SHM_ERROR_INVALID_STRIDE);
}

TEST(buffers_that_do_not_fit)
{
	static const struct geometry bad[] = {
		{65533, 1, 1, 4, WL_SHM_FORMAT_ARGB8888},
		{65536, 1, 1, 4, WL_SHM_FORMAT_ARGB8888},
		{INT32_MAX, 1, 1, 4, WL_SHM_FORMAT_ARGB8888},
		{1, 128, 128, 512, WL_SHM_FORMAT_ARGB8888},
		{0, 128, 129, 512, WL_SHM_FORMAT_ARGB8888},
		/* the last row counts with its full stride */
		{0, 1, 1, 65537, WL_SHM_FORMAT_ARGB8888},
		{0, INT32_MAX, INT32_MAX, INT32_MAX, WL_SHM_FORMAT_ARGB8888},
		{INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX, WL_SHM_FORMAT_ARGB8888},
		{0, 1, INT32_MAX, 4, WL_SHM_FORMAT_ARGB8888},
		{0, 1, INT32_MAX, INT32_MAX, WL_SHM_FORMAT_ARGB8888},
		/* 2^32 bytes */
		{0, 1, 1 << 30, 4, WL_SHM_FORMAT_ARGB8888},
		{0, 1 << 30, 1, INT32_MAX, WL_SHM_FORMAT_ARGB8888},
	};
	expect_buffers(bad, COUNT(bad), WL_SHM_ERROR_INVALID_STRIDE);
}

TEST(F2_strides_shorter_than_a_row)
{
	static const struct geometry bad[] = {
		{0, 4096, 1, 4096, WL_SHM_FORMAT_ARGB8888},
		{0, 2, 1, 7, WL_SHM_FORMAT_ARGB8888},
		{0, 3, 1, 8, RGB888},
	};
	expect_buffers(bad, COUNT(bad), WL_SHM_ERROR_INVALID_STRIDE);
}

TEST(F3_all_planes_must_fit)
{
	expect_buffer(&(struct geometry){0, 256, 170, 256, NV12}, -1);
	/* The first plane alone would fit exactly. */
	expect_buffer(&(struct geometry){0, 256, 256, 256, NV12},
		WL_SHM_ERROR_INVALID_STRIDE);
	expect_buffer(&(struct geometry){256, 256, 170, 256, NV12}, -1);
	expect_buffer(&(struct geometry){257, 256, 170, 256, NV12},
		WL_SHM_ERROR_INVALID_STRIDE);
}

/* ---- resize ---- */

static void
expect_resize_error(int32_t size)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	int fd = harness_memfd(8192, 0, 0);
	struct wl_shm_pool *pool =
		wl_shm_create_pool(fixture.client.shm, fd, 8192);
	wl_shm_pool_resize(pool, size);
	ck_assert(!shm_client_roundtrip(&fixture.client));
	shm_client_expect_error(&fixture.client, "wl_shm_pool",
		WL_SHM_ERROR_INVALID_FD);
	ck_assert_ptr_nonnull(strstr(guard_fixture_log(), "8192"));

	wl_shm_pool_destroy(pool);
	guard_fixture_finish(&fixture);
	close(fd);
}

TEST(F11_pool_cannot_shrink)
{
	expect_resize_error(8191);
	expect_resize_error(1);
	expect_resize_error(0);
	expect_resize_error(-1);
	expect_resize_error(INT32_MIN);
}

/* ---- The global ---- */

TEST(versions_are_what_libwayland_knows)
{
	struct wl_display *server = shm_server_create();
	errno = 0;
	ck_assert_ptr_null(shmguard_create_with_version(server, 0, NULL));
	ck_assert_int_eq(errno, EINVAL);

	struct shmguard *guard =
		shmguard_create_with_version(server, UINT32_MAX, NULL);
	ck_assert_ptr_nonnull(guard);
	ck_assert_ptr_nonnull(shmguard_global(guard));
	struct shm_client client;
	shm_client_connect(&client, server);
	ck_assert_uint_ge(client.shm_version, 1);
	ck_assert_uint_le(client.shm_version,
		(uint32_t)wl_shm_interface.version);
	shm_client_disconnect(&client);
	shmguard_destroy(guard);
	shmguard_destroy(NULL);
	shm_server_destroy(server);
}

/* Toolkits have several parts that bind what they need. */
TEST(a_client_may_bind_twice)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	struct wl_shm *second = wl_registry_bind(fixture.client.registry,
		fixture.client.shm_name, &wl_shm_interface, 1);
	int fd = harness_memfd(4096, 0, 0);
	struct wl_shm_pool *pool = wl_shm_create_pool(second, fd, 4096);
	ck_assert_msg(shm_client_roundtrip(&fixture.client), "%s",
		shm_client_message());
	/* Of both together. */
	struct shmguard_usage usage;
	shmguard_client_usage(fixture.guard, fixture.client.connection, &usage);
	ck_assert_uint_eq(usage.pools, 1);
	wl_shm_destroy(second);
	ck_assert(shm_client_roundtrip(&fixture.client));
	shmguard_client_usage(fixture.guard, fixture.client.connection, &usage);
	ck_assert_uint_eq(usage.pools, 1);
	wl_shm_pool_destroy(pool);
	guard_fixture_finish(&fixture);
	close(fd);
}
