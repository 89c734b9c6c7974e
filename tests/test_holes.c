/* SPDX-License-Identifier: MIT */

/* Sparse files: what looking at their holes costs, and who pays (F18). */

#include "harness.h"

#include "account.h"
#include "fake_kernel.h"
#include "guarded_map.h"
#include "hole_check.h"
#include "limit_defaults.h"
#include "memory_look.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <shmguard/map.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

static size_t page;

__attribute__((constructor))
static void
find_page_size(void)
{
	page = page_size();
}

/* Sealable; nothing is stored in it. */
static int
sparse_file(size_t size)
{
	return harness_memfd(size, 0, 0);
}

static void
store(int fd, size_t offset, size_t size)
{
	for (size_t at = 0; at < size; at += page)
		ck_assert_int_eq(pwrite(fd, "x", 1, (off_t)(offset + at)), 1);
}

static void
punch(int fd, size_t offset, size_t size)
{
	ck_assert_int_eq(fallocate(fd, FALLOC_FL_PUNCH_HOLE |
		FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size), 0);
}

static size_t
stored_bytes(int fd)
{
	struct stat file;
	ck_assert_int_eq(fstat(fd, &file), 0);
	return (size_t)file.st_blocks * 512;
}

static struct shmguard_map *
must_open(int fd, size_t size, const struct shmguard_policy *policy)
{
	struct shmguard_map *map = shmguard_map_open(
		fcntl(fd, F_DUPFD_CLOEXEC, 0), size, policy, NULL);
	ck_assert_msg(map != NULL, "%s", strerror(errno));
	return map;
}

static size_t
holes_charged(void)
{
	struct shmguard_usage usage;
	shmguard_total_usage(&usage);
	return usage.holes;
}

static bool
nothing_is_swapped(void)
{
	return hole_check_swapped() == 0;
}

/* ---- Looking ---- */

