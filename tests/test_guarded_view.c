/* SPDX-License-Identifier: MIT */

/* Reading and writing through a map. */

#include "harness.h"

#include "fake_kernel.h"
#include "memory_look.h"
#include "needs.h"
#include "range_registry.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <shmguard/map.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGES = 4 };

static const struct shmguard_policy copy_policy = {
	.unsealed = SHMGUARD_UNSEALED_COPY,
};
static const struct shmguard_policy no_handler_policy = {
	.handler = SHMGUARD_HANDLER_NONE,
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

/* Of a file that stays open as the client's. */
static struct shmguard_map *
must_open(int client, size_t size, const struct shmguard_policy *policy)
{
	int fd = fcntl(client, F_DUPFD_CLOEXEC, 0);
	struct shmguard_map *map = shmguard_map_open(fd, size, policy, NULL);
	ck_assert_msg(map != NULL, "%s", strerror(errno));
	return map;
}

static struct shmguard_view
must_read(struct shmguard_map *map, size_t offset, size_t length)
{
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_map_begin_read(map, offset, length, &view), 0);
	ck_assert_uint_eq(view.size, length);
	return view;
}

static struct shmguard_view
must_write(struct shmguard_map *map, size_t offset, size_t length)
{
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_map_begin_write(map, offset, length, &view), 0);
	ck_assert_uint_eq(view.size, length);
	return view;
}

static void
must_end(struct shmguard_view view)
{
	ck_assert_int_eq(shmguard_view_end(&view), 0);
}

static int
byte_of(const struct shmguard_view *view, size_t offset)
{
	return ((const volatile unsigned char *)view->data)[offset];
}

static void
check_write_refused(struct shmguard_map *map)
{
	struct shmguard_view view;
	errno = 0;
	ck_assert_int_eq(shmguard_map_begin_write(map, 0, 1, &view), -1);
	ck_assert(errno == EACCES || errno == EPERM);
}

/* Each way of having a map, one after the other. */
static void
for_each_way(void (*func)(const struct shmguard_policy *policy))
{
	static const struct shmguard_policy writable = {.writable = true};
	func(NULL);
	func(&writable);
	func(&copy_policy);
	func(&no_handler_policy);
}

static void
for_each_nosigbus_way(void (*func)(const struct shmguard_policy *policy))
{
	fake_kernel.has_nosigbus = true;
	func(NULL);
	func(&no_handler_policy);
}

/* ---- Reading ---- */

static void
check_reads(const struct shmguard_policy *policy)
{
	int client = numbered_memfd(PAGES);
	struct shmguard_map *map = must_open(client, PAGES * page - 5, policy);
	static const size_t ends[] = {0, 1, 4095, 4096, 4097};
	for (size_t i = 0; i < 5; i++) {
		for (size_t j = i + 1; j < 5; j++) {
			struct shmguard_view view =
				must_read(map, ends[i], ends[j] - ends[i]);
			size_t wrong = 0;
			for (size_t at = ends[i]; at < ends[j]; at++)
				wrong += byte_of(&view, at - ends[i]) !=
					page_byte(at / page);
			ck_assert_uint_eq(wrong, 0);
			must_end(view);
		}
	}
	struct shmguard_view last = must_read(map, PAGES * page - 6, 1);
	ck_assert_int_eq(byte_of(&last, 0), page_byte(PAGES - 1));
	must_end(last);
	ck_assert(!shmguard_map_lost(map));
	shmguard_map_close(map);
	close(client);
}

TEST(reads_what_was_asked_for)
{
	for_each_way(check_reads);
}

TEST(reads_what_was_asked_for_from_nosigbus_maps)
{
	for_each_nosigbus_way(check_reads);
}

TEST(what_is_not_within_the_size_is_refused)
{
	static const struct {
		size_t offset, length;
	} wrong[] = {
		{0, 0}, {1, 0}, {0, 101}, {1, 100}, {100, 1}, {101, 1},
		{SIZE_MAX, 1}, {1, SIZE_MAX}, {SIZE_MAX, SIZE_MAX}, {99, 2},
		{SIZE_MAX - 98, 100},
	};
	int client = numbered_memfd(PAGES);
	struct shmguard_map *map = must_open(client, 100, NULL);
	struct shmguard_view view;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		errno = 0;
		ck_assert_int_eq(shmguard_map_begin_read(map, wrong[i].offset,
			wrong[i].length, &view), -1);
		ck_assert_int_eq(errno, ERANGE);
		errno = 0;
		ck_assert_int_eq(shmguard_map_begin_write(map, wrong[i].offset,
			wrong[i].length, &view), -1);
		ck_assert_int_eq(errno, ERANGE);
	}
	must_end(must_read(map, 99, 1));
	must_end(must_read(map, 0, 100));
	shmguard_map_close(map);
	close(client);
}

