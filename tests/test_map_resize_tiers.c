/* SPDX-License-Identifier: MIT */

/* Growing a map: which tier it is in then. */

#include "harness.h"

#include "fake_kernel.h"
#include "map_resize_fixture.h"
#include "memory_look.h"
#include "needs.h"
#include "range_registry.h"

#include <errno.h>
#include <unistd.h>

/* ---- The seal is no promise about what comes after (F1) ---- */

TEST(F1_sealed_map_that_outgrows_its_file)
{
	for (int i = 0; i < 3; i++) {
		fake_kernel.roomy = i == 1;
		fake_kernel.tight = i == 2;
		int client = sealed_memfd(2);
		struct shmguard_map *map = must_open(client, 2, NULL);
		ck_assert_int_eq(shmguard_map_tier(map), SHMGUARD_TIER_SEALED);
		ck_assert_int_eq(shmguard_map_resize(map, 256 * page), 0);
		ck_assert_int_eq(shmguard_map_tier(map), SHMGUARD_TIER_TRAPPED);
		ck_assert_int_eq(shmguard_map_reason(map), SHMGUARD_REASON_SHORT);
		struct shmguard_view view = must_read(map, 256);
		const volatile unsigned char *data = view.data;
		for (size_t j = 0; j < 256 * page; j += page)
			ck_assert_int_eq(data[j],
				j < 2 * page ? page_byte(j / page) : 0);
		ck_assert_uint_eq(view.range->faults, 1);
		ck_assert_int_eq(shmguard_view_end(&view), -1);
		shmguard_map_close(map);
		close(client);
	}
}

TEST(F1_sealed_map_grows_with_its_file)
{
	static const struct shmguard_policy *const policies[] = {
		NULL, &reject_policy, &copy_policy, &no_handler_policy,
		&writable_policy,
	};
	for (int i = 0; i < 10; i++) {
		fake_kernel.tight = i % 2;
		int client = sealed_memfd(2);
		struct shmguard_map *map = must_open(client, 2, policies[i / 2]);
		ck_assert_int_eq(ftruncate(client, (off_t)(255 * page + 1)), 0);
		ck_assert_int_eq(shmguard_map_resize(map, 255 * page + 1), 0);
		ck_assert_int_eq(shmguard_map_tier(map), SHMGUARD_TIER_SEALED);
		ck_assert_int_eq(shmguard_map_reason(map), SHMGUARD_REASON_SEALED);
		shmguard_map_close(map);
		close(client);
	}
}

TEST(F1_policy_forbids_what_is_not_sealed)
{
	static const struct shmguard_policy *const policies[] = {
		&reject_policy, &copy_policy, &no_handler_policy,
	};
	for (int i = 0; i < 9; i++) {
		fake_kernel.tight = i % 3 == 1;
		fake_kernel.roomy = i % 3 == 2;
		int client = sealed_memfd(2);
		struct shmguard_map *map = must_open(client, 2, policies[i / 3]);
		struct shmguard_view view = must_read(map, 2);
		check_resize_fails(map, 3 * page, EPERM);
		check_resize_fails(map, 3 * page, EPERM);
		check_numbers(&view);
		must_end(view);
		/* Having been refused, it may do better. */
		ck_assert_int_eq(ftruncate(client, (off_t)(3 * page)), 0);
		ck_assert_int_eq(shmguard_map_resize(map, 3 * page), 0);
		ck_assert_int_eq(shmguard_map_tier(map), SHMGUARD_TIER_SEALED);
		shmguard_map_close(map);
		close(client);
	}
	ck_assert_int_eq(count_mappings("/memfd:test"), 0);
}

TEST(F1_adopted_seal)
{
	needs_seals();
	int client = numbered_memfd(2);
	struct shmguard_map *map = must_open(client, 2, &adopt_policy);
	ck_assert_int_eq(shmguard_map_reason(map), SHMGUARD_REASON_ADOPTED);
	ck_assert_int_eq(ftruncate(client, (off_t)(3 * page)), 0);
	ck_assert_int_eq(shmguard_map_resize(map, 3 * page), 0);
	ck_assert_int_eq(shmguard_map_tier(map), SHMGUARD_TIER_SEALED);
	ck_assert_int_eq(shmguard_map_reason(map), SHMGUARD_REASON_ADOPTED);
	ck_assert_int_lt(ftruncate(client, 0), 0);
	ck_assert_int_eq(shmguard_map_resize(map, 4 * page), 0);
	ck_assert_int_eq(shmguard_map_tier(map), SHMGUARD_TIER_TRAPPED);
	ck_assert_int_eq(shmguard_map_reason(map), SHMGUARD_REASON_SHORT);
	shmguard_map_close(map);
	close(client);
}

/* ---- Falling from the no-SIGBUS tier ---- */

TEST(nosigbus_map_that_must_move_is_trapped)
{
	needs_mremap();
	needs_memfd();
	fake_kernel.has_nosigbus = true;
	fake_kernel.tight = true;
	int client = numbered_memfd(4);
	struct shmguard_map *map = must_open(client, 1, NULL);
	struct shmguard_view pinned = must_read(map, 1);
	ck_assert_int_eq(shmguard_map_tier(map), SHMGUARD_TIER_NOSIGBUS);
	ck_assert_int_eq(shmguard_map_resize(map, 4 * page), 0);
	ck_assert_int_eq(shmguard_map_tier(map), SHMGUARD_TIER_TRAPPED);
	struct shmguard_view view = must_read(map, 4);
	check_numbers(&pinned);
	check_numbers(&view);
	ck_assert_int_eq(ftruncate(client, (off_t)page), 0);
	ck_assert_int_eq(((volatile char *)view.data)[2 * page], 0);
	shmguard_view_end(&view);
	shmguard_view_end(&pinned);
	shmguard_map_close(map);
	close(client);
}

TEST(nosigbus_map_without_a_handler_never_becomes_dangerous)
{
	needs_memfd();
	fake_kernel.has_nosigbus = true;
	fake_kernel.tight = true;
	int client = numbered_memfd(4);
	struct shmguard_map *map = must_open(client, 1, &no_handler_policy);
	ck_assert_int_eq(shmguard_map_tier(map), SHMGUARD_TIER_NOSIGBUS);
	fake_kernel.refuses_nosigbus = true;
	check_resize_fails(map, 4 * page, EPERM);
	fake_kernel.refuses_nosigbus = false;
	ck_assert_int_eq(shmguard_map_resize(map, 4 * page), 0);
	ck_assert_int_eq(shmguard_map_tier(map), SHMGUARD_TIER_NOSIGBUS);
	shmguard_map_close(map);
	close(client);
	ck_assert_int_eq(count_mappings("/memfd:test"), 0);
}

TEST(nosigbus_refused_from_the_start)
{
	fake_kernel.has_nosigbus = true;
	int client = numbered_memfd(4);
	shmguard_map_close(must_open(client, 1, NULL));
	fake_kernel.refuses_nosigbus = true;
	struct shmguard_map *map = must_open(client, 4, NULL);
	ck_assert_int_eq(shmguard_map_tier(map), SHMGUARD_TIER_TRAPPED);
	shmguard_map_close(map);
	map = must_open(client, 4, &no_handler_policy);
	ck_assert_int_eq(shmguard_map_tier(map), SHMGUARD_TIER_COPIED);
	struct shmguard_view view = must_read(map, 4);
	check_numbers(&view);
	must_end(view);
	shmguard_map_close(map);
	close(client);
	ck_assert_int_eq(count_mappings("/memfd:test"), 0);
}
