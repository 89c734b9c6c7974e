/* SPDX-License-Identifier: MIT */

/* Injected failures below Wayland: a map's life, in each tier. */

#include "fake_kernel.h"
#include "fuse_file.h"
#include "harness.h"
#include "inject.h"
#include "inject_calls.h"
#include "inject_files.h"
#include "memory_look.h"
#include "nosigbus_map.h"

#include <shmguard/map.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The second is worth a trip to the reaper, which unmaps it in pieces. */
#define SIZE ((size_t)128 << 10)
#define GROWN ((size_t)9 << 20)

static void
read_all(struct shmguard_map *map, size_t size)
{
	struct shmguard_view view;
	if (!inject_works(shmguard_map_begin_read(map, 0, size, &view) == 0))
		return;
	inject_works(shmguard_view_end(&view) == 0);
}

static void
read_bytes(struct shmguard_map *map)
{
	struct shmguard_view view;
	if (!inject_works(shmguard_map_begin_read(map, 0, SIZE, &view) == 0))
		return;
	bool first = ((const volatile char *)view.data)[0] == 'x';
	bool last = ((const volatile char *)view.data)[SIZE - 1] == 'x';
	if (inject_works(shmguard_view_end(&view) == 0))
		ck_assert(first && last);
}

static void
copy_bytes(struct shmguard_map *map)
{
	unsigned char *bytes = malloc(SIZE);
	if (inject_works(shmguard_map_copy(map, 0, 4096, 4000, SIZE / 4096,
			bytes, 4096) == 0)) {
		ck_assert_int_eq(bytes[0], 'x');
		ck_assert_int_eq(bytes[SIZE - 97], 'x');
	}
	free(bytes);
}

static void
write_byte(struct shmguard_map *map, int fd)
{
	struct shmguard_view view;
	if (shmguard_map_begin_write(map, 4096, 4096, &view) < 0) {
		ck_assert(errno == EACCES || errno == EPERM ||
			inject_happened());
		return;
	}
	((volatile char *)view.data)[1] = 'y';
	if (inject_works(shmguard_view_end(&view) == 0))
		inject_works(byte_in_file(fd, 4097) == 'y');
}

/* A view keeps its bytes, and its address, while the map moves. */
static void
grow(struct shmguard_map *map, int fd)
{
	struct shmguard_view view;
	if (!inject_works(shmguard_map_begin_read(map, 0, SIZE, &view) == 0))
		return;
	ck_assert_int_eq(ftruncate(fd, (off_t)GROWN), 0);
	bool grown = inject_works(shmguard_map_resize(map, GROWN) == 0);
	ck_assert_uint_eq(shmguard_map_size(map), grown ? GROWN : SIZE);
	int byte = *(const volatile char *)view.data;
	if (inject_works(shmguard_view_end(&view) == 0))
		ck_assert_int_eq(byte, 'x');
	if (grown)
		read_all(map, GROWN);
}

/* The map was made, whatever failed: then nothing may come of what its client does
 * to the file. */
static void
lose_bytes(struct shmguard_map *map, int fd)
{
	size_t size = shmguard_map_size(map);
	if (ftruncate(fd, 8192) < 0) {
		/* Sealed: then there is less than it claims. */
		size = 2 * GROWN;
		if (shmguard_map_resize(map, size) < 0) {
			ck_assert(shmguard_map_lost(map));
			return;
		}
	}
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_map_begin_read(map, size - SIZE / 2, SIZE / 2,
		&view), 0);
	for (size_t i = 0; i < SIZE / 2; i += 1024)
		ck_assert_int_eq(((const volatile char *)view.data)[i], 0);
	ck_assert_int_eq(shmguard_view_end(&view), -1);
	ck_assert_int_eq(errno, EFAULT);
	ck_assert(shmguard_map_lost(map));
}

static void
live(int fd, int theirs, const struct shmguard_policy *policy,
	enum shmguard_tier tier)
{
	inject_begin();
	struct shmguard_map *map = shmguard_map_open(theirs, SIZE, policy, NULL);
	if (inject_works(map != NULL)) {
		inject_works(shmguard_map_tier(map) == tier);
		read_bytes(map);
		copy_bytes(map);
		write_byte(map, fd);
		grow(map, fd);
	}
	inject_end();
	if (map != NULL)
		lose_bytes(map, fd);
	inject_begin();
	shmguard_map_close(map);
	inject_end();
	close(fd);
}

/* This kernel's calls fail all the same. */
static void
use_fake_kernel(void)
{
	fake_kernel_use();
	inject_use_kernel(map_syscalls);
	map_syscalls = &real_map_syscalls;
}

#define LIFE_TEST(name, file, tier, ...) \
	INJECT_TEST(name) \
	{ \
		struct shmguard_policy policy = {__VA_ARGS__}; \
		int fd = file; \
		live(fd, dup(fd), &policy, tier); \
	}

static int
memfd(int seals)
{
	return harness_memfd(SIZE, 'x', seals);
}

LIFE_TEST(I1_failures_sealed_map, memfd(F_SEAL_SHRINK), SHMGUARD_TIER_SEALED)
LIFE_TEST(I1_failures_adopted_map, memfd(0), SHMGUARD_TIER_SEALED, .adopt_seals = true)
LIFE_TEST(I1_failures_trapped_map, memfd(0), SHMGUARD_TIER_TRAPPED)
LIFE_TEST(I1_failures_trapped_unsealable_map, memfd(-1), SHMGUARD_TIER_TRAPPED)
LIFE_TEST(I1_failures_trapped_writable_map, memfd(0), SHMGUARD_TIER_TRAPPED,
	.writable = true)
