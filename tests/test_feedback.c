/* SPDX-License-Identifier: MIT */

/* Clients ask how their pools are protected. */

#include "fake_kernel.h"
#include "feedback_fixture.h"
#include "fuse_file.h"
#include "harness.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

/* On kernels with no-SIGBUS mappings too, unless a test asks for them. */
__attribute__((constructor))
static void
use_plain_kernel(void)
{
	fake_kernel_use();
}

TEST(not_offered_by_default)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	struct feedback_client feedback;
	feedback_client_init(&feedback, &fixture.client);
	ck_assert_uint_eq(feedback.globals, 0);
	feedback_client_finish(&feedback);
	guard_fixture_finish(&fixture);
}

/* ---- Every tier and every reason that a pool can have ---- */

/* Does what it is told to, to the same file or a new one. Returns its
 * descriptor; takes `fd`. */
static int
improve(int fd, uint32_t improvements, off_t size)
{
	if (improvements & (SHMGUARD_POOL_FEEDBACK_V1_IMPROVEMENT_ALLOW_SEALING |
			SHMGUARD_POOL_FEEDBACK_V1_IMPROVEMENT_SMALL_PAGES)) {
		close(fd);
		fd = harness_memfd((size_t)size, 0, 0);
	}
	if (improvements & SHMGUARD_POOL_FEEDBACK_V1_IMPROVEMENT_FULL_LENGTH)
		ck_assert_int_eq(ftruncate(fd, size), 0);
	if (improvements & SHMGUARD_POOL_FEEDBACK_V1_IMPROVEMENT_SEAL_SHRINK)
		harness_add_seals(fd, F_SEAL_SHRINK);
	return fd;
}

/* Takes `fd`. A client that does what it is told to has its next pool sealed,
 * by itself. */
static void
expect_feedback(int fd, int32_t size, const struct shmguard_policy *policy,
	enum shmguard_tier tier, enum shmguard_reason reason)
{
	struct feedback_fixture fixture;
	feedback_fixture_init(&fixture, policy, fd, size);
	expect_protection(&fixture.protection, tier, reason);
	feedback_fixture_finish(&fixture);

	fd = improve(fd, fixture.protection.improvements, size);
	feedback_fixture_init(&fixture, NULL, fd, size);
	expect_protection(&fixture.protection, SHMGUARD_TIER_SEALED,
		SHMGUARD_REASON_SEALED);
	ck_assert_uint_eq(fixture.protection.improvements, 0);
	feedback_fixture_finish(&fixture);
	close(fd);
}

TEST(feedback_on_a_sealed_file)
{
	expect_feedback(harness_memfd(POOL_SIZE, 0, F_SEAL_SHRINK), POOL_SIZE,
		NULL, SHMGUARD_TIER_SEALED, SHMGUARD_REASON_SEALED);
}

TEST(feedback_on_a_file_that_we_sealed)
{
	struct shmguard_policy policy = {.adopt_seals = true};
	expect_feedback(harness_memfd(POOL_SIZE, 0, 0), POOL_SIZE, &policy,
		SHMGUARD_TIER_SEALED, SHMGUARD_REASON_ADOPTED);
}

TEST(feedback_on_a_short_file)
{
	expect_feedback(harness_memfd(POOL_SIZE - 1, 0, F_SEAL_SHRINK), POOL_SIZE,
		NULL, SHMGUARD_TIER_TRAPPED, SHMGUARD_REASON_SHORT);
}

TEST(feedback_on_a_file_without_seals)
{
	expect_feedback(harness_memfd(POOL_SIZE, 0, 0), POOL_SIZE, NULL,
		SHMGUARD_TIER_TRAPPED, SHMGUARD_REASON_SEALABLE);
}

TEST(feedback_on_a_file_that_takes_no_seals)
{
	expect_feedback(harness_memfd(POOL_SIZE, 0, -1), POOL_SIZE, NULL,
		SHMGUARD_TIER_TRAPPED, SHMGUARD_REASON_UNSEALABLE);
}

