/* SPDX-License-Identifier: MIT */

/*
 * seal_check() while somebody interferes: a FUSE server that does not answer, a
 * client that strikes between two system calls, a kernel without some of them.
 */

#include "fuse_file.h"
#include "harness.h"
#include "seal_check.h"
#include "verdict.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SIZE 16384

/* Far longer than a verdict takes, on any machine. */
#define WATCHDOG_SECONDS 10

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
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags,
		&program);
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
	harness_add_seals(fd, F_SEAL_SHRINK);
	struct seccomp_notif_resp response = {.id = request.id};
	ck_assert_int_eq(ioctl(supervised.listener, SECCOMP_IOCTL_NOTIF_SEND,
		&response), 0);
	pthread_join(thread, NULL);
	close(supervised.listener);
	close(fd);
	assert_accepted(supervised.verdict, SHMGUARD_REASON_SHORT, false);
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
	ck_assert_int_eq(pthread_create(&thread, NULL, judge_thread,
		&judgement), 0);
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
		struct fuse_file *file = fuse_file_start(SIZE,
			FUSE_FILE_SILENT);
		if (file == NULL)
			SKIP("no FUSE: %s", fuse_file_problem());
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
		struct fuse_file *file = fuse_file_start(SIZE,
			FUSE_FILE_SILENT);
		if (file == NULL)
			SKIP("no FUSE: %s", fuse_file_problem());
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
		SKIP("no FUSE: %s", fuse_file_problem());
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
			SKIP("no FUSE: %s", fuse_file_problem());
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
		SKIP("no FUSE: %s", fuse_file_problem());
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
