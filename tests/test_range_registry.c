/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include "memory_look.h"
#include "range_registry.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Ranges need not be mapped to be registered. */

static _Atomic bool lost;

static struct trap_range *
register_for(uintptr_t addr, size_t length, void *owner, int notify_fd)
{
	struct range_config config = {
		.block_size = page_size(),
		.prot = 1,
		.notify_fd = notify_fd,
		.lost = &lost,
		.owner = owner,
		.data = owner,
	};
	return range_register((void *)addr, length, &config);
}

static struct trap_range *
must_register(uintptr_t addr, size_t length)
{
	struct trap_range *range = register_for(addr, length, NULL, -1);
	ck_assert_ptr_nonnull(range);
	return range;
}

static struct trap_range *
find(uintptr_t address)
{
	uintptr_t start, end;
	range_handler_enter();
	struct trap_range *range = range_find(address, &start, &end);
	range_handler_leave();
	return range;
}

/* ---- One range ---- */

TEST(finds_a_range_by_each_of_its_bytes)
{
	size_t page = page_size();
	uintptr_t addr = 1000 * page, start, end;
	ck_assert_ptr_null(find(addr));
	struct trap_range *range = must_register(addr, 3 * page);
	ck_assert_ptr_null(find(addr - 1));
	ck_assert_ptr_eq(find(addr), range);
	ck_assert_ptr_eq(find(addr + page + 5), range);
	ck_assert_ptr_eq(find(addr + 3 * page - 1), range);
	ck_assert_ptr_null(find(addr + 3 * page));
	ck_assert_ptr_null(find(0));
	ck_assert_ptr_null(find(UINTPTR_MAX));

	range_handler_enter();
	ck_assert_ptr_eq(range_find(addr + page, &start, &end), range);
	range_handler_leave();
	ck_assert_uint_eq(start, addr);
	ck_assert_uint_eq(end, addr + 3 * page);
	ck_assert_ptr_eq(range->addr, (void *)addr);
	ck_assert_uint_eq(range->pins, 1);
	ck_assert(range_unregister(range));
	ck_assert_ptr_null(find(addr));
}

TEST(neighbours_are_told_apart)
{
	size_t page = page_size();
	uintptr_t addr = 1000 * page;
	struct trap_range *first = must_register(addr, page);
	struct trap_range *second = must_register(addr + page, page);
	ck_assert_ptr_eq(find(addr + page - 1), first);
	ck_assert_ptr_eq(find(addr + page), second);
	ck_assert(range_unregister(first));
	ck_assert_ptr_null(find(addr + page - 1));
	ck_assert_ptr_eq(find(addr + page), second);
	ck_assert(range_unregister(second));
}

TEST(I1_range_grows)
{
	size_t page = page_size();
	uintptr_t addr = 1000 * page;
	struct trap_range *range = must_register(addr, page);
	range_grow(range, 100 * page);
	ck_assert_ptr_eq(find(addr), range);
	ck_assert_ptr_eq(find(addr + 100 * page - 1), range);
	ck_assert_ptr_null(find(addr + 100 * page));
	ck_assert_ptr_eq(range->addr, (void *)addr);
	ck_assert(range_unregister(range));
	ck_assert_ptr_null(find(addr + 50 * page));
}

TEST(longest_range)
{
	size_t page = page_size(), max = range_max_length();
	ck_assert_uint_eq(max % page, 0);
	ck_assert_uint_ge(max, (size_t)1 << 31);
	uintptr_t addr = page;
	struct trap_range *range = must_register(addr, max - page);
	ck_assert_ptr_eq(find(max - 1), range);
	range_grow(range, max - page);
	ck_assert(range_unregister(range));

	if (sizeof(uintptr_t) > 4) {
		range = must_register(addr, page);
		range_grow(range, max);
		ck_assert_ptr_eq(find(addr + max - 1), range);
		ck_assert_ptr_null(find(addr + max));
		ck_assert(range_unregister(range));
	}
}