TEST(looking_fills_nothing)
{
	int fd = sparse_file(64 * MIB);
	char *data = mmap(NULL, 64 * MIB, PROT_READ, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(data, MAP_FAILED);
	ck_assert_uint_eq(hole_check_absent(data, 64 * MIB), 64 * MIB);
	ck_assert_uint_eq(stored_bytes(fd), 0);

	store(fd, 20 * MIB, MIB);
	ck_assert_uint_eq(hole_check_absent(data, 64 * MIB), 63 * MIB);
	ck_assert_uint_eq(hole_check_absent(data + 20 * MIB, MIB), 0);
	ck_assert_uint_eq(stored_bytes(fd), MIB);

	punch(fd, 20 * MIB, MIB / 2);
	ck_assert_uint_eq(hole_check_absent(data + 20 * MIB, MIB), MIB / 2);
	munmap(data, 64 * MIB);
	close(fd);
}

TEST(ends_within_pages_are_counted_to_the_byte)
{
	int fd = sparse_file(8 * page);
	store(fd, 2 * page, 2 * page);
	char *data = mmap(NULL, 8 * page, PROT_READ, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(data, MAP_FAILED);
	ck_assert_uint_eq(hole_check_absent(data + 1, 10), 10);
	ck_assert_uint_eq(hole_check_absent(data + page - 1, 2), 2);
	ck_assert_uint_eq(hole_check_absent(data + 2 * page - 3, 10), 3);
	ck_assert_uint_eq(hole_check_absent(data + 4 * page - 3, 10), 7);
	ck_assert_uint_eq(hole_check_absent(data + 100, 8 * page - 200),
		6 * page - 200);
	munmap(data, 8 * page);
	close(fd);
}

/* ---- The limit ---- */

static const struct shmguard_policy sixteen = {
	.limits = {.client = {.holes = 16 << 20}},
};

/* Two threads that look at a mapping which one of them replaces: nobody stores. */
__attribute__((no_sanitize_thread))
static void
read_each_page(const struct shmguard_view *view, int expected)
{
	size_t wrong = 0;
	for (size_t at = 0; at < view->size; at += page)
		wrong += ((volatile char *)view->data)[at] != expected;
	ck_assert_uint_eq(wrong, 0);
}

TEST(F18_two_gigabytes_of_hole_are_not_filled)
{
	if (!nothing_is_swapped())
		SKIP("something is swapped out");
	if (is_user_mode_linux())
		SKIP("User Mode Linux cannot map that many pages");
	size_t size = SIZE_MAX > UINT32_MAX ? 2047 * MIB : 600 * MIB;
	int fd = sparse_file(size);
	struct shmguard_map *map = must_open(fd, size, NULL);
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_map_begin_read(map, 0, size, &view), 0);
	read_each_page(&view, 0);
	ck_assert_int_eq(shmguard_view_end(&view), -1);
	ck_assert_int_eq(errno, EFAULT);
	ck_assert(shmguard_map_lost(map));
	ck_assert_uint_eq(stored_bytes(fd), 0);
	shmguard_map_close(map);
	close(fd);
}

TEST(F18_holes_up_to_the_limit_are_filled)
{
	int fd = sparse_file(64 * MIB);
	struct shmguard_map *map = must_open(fd, 64 * MIB, &sixteen);
	struct shmguard_view view;
	for (size_t at = 0; at < 16 * MIB; at += 4 * MIB) {
		ck_assert_int_eq(shmguard_map_begin_read(map, at, 4 * MIB, &view),
			0);
		read_each_page(&view, 0);
		ck_assert_int_eq(shmguard_view_end(&view), 0);
	}
	if (!nothing_is_swapped())
		SKIP("something is swapped out");
	ck_assert_uint_eq(holes_charged(), 16 * MIB);
	ck_assert_int_eq(shmguard_map_begin_read(map, 16 * MIB, MIB, &view), 0);
	ck_assert_int_eq(shmguard_view_end(&view), -1);
	ck_assert_uint_eq(stored_bytes(fd), 16 * MIB);
	shmguard_map_close(map);
	close(fd);
}

/* One large pool of which only what is shown was ever drawn. */
TEST(F18_sparse_pools_cost_nothing_where_they_are_drawn)
{
	int fd = sparse_file(512 * MIB);
	struct shmguard_map *map = must_open(fd, 512 * MIB, &sixteen);
	struct shmguard_view view;
	for (size_t at = 0; at < 512 * MIB; at += 32 * MIB) {
		store(fd, at, 8 * MIB);
		ck_assert_int_eq(shmguard_map_begin_read(map, at, 8 * MIB, &view),
			0);
		read_each_page(&view, 'x');
		ck_assert_int_eq(shmguard_view_end(&view), 0);
		punch(fd, at, 8 * MIB);
	}
	ck_assert_uint_eq(holes_charged(), 0);
	shmguard_map_close(map);
	close(fd);
}

TEST(F18_holes_that_are_punched_later_count_too)
{
	int fd = sparse_file(32 * MIB);
	store(fd, 0, 32 * MIB);
	struct shmguard_map *map = must_open(fd, 32 * MIB, &sixteen);
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_map_begin_read(map, 0, 32 * MIB, &view), 0);
	read_each_page(&view, 'x');
	ck_assert_int_eq(shmguard_view_end(&view), 0);
	ck_assert_uint_eq(holes_charged(), 0);

	if (!nothing_is_swapped())
		SKIP("something is swapped out");
	punch(fd, 0, 32 * MIB);
	ck_assert_int_eq(shmguard_map_begin_read(map, 0, 32 * MIB, &view), 0);
	read_each_page(&view, 0);
	ck_assert_int_eq(shmguard_view_end(&view), -1);
	ck_assert_uint_eq(stored_bytes(fd), 0);
	shmguard_map_close(map);
	close(fd);
}

static struct account *
account_of(const struct shmguard_policy *policy)
{
	struct shmguard_limits limits = policy->limits;
	limits_resolve(&limits);
	struct account *account = account_create(&limits);
	ck_assert_ptr_nonnull(account);
	return account;
}

static void
look_at_all(struct shmguard_map *map, size_t size)
{
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_map_begin_read(map, 0, size, &view), 0);
	for (size_t at = 0; at < size; at += page)
		(void)((volatile char *)view.data)[at];
	ck_assert_int_eq(shmguard_view_end(&view), 0);
}

