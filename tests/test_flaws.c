/* SPDX-License-Identifier: MIT */

/*
 * What is wrong with guards against SIGBUS that exist (docs/flaws.md), as far as
 * a compositor meets it through libwayland's wl_shm functions. Each test fails
 * where the flaw is: linked with libwayland alone this file is a program that
 * shows which of them libwayland has. This half is about single accesses.
 */

#include "harness.h"
#include "stock_fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* As drm_fourcc.h calls them. */
#define RGB888 0x34324752
#define NV12 0x3231564e

STOCK_TEST(F1_sealed_pool_grows_and_its_file_does_not)
{
	struct stock_fixture scene;
	stock_fixture_init_empty(&scene);
	scene.fd = harness_memfd(4096, 0x5a, F_SEAL_SHRINK);
	struct wl_shm_pool *pool =
		wl_shm_create_pool(scene.client.shm, scene.fd, 4096);
	wl_shm_pool_resize(pool, 1 << 20);
	scene.proxy = wl_shm_pool_create_buffer(pool, 0, 128, 128, 512,
		WL_SHM_FORMAT_ARGB8888);
	ck_assert(shm_client_roundtrip(&scene.client));
	stock_access_truncated(stock_fixture_buffer(&scene, scene.proxy));
	ck_assert(!shm_client_roundtrip(&scene.client));
	wl_shm_pool_destroy(pool);
	stock_fixture_finish(&scene);
}

static void
expect_invalid_stride(int32_t width, int32_t height, int32_t stride,
	uint32_t format)
{
	struct stock_fixture scene;
	stock_fixture_init_empty(&scene);
	ck_assert_ptr_nonnull(wl_display_add_shm_format(scene.server, format));
	scene.fd = harness_memfd(4096, 0, 0);
	struct wl_shm_pool *pool =
		wl_shm_create_pool(scene.client.shm, scene.fd, 4096);
	scene.proxy = wl_shm_pool_create_buffer(pool, 0, width, height, stride,
		format);
	ck_assert_msg(!shm_client_roundtrip(&scene.client),
		"a buffer was accepted that ends past its pool");
	shm_client_expect_error(&scene.client, "wl_shm_pool",
		WL_SHM_ERROR_INVALID_STRIDE);
	wl_shm_pool_destroy(pool);
	stock_fixture_finish(&scene);
}

STOCK_TEST(F2_stride_in_pixels)
{
	expect_invalid_stride(4096, 1, 4096, WL_SHM_FORMAT_ARGB8888);
}

STOCK_TEST(F3_planes_past_the_pool)
{
	expect_invalid_stride(64, 64, 64, NV12);
}

static void *
read_last_byte(void *data)
{
	ck_assert_int_eq(byte_at(data, STOCK_POOL_SIZE - 1), 0);
	return NULL;
}

STOCK_TEST(F4_access_by_another_thread_than_began_it)
{
	struct stock_fixture scene;
	stock_fixture_init(&scene);
	stock_fixture_truncate(&scene);
	wl_shm_buffer_begin_access(scene.buffer);
	run_on_thread(read_last_byte, wl_shm_buffer_get_data(scene.buffer));
	wl_shm_buffer_end_access(scene.buffer);
	ck_assert(!shm_client_roundtrip(&scene.client));
	stock_fixture_finish(&scene);
}

STOCK_TEST(F5_access_to_two_pools_at_once)
{
	struct stock_fixture first, second;
	stock_fixture_init(&first);
	stock_fixture_init(&second);
	wl_shm_buffer_begin_access(first.buffer);
	stock_fixture_truncate(&second);
	stock_access_truncated(second.buffer);
	ck_assert_int_eq(byte_at(wl_shm_buffer_get_data(first.buffer), 0), 0x5a);
	wl_shm_buffer_end_access(first.buffer);
	ck_assert(shm_client_roundtrip(&first.client));
	ck_assert(!shm_client_roundtrip(&second.client));
	stock_fixture_finish(&first);
	stock_fixture_finish(&second);
}

