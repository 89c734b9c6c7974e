/* SPDX-License-Identifier: MIT */

/* What clients may hold: the defaults, and how they share. */

#include "harness.h"

#include "account.h"
#include "fake_kernel.h"
#include "limit_defaults.h"
#include "memory_look.h"
#include "needs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

/* ---- Defaults ---- */

TEST(I9_defaults_follow_what_the_process_has)
{
	struct shmguard_limits limits = {0};
	limits_resolve_for(&limits, &(struct process_means){
		.mappings = 65530,
		.addresses = 3072 * MIB,
		.descriptors = 1024,
		.memory = 1024 * MIB,
	});
	ck_assert_uint_eq(limits.total.mappings, 49148);
	ck_assert_uint_eq(limits.total.bytes, 2304 * MIB);
	ck_assert_uint_eq(limits.total.descriptors, 256);
	ck_assert_uint_eq(limits.total.pools, SIZE_MAX);
	ck_assert_uint_eq(limits.total.buffers, SIZE_MAX);
	ck_assert_uint_eq(limits.client.mappings, 4914);
	ck_assert_uint_eq(limits.client.bytes, 1152 * MIB);
	ck_assert_uint_eq(limits.client.descriptors, 128);
	ck_assert_uint_eq(limits.client.pools, 4914);
	ck_assert_uint_eq(limits.client.buffers, 65536);
	ck_assert_uint_eq(limits.client.holes, 64 * MIB);
	ck_assert_uint_eq(limits.total.holes, 256 * MIB);
	ck_assert_int_eq(limits.width, 65535);
	ck_assert_int_eq(limits.height, 65535);
	ck_assert_int_eq(limits.stride, 1 << 20);
}

TEST(I9_no_default_is_without_bound_or_zero)
{
	struct shmguard_limits limits = {0};
	limits_resolve_for(&limits, &(struct process_means){0});
	ck_assert_uint_eq(limits.total.mappings, 1);
	ck_assert_uint_eq(limits.client.pools, 1);
	ck_assert_uint_eq(limits.client.descriptors, 1);
	ck_assert_uint_eq(limits.client.holes, 1);

	memset(&limits, 0, sizeof(limits));
	limits_resolve_for(&limits, &(struct process_means){
		SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX});
	ck_assert_uint_eq(limits.total.mappings, SIZE_MAX - SIZE_MAX / 4);
	ck_assert_uint_eq(limits.client.pools, 16384);
	/* 32 bits cannot say that there is more memory than four times that. */
	if (sizeof(size_t) > 4) {
		ck_assert_uint_eq(limits.client.holes, 512 * MIB);
		ck_assert_uint_eq(limits.total.holes, 2048 * MIB);
	}
}

TEST(I9_limits_that_are_set_stay)
{
	struct shmguard_limits limits = {
		.client = {1, 2, 3, 4, 5, 6},
		.total = {.mappings = 800, .bytes = SIZE_MAX},
		.width = 7,
		.stride = INT32_MAX,
	};
	limits_resolve(&limits);
	ck_assert_uint_eq(limits.client.pools, 1);
	ck_assert_uint_eq(limits.client.buffers, 2);
	ck_assert_uint_eq(limits.client.mappings, 3);
	ck_assert_uint_eq(limits.client.bytes, 4);
	ck_assert_uint_eq(limits.client.descriptors, 5);
	ck_assert_uint_eq(limits.client.holes, 6);
	ck_assert_uint_eq(limits.total.mappings, 800);
	ck_assert_uint_eq(limits.total.bytes, SIZE_MAX);
	ck_assert_int_eq(limits.width, 7);
	ck_assert_int_eq(limits.height, 65535);
	ck_assert_int_eq(limits.stride, INT32_MAX);

	struct shmguard_limits fewer = {.total = {.mappings = 800}};
	limits_resolve(&fewer);
	ck_assert_uint_eq(fewer.client.mappings, 80);
	ck_assert_uint_eq(fewer.client.pools, 80);
}