TEST(feedback_on_a_private_mapping)
{
	fake_kernel.has_nosigbus = true;
	expect_feedback(harness_memfd(POOL_SIZE, 0, 0), POOL_SIZE, NULL,
		SHMGUARD_TIER_NOSIGBUS, SHMGUARD_REASON_SEALABLE);
}

TEST(feedback_on_a_copied_file)
{
	struct shmguard_policy policy = {.unsealed = SHMGUARD_UNSEALED_COPY};
	expect_feedback(harness_memfd(POOL_SIZE, 0, -1), POOL_SIZE, &policy,
		SHMGUARD_TIER_COPIED, SHMGUARD_REASON_UNSEALABLE);
}

TEST(feedback_on_huge_pages)
{
	/* Mappings reserve nothing: huge pages need not be there. */
	fake_kernel.reserves_nothing = true;
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_HUGETLB);
	struct statfs file_system;
	if (fd < 0 || fstatfs(fd, &file_system) < 0)
		SKIP("this kernel has no huge pages");
	int32_t size = (int32_t)file_system.f_bsize;
	ck_assert_int_eq(ftruncate(fd, size), 0);
	expect_feedback(fd, size, NULL, SHMGUARD_TIER_TRAPPED,
		SHMGUARD_REASON_HUGETLB);
}

TEST(feedback_on_a_local_file)
{
	char path[] = "/var/tmp/shmguard-feedback-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	unlink(path);
	if (fcntl(fd, F_GET_SEALS) >= 0) {
		close(fd);
		SKIP("/var/tmp is shared memory");
	}
	ck_assert_int_eq(ftruncate(fd, POOL_SIZE), 0);
	expect_feedback(fd, POOL_SIZE, NULL, SHMGUARD_TIER_TRAPPED,
		SHMGUARD_REASON_LOCAL_FILE);
}

TEST(feedback_on_a_file_that_may_block)
{
	struct fuse_file *file = fuse_file_start(POOL_SIZE, FUSE_FILE_NORMAL);
	if (file == NULL)
		SKIP("no FUSE: %s", fuse_file_problem());
	struct shmguard_policy policy = {.blocking = SHMGUARD_BLOCKING_ALLOW};
	expect_feedback(fuse_file_open(file, O_RDWR), POOL_SIZE, &policy,
		SHMGUARD_TIER_TRAPPED, SHMGUARD_REASON_MAY_BLOCK);
	fuse_file_stop(file);
}

TEST(advice_comes_with_improvements)
{
	for (int i = 0; i <= SHMGUARD_REASON_READ_ERROR; i++) {
		enum shmguard_reason reason = (enum shmguard_reason)i;
		const char *advice = shmguard_reason_advice(reason);
		ck_assert_int_eq(advice != NULL,
			shmguard_reason_improvements(reason) != 0);
		ck_assert(advice == NULL || advice[strlen(advice) - 1] != '.');
	}
	ck_assert_ptr_nonnull(shmguard_reason_advice(SHMGUARD_REASON_POLICY));
}

/* ---- Lifetimes ---- */

TEST(nothing_is_said_of_a_pool_that_is_gone)
{
	int fd = harness_memfd(POOL_SIZE, 0, F_SEAL_SHRINK);
	struct feedback_fixture fixture;
	feedback_fixture_init(&fixture, NULL, fd, POOL_SIZE);
	struct wl_buffer *buffer = wl_shm_pool_create_buffer(fixture.pool, 0, 32,
		32, 128, WL_SHM_FORMAT_ARGB8888);
	wl_shm_pool_destroy(fixture.pool);
	fixture.pool = NULL;
	ck_assert(shm_client_roundtrip(fixture.client));
	/* And with the last of the pool's memory. */
	wl_buffer_destroy(buffer);
	ck_assert(shm_client_roundtrip(fixture.client));
	ck_assert_uint_eq(fixture.protection.done, 1);

	shmguard_pool_feedback_v1_destroy(fixture.watch);
	fixture.watch = NULL;
	ck_assert(shm_client_roundtrip(fixture.client));
	feedback_fixture_finish(&fixture);
	close(fd);
}