TEST(mapped_views_show_what_the_client_draws)
{
	int client = numbered_memfd(PAGES);
	struct shmguard_map *map = must_open(client, PAGES * page, NULL);
	struct shmguard_view view = must_read(map, page, page);
	ck_assert_int_eq(pwrite(client, "\377", 1, (off_t)page), 1);
	ck_assert_int_eq(byte_of(&view, 0), 255);
	must_end(view);
	shmguard_map_close(map);
	close(client);
}

TEST(F5_views_nest_and_mix)
{
	enum { DEEP = 1000 };
	static struct shmguard_view views[2][DEEP];
	int clients[2] = {numbered_memfd(PAGES), numbered_memfd(PAGES)};
	struct shmguard_map *maps[2] = {
		must_open(clients[0], PAGES * page, NULL),
		must_open(clients[1], PAGES * page, NULL),
	};
	for (size_t i = 0; i < DEEP; i++) {
		for (int which = 0; which < 2; which++)
			views[which][i] =
				must_read(maps[which], i, PAGES * page - i);
	}
	ck_assert_int_eq(ftruncate(clients[1], (off_t)page), 0);
	for (size_t i = 0; i < DEEP; i += 2) {
		ck_assert_int_eq(byte_of(&views[0][i], 2 * page - i), page_byte(2));
		ck_assert_int_eq(byte_of(&views[1][i], 2 * page - i), 0);
	}
	shmguard_map_close(maps[1]);
	for (size_t i = 0; i < DEEP; i++) {
		ck_assert_int_eq(shmguard_view_end(&views[0][i]), 0);
		ck_assert_int_eq(shmguard_view_end(&views[1][DEEP - 1 - i]), -1);
		ck_assert_int_eq(errno, EFAULT);
	}
	ck_assert(!shmguard_map_lost(maps[0]));
	shmguard_map_close(maps[0]);
	close(clients[0]);
	close(clients[1]);
}

static void *
end_view(void *view)
{
	return shmguard_view_end(view) == 0 ? view : NULL;
}

static void
check_end_after_close(const struct shmguard_policy *policy)
{
	int client = numbered_memfd(PAGES);
	struct shmguard_map *map = must_open(client, PAGES * page, policy);
	struct shmguard_view first = must_read(map, 0, page);
	struct shmguard_view second = must_write(map, page, page);
	shmguard_map_close(map);

	/* And may be moved. */
	struct shmguard_view moved = first;
	memset(&first, 0xff, sizeof(first));
	ck_assert_int_eq(byte_of(&moved, 5), page_byte(0));
	must_end(moved);

	*(volatile char *)second.data = 77;
	pthread_t thread;
	void *result;
	ck_assert_int_eq(pthread_create(&thread, NULL, end_view, &second), 0);
	ck_assert_int_eq(pthread_join(thread, &result), 0);
	ck_assert_ptr_eq(result, &second);
	ck_assert_int_eq(byte_in_file(client, page), 77);
	close(client);
	ck_assert_int_eq(count_mappings("/memfd:test"), 0);
}

TEST(I6_views_outlive_the_map)
{
	for_each_way(check_end_after_close);
}