TEST(what_the_word_cannot_hold_is_refused)
{
	size_t page = page_size();
	errno = 0;
	ck_assert_ptr_null(register_for(page, 0, NULL, -1));
	ck_assert_int_eq(errno, EOVERFLOW);
	if (range_max_length() < SIZE_MAX - page) {
		errno = 0;
		ck_assert_ptr_null(register_for(page, range_max_length() + page,
			NULL, -1));
		ck_assert_int_eq(errno, EOVERFLOW);
	}
	if (sizeof(uintptr_t) > 4) {
		/* The highest page number, and the one after. */
		uintptr_t top = (uintptr_t)((UINT64_C(1) << 44) - 1) * page;
		struct trap_range *range = must_register(top, page);
		ck_assert_ptr_eq(find(top + page - 1), range);
		ck_assert(range_unregister(range));
		errno = 0;
		ck_assert_ptr_null(register_for(top + page, page, NULL, -1));
		ck_assert_int_eq(errno, EOVERFLOW);
	}
}

/* ---- Many ---- */

TEST(finds_each_of_100000_ranges)
{
	enum { RANGES = 100000 };
	size_t page = page_size();
	struct trap_range **ranges = calloc(RANGES, sizeof(*ranges));
	ck_assert_ptr_nonnull(ranges);
	for (uintptr_t i = 0; i < RANGES; i++)
		ranges[i] = must_register((i + 1) * 3 * page, 2 * page);
	for (uintptr_t i = 0; i < RANGES; i += 777) {
		ck_assert_ptr_eq(find((i + 1) * 3 * page + page), ranges[i]);
		ck_assert_ptr_null(find((i + 1) * 3 * page + 2 * page));
	}

	uintptr_t slots = 0;
	for (uintptr_t i = 0; i < RANGES; i += 2) {
		ck_assert(range_unregister(ranges[i]));
		slots += (uintptr_t)ranges[i];
	}
	for (uintptr_t i = 0; i < RANGES; i += 777)
		ck_assert_ptr_eq(find((i + 1) * 3 * page),
			i % 2 == 0 ? NULL : ranges[i]);

	/* At other places, in the slots that became free. */
	for (uintptr_t i = 0; i < RANGES; i += 2) {
		ranges[i] = must_register((RANGES + i + 1) * 3 * page, page);
		slots -= (uintptr_t)ranges[i];
	}
	ck_assert_uint_eq(slots, 0);
	for (uintptr_t i = 0; i < RANGES; i += 778)
		ck_assert_ptr_eq(find((RANGES + i + 1) * 3 * page), ranges[i]);

	for (uintptr_t i = 0; i < RANGES; i++)
		ck_assert(range_unregister(ranges[i]));
	for (uintptr_t i = 0; i < RANGES; i += 777)
		ck_assert_ptr_null(find((i + 1) * 3 * page));
	free(ranges);
}

TEST(slot_is_recycled_as_new)
{
	size_t page = page_size();
	struct trap_range *first = NULL;
	for (uintptr_t i = 1; i < 10000; i++) {
		struct trap_range *range = must_register(i * page, page);
		first = first != NULL ? first : range;
		ck_assert_ptr_eq(range, first);
		ck_assert_ptr_eq(find(i * page), range);
		ck_assert_uint_eq(range->faults, 0);
		ck_assert_uint_eq(range->pins, 1);
		range->faults = 3;
		range->pins = 0;
		range_mark_faulted(range);
		ck_assert(range_unregister(range));
	}
}

/* ---- A handler in flight ---- */

static _Atomic int steps;
static struct trap_range *watched;

static void *
unregister_watched(void *unused)
{
	(void)unused;
	steps = 1;
	void *result = range_unregister(watched) ? &steps : NULL;
	steps = 2;
	return result;
}

