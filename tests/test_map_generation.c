/* SPDX-License-Identifier: MIT */

/*
 * What keeps one mapping: pins, and views that begin and end on the thread whose
 * views are counted without atomic read-modify-writes, and on others.
 */

#include "harness.h"

#include "account.h"
#include "map_generation.h"
#include "memory_look.h"
#include "monotonic_clock.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FILL = 77 };

static struct account *account;
static _Atomic bool lost;

static void
count_release(void *owner)
{
	_Atomic int *released = owner;
	(*released)++;
}

/* How often. */
static int
was_released(const struct trap_range *range)
{
	return *(_Atomic int *)range->owner;
}

static void
open_account(void)
{
	static const struct shmguard_usage all = {
		SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX,
	};
	account = account_create(&(struct shmguard_limits){
		.client = all,
		.total = all,
	});
	ck_assert_ptr_nonnull(account);
}

/* A page of FILL, with one pin. Counts in `released`, from 0 on, how often it goes. */
static struct trap_range *
make_range(const void *views_at, _Atomic int *released)
{
	struct client_mapping mapping;
	int fd = harness_memfd(page_size(), FILL, 0);
	ck_assert_int_eq(client_mapping_open(&mapping, fd, &(struct map_request){
		.length = page_size(),
		.block_size = page_size(),
	}), 0);
	close(fd);
	*released = 0;
	struct trap_range *range = map_generation_create(&mapping,
		&(struct map_generation_config){
			.account = account,
			.notify_fd = -1,
			.lost = &lost,
			.views_at = views_at,
			.owner = released,
			.released = count_release,
		});
	ck_assert_ptr_nonnull(range);
	return range;
}

static void
must_be_there(const struct trap_range *range)
{
	ck_assert_int_eq(was_released(range), 0);
	ck_assert_int_eq(*(const volatile char *)range->addr, FILL);
}

static void *
begin_view(void *range)
{
	map_generation_begin_view(range);
	return NULL;
}

static void *
end_view(void *range)
{
	must_be_there(range);
	map_generation_end_view(range);
	return NULL;
}

static void *
unpin(void *range)
{
	map_generation_unpin(range);
	return NULL;
}

static void
do_it(void *(*func)(void *), struct trap_range *range, bool elsewhere)
{
	pthread_t thread;
	if (!elsewhere) {
		func(range);
		return;
	}
	ck_assert_int_eq(pthread_create(&thread, NULL, func, range), 0);
	pthread_join(thread, NULL);
}

/* Three views; each bit of `where` is whether something is done elsewhere. */
static void
check_order(const void *views_at, unsigned int where)
{
	_Atomic int released;
	struct trap_range *range = make_range(views_at, &released);
	void *addr = range->addr;
	for (int i = 0; i < 3; i++)
		do_it(begin_view, range, where >> i & 1);
	do_it(end_view, range, where >> 3 & 1);
	do_it(unpin, range, where >> 4 & 1);
	do_it(end_view, range, where >> 5 & 1);
	must_be_there(range);
	do_it(end_view, range, where >> 6 & 1);
	ck_assert_int_eq(released, 1);
	ck_assert(!is_mapped(addr));
}

TEST(I6_views_begin_and_end_on_any_thread)
{
	open_account();
	for (unsigned int where = 0; where < 1 << 7; where++) {
		check_order(this_thread(), where);
		check_order(NULL, where);
	}
	account_unref(account);
}

TEST(I6_pins_turn_into_views)
{
	open_account();
	for (int counted = 0; counted < 2; counted++) {
		_Atomic int released;
		struct trap_range *range =
			make_range(counted ? this_thread() : NULL, &released);
		map_generation_view_pinned(range);
		must_be_there(range);
		map_generation_end_view(range);
		ck_assert_int_eq(released, 1);
	}
	account_unref(account);
}

