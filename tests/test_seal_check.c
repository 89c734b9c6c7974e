/* SPDX-License-Identifier: MIT */
#include "fuse_file.h"
#include "harness.h"
#include "seal_check.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x8U
#endif

#define SIZE 16384

/* Far longer than a verdict takes, on any machine. */
#define WATCHDOG_SECONDS 10

static size_t
page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

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

static void
assert_accepted(struct fd_verdict verdict, enum shmguard_reason reason,
	bool sealed)
{
	ck_assert_str_eq(shmguard_reason_text(verdict.reason),
		shmguard_reason_text(reason));
	ck_assert(!verdict.refused);
	ck_assert_int_eq(verdict.sealed, sealed);
	ck_assert_int_eq(verdict.may_block, reason == SHMGUARD_REASON_MAY_BLOCK);
	ck_assert_int_eq(verdict.hugetlb, reason == SHMGUARD_REASON_HUGETLB);
	if (!verdict.hugetlb)
		ck_assert_uint_eq(verdict.block_size, page_size());
}

static void
assert_refused(struct fd_verdict verdict, enum shmguard_reason reason)
{
	ck_assert_str_eq(shmguard_reason_text(verdict.reason),
		shmguard_reason_text(reason));
	ck_assert(verdict.refused);
	ck_assert(!verdict.sealed);
}

/* ---- System calls under supervision ---- */

/* Low half of a 64-bit system call argument. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARGUMENT(n) offsetof(struct seccomp_data, args[n])
#else
#define ARGUMENT(n) (offsetof(struct seccomp_data, args[n]) + 4)
#endif
#define LOAD(what) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (what))
#define NUMBER offsetof(struct seccomp_data, nr)
/* Jumps are counted from the next instruction. */
#define JUMP_IF(value, yes, no) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (yes), (no))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))

#ifdef SYS_fcntl64
#define SYS_fcntl_used SYS_fcntl64
#else
#define SYS_fcntl_used SYS_fcntl
#endif

/* For the calling thread. Returns -1 on failure. */
static int
filter_system_calls(struct sock_filter *code, size_t length, unsigned flags)
{
	struct sock_fprog program = {(unsigned short)length, code};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

/* ---- Words ---- */

TEST(every_reason_and_tier_has_its_own_words)
{
	for (int i = SHMGUARD_REASON_SEALED; i <= SHMGUARD_REASON_NO_MEMORY; i++) {
		const char *text = shmguard_reason_text(i);
		ck_assert_str_ne(text, shmguard_reason_text(-1));
		ck_assert(text[strlen(text) - 1] != '.');
		for (int j = SHMGUARD_REASON_SEALED; j < i; j++)
			ck_assert_str_ne(text, shmguard_reason_text(j));
	}
	ck_assert_str_eq(shmguard_tier_name(SHMGUARD_TIER_SEALED), "sealed");
	ck_assert_str_eq(shmguard_tier_name(SHMGUARD_TIER_NOSIGBUS), "nosigbus");
	ck_assert_str_eq(shmguard_tier_name(SHMGUARD_TIER_TRAPPED), "trapped");
	ck_assert_str_eq(shmguard_tier_name(SHMGUARD_TIER_COPIED), "copied");
	ck_assert_str_eq(shmguard_tier_name(SHMGUARD_TIER_REJECTED), "rejected");
	ck_assert_ptr_nonnull(shmguard_tier_name(-1));
}

/* ---- Shared memory ---- */

TEST(memfd_without_sealing_is_unsealable)
{
	int fd = harness_memfd(SIZE, 0, -1);
	assert_accepted(judge(fd, SIZE, false), SHMGUARD_REASON_UNSEALABLE, false);
}

TEST(tmpfs_file_is_unsealable)
{
	char path[] = "/dev/shm/test-seal-check-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		SKIP("%s: %s", path, strerror(errno));
	unlink(path);
	ck_assert_int_eq(ftruncate(fd, SIZE), 0);
	assert_accepted(judge(fd, SIZE, false), SHMGUARD_REASON_UNSEALABLE, false);
}

TEST(memfd_with_sealing_is_sealable)
{
	int fd = harness_memfd(SIZE, 0, 0);
	assert_accepted(judge(fd, SIZE, false), SHMGUARD_REASON_SEALABLE, false);
}

TEST(memfd_with_other_seals_is_sealable)
{
	int fd = harness_memfd(SIZE, 0, F_SEAL_GROW | F_SEAL_WRITE);
	assert_accepted(judge(fd, SIZE, false), SHMGUARD_REASON_SEALABLE, false);
	fd = harness_memfd(SIZE, 0, F_SEAL_GROW | F_SEAL_SEAL);
	assert_accepted(judge(fd, SIZE, false), SHMGUARD_REASON_UNSEALABLE, false);
}

TEST(noexec_memfd_is_sealable)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
	if (fd < 0)
		SKIP("MFD_NOEXEC_SEAL: %s", strerror(errno));
	ck_assert_int_eq(ftruncate(fd, SIZE), 0);
	assert_accepted(judge(fd, SIZE, false), SHMGUARD_REASON_SEALABLE, false);
}