TEST(I9_address_space_is_measured)
{
	struct rlimit limit;
	ck_assert_int_eq(getrlimit(RLIMIT_AS, &limit), 0);
	size_t used = (size_t)number_in_status("VmSize") * 1024;
	if (used > SIZE_MAX / 4)
		SKIP("sanitizers use most of the addresses");
	limit.rlim_cur = used + 1024 * MIB;
	if (setrlimit(RLIMIT_AS, &limit) != 0)
		SKIP("address space cannot be limited: %s", strerror(errno));
	struct shmguard_limits limits = {0};
	limits_resolve(&limits);
	/* All of it, whatever the process has, would do as well as this. */
	ck_assert_uint_ge(limits.total.bytes, 700 * MIB);
	ck_assert_uint_le(limits.total.bytes, 768 * MIB + 32 * MIB);
}

static void *
resolve(void *limits)
{
	limits_resolve(limits);
	return NULL;
}

TEST(I9_address_space_is_measured_by_any_thread)
{
	struct rlimit limit;
	ck_assert_int_eq(getrlimit(RLIMIT_AS, &limit), 0);
	if (limit.rlim_cur != RLIM_INFINITY)
		SKIP("address space is limited");
	/* As far down as some kernels put all stacks but the first. */
	void *wanted = (void *)(uintptr_t)(512 * MIB);
	void *stack = mmap(wanted, MIB, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (stack != wanted)
		SKIP("something else is there");

	struct shmguard_limits limits = {0};
	pthread_attr_t attributes;
	pthread_t thread;
	pthread_attr_init(&attributes);
	pthread_attr_setstack(&attributes, stack, MIB);
	ck_assert_int_eq(pthread_create(&thread, &attributes, resolve, &limits),
		0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attributes);
	munmap(stack, MIB);
	ck_assert_uint_ge(limits.total.bytes, 1024 * MIB);
}

/* ---- Sharing ---- */

static struct account *
open_account(struct shmguard_limits limits)
{
	limits_resolve(&limits);
	struct account *account = account_create(&limits);
	ck_assert_ptr_nonnull(account);
	return account;
}

static size_t
take_all(struct account *account, enum resource resource)
{
	size_t count = 0;
	while (account_take(account, resource, 1) == 0)
		count++;
	ck_assert_int_eq(errno, EDQUOT);
	return count;
}

TEST(I9_each_thing_is_counted_by_itself)
{
	static const char *const expected[] = {"11 pools", "12 buffers",
		"13 mappings", "14 mapped bytes", "15 descriptors",
		"16 bytes of filled holes"};
	struct account *account = open_account((struct shmguard_limits){
		.client = {11, 12, 13, 14, 15, 16},
	});
	struct shmguard_usage usage;
	for (enum resource i = 0; i <= RESOURCE_HOLES; i++) {
		char text[128];
		ck_assert_uint_eq(take_all(account, i), 11 + i);
		account_describe_refusal(account, text, sizeof(text));
		ck_assert_msg(strstr(text, expected[i]) != NULL, "%s", text);
	}
	account_usage(account, &usage);
	ck_assert_mem_eq(&usage, (&(struct shmguard_usage){11, 12, 13, 14, 15, 16}),
		sizeof(usage));
	shmguard_total_usage(&usage);
	ck_assert_mem_eq(&usage, (&(struct shmguard_usage){11, 12, 13, 14, 15, 16}),
		sizeof(usage));

	for (enum resource i = 0; i <= RESOURCE_HOLES; i++)
		account_give(account, i, 11 + i);
	shmguard_total_usage(&usage);
	ck_assert_uint_eq(usage.pools + usage.buffers + usage.mappings +
		usage.bytes + usage.descriptors, 0);
	account_unref(account);
}

TEST(I9_amounts_do_not_overflow)
{
	struct account *account = open_account((struct shmguard_limits){
		.client = {.bytes = SIZE_MAX},
		.total = {.bytes = SIZE_MAX},
	});
	ck_assert_int_eq(account_take(account, RESOURCE_BYTES, 1000), 0);
	ck_assert_int_eq(account_take(account, RESOURCE_BYTES, SIZE_MAX), -1);
	ck_assert_int_eq(account_take(account, RESOURCE_BYTES, SIZE_MAX - 999),
		-1);
	account_give(account, RESOURCE_BYTES, 1000);
	account_unref(account);
}

TEST(I9_newcomer_finds_something_left)
{
	enum { GREEDY = 40 };
	struct shmguard_limits limits = {
		.client = {.mappings = SIZE_MAX},
		.total = {.mappings = 10000},
	};
	struct account *accounts[GREEDY];
	size_t taken[GREEDY], sum = 0;
	for (int i = 0; i < GREEDY; i++) {
		accounts[i] = open_account(limits);
		taken[i] = take_all(accounts[i], RESOURCE_MAPPINGS);
		sum += taken[i];
		/* Whoever holds much is refused, whoever holds little is not. */
		ck_assert_int_eq(
			account_take(accounts[0], RESOURCE_MAPPINGS, 1), -1);
		ck_assert_uint_ge(taken[i], (10000 - sum) / 9);
		ck_assert_uint_gt(taken[i], 5);
	}
	ck_assert_uint_lt(sum, 10000);

	char text[128];
	account_describe_refusal(accounts[0], text, sizeof(text));
	ck_assert_msg(strstr(text, "10000 mappings") != NULL, "%s", text);
	for (int i = 0; i < GREEDY; i++) {
		account_give(accounts[i], RESOURCE_MAPPINGS, taken[i]);
		account_unref(accounts[i]);
	}
}

/* Terminals map half a gigabyte each, most of it holes. */
TEST(I9_large_sparse_pools_fit_in_32_bits)
{
	enum { TERMINALS = 3 };
	struct shmguard_limits limits = {0};
	limits_resolve_for(&limits, &(struct process_means){
		65530, 3072 * MIB, 1024, 4096 * MIB});
	struct account *accounts[TERMINALS];
	for (int i = 0; i < TERMINALS; i++) {
		accounts[i] = open_account(limits);
		ck_assert_int_eq(
			account_take(accounts[i], RESOURCE_BYTES, 512 * MIB), 0);
	}
	struct account *newcomer = open_account(limits);
	ck_assert_int_eq(account_take(newcomer, RESOURCE_BYTES, 64 * MIB), 0);
	account_give(newcomer, RESOURCE_BYTES, 64 * MIB);
	account_unref(newcomer);
	for (int i = 0; i < TERMINALS; i++) {
		account_give(accounts[i], RESOURCE_BYTES, 512 * MIB);
		account_unref(accounts[i]);
	}
}

enum { THREADS = 4, ROUNDS = 20000, SHARED_LIMIT = 6 };

static void *
take_and_give(void *data)
{
	struct account *account = account_ref(data);
	for (int i = 0; i < ROUNDS; i++) {
		struct shmguard_usage usage;
		if (account_take(account, RESOURCE_MAPPINGS, 2) < 0)
			continue;
		account_usage(account, &usage);
		if (usage.mappings > SHARED_LIMIT)
			return account;
		account_give(account, RESOURCE_MAPPINGS, 2);
	}
	account_unref(account);
	return NULL;
}

TEST(I9_threads_share_an_account)
{
	struct account *account = open_account((struct shmguard_limits){
		.client = {.mappings = SHARED_LIMIT},
	});
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, take_and_give,
			account), 0);
	for (int i = 0; i < THREADS; i++) {
		void *failed;
		ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
		ck_assert_ptr_null(failed);
	}
	struct shmguard_usage usage;
	shmguard_total_usage(&usage);
	ck_assert_uint_eq(usage.mappings, 0);
	account_unref(account);
}

