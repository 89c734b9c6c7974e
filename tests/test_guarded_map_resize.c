/* SPDX-License-Identifier: MIT */

/* Growing a map while it is in use. */

#include "harness.h"

#include "fake_kernel.h"
#include "map_resize_fixture.h"
#include "memory_look.h"
#include "needs.h"
#include "range_registry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

static bool
is_registered(const void *data)
{
	uintptr_t start, end;
	range_handler_enter();
	bool found = range_find((uintptr_t)data, &start, &end) != NULL;
	range_handler_leave();
	return found;
}

/* ---- Growing ---- */

/* Grows in small and large steps, with views of every stage. */
static void
check_growth(const struct shmguard_policy *policy)
{
	enum { STEPS = 30 };
	struct shmguard_view views[STEPS];
	size_t pages = 1;
	int client = numbered_memfd(500);
	struct shmguard_map *map = must_open(client, pages, policy);
	for (int i = 0; i < STEPS; i++) {
		views[i] = must_read(map, pages);
		pages += (size_t)i;
		ck_assert_int_eq(shmguard_map_resize(map, pages * page), 0);
		ck_assert_uint_eq(shmguard_map_size(map), pages * page);
		struct shmguard_view view = must_read(map, pages);
		check_numbers(&view);
		must_end(view);
	}
	/* Every address that was handed out is good still. */
	for (int i = 0; i < STEPS; i++) {
		check_numbers(&views[i]);
		if (views[i].range != NULL)
			ck_assert(is_registered(views[i].data));
		must_end(views[i]);
	}
	ck_assert(!shmguard_map_lost(map));
	shmguard_map_close(map);
	close(client);
	ck_assert_int_eq(count_mappings("/memfd:test"), 0);
}

static void
check_all_growth(void)
{
	check_growth(NULL);
	check_growth(&writable_policy);
	check_growth(&adopt_policy);
	check_growth(&copy_policy);
	check_growth(&no_handler_policy);
}

TEST(F6_I6_grows_where_it_is_if_it_can)
{
	needs_mremap();
	fake_kernel.roomy = true;
	check_all_growth();

	int client = numbered_memfd(500);
	struct shmguard_map *map = must_open(client, 1, NULL);
	struct shmguard_view first = must_read(map, 1), last;
	ck_assert_int_eq(shmguard_map_resize(map, 500 * page), 0);
	last = must_read(map, 500);
	ck_assert_ptr_eq(last.data, first.data);
	must_end(first);
	must_end(last);
	shmguard_map_close(map);
	close(client);
}

TEST(F6_I6_moves_if_it_must)
{
	fake_kernel.tight = true;
	check_all_growth();

	int client = numbered_memfd(500);
	struct shmguard_map *map = must_open(client, 1, NULL);
	struct shmguard_view first = must_read(map, 1), last;
	const void *old = first.data;
	ck_assert_int_eq(shmguard_map_resize(map, 500 * page), 0);
	last = must_read(map, 500);
	ck_assert_ptr_ne(last.data, first.data);
	ck_assert(is_registered(old));
	must_end(first);
	ck_assert(!is_registered(old));
	ck_assert(!is_mapped(old));
	must_end(last);
	shmguard_map_close(map);
	close(client);
}

TEST(F6_I6_grows_on_this_kernel)
{
	check_all_growth();
}

TEST(I6_grows_on_kernels_with_nosigbus_mappings)
{
	fake_kernel.has_nosigbus = true;
	for (int i = 0; i < 3; i++) {
		fake_kernel.roomy = i == 1;
		fake_kernel.tight = i == 2;
		check_growth(NULL);
		check_growth(&no_handler_policy);
	}
}

TEST(I6_grows_before_linux_6_7)
{
	fake_kernel.refuses_sealed_sharing = true;
	for (int i = 0; i < 2; i++) {
		fake_kernel.tight = i == 1;
		int client = numbered_memfd(100);
		harness_add_seals(client, F_SEAL_SHRINK | F_SEAL_WRITE);
		struct shmguard_map *map = must_open(client, 1, NULL);
		struct shmguard_view first = must_read(map, 1), last;
		ck_assert_int_eq(shmguard_map_resize(map, 100 * page), 0);
		last = must_read(map, 100);
		check_numbers(&first);
		check_numbers(&last);
		must_end(first);
		must_end(last);
		ck_assert_int_eq(shmguard_map_tier(map), SHMGUARD_TIER_SEALED);
		shmguard_map_close(map);
		close(client);
	}
}

