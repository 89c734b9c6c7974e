/* SPDX-License-Identifier: MIT */

/* Clients with sparse files, and copies of buffers (F18). */

#include "guard_fixture.h"
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* 4 MiB, and a limit of twice as much. */
enum { WIDTH = 1024, HEIGHT = 1024, BUFFER_SIZE = WIDTH * HEIGHT * 4 };

static const struct shmguard_policy eight_mebibytes = {
	.limits = {.client = {.holes = 8 << 20}},
};

static int
sparse_file(size_t size)
{
	return harness_memfd(size, 0, 0);
}

static long
stored_kilobytes(int fd)
{
	struct stat file;
	ck_assert_int_eq(fstat(fd, &file), 0);
	return (long)(file.st_blocks / 2);
}

static int
read_all(struct shmguard_buffer *buffer)
{
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_buffer_begin_read(buffer, &view), 0);
	for (size_t at = 0; at < view.size; at += 4096)
		ck_assert_int_eq(((volatile char *)view.data)[at], 0);
	return shmguard_view_end(&view);
}

TEST(F18_holes_past_the_limit_end_the_client)
{
	enum { BUFFERS = 4 };
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, &eight_mebibytes);
	struct wl_buffer *buffers[BUFFERS];
	int fds[BUFFERS], results[BUFFERS];
	long stored = 0;
	for (int i = 0; i < BUFFERS; i++) {
		fds[i] = sparse_file(BUFFER_SIZE);
		buffers[i] = shm_client_buffer(&fixture.client, fds[i],
			BUFFER_SIZE, WIDTH, HEIGHT);
	}
	for (int i = 0; i < BUFFERS; i++) {
		results[i] = read_all(guard_fixture_buffer(&fixture, buffers[i]));
		stored += stored_kilobytes(fds[i]);
	}
	ck_assert_int_eq(results[0], 0);
	ck_assert_int_eq(results[1], 0);
	if (results[2] == 0)
		SKIP("something is swapped out");
	ck_assert_int_eq(results[2], -1);
	ck_assert_int_eq(results[3], -1);
	ck_assert_int_eq(stored, 8 << 10);

	ck_assert(!shm_client_roundtrip(&fixture.client));
	shm_client_expect_error(&fixture.client, "wl_display",
		WL_DISPLAY_ERROR_NO_MEMORY);
	ck_assert_msg(strstr(guard_fixture_log(), "8388608 bytes of filled holes")
		!= NULL, "%s", guard_fixture_log());
	for (int i = 0; i < BUFFERS; i++) {
		wl_buffer_destroy(buffers[i]);
		close(fds[i]);
	}
	guard_fixture_finish(&fixture);
}

TEST(F18_holes_are_given_back_with_the_pool)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, &eight_mebibytes);
	for (int i = 0; i < 10; i++) {
		int fd = sparse_file(BUFFER_SIZE / 2);
		struct wl_buffer *buffer = shm_client_buffer(&fixture.client, fd,
			BUFFER_SIZE / 2, WIDTH, HEIGHT / 2);
		ck_assert_int_eq(
			read_all(guard_fixture_buffer(&fixture, buffer)), 0);
		wl_buffer_destroy(buffer);
		ck_assert(shm_client_roundtrip(&fixture.client));
		close(fd);
	}
	guard_fixture_finish(&fixture);
}

/* Nobody may ever look: a client makes its buffers before it draws. */
TEST(buffers_that_are_not_drawn_yet_cost_nothing)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, &eight_mebibytes);
	int fd = sparse_file(8 * BUFFER_SIZE);
	struct wl_shm_pool *pool = wl_shm_create_pool(fixture.client.shm, fd,
		8 * BUFFER_SIZE);
	struct wl_buffer *buffers[8];
	for (int i = 0; i < 8; i++)
		buffers[i] = wl_shm_pool_create_buffer(pool, i * BUFFER_SIZE,
			WIDTH, HEIGHT, WIDTH * 4, WL_SHM_FORMAT_ARGB8888);
	ck_assert(shm_client_roundtrip(&fixture.client));
	struct shmguard_usage usage;
	shmguard_client_usage(fixture.guard, fixture.client.connection, &usage);
	ck_assert_uint_eq(usage.holes, 0);
	ck_assert_int_eq(stored_kilobytes(fd), 0);
	for (int i = 0; i < 8; i++)
		wl_buffer_destroy(buffers[i]);
	wl_shm_pool_destroy(pool);
	guard_fixture_finish(&fixture);
	close(fd);
}

/* ---- Copies ---- */

