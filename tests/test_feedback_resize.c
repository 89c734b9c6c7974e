/* SPDX-License-Identifier: MIT */

/* What clients are told when their pools grow. */

#include "fake_kernel.h"
#include "feedback_fixture.h"
#include "harness.h"

#include <fcntl.h>
#include <unistd.h>

/* On kernels with no-SIGBUS mappings too. */
__attribute__((constructor))
static void
use_plain_kernel(void)
{
	fake_kernel_use();
}

TEST(pool_that_outgrows_its_sealed_file)
{
	int fd = harness_memfd(2 * POOL_SIZE, 0, F_SEAL_SHRINK);
	struct feedback_fixture fixture;
	feedback_fixture_init(&fixture, NULL, fd, POOL_SIZE);
	struct pool_protection other;
	struct shmguard_pool_feedback_v1 *other_watch =
		feedback_client_watch(&fixture.feedback, fixture.pool, &other);

	/* The file is long enough: nothing to say. */
	wl_shm_pool_resize(fixture.pool, 2 * POOL_SIZE);
	ck_assert(shm_client_roundtrip(fixture.client));
	ck_assert_uint_eq(fixture.protection.done, 1);
	ck_assert_uint_eq(other.done, 1);
	expect_protection(&other, SHMGUARD_TIER_SEALED, SHMGUARD_REASON_SEALED);

	wl_shm_pool_resize(fixture.pool, 3 * POOL_SIZE);
	ck_assert(shm_client_roundtrip(fixture.client));
	ck_assert_uint_eq(fixture.protection.done, 2);
	expect_protection(&fixture.protection, SHMGUARD_TIER_TRAPPED,
		SHMGUARD_REASON_SHORT);
	ck_assert_uint_eq(other.done, 2);
	expect_protection(&other, SHMGUARD_TIER_TRAPPED, SHMGUARD_REASON_SHORT);

	wl_shm_pool_resize(fixture.pool, 4 * POOL_SIZE);
	ck_assert(shm_client_roundtrip(fixture.client));
	ck_assert_uint_eq(fixture.protection.done, 2);

	shmguard_pool_feedback_v1_destroy(other_watch);
	feedback_fixture_finish(&fixture);
	close(fd);
}

TEST(who_does_not_want_to_know_any_more_is_not_told)
{
	int fd = harness_memfd(POOL_SIZE, 0, F_SEAL_SHRINK);
	struct feedback_fixture fixture;
	feedback_fixture_init(&fixture, NULL, fd, POOL_SIZE);
	struct pool_protection other;
	shmguard_pool_feedback_v1_destroy(
		feedback_client_watch(&fixture.feedback, fixture.pool, &other));
	wl_shm_pool_resize(fixture.pool, 2 * POOL_SIZE);
	ck_assert(shm_client_roundtrip(fixture.client));
	ck_assert_uint_eq(fixture.protection.done, 2);
	ck_assert_uint_eq(other.done, 0);
	feedback_fixture_finish(&fixture);
	close(fd);
}

TEST(refused_growth_ends_the_client_and_says_nothing)
{
	int fd = harness_memfd(POOL_SIZE, 0, F_SEAL_SHRINK);
	struct shmguard_policy policy = {.unsealed = SHMGUARD_UNSEALED_REJECT};
	struct feedback_fixture fixture;
	feedback_fixture_init(&fixture, &policy, fd, POOL_SIZE);
	wl_shm_pool_resize(fixture.pool, 2 * POOL_SIZE);
	ck_assert(!shm_client_roundtrip(fixture.client));
	shm_client_expect_error(fixture.client, "wl_shm_pool",
		WL_SHM_ERROR_INVALID_FD);
	ck_assert_uint_eq(fixture.protection.done, 1);
	feedback_fixture_finish(&fixture);
	close(fd);
}

TEST(pool_outlives_its_feedback_and_the_manager)
{
	int fd = harness_memfd(POOL_SIZE, 0, F_SEAL_SHRINK);
	struct feedback_fixture fixture;
	feedback_fixture_init(&fixture, NULL, fd, POOL_SIZE);
	shmguard_feedback_manager_v1_destroy(fixture.feedback.manager);
	fixture.feedback.manager = NULL;
	wl_shm_pool_resize(fixture.pool, 2 * POOL_SIZE);
	ck_assert(shm_client_roundtrip(fixture.client));
	ck_assert_uint_eq(fixture.protection.done, 2);

	shmguard_pool_feedback_v1_destroy(fixture.watch);
	fixture.watch = NULL;
	ck_assert(shm_client_roundtrip(fixture.client));
	wl_shm_pool_resize(fixture.pool, 3 * POOL_SIZE);
	ck_assert(shm_client_roundtrip(fixture.client));
	feedback_fixture_finish(&fixture);
	close(fd);
}

TEST(globals_go_and_feedback_goes_on)
{
	int fd = harness_memfd(POOL_SIZE, 0, F_SEAL_SHRINK);
	struct feedback_fixture fixture;
	feedback_fixture_init(&fixture, NULL, fd, POOL_SIZE);
	shmguard_destroy(fixture.guarded.guard);

	struct pool_protection other;
	struct shmguard_pool_feedback_v1 *other_watch =
		feedback_client_watch(&fixture.feedback, fixture.pool, &other);
	wl_shm_pool_resize(fixture.pool, 2 * POOL_SIZE);
	ck_assert(shm_client_roundtrip(fixture.client));
	ck_assert_uint_eq(fixture.protection.done, 2);
	ck_assert_uint_eq(other.done, 2);

	struct feedback_client late;
	feedback_client_init(&late, fixture.client);
	ck_assert_uint_eq(late.globals, 0);
	feedback_client_finish(&late);
	shmguard_pool_feedback_v1_destroy(other_watch);
	feedback_fixture_finish(&fixture);
	close(fd);
}
