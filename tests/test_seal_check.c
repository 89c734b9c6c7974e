/* SPDX-License-Identifier: MIT */
#include "harness.h"
#include "needs.h"
#include "seal_check.h"
#include "verdict.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x8U
#endif

#define SIZE 16384

/* A descriptor for the same file with other access. */
static int
reopen(int fd, int flags)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int other = open(path, flags | O_CLOEXEC);
	ck_assert_msg(other >= 0, "%s: %s", path, strerror(errno));
	return other;
}

/* Judges and closes. */
static struct fd_verdict
judge(int fd, size_t size, bool adopt)
{
	ck_assert_int_ge(fd, 0);
	struct fd_verdict verdict = seal_check(fd, size, adopt);
	close(fd);
	return verdict;
}

/* ---- Words ---- */

TEST(every_reason_and_tier_has_its_own_words)
{
	unsigned int last = SHMGUARD_REASON_READ_ERROR;
	for (unsigned int i = SHMGUARD_REASON_SEALED; i <= last; i++) {
		const char *text = shmguard_reason_text(i);
		ck_assert_str_ne(text, shmguard_reason_text(last + 1));
		ck_assert(text[strlen(text) - 1] != '.');
		for (unsigned int j = SHMGUARD_REASON_SEALED; j < i; j++)
			ck_assert_str_ne(text, shmguard_reason_text(j));
		const char *name = shmguard_reason_name(i);
		ck_assert_uint_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz_"),
			strlen(name));
		ck_assert_str_ne(name, shmguard_reason_name(last + 1));
	}
	ck_assert_str_eq(shmguard_reason_name(SHMGUARD_REASON_MAY_BLOCK),
		"may_block");
	static const char *const tiers[] = {
		[SHMGUARD_TIER_SEALED] = "sealed",
		[SHMGUARD_TIER_NOSIGBUS] = "nosigbus",
		[SHMGUARD_TIER_TRAPPED] = "trapped",
		[SHMGUARD_TIER_COPIED] = "copied",
		[SHMGUARD_TIER_REJECTED] = "rejected",
	};
	for (unsigned int i = 0; i <= SHMGUARD_TIER_REJECTED; i++)
		ck_assert_str_eq(shmguard_tier_name(i), tiers[i]);
	ck_assert_ptr_nonnull(shmguard_tier_name(SHMGUARD_TIER_REJECTED + 1));
}

/* ---- Shared memory ---- */

TEST(memfd_without_sealing_is_unsealable)
{
	int fd = harness_memfd(SIZE, 0, -1);
	assert_accepted(judge(fd, SIZE, false),
		SHMGUARD_REASON_UNSEALABLE, false);
}

TEST(tmpfs_file_is_unsealable)
{
	char path[] = "/dev/shm/test-seal-check-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		SKIP("%s: %s", path, strerror(errno));
	unlink(path);
	ck_assert_int_eq(ftruncate(fd, SIZE), 0);
	assert_accepted(judge(fd, SIZE, false),
		SHMGUARD_REASON_UNSEALABLE, false);
}

TEST(memfd_with_sealing_is_sealable)
{
	int fd = harness_memfd(SIZE, 0, 0);
	assert_accepted(judge(fd, SIZE, false),
		SHMGUARD_REASON_SEALABLE, false);
}

TEST(memfd_with_other_seals_is_sealable)
{
	int fd = harness_memfd(SIZE, 0, F_SEAL_GROW | F_SEAL_WRITE);
	assert_accepted(judge(fd, SIZE, false),
		SHMGUARD_REASON_SEALABLE, false);
	fd = harness_memfd(SIZE, 0, F_SEAL_GROW | F_SEAL_SEAL);
	assert_accepted(judge(fd, SIZE, false),
		SHMGUARD_REASON_UNSEALABLE, false);
}

TEST(noexec_memfd_is_sealable)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
	if (fd < 0)
		SKIP("MFD_NOEXEC_SEAL: %s", strerror(errno));
	ck_assert_int_eq(ftruncate(fd, SIZE), 0);
	assert_accepted(judge(fd, SIZE, false),
		SHMGUARD_REASON_SEALABLE, false);
}