STOCK_TEST(F6_resize_while_the_compositor_holds_the_pool)
{
	struct stock_fixture scene;
	stock_fixture_init_empty(&scene);
	scene.fd = harness_memfd(2 * STOCK_POOL_SIZE, 0x5a, 0);
	struct wl_shm_pool *pool =
		wl_shm_create_pool(scene.client.shm, scene.fd, STOCK_POOL_SIZE);
	scene.proxy = wl_shm_pool_create_buffer(pool, 0, 128, 128, 512,
		WL_SHM_FORMAT_ARGB8888);
	ck_assert(shm_client_roundtrip(&scene.client));
	struct wl_shm_buffer *buffer = stock_fixture_buffer(&scene, scene.proxy);
	const void *data = wl_shm_buffer_get_data(buffer);
	struct wl_shm_pool *held = wl_shm_buffer_ref_pool(buffer);

	wl_shm_pool_resize(pool, 2 * STOCK_POOL_SIZE);
	struct wl_buffer *grown = wl_shm_pool_create_buffer(pool, STOCK_POOL_SIZE, 128,
		128, 512, WL_SHM_FORMAT_ARGB8888);
	ck_assert_msg(shm_client_roundtrip(&scene.client),
		"a correct client was disconnected: %s", shm_client_message());
	ck_assert_int_eq(byte_at(data, STOCK_POOL_SIZE - 1), 0x5a);
	wl_shm_pool_unref(held);

	wl_buffer_destroy(grown);
	wl_shm_pool_destroy(pool);
	stock_fixture_finish(&scene);
}

/* ---- The host's own SIGBUS ---- */

static volatile sig_atomic_t host_signals;
static siginfo_t host_info;

static void
host_handler(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	/* A fault that comes here would come again and again. */
	if (info->si_code > 0)
		_exit(2);
	host_signals++;
	host_info = *info;
}

static void
send_sigbus_to_host(int value)
{
	ck_assert_int_eq(pthread_sigqueue(pthread_self(), SIGBUS,
		(union sigval){.sival_int = value}), 0);
	ck_assert_int_eq(host_signals, 1);
}

static void
host_installs_handler(void)
{
	struct sigaction action = {
		.sa_sigaction = host_handler,
		.sa_flags = SA_SIGINFO,
	};
	ck_assert_int_eq(sigaction(SIGBUS, &action, NULL), 0);
}

STOCK_TEST(F7_foreign_sigbus_loses_its_siginfo)
{
	host_installs_handler();
	struct stock_fixture scene;
	stock_fixture_init(&scene);
	wl_shm_buffer_begin_access(scene.buffer);
	send_sigbus_to_host(42);
	ck_assert_int_eq(host_info.si_code, SI_QUEUE);
	ck_assert_int_eq(host_info.si_value.sival_int, 42);
	wl_shm_buffer_end_access(scene.buffer);
	stock_fixture_finish(&scene);
}

STOCK_TEST(F7_foreign_sigbus_ends_the_protection)
{
	host_installs_handler();
	struct stock_fixture scene;
	stock_fixture_init(&scene);
	wl_shm_buffer_begin_access(scene.buffer);
	send_sigbus_to_host(0);
	wl_shm_buffer_end_access(scene.buffer);
	stock_fixture_truncate(&scene);
	stock_access_truncated(scene.buffer);
	ck_assert(!shm_client_roundtrip(&scene.client));
	stock_fixture_finish(&scene);
}

TEST_DIES(F8_foreign_fault_dies_of_something_else, SIGBUS)
{
	struct stock_fixture scene;
	stock_fixture_init(&scene);
	wl_shm_buffer_begin_access(scene.buffer);
	int fd = harness_memfd(4096, 0, 0);
	void *own = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(own, MAP_FAILED);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	byte_at(own, 0);
}