TEST(F18_copy_of_a_buffer_fills_no_holes)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	int fd = sparse_file(BUFFER_SIZE);
	struct wl_buffer *proxy = shm_client_buffer(&fixture.client, fd,
		BUFFER_SIZE, WIDTH, HEIGHT);
	struct shmguard_buffer *buffer = guard_fixture_buffer(&fixture, proxy);
	ck_assert_int_eq(pwrite(fd, "pixel", 4, (WIDTH * 10 + WIDTH - 1) * 4), 4);
	char *copy = malloc(WIDTH * 4 * 2);
	ck_assert_ptr_nonnull(copy);
	memset(copy, 1, WIDTH * 4 * 2);
	ck_assert_int_eq(shmguard_buffer_copy(buffer, 10, 2, copy, WIDTH * 4), 0);
	ck_assert_int_eq(memcmp(copy + (WIDTH - 1) * 4, "pixe", 4), 0);
	for (int i = 0; i < (WIDTH - 1) * 4; i++)
		ck_assert_int_eq(copy[i] | copy[WIDTH * 4 + i], 0);
	ck_assert_int_le(stored_kilobytes(fd), 8);
	free(copy);
	wl_buffer_destroy(proxy);
	guard_fixture_finish(&fixture);
	close(fd);
}

TEST(rows_without_their_padding_are_copied)
{
	enum { STRIDE = 64, ROWS = 4, OFFSET = 100 };
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	int fd = harness_memfd(4096, 0, 0);
	for (int i = 0; i < 4096; i++)
		ck_assert_int_eq(pwrite(fd, &(char){(char)(i % 251)}, 1, i), 1);
	struct wl_shm_pool *pool =
		wl_shm_create_pool(fixture.client.shm, fd, 4096);
	struct wl_buffer *proxy = wl_shm_pool_create_buffer(pool, OFFSET, 3, ROWS,
		STRIDE, WL_SHM_FORMAT_XRGB8888);
	ck_assert(shm_client_roundtrip(&fixture.client));
	struct shmguard_buffer *buffer = guard_fixture_buffer(&fixture, proxy);

	unsigned char to[2][20];
	memset(to, 0xee, sizeof(to));
	ck_assert_int_eq(shmguard_buffer_copy(buffer, 1, 2, to, 20), 0);
	for (int y = 0; y < 2; y++) {
		for (int x = 0; x < 20; x++)
			ck_assert_int_eq(to[y][x], x >= 12 ? 0xee :
				(OFFSET + (1 + y) * STRIDE + x) % 251);
	}

	static const struct { int first, rows; size_t to_stride; } bad[] = {
		{-1, 1, 20}, {0, 0, 20}, {0, -1, 20}, {0, ROWS + 1, 20},
		{ROWS, 1, 20}, {INT32_MAX, 1, 20}, {1, INT32_MAX, 20}, {0, 1, 11},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(shmguard_buffer_copy(buffer, bad[i].first,
			bad[i].rows, to, bad[i].to_stride), -1);
		ck_assert_int_eq(errno, ERANGE);
	}
	wl_buffer_destroy(proxy);
	wl_shm_pool_destroy(pool);
	guard_fixture_finish(&fixture);
	close(fd);
}

TEST(copy_wants_rows_that_lie_next_to_each_other)
{
	enum { X0L0 = 0x304c3058 }; /* blocks of two rows */
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	ck_assert_int_eq(shmguard_add_format(fixture.guard, X0L0), 0);
	int fd = harness_memfd(4096, 1, 0);
	struct wl_shm_pool *pool =
		wl_shm_create_pool(fixture.client.shm, fd, 4096);
	struct wl_buffer *proxy = wl_shm_pool_create_buffer(pool, 0, 8, 8, 64,
		X0L0);
	ck_assert_msg(shm_client_roundtrip(&fixture.client), "%s",
		shm_client_message());
	char row[64];
	errno = 0;
	ck_assert_int_eq(shmguard_buffer_copy(
		guard_fixture_buffer(&fixture, proxy), 0, 1, row, sizeof(row)), -1);
	ck_assert_int_eq(errno, ENOTSUP);
	wl_buffer_destroy(proxy);
	wl_shm_pool_destroy(pool);
	guard_fixture_finish(&fixture);
	close(fd);
}

/* There is nobody left to be told. */
TEST(F18_holes_past_the_limit_after_the_client_has_left)
{
	static const struct shmguard_policy small = {
		.limits = {.client = {.holes = 4096}},
	};
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, &small);
	int fd = sparse_file(BUFFER_SIZE);
	struct wl_buffer *proxy = shm_client_buffer(&fixture.client, fd,
		BUFFER_SIZE, WIDTH, HEIGHT);
	struct shmguard_buffer *buffer =
		shmguard_buffer_ref(guard_fixture_buffer(&fixture, proxy));
	wl_buffer_destroy(proxy);
	shm_client_roundtrip(&fixture.client);
	wl_client_destroy(fixture.client.connection);
	if (read_all(buffer) == 0)
		SKIP("something is swapped out");
	ck_assert_int_eq(errno, EFAULT);
	shm_client_serve(&fixture.client);
	shmguard_buffer_unref(buffer);
	guard_fixture_finish(&fixture);
	close(fd);
}