TEST(sealed_memfd_is_sealed)
{
	int fd = harness_memfd(SIZE, 0, F_SEAL_SHRINK);
	assert_accepted(seal_check(fd, SIZE, false),
		SHMGUARD_REASON_SEALED, true);
	assert_accepted(seal_check(fd, SIZE - 1, false), SHMGUARD_REASON_SEALED,
		true);
	assert_accepted(judge(fd, 0, false), SHMGUARD_REASON_SEALED, true);
}

TEST(F1_sealed_but_short_is_not_sealed)
{
	int fd = harness_memfd(SIZE, 0, F_SEAL_SHRINK);
	assert_accepted(seal_check(fd, SIZE + 1, false), SHMGUARD_REASON_SHORT,
		false);
	assert_accepted(seal_check(fd, SIZE_MAX, false), SHMGUARD_REASON_SHORT,
		false);

	/* And it may have become long enough when the pool is resized. */
	ck_assert_int_eq(ftruncate(fd, 2 * SIZE), 0);
	assert_accepted(judge(fd, 2 * SIZE, false),
		SHMGUARD_REASON_SEALED, true);
}

TEST(sealed_after_truncation_is_short)
{
	int fd = harness_memfd(SIZE, 0, 0);
	ck_assert_int_eq(ftruncate(fd, SIZE / 2), 0);
	harness_add_seals(fd, F_SEAL_SHRINK);
	assert_accepted(judge(fd, SIZE, true), SHMGUARD_REASON_SHORT, false);
}

TEST(huge_sizes_do_not_overflow)
{
	int fd = harness_memfd(0, 0, 0);
	off_t huge = (off_t)5 << 30;
	if (sizeof(off_t) < 8 || ftruncate(fd, huge) < 0) {
		close(fd);
		SKIP("no files of 5 GiB");
	}
	harness_add_seals(fd, F_SEAL_SHRINK);
	assert_accepted(judge(fd, SIZE_MAX / 4 < (size_t)huge ? SIZE_MAX :
		(size_t)huge, false), SHMGUARD_REASON_SEALED, true);
}

/* ---- Adopting seals ---- */

TEST(adopting_is_not_done_unasked)
{
	int fd = harness_memfd(SIZE, 0, 0);
	assert_accepted(seal_check(fd, SIZE, false), SHMGUARD_REASON_SEALABLE,
		false);
	ck_assert_int_eq(fcntl(fd, F_GET_SEALS), 0);
	close(fd);
}

TEST(adopting_seals_what_can_be_sealed)
{
	int fd = harness_memfd(SIZE, 0, 0);
	assert_accepted(seal_check(fd, SIZE, true),
		SHMGUARD_REASON_ADOPTED, true);
	ck_assert_int_eq(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK);
	ck_assert_int_lt(ftruncate(fd, SIZE / 2), 0);
	ck_assert_int_eq(ftruncate(fd, SIZE * 2), 0);
	assert_accepted(judge(fd, SIZE * 2, true),
		SHMGUARD_REASON_SEALED, true);
}

TEST(adopting_a_short_file_does_not_make_it_longer)
{
	int fd = harness_memfd(SIZE, 0, 0);
	assert_accepted(judge(fd, SIZE + 1, true),
		SHMGUARD_REASON_SHORT, false);
}

TEST(adopting_leaves_unsealable_files_alone)
{
	int fd = harness_memfd(SIZE, 0, -1);
	assert_accepted(judge(fd, SIZE, true),
		SHMGUARD_REASON_UNSEALABLE, false);
}

TEST(adopting_needs_a_descriptor_that_may_write)
{
	int fd = harness_memfd(SIZE, 0, 0);
	assert_accepted(judge(reopen(fd, O_RDONLY), SIZE, true),
		SHMGUARD_REASON_SEALABLE, false);
	ck_assert_int_eq(fcntl(fd, F_GET_SEALS), 0);
	close(fd);
}

TEST(adopting_does_not_touch_what_is_refused)
{
	int fd = harness_memfd(SIZE, 0, 0);
	assert_refused(judge(reopen(fd, O_WRONLY), SIZE, true),
		SHMGUARD_REASON_WRITE_ONLY);
	ck_assert_int_eq(fcntl(fd, F_GET_SEALS), 0);
	close(fd);
}

/* ---- Huge pages ---- */

static int
huge_memfd(unsigned flags)
{
	return memfd_create("test", MFD_CLOEXEC | MFD_HUGETLB | flags);
}