/* ---- Maps ---- */

static struct shmguard_map *
open_map(size_t size, struct shmguard_limits limits,
	enum shmguard_reason *reason)
{
	struct shmguard_policy policy = {.limits = limits};
	return shmguard_map_open(harness_memfd(size, 1, 0), size, &policy, reason);
}

static void
expect_total(size_t mappings, size_t bytes)
{
	struct shmguard_usage usage;
	shmguard_total_usage(&usage);
	ck_assert_uint_eq(usage.mappings, mappings);
	ck_assert_uint_eq(usage.bytes, bytes);
}

TEST(I9_map_past_a_limit_is_refused)
{
	size_t page = page_size();
	enum shmguard_reason reason;
	struct shmguard_limits limits = {.client = {.bytes = 3 * page}};
	fake_kernel_use(); /* one where reading takes one mapping */
	errno = 0;
	ck_assert_ptr_null(open_map(3 * page + 1, limits, &reason));
	ck_assert_int_eq(errno, EDQUOT);
	ck_assert_int_eq(reason, SHMGUARD_REASON_QUOTA);
	expect_total(0, 0);

	struct shmguard_map *map = open_map(2 * page + 1, limits, &reason);
	ck_assert_ptr_nonnull(map);
	expect_total(1, 3 * page);
	shmguard_map_close(map);
	expect_total(0, 0);
}