static void
sleep_ms(long ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

TEST(I3_unregister_waits_for_a_handler_in_flight)
{
	size_t page = page_size();
	uintptr_t start, end;
	pthread_t thread;
	void *result;
	watched = must_register(page, page);
	range_handler_enter();
	ck_assert_ptr_eq(range_find(page, &start, &end), watched);
	ck_assert_int_eq(pthread_create(&thread, NULL, unregister_watched, NULL),
		0);
	/* Hidden already: the next handler must not find it. */
	while (range_find(page, &start, &end) != NULL)
		sleep_ms(1);
	sleep_ms(200);
	ck_assert_int_eq(steps, 1);

	range_handler_leave();
	ck_assert_int_eq(pthread_join(thread, &result), 0);
	ck_assert_int_eq(steps, 2);
	ck_assert_ptr_nonnull(result);
}

/* ---- Forks ---- */

static void
check_child(struct trap_range *range, uintptr_t addr)
{
	size_t page = page_size();
	if (find(addr) != NULL)
		_exit(1);
	struct trap_range *own = register_for(addr, page, NULL, 7);
	if (own == NULL || find(addr) != own)
		_exit(2);
	/* What it mapped there is its own and must stay. */
	if (range_unregister(range) || find(addr) != own)
		_exit(3);
	if (range_next_faulted(-1, NULL) != NULL)
		_exit(4);
	if (!range_unregister(own) || find(addr) != NULL)
		_exit(5);
	_exit(0);
}

TEST(I3_forked_child_owns_no_range)
{
	size_t page = page_size();
	int status;
	struct trap_range *range = must_register(10 * page, page);
	range_mark_faulted(range);
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0)
		check_child(range, 10 * page);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_ptr_eq(find(10 * page), range);
	ck_assert(range_unregister(range));
}

TEST(I3_child_does_not_wait_for_its_parents_handlers)
{
	size_t page = page_size();
	int status;
	struct trap_range *range = must_register(10 * page, page);
	range_handler_enter();
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0)
		check_child(range, 10 * page);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	range_handler_leave();
	ck_assert(range_unregister(range));
}

static _Atomic bool stop;

static void *
come_and_go(void *unused)
{
	(void)unused;
	size_t page = page_size();
	while (!stop) {
		struct trap_range *range = register_for(500 * page, page, NULL, -1);
		if (range == NULL || !range_unregister(range))
			return &stop;
	}
	return NULL;
}

TEST(fork_while_another_thread_registers)
{
	size_t page = page_size();
	int status;
	pthread_t thread;
	void *result;
	struct trap_range *range = must_register(10 * page, page);
	ck_assert_int_eq(pthread_create(&thread, NULL, come_and_go, NULL), 0);
	for (int i = 0; i < 100; i++) {
		pid_t child = fork();
		ck_assert_int_ge(child, 0);
		if (child == 0)
			check_child(range, 10 * page);
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert_int_eq(status, 0);
	}
	stop = true;
	ck_assert_int_eq(pthread_join(thread, &result), 0);
	ck_assert_ptr_null(result);
	ck_assert(range_unregister(range));
}

/* ---- Who has faulted ---- */

static void *
hold(void *owner)
{
	return owner;
}

TEST(I5_names_each_owner_once_to_the_right_notifier)
{
	enum { RANGES = 3000 };
	static int owners[RANGES];
	static struct trap_range *ranges[RANGES];
	size_t page = page_size();
	ck_assert_ptr_null(range_next_faulted(0, hold));
	for (int i = 0; i < RANGES; i++) {
		ranges[i] = register_for((uintptr_t)(i + 1) * page, page,
			&owners[i], i % 3);
		ck_assert_ptr_nonnull(ranges[i]);
	}
	ck_assert_ptr_null(range_next_faulted(0, hold));

	for (int i = 0; i < RANGES; i += 5) {
		range_mark_faulted(ranges[i]);
		range_mark_faulted(ranges[i]);
	}
	for (int fd = 0; fd < 3; fd++) {
		for (int *owner; (owner = range_next_faulted(fd, hold)) != NULL;) {
			ck_assert_int_eq((owner - owners) % 3, fd);
			(*owner)++;
		}
	}
	ck_assert_ptr_null(range_next_faulted(3, hold));
	for (int i = 0; i < RANGES; i++) {
		ck_assert_int_eq(owners[i], i % 5 == 0);
		ck_assert(range_unregister(ranges[i]));
	}
}

