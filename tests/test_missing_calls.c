/* SPDX-License-Identifier: MIT */

/*
 * What the library does without a call that kernels or sandboxes may lack: what it
 * cannot do then it refuses, with an errno, or says. Each test tries the call, and has
 * nothing to show where it is there; `without` takes it away.
 */

#include "fault_notifier.h"
#include "harness.h"
#include "memory_look.h"
#include "needs.h"
#include "nosigbus_map.h"
#include "seal_check.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sched.h>
#include <shmguard/map.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGES 8

static int
duplicate(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static unsigned char
first_byte(const struct shmguard_view *view)
{
	return *(const volatile unsigned char *)view->data;
}

/* Refused for what may be behind it: nothing but the descriptor is known. */
static void
expect_may_block(int fd, size_t size)
{
	enum shmguard_reason reason;
	errno = 0;
	ck_assert_ptr_null(shmguard_map_open(fd, size, NULL, &reason));
	ck_assert_int_eq(errno, EPERM);
	ck_assert_int_eq(reason, SHMGUARD_REASON_MAY_BLOCK);
}

static int
shared_memory_file(size_t size)
{
	int fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	return fd;
}

/* ---- mremap ---- */

TEST(maps_grow_by_their_descriptor_without_mremap)
{
	if (can_mremap())
		SKIP("mremap(2) is there");
	size_t page = page_size();
	int client = numbered_memfd(PAGES), before = harness_open_fds();
	struct shmguard_map *map = shmguard_map_open(duplicate(client), page,
		NULL, NULL);
	ck_assert_ptr_nonnull(map);
	ck_assert_int_eq(harness_open_fds(), before + 1);

	struct shmguard_view old, new;
	ck_assert_int_eq(shmguard_map_begin_read(map, 0, page, &old), 0);
	ck_assert_int_eq(shmguard_map_resize(map, PAGES * page), 0);
	ck_assert_uint_eq(first_byte(&old), page_byte(0));
	ck_assert_int_eq(shmguard_map_begin_write(map, 5 * page, 1, &new), 0);
	ck_assert_uint_eq(first_byte(&new), page_byte(5));
	*(volatile unsigned char *)new.data = 77;
	ck_assert_int_eq(byte_in_file(client, 5 * page), 77);
	ck_assert_int_eq(shmguard_view_end(&new), 0);
	ck_assert_int_eq(shmguard_view_end(&old), 0);
	shmguard_map_close(map);
	close(client);
}

/* ---- eventfd ---- */

TEST(I5_nothing_is_guarded_without_a_way_to_report)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	if (fd >= 0) {
		close(fd);
		SKIP("eventfd(2) is there");
	}
	int error = errno;
	errno = 0;
	ck_assert_ptr_null(fault_notifier_create());
	ck_assert_int_eq(errno, error);
}

/* ---- statx ---- */

TEST(I10_files_are_refused_without_statx)
{
	struct statx file;
	if (syscall(SYS_statx, AT_FDCWD, "/", 0, STATX_TYPE, &file) == 0)
		SKIP("statx(2) is there");
	size_t page = page_size();
	char path[] = "/var/tmp/test-missing-calls-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	unlink(path);
	ck_assert_int_eq(ftruncate(fd, (off_t)page), 0);
	if (fcntl(fd, F_GET_SEALS) >= 0) {
		close(fd);
		SKIP("/var/tmp is shared memory");
	}
	expect_may_block(fd, page);

	/* Who has seals is known without. */
	struct shmguard_map *map = shmguard_map_open(harness_memfd(page, 1, 0),
		page, NULL, NULL);
	ck_assert_ptr_nonnull(map);
	shmguard_map_close(map);
}

/* ---- Seals ---- */

static bool
has_seals(void)
{
	int fd = shared_memory_file(1);
	bool has = fcntl(fd, F_GET_SEALS) >= 0;
	close(fd);
	return has;
}

TEST(I10_memfds_are_refused_without_seals)
{
	if (has_seals())
		SKIP("seals are there");
	int fd = memfd_create("test", MFD_CLOEXEC);
	if (fd < 0)
		SKIP("no memfds either");
	/* They are on no mount that could be looked up. */
	expect_may_block(fd, page_size());
}

