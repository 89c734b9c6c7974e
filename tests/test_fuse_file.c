/* SPDX-License-Identifier: MIT */

/* The FUSE server that other tests rely on does what its header says. */

#include "fuse_file.h"
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE 65536

/* How long an answer is waited for that must not come: too short a time lets a
 * wrong server pass, never fails a right one. */
#define PATIENCE 300 /* milliseconds */

#define START(file, mode) \
	struct fuse_file *file = fuse_file_start(SIZE, (mode)); \
	if (file == NULL) \
		SKIP("no FUSE: %s", fuse_file_problem())

static int
open_file(const struct fuse_file *file)
{
	int fd = fuse_file_open(file, O_RDWR);
	ck_assert_msg(fd >= 0, "%s", strerror(errno));
	return fd;
}

TEST(normal_file_is_read_and_written)
{
	START(file, FUSE_FILE_NORMAL);
	int fd = open_file(file);
	struct stat status;
	ck_assert_int_eq(fstat(fd, &status), 0);
	ck_assert(S_ISREG(status.st_mode));
	ck_assert_int_eq(status.st_size, SIZE);

	unsigned char *map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
		MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(map, MAP_FAILED);
	for (size_t i = 0; i < SIZE; i++)
		ck_assert_int_eq(map[i], FUSE_FILE_BYTE);
	memset(map, 0x11, SIZE);
	ck_assert_int_eq(msync(map, SIZE, MS_SYNC), 0);
	munmap(map, SIZE);

	unsigned char byte;
	ck_assert_int_eq(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	ck_assert_int_eq(pread(fd, &byte, 1, SIZE - 1), 1);
	ck_assert_int_eq(byte, 0x11);
	ck_assert_int_eq(close(fd), 0);
	fuse_file_stop(file);
}

TEST(failing_file_fails)
{
	START(file, FUSE_FILE_ERROR);
	int fd = open_file(file);
	struct stat status;
	char byte;
	ck_assert_int_lt(fstat(fd, &status), 0);
	ck_assert_int_eq(errno, EIO);
	ck_assert_int_lt(pread(fd, &byte, 1, 0), 0);
	ck_assert_int_eq(errno, EIO);
	close(fd);
	fuse_file_stop(file);
}

static sigjmp_buf after_fault;

static void
handle_sigbus(int signal)
{
	(void)signal;
	siglongjmp(after_fault, 1);
}

TEST(short_file_is_lost_without_being_truncated)
{
	START(file, FUSE_FILE_SHORT);
	int fd = open_file(file);
	const volatile unsigned char *map = mmap(NULL, SIZE, PROT_READ,
		MAP_SHARED, fd, 0);
	ck_assert_ptr_ne((const void *)map, MAP_FAILED);
	ck_assert_int_eq(map[0], FUSE_FILE_BYTE);
	ck_assert_int_eq(map[SIZE / 2 - 1], FUSE_FILE_BYTE);

	signal(SIGBUS, handle_sigbus);
	if (sigsetjmp(after_fault, 1) == 0)
		ck_abort_msg("page was read: %d", map[SIZE - 1]);
	munmap((void *)map, SIZE);
	close(fd);
	fuse_file_stop(file);
}

struct looker {
	pid_t process;
	int told[2]; /* a pipe, a byte for each thing done */
};

/* A child opens the file, looks at it with `call`, if there is one, and then
 * ends, which closes it. Returns when the file is open. */
static struct looker
start_looking(struct fuse_file *file, int (*call)(int fd))
{
	struct looker looker;
	ck_assert_int_eq(pipe2(looker.told, O_CLOEXEC), 0);
	looker.process = fork();
	ck_assert_int_ge(looker.process, 0);
	if (looker.process == 0) {
		int fd = fuse_file_open(file, O_RDWR);
		(void)!write(looker.told[1], "", 1);
		if (call != NULL) {
			call(fd);
			(void)!write(looker.told[1], "", 1);
		}
		_exit(0);
	}
	char byte;
	ck_assert_int_eq(read(looker.told[0], &byte, 1), 1);
	return looker;
}

static bool
is_blocked(const struct looker *looker)
{
	/* A process that is stuck in its end may have closed its pipes. */
	struct pollfd polled = {.fd = looker->told[0], .events = POLLIN};
	return poll(&polled, 1, PATIENCE) == 0 &&
		waitpid(looker->process, NULL, WNOHANG) == 0;
}

static int
call_fstat(int fd)
{
	struct stat status;
	return fstat(fd, &status);
}

static int
call_fstatfs(int fd)
{
	struct statfs status;
	return fstatfs(fd, &status);
}

static int
call_truncate(int fd)
{
	return ftruncate(fd, 0);
}

static int
call_read(int fd)
{
	char byte;
	return pread(fd, &byte, 1, 0) == 1 ? 0 : -1;
}

TEST(silent_file_blocks_until_it_is_stopped)
{
	static int (*const calls[])(int fd) = {
		call_fstat, call_fstatfs, call_truncate, call_read, fsync,
		close, NULL,
	};
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		START(file, FUSE_FILE_SILENT);
		struct looker looker = start_looking(file, calls[i]);
		ck_assert(is_blocked(&looker));
		kill(looker.process, SIGKILL);
		ck_assert(is_blocked(&looker));
		fuse_file_stop(file);
		ck_assert_int_eq(waitpid(looker.process, NULL, 0),
			looker.process);
		close(looker.told[0]);
		close(looker.told[1]);
	}
}

TEST(mode_can_be_changed)
{
	START(file, FUSE_FILE_SILENT);
	ck_assert_int_eq(fuse_file_set_mode(file, FUSE_FILE_SLOW), 0);
	int fd = open_file(file);
	ck_assert_int_eq(call_fstat(fd), 0);
	ck_assert_int_eq(fuse_file_set_mode(file, FUSE_FILE_ERROR), 0);
	ck_assert_int_lt(call_fstat(fd), 0);
	ck_assert_int_eq(fuse_file_set_mode(file, FUSE_FILE_NORMAL), 0);
	ck_assert_int_eq(call_fstat(fd), 0);
	close(fd);
	fuse_file_stop(file);
}

static void *
start_server(void *data)
{
	(void)data;
	return fuse_file_start(SIZE, FUSE_FILE_NORMAL);
}

TEST(server_ends_with_the_thread_that_started_it)
{
	START(here, FUSE_FILE_NORMAL);
	fuse_file_stop(here);
	pthread_t thread;
	void *file;
	ck_assert_int_eq(pthread_create(&thread, NULL, start_server, NULL), 0);
	ck_assert_int_eq(pthread_join(thread, &file), 0);
	ck_assert_ptr_nonnull(file);
	while (fuse_file_set_mode(file, FUSE_FILE_NORMAL) == 0)
		usleep(1000);
	ck_assert_int_eq(errno, ENOTCONN);
	ck_assert_int_lt(fuse_file_open(file, O_RDWR), 0);
	ck_assert_int_eq(errno, ENOTCONN);
	fuse_file_stop(file);
}
