/* SPDX-License-Identifier: MIT */
/* Descriptors whose close blocks. */
#include "fuse_file.h"
#include "harness.h"
#include "memory_look.h"
#include "reaper.h"
#include "reaper_watch.h"
#include "sanitizers.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

static sem_t gate;
static atomic_int closes_begun, closes_done;

static int
stuck_close(int fd)
{
	atomic_fetch_add(&closes_begun, 1);
	while (sem_wait(&gate) != 0)
		;
	int result = close(fd);
	atomic_fetch_add(&closes_done, 1);
	return result;
}

/* Closing takes a post of the gate each, after the first few. */
static void
make_closes_hang(unsigned int after)
{
	static const struct reaper_syscalls stuck = {
		pthread_create, stuck_close,
	};
	sem_init(&gate, 0, after);
	reaper_syscalls = &stuck;
}

static int
must_dup(void)
{
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

TEST(F17_descriptor_is_closed)
{
	int fd = must_dup();
	reaper_close_blocking(fd);
	for (int i = 0; i < PATIENCE_SECONDS * 100 && is_open(fd); i++)
		usleep(10 * 1000);
	ck_assert(!is_open(fd));
}

TEST(F17_threads_that_ended_leave_no_stacks)
{
	int before = count_stacks();
	make_closes_hang(100);
	for (int i = 0; i < 100; i++) {
		reaper_close_blocking(must_dup());
		must_become(&closes_done, i + 1);
		must_have_reaper_threads(0);
	}
	ck_assert_int_lt(count_stacks(), before + 50);
}

TEST(F17_close_that_hangs_holds_nobody)
{
	make_closes_hang(0);
	reaper_ref();
	reaper_close_blocking(must_dup());
	must_become(&closes_begun, 1);

	submit(count_job);
	must_become(&jobs_done, 1);
	reaper_unref();
	ck_assert_int_eq(atomic_load(&closes_done), 0);

	sem_post(&gate);
	must_become(&closes_done, 1);
	must_have_reaper_threads(0);
}

TEST(F17_closes_that_hang_are_bounded)
{
	enum { FDS = 3 * REAPER_CLOSERS_MAX };
	int fds[FDS];
	make_closes_hang(0);
	for (int i = 0; i < FDS; i++) {
		fds[i] = must_dup();
		reaper_close_blocking(fds[i]);
	}
	must_become(&closes_begun, REAPER_CLOSERS_MAX);
	ck_assert_int_eq(count_reaper_threads(), REAPER_CLOSERS_MAX);
	for (int i = 0; i < FDS; i++)
		ck_assert(is_open(fds[i]));

	/* One answers: another takes its place. */
	sem_post(&gate);
	must_become(&closes_begun, REAPER_CLOSERS_MAX + 1);
	ck_assert_int_eq(count_reaper_threads(), REAPER_CLOSERS_MAX);

	for (int i = 1; i < FDS; i++)
		sem_post(&gate);
	must_become(&closes_done, FDS);
	for (int i = 0; i < FDS; i++)
		ck_assert(!is_open(fds[i]));
	must_have_reaper_threads(0);

	/* And there are threads for new ones. */
	reaper_close_blocking(must_dup());
	must_become(&closes_begun, FDS + 1);
	sem_post(&gate);
	must_become(&closes_done, FDS + 1);
	must_have_reaper_threads(0);
}

static int
refuse_thread(pthread_t *thread, const pthread_attr_t *attr,
	void *(*func)(void *), void *data)
{
	(void)thread, (void)attr, (void)func, (void)data;
	return EAGAIN;
}

TEST(F17_descriptor_waits_when_no_thread_can_be_made)
{
	const struct reaper_syscalls no_threads = {refuse_thread, close};
	int first = must_dup(), second = must_dup();
	reaper_syscalls = &no_threads;
	reaper_close_blocking(first);
	ck_assert(is_open(first));

	make_closes_hang(0);
	reaper_close_blocking(second);
	sem_post(&gate);
	sem_post(&gate);
	must_become(&closes_done, 2);
	ck_assert(!is_open(first));
	ck_assert(!is_open(second));
	must_have_reaper_threads(0);
}

TEST(F17_many_threads_close)
{
	enum { FDS = 200 };
	make_closes_hang(FDS);
	for (int i = 0; i < FDS; i++)
		reaper_close_blocking(must_dup());
	must_become(&closes_done, FDS);
	must_have_reaper_threads(0);
}

TEST(F17_fuse_file_that_is_never_released_holds_nobody)
{
	enum { FDS = REAPER_CLOSERS_MAX + 4 };
	int fds[FDS];
	struct fuse_file *file = fuse_file_start(4096, FUSE_FILE_SILENT);
	if (file == NULL)
		SKIP("no FUSE: %s", fuse_file_problem());
	for (int i = 0; i < FDS; i++) {
		fds[i] = fuse_file_open(file, O_RDWR);
		ck_assert_int_ge(fds[i], 0);
	}

	reaper_ref();
	for (int i = 0; i < FDS; i++)
		reaper_close_blocking(fds[i]);
	submit(count_job);
	reaper_unref();
	ck_assert_int_eq(atomic_load(&jobs_done), 1);
	ck_assert_int_eq(atomic_load(&jobs_done_here), 0);
	must_have_reaper_threads(REAPER_CLOSERS_MAX);

	fuse_file_stop(file);
	must_have_reaper_threads(0);
	for (int i = 0; i < FDS; i++)
		ck_assert(!is_open(fds[i]));
}

/* TSan does not allow threads in the child of a process with threads. */
#ifndef HAVE_TSAN

TEST(forked_child_can_close)
{
	make_closes_hang(0);
	for (int i = 0; i < REAPER_CLOSERS_MAX + 1; i++)
		reaper_close_blocking(must_dup());
	must_become(&closes_begun, REAPER_CLOSERS_MAX);

	int fd = must_dup();
	pid_t child = fork();
	if (child == 0) {
		reaper_syscalls = &real_reaper_syscalls;
		reaper_close_blocking(fd);
		for (int i = 0; i < PATIENCE_SECONDS * 100 && is_open(fd); i++)
			usleep(10 * 1000);
		_exit(is_open(fd) ? 1 : 0);
	}
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	close(fd);

	for (int i = 0; i < REAPER_CLOSERS_MAX + 1; i++)
		sem_post(&gate);
	must_become(&closes_done, REAPER_CLOSERS_MAX + 1);
	must_have_reaper_threads(0);
}

#endif