TEST(sealed_memfd_is_sealed)
{
	int fd = harness_memfd(SIZE, 0, F_SEAL_SHRINK);
	assert_accepted(seal_check(fd, SIZE, false), SHMGUARD_REASON_SEALED, true);
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
	assert_accepted(judge(fd, 2 * SIZE, false), SHMGUARD_REASON_SEALED, true);
}

TEST(sealed_after_truncation_is_short)
{
	int fd = harness_memfd(SIZE, 0, 0);
	ck_assert_int_eq(ftruncate(fd, SIZE / 2), 0);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
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
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
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
	assert_accepted(seal_check(fd, SIZE, true), SHMGUARD_REASON_ADOPTED, true);
	ck_assert_int_eq(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK);
	ck_assert_int_lt(ftruncate(fd, SIZE / 2), 0);
	ck_assert_int_eq(ftruncate(fd, SIZE * 2), 0);
	assert_accepted(judge(fd, SIZE * 2, true), SHMGUARD_REASON_SEALED, true);
}

TEST(adopting_a_short_file_does_not_make_it_longer)
{
	int fd = harness_memfd(SIZE, 0, 0);
	assert_accepted(judge(fd, SIZE + 1, true), SHMGUARD_REASON_SHORT, false);
}

TEST(adopting_leaves_unsealable_files_alone)
{
	int fd = harness_memfd(SIZE, 0, -1);
	assert_accepted(judge(fd, SIZE, true), SHMGUARD_REASON_UNSEALABLE, false);
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

/* A thread that judges; its seals are added by somebody else. */
struct supervised {
	int fd;
	int listener; /* -1: there is none */
	int told;     /* a pipe that says so */
	struct fd_verdict verdict;
};

static void *
judge_supervised(void *data)
{
	struct supervised *supervised = data;
	struct sock_filter supervise_seals[] = {
		LOAD(NUMBER),
		JUMP_IF(SYS_fcntl_used, 0, 3),
		LOAD(ARGUMENT(1)),
		JUMP_IF(F_ADD_SEALS, 0, 1),
		RETURN(SECCOMP_RET_USER_NOTIF),
		RETURN(SECCOMP_RET_ALLOW),
	};
	supervised->listener = filter_system_calls(supervise_seals, 6,
		SECCOMP_FILTER_FLAG_NEW_LISTENER);
	(void)!write(supervised->told, "", 1);
	if (supervised->listener >= 0)
		supervised->verdict = seal_check(supervised->fd, SIZE, true);
	return NULL;
}

TEST(F1_size_is_looked_at_after_the_seal)
{
	int fd = harness_memfd(SIZE, 0, 0), told[2];
	ck_assert_int_eq(pipe2(told, O_CLOEXEC), 0);
	struct supervised supervised = {.fd = fd, .told = told[1]};
	pthread_t thread;
	ck_assert_int_eq(pthread_create(&thread, NULL, judge_supervised,
		&supervised), 0);
	char byte;
	ck_assert_int_eq(read(told[0], &byte, 1), 1);
	close(told[0]);
	close(told[1]);
	if (supervised.listener < 0) {
		pthread_join(thread, NULL);
		close(fd);
		SKIP("no supervision of system calls");
	}

	/* At the last moment, the client shrinks the file. */
	struct seccomp_notif request = {0};
	ck_assert_int_eq(ioctl(supervised.listener, SECCOMP_IOCTL_NOTIF_RECV,
		&request), 0);
	ck_assert_int_eq(ftruncate(fd, SIZE / 2), 0);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	struct seccomp_notif_resp response = {.id = request.id};
	ck_assert_int_eq(ioctl(supervised.listener, SECCOMP_IOCTL_NOTIF_SEND,
		&response), 0);
	pthread_join(thread, NULL);
	close(supervised.listener);
	close(fd);
	assert_accepted(supervised.verdict, SHMGUARD_REASON_SHORT, false);
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
	ck_assert_uint_gt(huge, page_size());
	ck_assert_int_eq(ftruncate(fd, (off_t)huge), 0);

	struct fd_verdict verdict = seal_check(fd, huge, false);
	assert_accepted(verdict, SHMGUARD_REASON_HUGETLB, false);
	ck_assert_uint_eq(verdict.block_size, huge);
	ck_assert(verdict.can_write);

	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
	verdict = judge(fd, huge, false);
	assert_accepted(verdict, SHMGUARD_REASON_HUGETLB, false);
	ck_assert_uint_eq(verdict.block_size, huge);
}

TEST(F16_huge_pages_gain_nothing_by_adopting)
{
	int fd = huge_memfd(MFD_ALLOW_SEALING);
	if (fd < 0)
		SKIP("no huge pages: %s", strerror(errno));
	assert_accepted(seal_check(fd, SIZE, true), SHMGUARD_REASON_HUGETLB, false);
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
		verdict = judge(harness_memfd(SIZE, 0, F_SEAL_SHRINK | seals[i]),
			SIZE, false);
		assert_accepted(verdict, SHMGUARD_REASON_SEALED, true);
		ck_assert(!verdict.can_write);
		verdict = judge(harness_memfd(SIZE, 0, seals[i]), SIZE, true);
		assert_accepted(verdict, SHMGUARD_REASON_ADOPTED, true);
		ck_assert(!verdict.can_write);
	}
}