/* They are not looked at each time but charged as if they were empty, so that it does
 * not matter what their client punches. */
TEST(F18_maps_are_charged_as_a_whole_while_there_is_plenty)
{
	enum { MAPS = 6 };
	struct shmguard_usage usage;
	struct shmguard_policy policy = {
		.limits = {.client = {.holes = 16 * MIB}},
	};
	struct account *account = account_of(&policy);
	struct shmguard_map *maps[MAPS];
	int fds[MAPS];
	for (int i = 0; i < MAPS; i++) {
		fds[i] = sparse_file(MIB);
		store(fds[i], 0, MIB);
		maps[i] = guarded_map_open(fcntl(fds[i], F_DUPFD_CLOEXEC, 0),
			MIB, &policy, account, NULL, NULL, NULL);
		ck_assert_ptr_nonnull(maps[i]);
		look_at_all(maps[i], MIB);
	}
	/* A quarter of the limit; the rest is full of pixels. */
	account_usage(account, &usage);
	ck_assert_uint_eq(usage.holes, 4 * MIB);

	for (int i = 0; i < MAPS; i++) {
		punch(fds[i], 0, MIB);
		look_at_all(maps[i], MIB);
	}
	account_usage(account, &usage);
	if (nothing_is_swapped())
		ck_assert_uint_eq(usage.holes, 6 * MIB);
	for (int i = 0; i < MAPS; i++) {
		shmguard_map_close(maps[i]);
		close(fds[i]);
	}
	account_usage(account, &usage);
	ck_assert_uint_eq(usage.holes, 0);
	account_unref(account);
}

/* What a map grows by is not paid for yet. */
TEST(F18_what_a_map_grows_by_is_charged_too)
{
	int fd = sparse_file(6 * MIB);
	struct shmguard_map *map = must_open(fd, MIB, NULL);
	look_at_all(map, MIB);
	ck_assert_uint_eq(holes_charged(), MIB);
	ck_assert_int_eq(shmguard_map_resize(map, 6 * MIB), 0);
	look_at_all(map, 6 * MIB);
	if (nothing_is_swapped())
		ck_assert_uint_ge(holes_charged(), 6 * MIB);
	shmguard_map_close(map);
	close(fd);
}

/* It could not have had more filled than there is. */
TEST(F18_no_map_counts_more_than_its_size)
{
	int fd = sparse_file(4 * MIB);
	struct shmguard_map *map = must_open(fd, 4 * MIB, &sixteen);
	struct shmguard_view view;
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(shmguard_map_begin_read(map, 0, 4 * MIB, &view),
			0);
		read_each_page(&view, 0);
		ck_assert_int_eq(shmguard_view_end(&view), 0);
		punch(fd, 0, 4 * MIB);
	}
	ck_assert_uint_eq(holes_charged(), 4 * MIB);
	shmguard_map_close(map);
	close(fd);
}

static void *
read_forever(void *data)
{
	const struct shmguard_view *view = data;
	for (int i = 0; i < 200; i++)
		read_each_page(view, 0);
	return NULL;
}

/* Others may be in the middle of what is given up. */
TEST(I6_views_survive_that_their_map_is_given_up)
{
	int fd = sparse_file(64 * MIB);
	struct shmguard_map *map = must_open(fd, 64 * MIB, &sixteen);
	struct shmguard_view first, second;
	pthread_t thread;
	ck_assert_int_eq(shmguard_map_begin_read(map, 0, MIB, &first), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, read_forever, &first), 0);
	ck_assert_int_eq(shmguard_map_begin_read(map, 0, 64 * MIB, &second), 0);
	pthread_join(thread, NULL);
	ck_assert_int_eq(shmguard_view_end(&second),
		nothing_is_swapped() ? -1 : 0);
	shmguard_map_close(map);
	shmguard_view_end(&first);
	close(fd);
}

