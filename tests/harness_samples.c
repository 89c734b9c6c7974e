/* SPDX-License-Identifier: MIT */
/* What test_harness.c lets the harness judge; most of these must fail. */
#include "harness.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 20

static pthread_barrier_t all_running;

static void *
wait_for_others(void *unused)
{
	pthread_barrier_wait(&all_running);
	return unused;
}

TEST(good_empty)
{
}

TEST(good_allocates_and_frees)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	ck_assert_ptr_nonnull(out);
	fprintf(out, "%d", 42);
	fclose(out);
	ck_assert_str_eq(text, "42");
	free(text);

	void *block;
	ck_assert_int_eq(posix_memalign(&block, 64, 100), 0);
	free(block);
	free(strdup("text"));
	printf("this line must not get into the results\n");
}

TEST(good_threads)
{
	pthread_t threads[THREADS];
	pthread_barrier_init(&all_running, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL,
			wait_for_others, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&all_running);
}

static void *
close_later(void *fd)
{
	usleep(100 * 1000);
	close((int)(intptr_t)fd);
	return NULL;
}

TEST(good_another_thread_closes)
{
	pthread_t thread;
	int fd = dup(STDERR_FILENO);
	ck_assert_int_eq(pthread_create(&thread, NULL, close_later,
		(void *)(intptr_t)fd), 0);
	pthread_detach(thread);
}

TEST(good_memfd)
{
	int fds = harness_open_fds();
	int fd = harness_memfd(100000, 0x5a, F_SEAL_SHRINK);
	ck_assert_int_eq(harness_open_fds(), fds + 1);
	ck_assert_int_eq(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK);
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), 100000);
	unsigned char byte = 0;
	ck_assert_int_eq(pread(fd, &byte, 1, 99999), 1);
	ck_assert_uint_eq(byte, 0x5a);
	close(fd);

	fd = harness_memfd(1, 0, -1);
	ck_assert_int_eq(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
	close(fd);
}

TEST_DIES(good_dies, SIGBUS)
{
	raise(SIGBUS);
}

TEST(skipped)
{
	SKIP("no %s here", "unicorn");
}

TEST_DIES(skipped_dies, SIGSEGV)
{
	SKIP("no dragon here");
}

TEST(bad_assertion)
{
	ck_assert_msg(false, "two\nlines");
}

TEST(bad_skip_leaks)
{
	ck_assert_int_ge(dup(STDERR_FILENO), 0);
	SKIP("and leaves something behind");
}

TEST(bad_leaves_descriptor)
{
	ck_assert_int_ge(open("/dev/null", O_RDONLY), 0);
}

TEST(bad_closes_foreign_descriptor)
{
	close(STDIN_FILENO);
}

TEST(bad_leaves_heap)
{
	/* Hidden from LeakSanitizer's search of stack and registers. */
	void *volatile block = malloc(100);
	ck_assert_ptr_nonnull(block);
	block = NULL;
} /* NOLINT(clang-analyzer-unix.Malloc): it is to leak */

TEST(bad_leaves_child)
{
	if (fork() == 0) {
		pause();
		_exit(0);
	}
}

TEST(bad_signal)
{
	raise(SIGBUS);
}

TEST_DIES(bad_does_not_die, SIGBUS)
{
}

TEST_DIES(bad_dies_otherwise, SIGBUS)
{
	raise(SIGTERM);
}

TEST(bad_exits)
{
	_exit(0);
}

TEST(hangs)
{
	pause();
}