TEST(closed_descriptors_are_refused)
{
	struct fd_verdict verdict = seal_check(-1, SIZE, true);
	assert_refused(verdict, SHMGUARD_REASON_BAD_FD);
	ck_assert(!verdict.may_block);
	assert_refused(seal_check(INT32_MAX, SIZE, true), SHMGUARD_REASON_BAD_FD);
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
	assert_accepted(judge(fd, SIZE, true), SHMGUARD_REASON_MAY_BLOCK, false);
}

TEST(directories_are_refused)
{
	struct fd_verdict verdict = judge(open("/dev/shm",
		O_RDONLY | O_DIRECTORY | O_CLOEXEC), SIZE, true);
	assert_refused(verdict, SHMGUARD_REASON_NOT_REGULAR);
	ck_assert(!verdict.may_block);
}

TEST(devices_are_refused)
{
	static const char *const names[] = {"/dev/null", "/dev/zero"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct fd_verdict verdict = judge(open(names[i],
			O_RDWR | O_CLOEXEC), SIZE, true);
		assert_refused(verdict, SHMGUARD_REASON_NOT_REGULAR);
	}
}

TEST(I10_devices_can_block_when_closed)
{
	int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		SKIP("/dev/ptmx: %s", strerror(errno));
	struct fd_verdict verdict = judge(fd, SIZE, true);
	assert_refused(verdict, SHMGUARD_REASON_NOT_REGULAR);
	ck_assert(verdict.may_block);
}

TEST(pipes_are_refused)
{
	int ends[2];
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	assert_refused(judge(ends[0], SIZE, true), SHMGUARD_REASON_NOT_REGULAR);
	assert_refused(judge(ends[1], SIZE, true), SHMGUARD_REASON_WRITE_ONLY);
}

TEST(I10_sockets_can_block_when_closed)
{
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
	struct fd_verdict verdict = judge(epoll_create1(EPOLL_CLOEXEC), SIZE,
		true);
	assert_refused(verdict, SHMGUARD_REASON_NOT_REGULAR);
}