static uint32_t
id_of(void *proxy)
{
	return wl_proxy_get_id(proxy);
}

/* Objects of a client that is gone are destroyed in the order of their ids:
 * `feedback_first` gives the feedback the lower one. */
static void
lose_client(bool feedback_first)
{
	int fd = harness_memfd(POOL_SIZE, 0, F_SEAL_SHRINK);
	struct feedback_fixture fixture;
	feedback_fixture_init(&fixture, NULL, fd, POOL_SIZE);
	struct wl_shm_pool *pools[2];
	for (int i = 0; i < 2; i++)
		pools[i] = wl_shm_create_pool(fixture.client->shm, fd, POOL_SIZE);
	if (feedback_first) {
		wl_shm_pool_destroy(pools[0]);
		pools[0] = NULL;
		ck_assert(shm_client_roundtrip(fixture.client));
	}

	/* Two ids are free: that of the pool, and that of the roundtrip. */
	struct pool_protection protections[2];
	struct shmguard_pool_feedback_v1 *watches[2];
	for (int i = 0; i < 2; i++)
		watches[i] = feedback_client_watch(&fixture.feedback, pools[1],
			&protections[i]);
	ck_assert(shm_client_roundtrip(fixture.client));
	ck_assert_uint_eq(protections[1].done, 1);
	ck_assert(feedback_first == (id_of(watches[1]) < id_of(pools[1])));

	wl_client_destroy(fixture.client->connection);
	ck_assert_ptr_null(fixture.client->connection);

	for (int i = 0; i < 2; i++) {
		shmguard_pool_feedback_v1_destroy(watches[i]);
		if (pools[i] != NULL)
			wl_shm_pool_destroy(pools[i]);
	}
	feedback_fixture_finish(&fixture);
	close(fd);
}

TEST(client_goes_while_it_has_feedback)
{
	lose_client(false);
	lose_client(true);
}

TEST(compositor_goes_while_clients_have_feedback)
{
	int fd = harness_memfd(POOL_SIZE, 0, F_SEAL_SHRINK);
	struct feedback_fixture fixture;
	feedback_fixture_init(&fixture, NULL, fd, POOL_SIZE);
	shm_server_destroy(fixture.guarded.server);
	fixture.guarded.server = NULL;
	feedback_fixture_finish(&fixture);
	close(fd);
}

/* ---- Pools of others ---- */

/* The compositor has libwayland's wl_shm, and ours without a client that is
 * interested. */
TEST(pool_that_is_not_guarded)
{
	struct wl_display *server = shm_server_create();
	ck_assert_int_eq(wl_display_init_shm(server), 0);
	struct shm_client client;
	shm_client_connect(&client, server);
	struct shmguard_policy policy = {.feedback = true};
	ck_assert_ptr_nonnull(shmguard_create(server, &policy));
	struct feedback_client feedback;
	feedback_client_init(&feedback, &client);
	ck_assert_uint_eq(feedback.globals, 1);

	int fd = harness_memfd(POOL_SIZE, 0, F_SEAL_SHRINK);
	struct wl_shm_pool *pool = wl_shm_create_pool(client.shm, fd, POOL_SIZE);
	ck_assert(shm_client_roundtrip(&client));
	struct pool_protection protection;
	struct shmguard_pool_feedback_v1 *watch =
		feedback_client_watch(&feedback, pool, &protection);
	ck_assert(!shm_client_roundtrip(&client));
	shm_client_expect_error(&client, "shmguard_feedback_manager_v1",
		SHMGUARD_FEEDBACK_MANAGER_V1_ERROR_INVALID_POOL);
	ck_assert_ptr_nonnull(strstr(shm_client_message(), "not guarded"));
	ck_assert_uint_eq(protection.done, 0);

	shmguard_pool_feedback_v1_destroy(watch);
	wl_shm_pool_destroy(pool);
	feedback_client_finish(&feedback);
	shm_client_disconnect(&client);
	shm_server_destroy(server);
	close(fd);
}