/* In place or by moving, whole pages are what counts. */
static void
grow_map(bool moving)
{
	size_t page = page_size();
	fake_kernel.tight = moving;
	fake_kernel.roomy = !moving;
	fake_kernel_use();
	struct shmguard_map *map = open_map(page, (struct shmguard_limits){
		.client = {.bytes = 8 * page}}, NULL);
	ck_assert_ptr_nonnull(map);
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_map_begin_read(map, 0, 1, &view), 0);

	ck_assert_int_eq(shmguard_map_resize(map, page + 1), 0);
	expect_total(moving ? 2 : 1, (moving ? 3 : 2) * page);
	ck_assert_int_eq(shmguard_map_resize(map, 8 * page + 1), -1);
	ck_assert_int_eq(errno, EDQUOT);
	ck_assert_uint_eq(shmguard_map_size(map), page + 1);
	expect_total(moving ? 2 : 1, (moving ? 3 : 2) * page);
	ck_assert_int_eq(shmguard_view_end(&view), 0);
	expect_total(1, 2 * page);
	shmguard_map_close(map);
	expect_total(0, 0);
}

TEST(I9_growing_in_place_is_counted)
{
	needs_mremap();
	grow_map(false);
}

TEST(I9_growing_by_moving_is_counted)
{
	grow_map(true);
}

TEST(I9_writing_takes_a_mapping_where_reading_is_private)
{
	size_t page = page_size();
	fake_kernel.has_nosigbus = true;
	fake_kernel_use();
	struct shmguard_map *map = open_map(page, (struct shmguard_limits){
		.client = {.mappings = 2}}, NULL);
	ck_assert_ptr_nonnull(map);
	ck_assert_int_eq(shmguard_map_tier(map), SHMGUARD_TIER_NOSIGBUS);
	expect_total(2, page);
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_map_begin_write(map, 0, 1, &view), -1);
	ck_assert_int_eq(errno, EDQUOT);
	ck_assert_int_eq(shmguard_map_begin_read(map, 0, 1, &view), 0);
	ck_assert_int_eq(*(volatile char *)view.data, 1);
	ck_assert_int_eq(shmguard_view_end(&view), 0);
	shmguard_map_close(map);
	expect_total(0, 0);
}

/* What could be done without is not taken from the others. */
TEST(I9_plenty_is_of_the_total_too)
{
	struct account *account = open_account((struct shmguard_limits){
		.client = {.holes = 1000},
		.total = {.holes = 800},
	});
	struct shmguard_usage usage;
	ck_assert(account_take_if_plenty(account, RESOURCE_HOLES, 100));
	ck_assert(!account_take_if_plenty(account, RESOURCE_HOLES, 1));
	account_usage(account, &usage);
	ck_assert_uint_eq(usage.holes, 100);
	shmguard_total_usage(&usage);
	ck_assert_uint_eq(usage.holes, 100);
	account_give(account, RESOURCE_HOLES, 100);
	account_unref(account);
}