TEST(secret_memory_is_refused)
{
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

/* ---- FUSE ---- */

struct judgement {
	int fd;
	bool without_statx;
	struct fd_verdict verdict;
};

static void *
judge_thread(void *data)
{
	struct judgement *judgement = data;
	struct sock_filter no_statx[] = {
		LOAD(NUMBER),
		JUMP_IF(SYS_statx, 0, 1),
		RETURN(SECCOMP_RET_ERRNO | ENOSYS),
		RETURN(SECCOMP_RET_ALLOW),
	};
	if (judgement->without_statx && filter_system_calls(no_statx, 4, 0) < 0)
		return NULL;
	judgement->verdict = seal_check(judgement->fd, SIZE, true);
	return judgement;
}

/*
 * Judges a file of the server's by a thread and closes it. If the server, which
 * is stopped, makes the thread wait for ever, the test fails.
 */
static struct fd_verdict
judge_in_time(struct fuse_file *file, int fd, bool without_statx)
{
	ck_assert_int_ge(fd, 0);
	struct judgement judgement = {.fd = fd, .without_statx = without_statx};
	pthread_t thread;
	ck_assert_int_eq(pthread_create(&thread, NULL, judge_thread, &judgement),
		0);
	struct timespec deadline;
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += WATCHDOG_SECONDS;
	void *done = NULL;
	bool in_time = pthread_timedjoin_np(thread, &done, &deadline) == 0;
	fuse_file_stop(file);
	if (!in_time)
		pthread_join(thread, NULL);
	close(fd);
	ck_assert_msg(in_time, "the verdict waited for the FUSE server");
	ck_assert_ptr_nonnull(done);
	return judgement.verdict;
}

TEST(I10_fuse_file_is_judged_without_blocking)
{
	static const int access[] = {O_RDWR, O_RDONLY};
	for (size_t i = 0; i < sizeof(access) / sizeof(access[0]); i++) {
		struct fuse_file *file = fuse_file_start(SIZE, FUSE_FILE_SILENT);
		if (file == NULL)
			SKIP("no FUSE: %s", strerror(errno));
		struct fd_verdict verdict = judge_in_time(file,
			fuse_file_open(file, access[i]), false);
		assert_accepted(verdict, SHMGUARD_REASON_MAY_BLOCK, false);
		ck_assert_int_eq(verdict.can_write, access[i] == O_RDWR);
	}
}

TEST(I10_refused_fuse_file_can_block_when_closed)
{
	static const int access[] = {O_WRONLY, O_PATH};
	static const enum shmguard_reason reason[] = {
		SHMGUARD_REASON_WRITE_ONLY, SHMGUARD_REASON_PATH_ONLY,
	};
	for (size_t i = 0; i < sizeof(access) / sizeof(access[0]); i++) {
		struct fuse_file *file = fuse_file_start(SIZE, FUSE_FILE_SILENT);
		if (file == NULL)
			SKIP("no FUSE: %s", strerror(errno));
		struct fd_verdict verdict = judge_in_time(file,
			fuse_file_open(file, access[i]), false);
		assert_refused(verdict, reason[i]);
		ck_assert(verdict.may_block);
	}
}

TEST(I10_kernel_without_statx_is_not_trusted)
{
	struct fuse_file *file = fuse_file_start(SIZE, FUSE_FILE_SILENT);
	if (file == NULL)
		SKIP("no FUSE: %s", strerror(errno));
	struct fd_verdict verdict = judge_in_time(file,
		fuse_file_open(file, O_RDWR), true);
	assert_accepted(verdict, SHMGUARD_REASON_MAY_BLOCK, false);
}

TEST(I10_failing_fuse_file_may_block_too)
{
	static const enum fuse_file_mode mode[] = {
		FUSE_FILE_NORMAL, FUSE_FILE_ERROR,
	};
	for (size_t i = 0; i < sizeof(mode) / sizeof(mode[0]); i++) {
		struct fuse_file *file = fuse_file_start(SIZE, mode[i]);
		if (file == NULL)
			SKIP("no FUSE: %s", strerror(errno));
		struct fd_verdict verdict = judge_in_time(file,
			fuse_file_open(file, O_RDWR), false);
		assert_accepted(verdict, SHMGUARD_REASON_MAY_BLOCK, false);
	}
}

/* No argument of another system call is likely to be this. */
#define WATCHED_FD 911

static void
judge_watched(void)
{
	struct sock_filter only_harmless[] = {
		LOAD(NUMBER),
		JUMP_IF(SYS_fcntl_used, 6, 0),
		JUMP_IF(SYS_statx, 0, 2),
		LOAD(ARGUMENT(2)),
		JUMP_IF(AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 3, 0),
		LOAD(ARGUMENT(0)),
		JUMP_IF(WATCHED_FD, 0, 1),
		RETURN(SECCOMP_RET_KILL_PROCESS),
		RETURN(SECCOMP_RET_ALLOW),
	};
	if (filter_system_calls(only_harmless, 9, 0) < 0)
		_exit(2);
	struct fd_verdict verdict = seal_check(WATCHED_FD, SIZE, true);
	_exit(verdict.reason == SHMGUARD_REASON_MAY_BLOCK ? 0 : 1);
}

TEST(I10_only_harmless_calls_see_the_descriptor)
{
	struct fuse_file *file = fuse_file_start(SIZE, FUSE_FILE_NORMAL);
	if (file == NULL)
		SKIP("no FUSE: %s", strerror(errno));
	int fd = fuse_file_open(file, O_RDWR);
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		dup2(fd, WATCHED_FD);
		judge_watched();
	}
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	fuse_file_stop(file);
	close(fd);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		SKIP("no seccomp filters");
	ck_assert_msg(!WIFSIGNALED(status), "another system call was made");
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}
