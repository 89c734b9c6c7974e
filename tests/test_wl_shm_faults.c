/* SPDX-License-Identifier: MIT */

/* Clients that take back what they shared: who notices, when, and where. */

#include "guard_fixture.h"
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define POOL_SIZE 65536
#define KEPT_SIZE 4096

/* A client whose buffer is a whole pool of 0x5a. */
struct victim {
	struct guard_fixture fixture;
	int fd;
	struct wl_buffer *proxy;
	struct shmguard_buffer *buffer;
};

static void
victim_init(struct victim *victim, const struct shmguard_policy *policy,
	int seals)
{
	guard_fixture_init(&victim->fixture, policy);
	victim->fd = harness_memfd(POOL_SIZE, 0x5a, seals);
	victim->proxy = shm_client_buffer(&victim->fixture.client, victim->fd,
		POOL_SIZE, 128, 128);
	victim->buffer = guard_fixture_buffer(&victim->fixture, victim->proxy);
}

static void
victim_finish(struct victim *victim)
{
	if (victim->proxy != NULL)
		wl_buffer_destroy(victim->proxy);
	guard_fixture_finish(&victim->fixture);
	close(victim->fd);
}

static void
victim_truncate(struct victim *victim)
{
	ck_assert_int_eq(ftruncate(victim->fd, KEPT_SIZE), 0);
}

static void
expect_truncated(const void *data)
{
	const unsigned char *bytes = data;
	for (size_t i = 0; i < POOL_SIZE; i++)
		ck_assert_int_eq(bytes[i], i < KEPT_SIZE ? 0x5a : 0);
}

static void
expect_invalid_fd(struct victim *victim)
{
	ck_assert(!shm_client_roundtrip(&victim->fixture.client));
	shm_client_expect_error(&victim->fixture.client, "wl_buffer",
		WL_SHM_ERROR_INVALID_FD);
}

TEST(I7_truncated_before_the_access)
{
	struct victim victim;
	victim_init(&victim, NULL, 0);
	victim_truncate(&victim);

	struct shmguard_view view;
	ck_assert_int_eq(shmguard_buffer_begin_read(victim.buffer, &view), 0);
	expect_truncated(view.data);
	ck_assert_int_eq(shmguard_view_end(&view), -1);
	ck_assert_int_eq(errno, EFAULT);
	expect_invalid_fd(&victim);
	ck_assert_ptr_nonnull(strstr(guard_fixture_log(), "65536"));
	victim_finish(&victim);
}

TEST(I7_truncated_during_the_access)
{
	struct victim victim;
	victim_init(&victim, NULL, 0);

	struct shmguard_view view;
	ck_assert_int_eq(shmguard_buffer_begin_read(victim.buffer, &view), 0);
	ck_assert_int_eq(((unsigned char *)view.data)[POOL_SIZE - 1], 0x5a);
	victim_truncate(&victim);
	expect_truncated(view.data);
	ck_assert_int_eq(shmguard_view_end(&view), -1);
	expect_invalid_fd(&victim);
	victim_finish(&victim);
}

TEST(I7_truncated_before_a_write)
{
	struct victim victim;
	victim_init(&victim, NULL, 0);
	victim_truncate(&victim);

	struct shmguard_view view;
	ck_assert_int_eq(shmguard_buffer_begin_write(victim.buffer, &view), 0);
	memset(view.data, 0x77, view.size);
	ck_assert_int_eq(shmguard_view_end(&view), -1);
	unsigned char byte = 0;
	ck_assert_int_eq(pread(victim.fd, &byte, 1, KEPT_SIZE - 1), 1);
	ck_assert_int_eq(byte, 0x77);
	expect_invalid_fd(&victim);
	victim_finish(&victim);
}

static void *
end_view(void *data)
{
	struct victim *victim = data;
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_buffer_begin_read(victim->buffer, &view), 0);
	expect_truncated(view.data);
	ck_assert_int_eq(shmguard_buffer_end(victim->buffer, &view), -1);
	ck_assert_int_eq(errno, EFAULT);
	return NULL;
}

/* A compositor goes on to tell it that the frame is done. */
TEST(I7_client_is_told_before_what_follows_the_end)
{
	struct victim victim;
	victim_init(&victim, NULL, 0);
	victim_truncate(&victim);
	end_view(&victim);
	ck_assert(!shm_client_receive(&victim.fixture.client));
	expect_invalid_fd(&victim);
	victim_finish(&victim);
}

TEST(I5_end_on_another_thread_tells_nobody)
{
	struct victim victim;
	victim_init(&victim, NULL, 0);
	victim_truncate(&victim);
	run_on_thread(end_view, &victim);
	ck_assert(shm_client_receive(&victim.fixture.client));
	expect_invalid_fd(&victim);
	victim_finish(&victim);
}