/* Of a map that has moved to grow, older addresses can be looked at still. */
TEST(F18_what_is_given_up_in_one_place_counts_in_others)
{
	struct shmguard_view view;
	fake_kernel.tight = true;
	fake_kernel_use();
	int fd = sparse_file(64 * MIB);
	struct shmguard_map *map = must_open(fd, 32 * MIB, &sixteen);
	struct trap_range *old = guarded_map_pin(map);
	ck_assert_int_eq(shmguard_map_resize(map, 64 * MIB), 0);
	if (!nothing_is_swapped())
		SKIP("something is swapped out");

	ck_assert_int_eq(shmguard_map_begin_read(map, 0, 64 * MIB, &view), 0);
	ck_assert_ptr_ne(view.data, old->addr);
	ck_assert_int_eq(shmguard_view_end(&view), -1);
	for (int i = 0; i < 3; i++) {
		guarded_map_begin_look(map, old, 0, 32 * MIB);
		read_each_page(&(struct shmguard_view){
			.data = old->addr, .size = 32 * MIB}, 0);
	}
	ck_assert_uint_eq(stored_bytes(fd), 0);
	ck_assert(atomic_load(old->lost));
	map_generation_unpin(old);
	shmguard_map_close(map);
	close(fd);
}

/* Pages of other files can be had again when memory runs short. */
TEST(holes_of_files_on_disks_do_not_count)
{
	char path[] = "/var/tmp/test-holes-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		SKIP("no file in /var/tmp: %s", strerror(errno));
	unlink(path);
	ck_assert_int_eq(ftruncate(fd, (off_t)(32 * MIB)), 0);
	if (fcntl(fd, F_GET_SEALS) >= 0) {
		close(fd);
		SKIP("/var/tmp is not on a disk");
	}
	struct shmguard_map *map = shmguard_map_open(fcntl(fd, F_DUPFD_CLOEXEC, 0),
		32 * MIB, &sixteen, NULL);
	if (map == NULL) {
		close(fd);
		SKIP("files in /var/tmp are refused: %s", strerror(errno));
	}
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_map_begin_read(map, 0, 32 * MIB, &view), 0);
	ck_assert_int_eq(shmguard_view_end(&view), 0);
	ck_assert_uint_eq(holes_charged(), 0);
	shmguard_map_close(map);
	close(fd);
}

/* ---- Copies ---- */

static void
check_copy_of_hole(const struct shmguard_policy *policy)
{
	enum { ROW = 8 << 10, ROWS = 64 };
	size_t size = 512 * MIB, stride = size / ROWS;
	int fd = sparse_file(size);
	store(fd, stride, page);
	struct shmguard_map *map = must_open(fd, size, policy);
	char *copy = malloc(ROW * ROWS);
	ck_assert_ptr_nonnull(copy);
	memset(copy, 1, ROW * ROWS);
	ck_assert_int_eq(shmguard_map_copy(map, 0, stride, ROW, ROWS, copy, ROW),
		0);
	size_t wrong = 0;
	for (size_t i = 0; i < ROW * ROWS; i++)
		wrong += copy[i] != (i == ROW ? 'x' : 0);
	ck_assert_uint_eq(wrong, 0);
	if (nothing_is_swapped())
		ck_assert_uint_le(stored_bytes(fd), 2 * page);
	free(copy);
	shmguard_map_close(map);
	close(fd);
}

TEST(F18_copies_fill_no_holes)
{
	check_copy_of_hole(NULL);
	check_copy_of_hole(&(struct shmguard_policy){
		.unsealed = SHMGUARD_UNSEALED_COPY});
	check_copy_of_hole(&(struct shmguard_policy){.adopt_seals = true});
}

static unsigned char
byte_at(size_t offset)
{
	return (unsigned char)(offset * 2654435761u >> 24 | 1);
}

