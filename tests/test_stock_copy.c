/* SPDX-License-Identifier: MIT */

/*
 * The wl_shm functions of libwayland-server with SHMGUARD_UNSEALED=copy: what
 * hosts of that interface rely on holds for buffers that are not mapped too.
 */

#include "harness.h"
#include "stock_fixture.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((constructor))
static void
want_copies(void)
{
	setenv("SHMGUARD_UNSEALED", "copy", 1);
}

static void
draw(struct stock_fixture *stock, int byte)
{
	unsigned char bytes[STOCK_POOL_SIZE];
	memset(bytes, byte, sizeof(bytes));
	ck_assert_int_eq(pwrite(stock->fd, bytes, sizeof(bytes), 0),
		sizeof(bytes));
}

static void
check_file(struct stock_fixture *stock, int byte)
{
	unsigned char first;
	ck_assert_int_eq(pread(stock->fd, &first, 1, 0), 1);
	ck_assert_int_eq(first, byte);
}

TEST(each_access_reads_the_file_to_the_same_address)
{
	struct stock_fixture stock;
	stock_fixture_init(&stock);
	const void *data = wl_shm_buffer_get_data(stock.buffer);
	for (int byte = 1; byte < 4; byte++) {
		draw(&stock, byte);
		/* What was asked for ahead is taken for the first access. */
		int expected = byte == 1 ? 0x5a : byte;
		wl_shm_buffer_begin_access(stock.buffer);
		ck_assert_ptr_eq(wl_shm_buffer_get_data(stock.buffer), data);
		ck_assert_int_eq(byte_at(data, 0), expected);
		ck_assert_int_eq(byte_at(data, STOCK_POOL_SIZE - 1), expected);
		wl_shm_buffer_end_access(stock.buffer);
	}
	ck_assert(shm_client_roundtrip(&stock.client));
	stock_fixture_finish(&stock);
}

TEST(data_asked_for_outside_of_an_access_is_there)
{
	struct stock_fixture stock;
	stock_fixture_init(&stock);
	wl_shm_buffer_begin_access(stock.buffer);
	wl_shm_buffer_end_access(stock.buffer);

	struct wl_shm_pool *pool = wl_shm_buffer_ref_pool(stock.buffer);
	const void *data = wl_shm_buffer_get_data(stock.buffer);
	stock_fixture_destroy_proxy(&stock);
	ck_assert_int_eq(byte_at(data, STOCK_POOL_SIZE - 1), 0x5a);
	wl_shm_pool_unref(pool);
	stock_fixture_finish(&stock);
}

TEST(nested_accesses_see_the_same)
{
	struct stock_fixture stock;
	stock_fixture_init(&stock);
	wl_shm_buffer_begin_access(stock.buffer);
	const void *data = wl_shm_buffer_get_data(stock.buffer);
	draw(&stock, 1);
	wl_shm_buffer_begin_access(stock.buffer);
	ck_assert_int_eq(byte_at(data, 0), 0x5a);
	wl_shm_buffer_end_access(stock.buffer);
	ck_assert_int_eq(byte_at(data, 0), 0x5a);
	wl_shm_buffer_end_access(stock.buffer);
	stock_fixture_finish(&stock);
}

TEST(memory_is_given_back_after_an_access)
{
	struct stock_fixture stock;
	stock_fixture_init(&stock);
	wl_shm_buffer_begin_access(stock.buffer);
	const void *data = wl_shm_buffer_get_data(stock.buffer);
	ck_assert_int_eq(byte_at(data, 0), 0x5a);
	wl_shm_buffer_end_access(stock.buffer);
	ck_assert_int_eq(byte_at(data, 0), 0);
	/* One that was never begun does no harm. */
	wl_shm_buffer_end_access(stock.buffer);
	stock_fixture_finish(&stock);
}

TEST(stores_stay_here)
{
	struct stock_fixture stock;
	stock_fixture_init(&stock);
	wl_shm_buffer_begin_access(stock.buffer);
	memset(wl_shm_buffer_get_data(stock.buffer), 1, STOCK_POOL_SIZE);
	draw(&stock, 2);
	wl_shm_buffer_end_access(stock.buffer);
	check_file(&stock, 2);
	stock_fixture_finish(&stock);
}

TEST(I7_lost_bytes_are_zeros_and_the_client_is_told)
{
	struct stock_fixture stock;
	stock_fixture_init(&stock);
	stock_fixture_truncate(&stock);
	stock_access_truncated(stock.buffer);
	ck_assert(!shm_client_roundtrip(&stock.client));
	shm_client_expect_error(&stock.client, "wl_buffer",
		WL_SHM_ERROR_INVALID_FD);
	stock_fixture_finish(&stock);
}

static void *
access_often(void *data)
{
	struct wl_shm_buffer *buffer = data;
	for (int i = 0; i < 200; i++) {
		wl_shm_buffer_begin_access(buffer);
		ck_assert_int_eq(byte_at(wl_shm_buffer_get_data(buffer), 0), 0x5a);
		wl_shm_buffer_end_access(buffer);
	}
	return NULL;
}

TEST(threads_do_not_take_it_from_each_other)
{
	struct stock_fixture stock;
	stock_fixture_init(&stock);
	pthread_t threads[3];
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, access_often,
			stock.buffer), 0);
	for (size_t i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	stock_fixture_finish(&stock);
}

/* A pool costs no mapping here, each of its buffers does. */
TEST(I9_copies_count_as_mappings)
{
	enum { LIMIT = 3 };
	static char setting[] = "SHMGUARD_MAX_MAPPINGS=3";
	ck_assert_int_eq(putenv(setting), 0);
	struct stock_fixture stock;
	stock_fixture_init_empty(&stock);
	stock.fd = harness_memfd(STOCK_POOL_SIZE, 0, 0);
	struct wl_buffer *buffers[LIMIT + 1];
	struct wl_shm_pool *pool =
		wl_shm_create_pool(stock.client.shm, stock.fd, STOCK_POOL_SIZE);
	for (int i = 0; i <= LIMIT; i++) {
		buffers[i] = wl_shm_pool_create_buffer(pool, 0, 1, 1, 4,
			WL_SHM_FORMAT_ARGB8888);
		ck_assert_int_eq(shm_client_roundtrip(&stock.client), i < LIMIT);
	}
	shm_client_expect_error(&stock.client, "wl_display",
		WL_DISPLAY_ERROR_NO_MEMORY);
	ck_assert_ptr_nonnull(strstr(shm_client_message(), "3 mappings"));
	for (int i = 0; i <= LIMIT; i++)
		wl_buffer_destroy(buffers[i]);
	wl_shm_pool_destroy(pool);
	stock_fixture_finish(&stock);
}