TEST(I7_client_is_told_without_any_begin_or_end)
{
	struct victim victim;
	victim_init(&victim, NULL, 0);
	const void *data = shmguard_buffer_data(victim.buffer);
	victim_truncate(&victim);
	expect_truncated(data);
	expect_invalid_fd(&victim);
	victim_finish(&victim);
}

TEST(I7_nobody_else_notices)
{
	struct victim victim;
	victim_init(&victim, NULL, 0);
	struct shm_client other;
	shm_client_connect(&other, victim.fixture.server);
	int fd = harness_memfd(4096, 0x11, 0);
	struct wl_buffer *proxy = shm_client_buffer(&other, fd, 4096, 32, 32);
	struct shmguard_buffer *buffer = shmguard_buffer_from_resource(
		shm_client_resource(&other, proxy));

	victim_truncate(&victim);
	expect_truncated(shmguard_buffer_data(victim.buffer));
	expect_invalid_fd(&victim);
	ck_assert(shm_client_roundtrip(&other));
	ck_assert_int_eq(((unsigned char *)shmguard_buffer_data(buffer))[0], 0x11);

	wl_buffer_destroy(proxy);
	close(fd);
	shm_client_disconnect(&other);
	victim_finish(&victim);
}

static void *
read_data(void *data)
{
	expect_truncated(shmguard_buffer_data(data));
	return NULL;
}

static void *
read_view(void *data)
{
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_buffer_begin_read(data, &view), 0);
	expect_truncated(view.data);
	ck_assert_int_eq(shmguard_view_end(&view), -1);
	return NULL;
}

static void
expect_error_from_the_display_thread(void *(*access)(void *))
{
	struct victim victim;
	victim_init(&victim, NULL, 0);
	struct shm_client *client = &victim.fixture.client;
	victim_truncate(&victim);
	run_on_thread(access, victim.buffer);

	ck_assert(shm_client_receive(client));
	shm_client_serve(client);
	ck_assert(!shm_client_receive(client));
	shm_client_expect_error(client, "wl_buffer", WL_SHM_ERROR_INVALID_FD);
	victim_finish(&victim);
}

TEST(F4_I5_fault_of_another_thread_with_begin_and_end)
{
	expect_error_from_the_display_thread(read_view);
}

TEST(F4_I5_fault_of_another_thread_without)
{
	expect_error_from_the_display_thread(read_data);
}

TEST(F5_two_pools_at_once)
{
	struct victim first, second;
	victim_init(&first, NULL, 0);
	victim_init(&second, NULL, 0);
	struct shmguard_view outer, inner;
	ck_assert_int_eq(shmguard_buffer_begin_read(first.buffer, &outer), 0);
	ck_assert_int_eq(shmguard_buffer_begin_read(second.buffer, &inner), 0);
	victim_truncate(&first);
	victim_truncate(&second);
	expect_truncated(outer.data);
	expect_truncated(inner.data);
	ck_assert_int_eq(shmguard_view_end(&outer), -1);
	ck_assert_int_eq(shmguard_view_end(&inner), -1);
	expect_invalid_fd(&first);
	expect_invalid_fd(&second);
	victim_finish(&first);
	victim_finish(&second);
}

/* The buffer stays, and its wl_buffer goes. */
static void
destroy_resource(struct victim *victim)
{
	shmguard_buffer_ref(victim->buffer);
	wl_buffer_destroy(victim->proxy);
	victim->proxy = NULL;
	ck_assert(shm_client_roundtrip(&victim->fixture.client));
}

TEST(F14_truncated_after_the_wl_buffer_is_gone)
{
	struct victim victim;
	victim_init(&victim, NULL, 0);
	destroy_resource(&victim);
	victim_truncate(&victim);
	expect_truncated(shmguard_buffer_data(victim.buffer));
	ck_assert(!shm_client_roundtrip(&victim.fixture.client));
	shm_client_expect_error(&victim.fixture.client, "wl_display",
		WL_DISPLAY_ERROR_IMPLEMENTATION);
	shmguard_buffer_unref(victim.buffer);
	victim_finish(&victim);
}

TEST(I7_truncated_after_the_client_is_gone)
{
	struct victim victim;
	victim_init(&victim, NULL, 0);
	destroy_resource(&victim);
	wl_client_destroy(victim.fixture.client.connection);
	victim_truncate(&victim);
	expect_truncated(shmguard_buffer_data(victim.buffer));
	shm_client_serve(&victim.fixture.client);
	ck_assert_str_eq(guard_fixture_log(), "");
	shmguard_buffer_unref(victim.buffer);
	victim_finish(&victim);
}

TEST(I7_truncated_after_the_display_is_gone)
{
	struct victim victim;
	victim_init(&victim, NULL, 0);
	destroy_resource(&victim);
	shm_server_destroy(victim.fixture.server);
	victim.fixture.server = NULL;
	victim_truncate(&victim);
	expect_truncated(shmguard_buffer_data(victim.buffer));
	shmguard_buffer_unref(victim.buffer);
	victim_finish(&victim);
}

