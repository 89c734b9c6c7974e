/* SPDX-License-Identifier: MIT */

/* Growing a map while it is in use. */

#include "harness.h"

#include "fake_kernel.h"
#include "memory_look.h"
#include "needs.h"
#include "range_registry.h"

#include <errno.h>
#include <fcntl.h>
#include <shmguard/map.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct shmguard_policy copy_policy = {
	.unsealed = SHMGUARD_UNSEALED_COPY,
};
static const struct shmguard_policy reject_policy = {
	.unsealed = SHMGUARD_UNSEALED_REJECT,
};
static const struct shmguard_policy adopt_policy = {
	.adopt_seals = true,
};
static const struct shmguard_policy no_handler_policy = {
	.handler = SHMGUARD_HANDLER_NONE,
};
static const struct shmguard_policy writable_policy = {
	.writable = true,
};

static size_t page;

/* On kernels with no-SIGBUS mappings too, unless a test asks for them. */
__attribute__((constructor))
static void
use_plain_kernel(void)
{
	page = page_size();
	fake_kernel_use();
}

static struct shmguard_map *
must_open(int client, size_t pages, const struct shmguard_policy *policy)
{
	struct shmguard_map *map = shmguard_map_open(
		fcntl(client, F_DUPFD_CLOEXEC, 0), pages * page, policy, NULL);
	ck_assert_msg(map != NULL, "%s", strerror(errno));
	return map;
}

static struct shmguard_view
must_read(struct shmguard_map *map, size_t pages)
{
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_map_begin_read(map, 0, pages * page, &view), 0);
	return view;
}

static void
must_end(struct shmguard_view view)
{
	ck_assert_int_eq(shmguard_view_end(&view), 0);
}

static void
check_numbers(const struct shmguard_view *view)
{
	const volatile unsigned char *data = view->data;
	for (size_t i = 0; i < view->size; i += page / 2)
		ck_assert_int_eq(data[i], page_byte(i / page));
}

static void
check_resize_fails(struct shmguard_map *map, size_t size, int error)
{
	size_t before = shmguard_map_size(map);
	enum shmguard_tier tier = shmguard_map_tier(map);
	enum shmguard_reason reason = shmguard_map_reason(map);
	errno = 0;
	ck_assert_int_eq(shmguard_map_resize(map, size), -1);
	ck_assert_int_eq(errno, error);
	ck_assert_uint_eq(shmguard_map_size(map), before);
	ck_assert_int_eq(shmguard_map_tier(map), tier);
	ck_assert_int_eq(shmguard_map_reason(map), reason);
}

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

/* ---- The seal is no promise about what comes after (F1) ---- */

static int
sealed_memfd(size_t pages)
{
	int fd = numbered_memfd(pages);
	harness_add_seals(fd, F_SEAL_SHRINK);
	return fd;
}

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