static void
check_stores(void)
{
	for (int tight = 0; tight < 2; tight++) {
		fake_kernel.tight = tight;
		int client = numbered_memfd(100);
		struct shmguard_map *map = must_open(client, 1, NULL);
		struct shmguard_view before, after;
		ck_assert_int_eq(shmguard_map_begin_write(map, 0, page,
			&before), 0);
		ck_assert_int_eq(shmguard_map_resize(map, 100 * page), 0);
		ck_assert_int_eq(shmguard_map_begin_write(map, 0, 100 * page,
			&after), 0);
		memset((char *)before.data, 77, page / 2);
		memset((char *)after.data + page / 2, 78, 99 * page);
		must_end(before);
		must_end(after);
		ck_assert_int_eq(byte_in_file(client, 0), 77);
		ck_assert_int_eq(byte_in_file(client, page / 2), 78);
		ck_assert_int_eq(byte_in_file(client, 99 * page), 78);
		shmguard_map_close(map);
		close(client);
	}
	ck_assert_int_eq(count_mappings("/memfd:test"), 0);
}

TEST(stores_reach_a_file_that_has_grown)
{
	check_stores();
}

TEST(stores_reach_a_file_that_has_grown_past_nosigbus_maps)
{
	fake_kernel.has_nosigbus = true;
	check_stores();
	fake_kernel.roomy = true;
	check_stores();
}

TEST(grown_part_becomes_visible_when_the_file_grows_later)
{
	for (int tight = 0; tight < 2; tight++) {
		fake_kernel.tight = tight;
		int client = numbered_memfd(2);
		struct shmguard_map *map = must_open(client, 2, NULL);
		ck_assert_int_eq(shmguard_map_resize(map, 50 * page), 0);
		struct shmguard_view view = must_read(map, 50);
		ck_assert_int_eq(ftruncate(client, (off_t)(50 * page)), 0);
		ck_assert_int_eq(pwrite(client, "\5", 1, (off_t)(49 * page)), 1);
		ck_assert_int_eq(((volatile char *)view.data)[49 * page], 5);
		must_end(view);
		shmguard_map_close(map);
		close(client);
	}
}

TEST(same_size_is_no_change)
{
	int client = numbered_memfd(2);
	const struct shmguard_policy *policies[] = {NULL, &copy_policy};
	for (int i = 0; i < 2; i++) {
		struct shmguard_map *map = must_open(client, 2, policies[i]);
		ck_assert_int_eq(shmguard_map_resize(map, 2 * page), 0);
		ck_assert_uint_eq(shmguard_map_size(map), 2 * page);
		shmguard_map_close(map);
	}
	close(client);
}

/* ---- Refusals ---- */

TEST(sizes_that_are_refused)
{
	int client = numbered_memfd(2);
	const struct shmguard_policy *policies[] = {NULL, &copy_policy};
	for (int i = 0; i < 2; i++) {
		struct shmguard_map *map = must_open(client, 2, policies[i]);
		check_resize_fails(map, 0, EINVAL);
		check_resize_fails(map, 2 * page - 1, EINVAL);
		check_resize_fails(map, SIZE_MAX, EOVERFLOW);
		if (range_max_length() < SIZE_MAX - page)
			check_resize_fails(map, range_max_length() + 1, EOVERFLOW);
		struct shmguard_view view = must_read(map, 2);
		check_numbers(&view);
		must_end(view);
		shmguard_map_close(map);
	}
	close(client);
}

static void
check_loss(void)
{
	for (int tight = 0; tight < 2; tight++) {
		fake_kernel.tight = tight;
		int client = numbered_memfd(4);
		struct shmguard_map *map = must_open(client, 4, NULL);
		struct shmguard_view view = must_read(map, 4);
		ck_assert_int_eq(ftruncate(client, (off_t)page), 0);
		ck_assert_int_eq(((volatile char *)view.data)[2 * page], 0);
		ck_assert_int_eq(ftruncate(client, (off_t)(9 * page)), 0);
		check_resize_fails(map, 9 * page, EFAULT);
		ck_assert_int_eq(((volatile char *)view.data)[0], page_byte(0));
		ck_assert_int_eq(shmguard_view_end(&view), -1);
		shmguard_map_close(map);
		close(client);
	}
}

TEST(map_that_has_lost_memory_does_not_grow)
{
	check_loss();
}

TEST(nosigbus_map_that_has_lost_memory_does_not_grow)
{
	if (kernel_has_nosigbus())
		SKIP("no-SIGBUS mappings of this kernel lose nothing");
	fake_kernel.has_nosigbus = true;
	check_loss();
}