TEST(I6_each_is_kept_by_its_own_views)
{
	enum { COUNT = 8 };
	_Atomic int released[COUNT];
	struct trap_range *ranges[COUNT];
	open_account();
	for (int i = 0; i < COUNT; i++) {
		ranges[i] = make_range(this_thread(), &released[i]);
		map_generation_begin_view(ranges[i]);
	}
	for (int i = 0; i < COUNT; i++)
		map_generation_unpin(ranges[i]);
	for (int i = 0; i < COUNT; i++) {
		int last = i * 3 % COUNT; /* in another order */
		do_it(end_view, ranges[last], i % 2 != 0);
		ck_assert_int_eq(released[last], 1);
	}
	account_unref(account);
}

/* ---- Ends and the last pin at the same time ---- */

/* The first of the two threads is the one whose views are counted without
 * atomics. */
static struct {
	_Atomic unsigned int arrived;
	struct trap_range *range;
	_Atomic int released;
	_Atomic bool taken[2];
	unsigned int rounds;
	int64_t end; /* if the rounds take longer: each waits for a processor */
} race;

/* Both go on at the same moment, as far as there are two processors. */
static void
meet(unsigned int *meetings)
{
	race.arrived++;
	for (++*meetings; race.arrived < 2 * *meetings;)
		sched_yield();
}

static void
race_once(unsigned int thread, unsigned int round, unsigned int *meetings)
{
	/* On the other thread only sometimes: that takes long. */
	unsigned int unpins = round % 128 == 0 ? 1 : 0;
	map_generation_begin_view(race.range);
	meet(meetings);
	if (thread == unpins) {
		map_generation_unpin(race.range);
		thread = 1 - thread; /* the other's if that is late */
	}
	for (unsigned int i = 0; i < 2; i++) {
		if (!atomic_exchange(&race.taken[(thread + i) % 2], true))
			end_view(race.range);
	}
	meet(meetings);
}

static void *
run_racer(void *number)
{
	unsigned int thread = (unsigned int)(uintptr_t)number, meetings = 0;
	for (unsigned int round = 0; round < race.rounds; round++) {
		if (thread == 0) {
			race.range = monotonic_now() >= race.end ? NULL :
				make_range(this_thread(), &race.released);
			race.taken[0] = race.taken[1] = false;
		}
		meet(&meetings);
		if (race.range == NULL)
			break;
		race_once(thread, round, &meetings);
		if (thread == 0)
			ck_assert_int_eq(race.released, 1);
	}
	return NULL;
}

TEST(I3_I6_last_views_end_while_the_last_pin_goes)
{
	pthread_t threads[2];
	open_account();
	race.rounds = harness_long() ? 200000 : 5000;
	race.end = monotonic_now() + (harness_long() ? 300 : 5) * NSEC_PER_SEC;
	for (uintptr_t i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, run_racer,
			(void *)i), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	account_unref(account);
}

/* ---- Forks ---- */

/* Whoever forks may find the lock that sums are made under taken. */
TEST(views_end_in_a_child)
{
	_Atomic int released;
	open_account();
	struct trap_range *range = make_range(this_thread(), &released);
	for (int i = 0; i < 2; i++)
		map_generation_begin_view(range);
	map_generation_unpin(range);
	pid_t child = fork();
	if (child == 0) {
		for (int i = 0; i < 2; i++)
			map_generation_end_view(range);
		_exit(released != 1);
	}
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	for (int i = 0; i < 2; i++)
		do_it(end_view, range, i != 0);
	ck_assert_int_eq(released, 1);
	account_unref(account);
}

TEST(mapping_that_is_long_enough_need_not_grow)
{
	_Atomic int released;
	open_account();
	struct trap_range *range = make_range(NULL, &released);
	struct shmguard_usage before, after;
	account_usage(account, &before);
	ck_assert_int_eq(map_generation_grow(range, 1), 0);
	ck_assert_int_eq(map_generation_grow(range, page_size()), 0);
	account_usage(account, &after);
	ck_assert_uint_eq(after.bytes, before.bytes);
	ck_assert_uint_eq(map_generation_mapping(range)->length, page_size());
	map_generation_unpin(range);
	ck_assert_int_eq(released, 1);
	account_unref(account);
}