TEST(I5_unregistered_range_is_not_named)
{
	int owner;
	size_t page = page_size();
	struct trap_range *range = register_for(page, page, &owner, 4);
	range_mark_faulted(range);
	ck_assert(range_unregister(range));
	ck_assert_ptr_null(range_next_faulted(4, hold));

	/* Neither is the next one in the same slot. */
	struct trap_range *next = register_for(page, page, &owner, 4);
	ck_assert_ptr_eq(next, range);
	ck_assert_ptr_null(range_next_faulted(4, hold));
	ck_assert(range_unregister(next));
}

/* ---- Threads ---- */

/* Each writer has an area of its own, where its range comes, grows and goes. The
 * last area is never given up. Threads that are not run before it is time to stop
 * do once what they are there for. */
enum { WRITERS = 3, AREAS = WRITERS + 1, AREA_PAGES = 64 };

static struct area {
	uintptr_t start, end;
	/* False only while no range of the area can be known to anybody. */
	_Atomic bool alive;
	_Atomic unsigned int rounds;
} areas[AREAS];

static void *
write_area(void *data)
{
	struct area *area = data;
	size_t page = page_size();
	for (unsigned int i = 0; !stop || i == 0; i++) {
		uintptr_t offset = i * 7 % (AREA_PAGES - 8) * page;
		area->alive = true;
		struct trap_range *range = register_for(area->start + offset,
			(1 + i % 3) * page, area, -1);
		if (range == NULL)
			return "not registered";
		range_grow(range, (4 + i % 4) * page);
		if (range->addr != (void *)(area->start + offset))
			return "moved";
		if (!range_unregister(range))
			return "not ours";
		area->alive = false;
		area->rounds++;
	}
	return NULL;
}

static const char *
look_for(uintptr_t address, unsigned int *found)
{
	uintptr_t start, end;
	struct trap_range *range = range_find(address, &start, &end);
	const struct area *home = &areas[address / page_size() / AREA_PAGES - 1];
	if (range == NULL)
		return home == &areas[WRITERS] ?
			"a lasting range was missed" : NULL;
	(*found)++;
	if (address < start || address >= end)
		return "a foreign range was found";
	if (start < home->start || end > home->end || range->owner != home)
		return "a range of another area was found";
	if (!home->alive)
		return "a range was found after its end";
	return NULL;
}

static void *
look_around(void *result)
{
	unsigned int found = 0, seed = 1;
	const char *problem = NULL;
	while ((!stop || found == 0) && problem == NULL) {
		seed = seed * 1103515245 + 12345;
		uintptr_t page = AREA_PAGES + (seed >> 8) % (AREAS * AREA_PAGES);
		range_handler_enter();
		problem = look_for(page * page_size() + seed % 4096, &found);
		range_handler_leave();
		/* Without pauses there would always be a handler in flight. */
		if (seed >> 24 < 16)
			sched_yield();
	}
	*(unsigned int *)result = found;
	return (void *)problem;
}

TEST(I3_concurrent_search_never_finds_a_foreign_range)
{
	enum { READERS = 2 };
	pthread_t threads[WRITERS + READERS];
	unsigned int found[READERS];
	size_t page = page_size();
	for (size_t i = 0; i < AREAS; i++) {
		areas[i].start = (i + 1) * AREA_PAGES * page;
		areas[i].end = areas[i].start + AREA_PAGES * page;
	}
	struct area *lasting = &areas[WRITERS];
	lasting->alive = true;
	struct trap_range *range = register_for(lasting->start,
		AREA_PAGES * page, lasting, -1);
	ck_assert_ptr_nonnull(range);

	for (int i = 0; i < WRITERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, write_area,
			&areas[i]), 0);
	for (int i = 0; i < READERS; i++)
		ck_assert_int_eq(pthread_create(&threads[WRITERS + i], NULL,
			look_around, &found[i]), 0);
	sleep_ms(harness_long() ? 60000 : 1500);
	stop = true;
	for (int i = 0; i < WRITERS + READERS; i++) {
		void *problem;
		ck_assert_int_eq(pthread_join(threads[i], &problem), 0);
		ck_assert_msg(problem == NULL, "%s", (const char *)problem);
	}
	ck_assert(range_unregister(range));
	fprintf(stderr, "# %u, %u ranges found while %u came and went\n",
		found[0], found[1],
		areas[0].rounds + areas[1].rounds + areas[2].rounds);
}