TEST(F16_huge_pages_are_never_sealed)
{
	int fd = huge_memfd(MFD_ALLOW_SEALING);
	if (fd < 0)
		SKIP("no huge pages: %s", strerror(errno));
	struct stat file;
	ck_assert_int_eq(fstat(fd, &file), 0);
	size_t huge = (size_t)file.st_blksize;
	ck_assert_uint_gt(huge, (size_t)sysconf(_SC_PAGESIZE));
	ck_assert_int_eq(ftruncate(fd, (off_t)huge), 0);

	struct fd_verdict verdict = seal_check(fd, huge, false);
	assert_accepted(verdict, SHMGUARD_REASON_HUGETLB, false);
	ck_assert_uint_eq(verdict.block_size, huge);
	ck_assert(verdict.can_write);

	int seals = F_SEAL_SHRINK | F_SEAL_GROW;
	harness_add_seals(fd, seals);
	verdict = judge(fd, huge, false);
	assert_accepted(verdict, SHMGUARD_REASON_HUGETLB, false);
	ck_assert_uint_eq(verdict.block_size, huge);
}

TEST(F16_huge_pages_gain_nothing_by_adopting)
{
	int fd = huge_memfd(MFD_ALLOW_SEALING);
	if (fd < 0)
		SKIP("no huge pages: %s", strerror(errno));
	assert_accepted(seal_check(fd, SIZE, true),
		SHMGUARD_REASON_HUGETLB, false);
	ck_assert_int_eq(fcntl(fd, F_GET_SEALS), 0);
	close(fd);
}

TEST(F16_huge_pages_without_sealing_are_recognised)
{
	int fd = huge_memfd(0);
	if (fd < 0)
		SKIP("no huge pages: %s", strerror(errno));
	assert_accepted(judge(fd, SIZE, true), SHMGUARD_REASON_HUGETLB, false);
}

/* ---- Access ---- */

TEST(F22_write_access_is_told)
{
	int fd = harness_memfd(SIZE, 0, F_SEAL_SHRINK);
	struct fd_verdict verdict = judge(reopen(fd, O_RDONLY), SIZE, false);
	assert_accepted(verdict, SHMGUARD_REASON_SEALED, true);
	ck_assert(!verdict.can_write);
	verdict = judge(fd, SIZE, false);
	ck_assert(verdict.can_write);

	static const int seals[] = {F_SEAL_WRITE, F_SEAL_FUTURE_WRITE};
	for (size_t i = 0; i < sizeof(seals) / sizeof(seals[0]); i++) {
		fd = harness_memfd(SIZE, 0, F_SEAL_SHRINK | seals[i]);
		verdict = judge(fd, SIZE, false);
		assert_accepted(verdict, SHMGUARD_REASON_SEALED, true);
		ck_assert(!verdict.can_write);
		fd = harness_memfd(SIZE, 0, seals[i]);
		verdict = judge(fd, SIZE, true);
		assert_accepted(verdict, SHMGUARD_REASON_ADOPTED, true);
		ck_assert(!verdict.can_write);
	}
}

TEST(closed_descriptors_are_refused)
{
	struct fd_verdict verdict = seal_check(-1, SIZE, true);
	assert_refused(verdict, SHMGUARD_REASON_BAD_FD);
	ck_assert(!verdict.may_block);
	assert_refused(seal_check(INT32_MAX, SIZE, true),
		SHMGUARD_REASON_BAD_FD);
	int fd = harness_memfd(SIZE, 0, 0);
	close(fd);
	assert_refused(seal_check(fd, SIZE, true), SHMGUARD_REASON_BAD_FD);
}

TEST(path_only_descriptors_are_refused)
{
	int fd = harness_memfd(SIZE, 0, 0);
	assert_refused(judge(reopen(fd, O_PATH), SIZE, true),
		SHMGUARD_REASON_PATH_ONLY);
	close(fd);
	assert_refused(judge(open("/dev/shm", O_PATH | O_CLOEXEC), SIZE, true),
		SHMGUARD_REASON_PATH_ONLY);
}

TEST(write_only_descriptors_are_refused)
{
	int fd = harness_memfd(SIZE, 0, F_SEAL_SHRINK);
	struct fd_verdict verdict = judge(reopen(fd, O_WRONLY), SIZE, false);
	ck_assert(verdict.refused);
	ck_assert_int_eq(verdict.reason, SHMGUARD_REASON_WRITE_ONLY);
	ck_assert(!verdict.may_block);
	close(fd);
}