TEST(I6_views_outlive_nosigbus_maps)
{
	for_each_nosigbus_way(check_end_after_close);
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

TEST(I1_memory_is_registered_until_the_last_view_ends)
{
	int client = numbered_memfd(PAGES);
	struct shmguard_map *map = must_open(client, PAGES * page, NULL);
	struct shmguard_view first = must_read(map, 0, PAGES * page);
	struct shmguard_view second = must_read(map, 0, PAGES * page);
	ck_assert_ptr_eq(second.data, first.data);
	const char *data = first.data;
	for (size_t i = 0; i < PAGES; i++)
		ck_assert(is_registered(data + i * page));
	ck_assert(!is_registered(data + PAGES * page));

	shmguard_map_close(map);
	ck_assert(is_registered(data));
	must_end(first);
	ck_assert(is_registered(data));
	ck_assert_int_eq(byte_of(&second, 0), page_byte(0));
	ck_assert(is_mapped(data));
	must_end(second);
	ck_assert(!is_registered(data));
	ck_assert(!is_mapped(data));
	close(client);
}

/* ---- Writing ---- */

static void
check_writes(const struct shmguard_policy *policy)
{
	int client = numbered_memfd(PAGES);
	struct shmguard_map *map = must_open(client, PAGES * page, policy);
	struct shmguard_view before = must_read(map, 0, PAGES * page);
	for (int round = 0; round < 2; round++) {
		struct shmguard_view view = must_write(map, page - 1, page + 2);
		unsigned char *data = view.data;
		ck_assert_int_eq(data[0], page_byte(0));
		ck_assert_int_eq(data[page + 1], page_byte(2));
		memset(data + 1, 100 + round, page);
		must_end(view);
		for (size_t i = 0; i < PAGES * page; i++)
			ck_assert(byte_in_file(client, i) ==
				(i / page == 1 ? 100 + round :
				page_byte(i / page)));
	}
	/* Mapped memory does not move for that, and shows the stores. */
	if (before.range != NULL)
		ck_assert_int_eq(byte_of(&before, page + 7), 101);
	must_end(before);
	struct shmguard_view after = must_read(map, page, 1);
	ck_assert_int_eq(byte_of(&after, 0), 101);
	must_end(after);
	ck_assert(!shmguard_map_lost(map));
	shmguard_map_close(map);
	close(client);
}

TEST(stores_reach_the_file)
{
	for_each_way(check_writes);
}

TEST(stores_reach_the_file_past_nosigbus_maps)
{
	for_each_nosigbus_way(check_writes);
}

TEST(memory_is_read_only_until_somebody_writes)
{
	int client = numbered_memfd(PAGES);
	struct shmguard_map *map = must_open(client, PAGES * page, NULL);
	struct shmguard_view view = must_read(map, 0, page);
	ck_assert_str_eq(permissions_at(view.data), "r--s");
	must_end(must_write(map, 0, 1));
	ck_assert_str_eq(permissions_at(view.data), "rw-s");
	must_end(view);
	shmguard_map_close(map);

	static const struct shmguard_policy writable = {.writable = true};
	map = must_open(client, PAGES * page, &writable);
	view = must_read(map, 0, page);
	ck_assert_str_eq(permissions_at(view.data), "rw-s");
	must_end(view);
	shmguard_map_close(map);
	close(client);
}

/* The guard says no; the processor would too. */
TEST_DIES(stores_to_a_view_for_reading_are_a_crash, SIGSEGV)
{
	int client = numbered_memfd(PAGES);
	struct shmguard_map *map = must_open(client, PAGES * page, NULL);
	struct shmguard_view view = must_read(map, 0, page);
	*(volatile char *)view.data = 1;
}

static void
check_cannot_write(int client, const struct shmguard_policy *policy)
{
	struct shmguard_map *map = must_open(client, PAGES * page, policy);
	struct shmguard_view view = must_read(map, page, page);
	check_write_refused(map);
	check_write_refused(map);
	ck_assert_int_eq(byte_of(&view, 0), page_byte(1));
	must_end(view);
	ck_assert(!shmguard_map_lost(map));
	shmguard_map_close(map);
}

static void
check_read_only_files(const struct shmguard_policy *policy)
{
	static const int seals[] = {F_SEAL_WRITE, F_SEAL_FUTURE_WRITE};
	int fd = numbered_memfd(PAGES);
	int client = reopen_fd(fd, O_RDONLY);
	check_cannot_write(client, policy);
	close(client);
	close(fd);
	for (int i = 0; i < 2; i++) {
		client = numbered_memfd(PAGES);
		harness_add_seals(client, seals[i]);
		check_cannot_write(client, policy);
		harness_add_seals(client, F_SEAL_SHRINK);
		check_cannot_write(client, policy);
		close(client);
	}
}

TEST(F22_what_cannot_be_written_is_read)
{
	for_each_way(check_read_only_files);
}

TEST(F22_what_cannot_be_written_is_read_with_nosigbus)
{
	for_each_nosigbus_way(check_read_only_files);
}

TEST(F22_write_sealed_files_before_linux_6_7)
{
	fake_kernel.refuses_sealed_sharing = true;
	for_each_way(check_read_only_files);
	ck_assert_int_eq(count_mappings("/memfd:test"), 0);
}

/* Whoever cannot say which accesses write can store everywhere. */
TEST(F22_stores_that_cannot_reach_the_file_stay_here)
{
	static const struct shmguard_policy writable = {.writable = true};
	int fd = numbered_memfd(PAGES);
	int client = reopen_fd(fd, O_RDONLY);
	struct shmguard_map *map = must_open(client, PAGES * page, &writable);
	struct shmguard_view view = must_read(map, 0, PAGES * page);
	memset(view.data, 99, page);
	ck_assert_int_eq(byte_of(&view, 0), 99);
	ck_assert_int_eq(byte_of(&view, page), page_byte(1));
	ck_assert_int_eq(byte_in_file(client, 0), page_byte(0));

	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(byte_of(&view, page), 0);
	memset(view.data, 98, PAGES * page);
	ck_assert_int_eq(shmguard_view_end(&view), -1);
	shmguard_map_close(map);
	close(client);
	close(fd);
}

static void
check_failing_write_access(int calls_that_can_fail)
{
	int client = numbered_memfd(PAGES);
	struct shmguard_map *map = must_open(client, PAGES * page, NULL);
	struct shmguard_view view;
	int mappings = count_mappings("/memfd:test");
	for (int calls = 0; calls < calls_that_can_fail; calls++) {
		fake_kernel.calls_before_failure = calls;
		errno = 0;
		int result = shmguard_map_begin_write(map, 0, 1, &view);
		fake_kernel.calls_before_failure = -1;
		ck_assert_int_eq(result, -1);
		ck_assert_int_eq(errno, ENOMEM);
		ck_assert_int_eq(count_mappings("/memfd:test"), mappings);
		view = must_read(map, page, 1);
		ck_assert_int_eq(byte_of(&view, 0), page_byte(1));
		must_end(view);
	}
	view = must_write(map, 0, 1);
	*(volatile char *)view.data = 1;
	must_end(view);
	shmguard_map_close(map);
	close(client);
	ck_assert_int_eq(count_mappings("/memfd:test"), 0);
}

TEST(failed_write_access_leaves_reading_alone)
{
	check_failing_write_access(1);
}

TEST(failed_write_access_leaves_a_nosigbus_map_alone)
{
	needs_mremap();
	needs_memfd();
	fake_kernel.has_nosigbus = true;
	check_failing_write_access(2);
}

/* ---- Copies ---- */

TEST(F18_sparse_gigabyte_costs_nothing)
{
	size_t size = (size_t)1 << 30;
	struct stat before, after;
	int client = harness_memfd(size, 0, 0);
	ck_assert_int_eq(pwrite(client, "x", 1, (off_t)size / 2), 1);
	ck_assert_int_eq(fstat(client, &before), 0);
	long anonymous = anonymous_memory();

	struct shmguard_map *map = must_open(client, size, &copy_policy);
	struct shmguard_view view = must_read(map, 0, size);
	ck_assert_int_eq(byte_of(&view, size / 2), 'x');
	ck_assert_int_lt(anonymous_memory(), anonymous + 4096);
	must_end(view);
	shmguard_map_close(map);
	ck_assert_int_eq(fstat(client, &after), 0);
	ck_assert_int_eq(after.st_blocks, before.st_blocks);
	close(client);
}

static void
check_copies_without_signals(const struct shmguard_policy *policy)
{
	sigset_t set;
	signal(SIGBUS, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGBUS);
	pthread_sigmask(SIG_BLOCK, &set, NULL);

	int client = numbered_memfd(PAGES);
	struct shmguard_map *map = must_open(client, PAGES * page, policy);
	struct shmguard_view view = must_write(map, page, 2 * page);
	ck_assert_int_eq(ftruncate(client, (off_t)page), 0);
	for (size_t i = 0; i < 2 * page; i++)
		ck_assert(byte_of(&view, i) == page_byte(1 + i / page));
	memset(view.data, 9, 2 * page);
	errno = 0;
	ck_assert_int_eq(shmguard_view_end(&view), -1);
	ck_assert_int_eq(errno, EFAULT);
	ck_assert(shmguard_map_lost(map));
	ck_assert_int_eq(lseek(client, 0, SEEK_END), (off_t)page);

	view = must_read(map, 0, PAGES * page);
	for (size_t i = 0; i < PAGES * page; i++)
		ck_assert(byte_of(&view, i) == (i < page ? page_byte(0) : 0));
	ck_assert_int_eq(shmguard_view_end(&view), -1);

	pthread_sigmask(SIG_SETMASK, NULL, &set);
	ck_assert_int_eq(sigismember(&set, SIGBUS), 1);
	shmguard_map_close(map);
	close(client);
}

TEST(copies_need_no_signal)
{
	check_copies_without_signals(&copy_policy);
	check_copies_without_signals(&no_handler_policy);
}