LIFE_TEST(I1_failures_copied_map, memfd(0), SHMGUARD_TIER_COPIED,
	.unsealed = SHMGUARD_UNSEALED_COPY)
LIFE_TEST(I1_failures_copied_without_handler, memfd(0), SHMGUARD_TIER_COPIED,
	.handler = SHMGUARD_HANDLER_NONE)
LIFE_TEST(I1_failures_map_of_a_local_file, inject_local_file(SIZE, 'x'), SHMGUARD_TIER_TRAPPED)
LIFE_TEST(I1_failures_local_file_without_handler, inject_local_file(SIZE, 'x'),
	SHMGUARD_TIER_COPIED, .handler = SHMGUARD_HANDLER_NONE)
LIFE_TEST(I1_failures_write_sealed_map, memfd(F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE),
	SHMGUARD_TIER_SEALED, .writable = true)

INJECT_TEST(F22_failures_of_a_read_only_map)
{
	int fd = memfd(0);
	live(fd, reopen_fd(fd, O_RDONLY), NULL, SHMGUARD_TIER_TRAPPED);
}

#define KERNEL_TEST(name, tier, ...) \
	INJECT_TEST(name) \
	{ \
		use_fake_kernel(); \
		fake_kernel = (struct fake_kernel){ \
			.calls_before_failure = -1, __VA_ARGS__}; \
		int fd = memfd(0); \
		live(fd, dup(fd), NULL, tier); \
	}

KERNEL_TEST(I1_failures_nosigbus_map, SHMGUARD_TIER_NOSIGBUS,
	.has_nosigbus = true)
KERNEL_TEST(I1_failures_nosigbus_map_that_is_refused, SHMGUARD_TIER_TRAPPED,
	.has_nosigbus = true, .refuses_nosigbus = true)
KERNEL_TEST(I6_failures_of_a_map_that_moves, SHMGUARD_TIER_TRAPPED,
	.tight = true)

/* ---- Files with manners of their own ---- */

static void
read_and_close(struct shmguard_map *map, size_t size, int expected)
{
	struct shmguard_view view;
	if (inject_works(map != NULL) && inject_works(
			shmguard_map_begin_read(map, 0, size, &view) == 0)) {
		int byte = *(const volatile unsigned char *)view.data;
		inject_works(byte == expected);
		shmguard_view_end(&view);
	}
	shmguard_map_close(map);
}

static void
serve_file(enum shmguard_blocking blocking)
{
	struct shmguard_policy policy = {
		.blocking = blocking,
		.blocking_deadline = 10 * 1000, /* ms: it does answer */
	};
	inject_may_be_uncharged();
	struct fuse_file *file = fuse_file_start(SIZE, FUSE_FILE_NORMAL);
	ck_assert_ptr_nonnull(file);
	int fd = fuse_file_open(file, O_RDWR);
	inject_begin();
	read_and_close(shmguard_map_open(fd, SIZE, &policy, NULL), SIZE,
		FUSE_FILE_BYTE);
	inject_end();
	fuse_file_stop(file);
}

static void
copy_served_file(void)
{
	serve_file(SHMGUARD_BLOCKING_COPY);
}

static void
map_served_file(void)
{
	serve_file(SHMGUARD_BLOCKING_ALLOW);
}

static bool
have_fuse(void)
{
	struct fuse_file *file = fuse_file_start(SIZE, FUSE_FILE_NORMAL);
	if (file == NULL)
		harness_skip("%s", fuse_file_problem());
	fuse_file_stop(file);
	return file != NULL;
}

TEST(I10_failures_of_a_copied_file_that_can_block)
{
	if (have_fuse())
		inject_run("I10_failures_of_a_copied_file_that_can_block",
			copy_served_file);
}

TEST(I10_failures_of_a_mapped_file_that_can_block)
{
	if (have_fuse())
		inject_run("I10_failures_of_a_mapped_file_that_can_block",
			map_served_file);
}

static int
huge_memfd(void)
{
	return memfd_create("test", MFD_CLOEXEC | MFD_HUGETLB);
}

/* No huge page is needed: there are none, and that is a fault like any other. */
static void
read_huge_pages(void)
{
	struct stat file;
	use_fake_kernel();
	fake_kernel = (struct fake_kernel){
		.calls_before_failure = -1,
		.reserves_nothing = true,
	};
	int fd = huge_memfd();
	ck_assert_int_eq(fstat(fd, &file), 0);
	size_t huge = (size_t)file.st_blksize;
	ck_assert_int_eq(ftruncate(fd, 2 * file.st_blksize), 0);
	ck_assert_int_eq(fallocate(fd, FALLOC_FL_PUNCH_HOLE |
		FALLOC_FL_KEEP_SIZE, 0, 2 * file.st_blksize), 0);
	inject_begin();
	struct shmguard_map *map = shmguard_map_open(fd, huge, NULL, NULL);
	if (inject_works(map != NULL))
		inject_works(shmguard_map_resize(map, 2 * huge) == 0);
	read_and_close(map, huge, 0);
	inject_end();
}

TEST(F16_failures_of_huge_pages)
{
	int fd = huge_memfd();
	if (fd < 0)
		SKIP("no huge pages: %s", strerror(errno));
	close(fd);
	inject_run("F16_failures_of_huge_pages", read_huge_pages);
}