TEST(I7_fault_reported_after_the_buffer_is_gone)
{
	struct victim victim;
	victim_init(&victim, NULL, 0);
	victim_truncate(&victim);
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_buffer_begin_read(victim.buffer, &view), 0);
	wl_client_destroy(victim.fixture.client.connection);
	expect_truncated(view.data);
	shm_client_serve(&victim.fixture.client);
	ck_assert_int_eq(shmguard_view_end(&view), -1);
	shm_client_serve(&victim.fixture.client);
	victim_finish(&victim);
}

TEST(I6_old_pointer_faults_after_resize)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	int fd = harness_memfd(1 << 20, 0x5a, 0);
	struct wl_shm_pool *pool =
		wl_shm_create_pool(fixture.client.shm, fd, POOL_SIZE);
	struct wl_buffer *proxy = wl_shm_pool_create_buffer(pool, 0, 128, 128,
		512, WL_SHM_FORMAT_ARGB8888);
	ck_assert(shm_client_roundtrip(&fixture.client));
	const void *data =
		shmguard_buffer_data(guard_fixture_buffer(&fixture, proxy));
	wl_shm_pool_resize(pool, 1 << 20);
	ck_assert(shm_client_roundtrip(&fixture.client));

	ck_assert_int_eq(ftruncate(fd, KEPT_SIZE), 0);
	expect_truncated(data);
	ck_assert(!shm_client_roundtrip(&fixture.client));
	shm_client_expect_error(&fixture.client, "wl_buffer",
		WL_SHM_ERROR_INVALID_FD);

	wl_buffer_destroy(proxy);
	wl_shm_pool_destroy(pool);
	guard_fixture_finish(&fixture);
	close(fd);
}

TEST(F1_sealed_file_that_does_not_grow_with_its_pool)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	int fd = harness_memfd(4096, 0x5a, F_SEAL_SHRINK);
	struct wl_shm_pool *pool =
		wl_shm_create_pool(fixture.client.shm, fd, 4096);
	wl_shm_pool_resize(pool, 1 << 20);
	struct wl_buffer *proxy = wl_shm_pool_create_buffer(pool, 0, 128, 128,
		512, WL_SHM_FORMAT_ARGB8888);
	ck_assert(shm_client_roundtrip(&fixture.client));

	struct shmguard_buffer *buffer = guard_fixture_buffer(&fixture, proxy);
	ck_assert_int_ne(shmguard_buffer_tier(buffer), SHMGUARD_TIER_SEALED);
	ck_assert_int_eq(shmguard_buffer_reason(buffer), SHMGUARD_REASON_SHORT);
	expect_truncated(shmguard_buffer_data(buffer));
	ck_assert(!shm_client_roundtrip(&fixture.client));
	shm_client_expect_error(&fixture.client, "wl_buffer",
		WL_SHM_ERROR_INVALID_FD);

	wl_buffer_destroy(proxy);
	wl_shm_pool_destroy(pool);
	guard_fixture_finish(&fixture);
	close(fd);
}

TEST(sealed_file_cannot_be_taken_back)
{
	struct victim victim;
	victim_init(&victim, NULL, F_SEAL_SHRINK);
	ck_assert_int_eq(ftruncate(victim.fd, KEPT_SIZE), -1);
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_buffer_begin_read(victim.buffer, &view), 0);
	ck_assert_int_eq(((unsigned char *)view.data)[POOL_SIZE - 1], 0x5a);
	ck_assert_int_eq(shmguard_view_end(&view), 0);
	ck_assert(shm_client_roundtrip(&victim.fixture.client));
	victim_finish(&victim);
}

TEST(copied_tier_reports_loss_too)
{
	struct shmguard_policy policy = {.unsealed = SHMGUARD_UNSEALED_COPY};
	struct victim victim;
	victim_init(&victim, &policy, 0);
	ck_assert_int_eq(shmguard_buffer_tier(victim.buffer),
		SHMGUARD_TIER_COPIED);
	errno = 0;
	ck_assert_ptr_null(shmguard_buffer_data(victim.buffer));
	ck_assert_int_eq(errno, ENOTSUP);
	victim_truncate(&victim);
	read_view(victim.buffer);
	expect_invalid_fd(&victim);
	victim_finish(&victim);
}

TEST(copied_tier_serves_buffers_without_their_resources)
{
	struct shmguard_policy policy = {.unsealed = SHMGUARD_UNSEALED_COPY};
	struct victim victim;
	victim_init(&victim, &policy, 0);
	destroy_resource(&victim);
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_buffer_begin_read(victim.buffer, &view), 0);
	ck_assert_int_eq(((unsigned char *)view.data)[POOL_SIZE - 1], 0x5a);
	ck_assert_int_eq(shmguard_view_end(&view), 0);
	shmguard_buffer_unref(victim.buffer);
	victim_finish(&victim);
}