TEST(F18_shared_memory_is_trapped_and_counted_without_seals)
{
	if (has_seals())
		SKIP("seals are there");
	size_t size = (size_t)64 << 20;
	int client = shared_memory_file(size);
	struct shmguard_policy policy = {.limits.client.holes = (size_t)8 << 20};
	enum shmguard_reason reason;
	struct shmguard_map *map = shmguard_map_open(duplicate(client), size,
		&policy, &reason);
	ck_assert_ptr_nonnull(map);
	ck_assert_int_eq(shmguard_map_tier(map), SHMGUARD_TIER_TRAPPED);
	ck_assert_int_eq(reason, SHMGUARD_REASON_LOCAL_FILE);
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_map_begin_read(map, 0, size, &view), 0);
	ck_assert_int_eq(first_byte(&view), 0);
	ck_assert_int_eq(shmguard_view_end(&view), -1);
	ck_assert_int_eq(errno, EFAULT);
	shmguard_map_close(map);
	close(client);
}

/* A file of one huge page on a mount of ours, or -1 with errno. */
static int
huge_file(void)
{
	char directory[] = "/tmp/test-missing-calls-XXXXXX", path[64];
	if (unshare(CLONE_NEWNS) < 0 ||
			mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
			mkdtemp(directory) == NULL)
		return -1;
	int fd = -1;
	if (mount("hugetlbfs", directory, "hugetlbfs", 0, NULL) == 0) {
		snprintf(path, sizeof(path), "%s/file", directory);
		fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	} else {
		rmdir(directory);
	}
	return fd;
}

TEST(F16_huge_pages_are_known_without_seals)
{
	if (has_seals())
		SKIP("seals are there");
	int fd = huge_file();
	if (fd < 0)
		SKIP("no huge pages: %s", strerror(errno));
	struct fd_verdict verdict = seal_check(fd, 1, false);
	ck_assert(verdict.hugetlb);
	ck_assert_int_eq(verdict.reason, SHMGUARD_REASON_HUGETLB);
	ck_assert_uint_gt(verdict.block_size, page_size());
	close(fd);
}

/* ---- memfd_create ---- */

TEST(files_are_trapped_where_the_flag_cannot_be_probed)
{
	int memfd = memfd_create("test", MFD_CLOEXEC);
	if (memfd >= 0) {
		close(memfd);
		SKIP("memfd_create(2) is there");
	}
	ck_assert_int_eq(nosigbus_probe(), -1);
	ck_assert_int_eq(nosigbus_flag(), 0);
	size_t page = page_size();
	int client = numbered_memfd(PAGES);
	struct shmguard_map *map = shmguard_map_open(duplicate(client),
		PAGES * page, NULL, NULL);
	ck_assert_ptr_nonnull(map);
	ck_assert_int_eq(shmguard_map_tier(map), SHMGUARD_TIER_TRAPPED);
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_map_begin_read(map, 0, PAGES * page, &view), 0);
	ck_assert_int_eq(ftruncate(client, 0), 0);
	ck_assert_uint_eq(first_byte(&view), 0);
	ck_assert_int_eq(shmguard_view_end(&view), -1);
	shmguard_map_close(map);
	close(client);
}

/* ---- madvise ---- */

static unsigned int warnings;

static void
count_warning(enum shmguard_log_level level, const char *line, void *data)
{
	(void)data;
	if (level == SHMGUARD_LOG_ERROR && strstr(line, "core dumps") != NULL)
		warnings++;
}

TEST(I12_exposed_memory_is_said_once)
{
	if (can_madvise())
		SKIP("madvise(2) is there");
	struct shmguard_policy policy = {.log = count_warning};
	for (int i = 0; i < 3; i++) {
		struct shmguard_map *map = shmguard_map_open(
			harness_memfd(1, 1, 0), 1, &policy, NULL);
		ck_assert_ptr_nonnull(map);
		shmguard_map_close(map);
	}
	ck_assert_uint_eq(warnings, 1);
}

/* ---- mincore ---- */

TEST(F18_all_counts_where_holes_cannot_be_told)
{
	unsigned char vector[1];
	size_t page = page_size(), size = (size_t)64 << 20;
	void *addr = mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
		-1, 0);
	ck_assert_ptr_ne(addr, MAP_FAILED);
	bool refused = mincore(addr, page, vector) < 0;
	munmap(addr, page);
	if (!refused)
		SKIP("mincore(2) is there");

	struct shmguard_policy policy = {.limits.client.holes = size / 2};
	for (int i = 0; i < 2; i++) {
		size_t length = i == 0 ? size / 2 : size;
		struct shmguard_map *map = shmguard_map_open(
			harness_memfd(length, 3, 0), length, &policy, NULL);
		ck_assert_ptr_nonnull(map);
		struct shmguard_view view;
		/* No map counts more than once. */
		for (int times = 0; times < 3; times++) {
			ck_assert_int_eq(shmguard_map_begin_read(map, 0, length,
				&view), 0);
			ck_assert_uint_eq(first_byte(&view), i == 0 ? 3 : 0);
			ck_assert_int_eq(shmguard_view_end(&view), -i);
		}
		shmguard_map_close(map);
	}
}