/* The zeros that the kernel has shown stay, whatever the file becomes. */
TEST(nosigbus_map_of_a_file_that_lost_memory_grows)
{
	if (!kernel_has_nosigbus())
		SKIP("this kernel has no no-SIGBUS mappings");
	fake_kernel.has_nosigbus = true;
	for (int tight = 0; tight < 2; tight++) {
		fake_kernel.tight = tight;
		int client = numbered_memfd(4);
		struct shmguard_map *map = must_open(client, 4, NULL);
		struct shmguard_view view = must_read(map, 4);
		const volatile unsigned char *data = view.data;
		ck_assert_int_eq(ftruncate(client, (off_t)page), 0);
		ck_assert_int_eq(data[2 * page], 0);
		ck_assert_int_eq(ftruncate(client, (off_t)(9 * page)), 0);
		ck_assert_int_eq(pwrite(client, "x", 1, (off_t)(2 * page)), 1);
		ck_assert_int_eq(pwrite(client, "x", 1, (off_t)(8 * page)), 1);

		ck_assert_int_eq(shmguard_map_resize(map, 9 * page), 0);
		ck_assert_int_eq(data[0], page_byte(0));
		ck_assert_int_eq(data[2 * page], 0);
		must_end(view);
		view = must_read(map, 9);
		data = view.data;
		ck_assert_int_eq(data[0], page_byte(0));
		ck_assert_int_eq(data[8 * page], 'x');
		must_end(view);
		ck_assert(!shmguard_map_lost(map));
		shmguard_map_close(map);
		close(client);
	}
}

/* ---- Each call fails in turn ---- */

static void
check_failing_growth(const struct shmguard_policy *policy, int client)
{
	int fds = harness_open_fds();
	for (int calls = 0;; calls++) {
		fake_kernel.calls_before_failure = -1;
		struct shmguard_map *map = must_open(client, 2, policy);
		struct shmguard_view view = must_read(map, 2);
		struct shmguard_view writing;
		ck_assert_int_eq(shmguard_map_begin_write(map, 0, page, &writing),
			0);
		enum shmguard_tier tier = shmguard_map_tier(map);
		enum shmguard_reason reason = shmguard_map_reason(map);
		int mappings = count_mappings("/memfd:test");

		fake_kernel.failed = false;
		fake_kernel.calls_before_failure = calls;
		int result = shmguard_map_resize(map, 64 * page);
		fake_kernel.calls_before_failure = -1;
		if (result != 0) {
			ck_assert_uint_eq(shmguard_map_size(map), 2 * page);
			ck_assert_int_eq(shmguard_map_tier(map), tier);
			ck_assert_int_eq(shmguard_map_reason(map), reason);
			ck_assert_int_eq(count_mappings("/memfd:test"), mappings);
			struct shmguard_view again = must_read(map, 2);
			ck_assert_ptr_eq(again.data, view.data);
			must_end(again);
		}
		check_numbers(&view);
		must_end(view);
		must_end(writing);
		shmguard_map_close(map);
		ck_assert_int_eq(count_mappings("/memfd:test"), 0);
		ck_assert_int_eq(harness_open_fds(), fds);
		if (!fake_kernel.failed)
			break;
	}
}

static void
check_all_failing_growth(void)
{
	int client = numbered_memfd(64), sealed = sealed_memfd(64);
	for (int i = 0; i < 3; i++) {
		fake_kernel.roomy = i == 1;
		fake_kernel.tight = i == 2;
		check_failing_growth(NULL, client);
		check_failing_growth(NULL, sealed);
		check_failing_growth(&writable_policy, client);
		check_failing_growth(&reject_policy, sealed);
		check_failing_growth(&no_handler_policy, sealed);
	}
	close(client);
	close(sealed);
}

TEST(failed_growth_leaves_the_map_as_it_was)
{
	check_all_failing_growth();
}

TEST(failed_growth_leaves_a_nosigbus_map_as_it_was)
{
	fake_kernel.has_nosigbus = true;
	check_all_failing_growth();
}

/* Room for more steps, but not half as much again of what is large already. */
TEST(I9_room_to_grow_has_a_limit)
{
	size_t gib = (size_t)1 << 30;
	if (sizeof(size_t) < 8)
		SKIP("not that many addresses");
	int client = harness_memfd(page, 1, 0);
	struct shmguard_map *map = must_open(client, 1, NULL);
	ck_assert_int_eq(shmguard_map_resize(map, 2 * gib), 0);
	struct shmguard_usage usage;
	shmguard_total_usage(&usage);
	ck_assert_uint_ge(usage.bytes, 2 * gib);
	ck_assert_uint_le(usage.bytes, 2 * gib + gib / 2);
	shmguard_map_close(map);
	close(client);
}