STOCK_TEST(F14_reading_after_the_wl_buffer_is_gone)
{
	struct stock_fixture scene;
	stock_fixture_init(&scene);
	const void *data = wl_shm_buffer_get_data(scene.buffer);
	struct wl_shm_pool *held = wl_shm_buffer_ref_pool(scene.buffer);
	stock_fixture_destroy_proxy(&scene);
	stock_fixture_truncate(&scene);
	ck_assert_int_eq(byte_at(data, STOCK_POOL_SIZE - 1), 0);
	ck_assert(!shm_client_roundtrip(&scene.client));
	wl_shm_pool_unref(held);
	stock_fixture_finish(&scene);
}

/* ---- Threads and files that are a little different ---- */

STOCK_TEST(F21_thread_that_blocks_sigbus)
{
	sigset_t set, old;
	sigemptyset(&set);
	sigaddset(&set, SIGBUS);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	struct stock_fixture scene;
	stock_fixture_init(&scene);
	stock_fixture_truncate(&scene);
	stock_access_truncated(scene.buffer);
	ck_assert(!shm_client_roundtrip(&scene.client));
	stock_fixture_finish(&scene);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* The compositor may store into any buffer, to copy the screen for instance:
 * that must neither kill it nor reach a file that is not to be written. The
 * pool grows in between, and loses its file in the end. */
static void
expect_stores_to_stay(int fd, int writer)
{
	struct stock_fixture scene;
	stock_fixture_init_empty(&scene);
	scene.fd = writer;
	struct wl_shm_pool *pool = wl_shm_create_pool(scene.client.shm, fd, 4096);
	wl_shm_pool_resize(pool, STOCK_POOL_SIZE);
	scene.proxy = wl_shm_pool_create_buffer(pool, 0, 128, 128, 512,
		WL_SHM_FORMAT_ARGB8888);
	ck_assert_msg(shm_client_roundtrip(&scene.client), "the file is refused");
	close(fd);

	struct wl_shm_buffer *buffer = stock_fixture_buffer(&scene, scene.proxy);
	unsigned char *data = wl_shm_buffer_get_data(buffer);
	wl_shm_buffer_begin_access(buffer);
	ck_assert_int_eq(byte_at(data, STOCK_POOL_SIZE - 1), 0x5a);
	memset(data, 1, STOCK_POOL_SIZE);
	wl_shm_buffer_end_access(buffer);

	unsigned char byte;
	ck_assert_int_eq(pread(writer, &byte, 1, 0), 1);
	ck_assert_int_eq(byte, 0x5a);
	if (!(fcntl(writer, F_GET_SEALS) & F_SEAL_SHRINK)) {
		stock_fixture_truncate(&scene);
		wl_shm_buffer_begin_access(buffer);
		ck_assert_int_eq(byte_at(data, STOCK_POOL_SIZE - 1), 0);
		wl_shm_buffer_end_access(buffer);
		ck_assert(!shm_client_roundtrip(&scene.client));
	}
	wl_shm_pool_destroy(pool);
	stock_fixture_finish(&scene);
}

STOCK_TEST(F22_read_only_descriptor_is_refused)
{
	int fd = harness_memfd(STOCK_POOL_SIZE, 0x5a, 0);
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	expect_stores_to_stay(open(path, O_RDONLY | O_CLOEXEC), fd);
}

STOCK_TEST(F22_write_sealed_file_is_refused)
{
	int fd = harness_memfd(STOCK_POOL_SIZE, 0x5a,
		F_SEAL_SHRINK | F_SEAL_WRITE);
	expect_stores_to_stay(fcntl(fd, F_DUPFD_CLOEXEC, 0), fd);
}

STOCK_TEST(F23_padded_stride_of_three_byte_pixels)
{
	struct stock_fixture scene;
	stock_fixture_init_empty(&scene);
	ck_assert_ptr_nonnull(wl_display_add_shm_format(scene.server, RGB888));
	scene.fd = harness_memfd(4096, 0, 0);
	struct wl_shm_pool *pool =
		wl_shm_create_pool(scene.client.shm, scene.fd, 4096);
	scene.proxy = wl_shm_pool_create_buffer(pool, 0, 10, 10, 32, RGB888);
	ck_assert_msg(shm_client_roundtrip(&scene.client), "%s",
		shm_client_message());
	wl_shm_pool_destroy(pool);
	stock_fixture_finish(&scene);
}