/* Rows that start and end anywhere, over pages that are there and others. */
static void
check_rows(struct shmguard_map *map, size_t offset, size_t stride, size_t row,
	size_t rows, size_t to_stride)
{
	unsigned char *copy = malloc(to_stride * rows + 1);
	ck_assert_ptr_nonnull(copy);
	memset(copy, 0xee, to_stride * rows);
	ck_assert_int_eq(shmguard_map_copy(map, offset, stride, row, rows, copy,
		to_stride), 0);
	size_t wrong = 0;
	for (size_t y = 0; y < rows; y++) {
		for (size_t x = 0; x < to_stride; x++) {
			size_t at = offset + y * stride + x;
			int expected = at / page % 3 == 1 ? 0 : byte_at(at);
			wrong += copy[y * to_stride + x] !=
				(x < row ? expected : 0xee);
		}
	}
	ck_assert_uint_eq(wrong, 0);
	free(copy);
}

TEST(rows_are_copied_as_they_lie)
{
	static const struct shmguard_policy copied = {
		.unsealed = SHMGUARD_UNSEALED_COPY,
	};
	size_t size = 64 * page;
	int fd = sparse_file(size);
	for (size_t at = 0; at < size; at++) {
		unsigned char byte = byte_at(at);
		if (at / page % 3 != 1)
			ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)at), 1);
	}
	for (int i = 0; i < 2; i++) {
		struct shmguard_map *map = must_open(fd, size,
			i == 0 ? NULL : &copied);
		check_rows(map, 0, size, size, 1, size);
		check_rows(map, 0, page, page, 64, page);
		check_rows(map, 5, 1000, 999, 200, 1234);
		check_rows(map, page - 1, 3 * page, 2, 20, 2);
		check_rows(map, size - 7, 7, 7, 1, 7);
		check_rows(map, 3 * page + 17, 5 * page, 4 * page + 3, 12, 5 * page);
		shmguard_map_close(map);
	}
	close(fd);
}

TEST(rows_that_are_not_within_the_map_are_refused)
{
	int fd = sparse_file(4 * page);
	struct shmguard_map *map = must_open(fd, 4 * page, NULL);
	char to[16];
	static const struct {
		size_t offset, stride, row, rows, to_stride;
	} bad[] = {
		{0, 16, 0, 1, 16}, {0, 16, 16, 0, 16}, {0, 15, 16, 1, 16},
		{0, 16, 16, 1, 15}, {SIZE_MAX, 16, 16, 1, 16},
		{0, SIZE_MAX, 16, 3, 16}, {0, SIZE_MAX / 2, 16, 5, 16},
		{0, 16, 16, SIZE_MAX, 16}, {0, SIZE_MAX, SIZE_MAX, 1, SIZE_MAX},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(shmguard_map_copy(map, bad[i].offset,
			bad[i].stride, bad[i].row, bad[i].rows, to,
			bad[i].to_stride), -1);
		ck_assert_int_eq(errno, ERANGE);
	}
	size_t last = 4 * page - 16;
	ck_assert_int_eq(shmguard_map_copy(map, last, 16, 16, 1, to, 16), 0);
	ck_assert_int_eq(shmguard_map_copy(map, last + 1, 16, 16, 1, to, 16), -1);
	ck_assert_int_eq(shmguard_map_copy(map, last, 16, 16, 2, to, 16), -1);
	shmguard_map_close(map);
	close(fd);
}

TEST(I7_copy_tells_what_is_missing)
{
	for (int i = 0; i < 2; i++) {
		const struct shmguard_policy policy = {
			.unsealed = i == 0 ? SHMGUARD_UNSEALED_TRAP :
				SHMGUARD_UNSEALED_COPY,
			.writable = i == 0, /* maps that fault on every kernel */
		};
		int fd = numbered_memfd(4);
		struct shmguard_map *map = must_open(fd, 4 * page, &policy);
		ck_assert_int_eq(ftruncate(fd, (off_t)(2 * page)), 0);
		unsigned char *copy = malloc(4 * page);
		ck_assert_ptr_nonnull(copy);
		/* What is past the end is in no memory either. */
		int result = shmguard_map_copy(map, 0, page, page, 4, copy, page);
		int first = copy[0], last = copy[4 * page - 1];
		free(copy);
		ck_assert_int_eq(result, -1);
		ck_assert_int_eq(errno, EFAULT);
		ck_assert_int_eq(first, page_byte(0));
		ck_assert_int_eq(last, 0);
		shmguard_map_close(map);
		close(fd);
	}
}