/* ---- Everything that is no shared memory ---- */

/* An unlinked file of SIZE bytes on a disk, or -1 where there is none. */
static int
local_file(void)
{
	char path[] = "/var/tmp/test-seal-check-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -1;
	unlink(path);
	struct statfs filesystem;
	ck_assert_int_eq(fstatfs(fd, &filesystem), 0);
	ck_assert_int_eq(ftruncate(fd, SIZE), 0);
	switch ((uint32_t)filesystem.f_type) {
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case OVERLAYFS_SUPER_MAGIC:
		return fd;
	}
	close(fd);
	return -1;
}

TEST(local_file_is_accepted)
{
	needs_statx();
	int fd = local_file();
	if (fd < 0)
		SKIP("/var/tmp is not on a local disk");
	struct fd_verdict verdict = seal_check(fd, SIZE, true);
	assert_accepted(verdict, SHMGUARD_REASON_LOCAL_FILE, false);
	ck_assert(verdict.can_write);
	verdict = judge(reopen(fd, O_RDONLY), SIZE, true);
	assert_accepted(verdict, SHMGUARD_REASON_LOCAL_FILE, false);
	ck_assert(!verdict.can_write);
	assert_refused(judge(reopen(fd, O_WRONLY), SIZE, true),
		SHMGUARD_REASON_WRITE_ONLY);
	assert_refused(judge(reopen(fd, O_PATH), SIZE, true),
		SHMGUARD_REASON_PATH_ONLY);
	close(fd);
}

TEST(I10_files_that_wait_for_events_may_block)
{
	/* A regular file, says the kernel. */
	int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	assert_accepted(judge(fd, SIZE, true),
		SHMGUARD_REASON_MAY_BLOCK, false);
}

TEST(directories_are_refused)
{
	needs_statx();
	struct fd_verdict verdict = judge(open("/dev/shm",
		O_RDONLY | O_DIRECTORY | O_CLOEXEC), SIZE, true);
	assert_refused(verdict, SHMGUARD_REASON_NOT_REGULAR);
	ck_assert(!verdict.may_block);
}

TEST(devices_are_refused)
{
	needs_statx();
	static const char *const names[] = {"/dev/null", "/dev/zero"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct fd_verdict verdict = judge(open(names[i],
			O_RDWR | O_CLOEXEC), SIZE, true);
		assert_refused(verdict, SHMGUARD_REASON_NOT_REGULAR);
	}
}

TEST(I10_devices_can_block_when_closed)
{
	needs_statx();
	int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		SKIP("/dev/ptmx: %s", strerror(errno));
	struct fd_verdict verdict = judge(fd, SIZE, true);
	assert_refused(verdict, SHMGUARD_REASON_NOT_REGULAR);
	ck_assert(verdict.may_block);
}

TEST(pipes_are_refused)
{
	needs_statx();
	int ends[2];
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	assert_refused(judge(ends[0], SIZE, true), SHMGUARD_REASON_NOT_REGULAR);
	assert_refused(judge(ends[1], SIZE, true), SHMGUARD_REASON_WRITE_ONLY);
}

TEST(I10_sockets_can_block_when_closed)
{
	needs_statx();
	/* SO_LINGER; and descriptors in flight. */
	static const int domains[] = {AF_UNIX, AF_INET};
	for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
		int fd = socket(domains[i], SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			SKIP("socket: %s", strerror(errno));
		struct fd_verdict verdict = judge(fd, SIZE, true);
		assert_refused(verdict, SHMGUARD_REASON_NOT_REGULAR);
		ck_assert(verdict.may_block);
	}
}

TEST(anonymous_inodes_are_refused)
{
	needs_statx();
	struct fd_verdict verdict = judge(epoll_create1(EPOLL_CLOEXEC), SIZE,
		true);
	assert_refused(verdict, SHMGUARD_REASON_NOT_REGULAR);
}

TEST(secret_memory_is_refused)
{
	needs_statx();
#ifdef SYS_memfd_secret
	int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
	if (fd < 0)
		SKIP("memfd_secret: %s", strerror(errno));
	ck_assert_int_eq(ftruncate(fd, SIZE), 0);
	struct fd_verdict verdict = judge(fd, SIZE, true);
	assert_refused(verdict, SHMGUARD_REASON_SECRET);
	ck_assert(!verdict.may_block);
#else
	SKIP("built without memfd_secret");
#endif
}
