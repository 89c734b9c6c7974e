/* SPDX-License-Identifier: MIT */

#include "fork_lock.h"
#include "harness.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void forget(void);

static struct fork_lock lock = FORK_LOCK_INITIALIZER(NULL);
static struct fork_lock forgetting = FORK_LOCK_INITIALIZER(forget);

/* The same, but while somebody holds the lock. */
static volatile int first, second;
static int forgotten;

/* As many calls of pthread_atfork() as this fail; later ones wait for each other. */
static _Atomic int failures, meeting;
static pthread_barrier_t met;

/* Sanitizers call it before they can be called. */
#if __has_attribute(disable_sanitizer_instrumentation)
#define NOT_WATCHED __attribute__((disable_sanitizer_instrumentation))
#else
#define NOT_WATCHED
#endif

int __real_pthread_atfork(void (*prepare)(void), void (*parent)(void),
	void (*child)(void));
int __wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void),
	void (*child)(void));
NOT_WATCHED int
__wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void),
	void (*child)(void))
{
	if (failures-- > 0)
		return ENOMEM;
	if (meeting)
		pthread_barrier_wait(&met);
	return __real_pthread_atfork(prepare, parent, child);
}

static void
forget(void)
{
	forgotten++;
	/* With the lock held. */
	ck_assert_int_eq(pthread_mutex_trylock(&forgetting.mutex), EBUSY);
}

static void
check_both_free(void)
{
	ck_assert(fork_lock_take(&lock));
	fork_lock_give(&lock);
	ck_assert(fork_lock_take(&forgetting));
	fork_lock_give(&forgetting);
}

/* In a child, that a lock which is taken does not end. */
static int
in_child(void (*func)(void))
{
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		alarm(10);
		func();
		_exit(EXIT_SUCCESS);
	}
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static void
check_child(void)
{
	check_both_free();
	ck_assert_int_eq(first, second);
}

static _Atomic bool enough;

static void *
change_both(void *data)
{
	struct fork_lock *changed = data;
	while (!enough) {
		fork_lock_take(changed);
		first++;
		second++;
		fork_lock_give(changed);
	}
	return NULL;
}

static bool
has_begun(void)
{
	fork_lock_take(&lock);
	bool begun = first > 0;
	fork_lock_give(&lock);
	return begun;
}

TEST(I12_child_finds_locks_free_and_what_they_protect_whole)
{
	pthread_t thread;
	check_both_free();
	ck_assert_int_eq(pthread_create(&thread, NULL, change_both, &lock), 0);
	while (!has_begun())
		usleep(1000);
	for (int i = 0; i < 200; i++)
		ck_assert_int_eq(in_child(check_child), 0);
	enough = true;
	pthread_join(thread, NULL);
}

static void
check_forgotten(void)
{
	ck_assert_int_eq(forgotten, 1);
	check_both_free();
	ck_assert_int_eq(in_child(check_both_free), 0);
}

TEST(I12_child_forgets_and_parent_does_not)
{
	check_both_free();
	ck_assert_int_eq(in_child(check_forgotten), 0);
	ck_assert_int_eq(forgotten, 0);
	check_both_free();
}

TEST(unwatched_lock_is_watched_later)
{
	failures = 2;
	for (int i = 0; i < 2; i++) {
		errno = 0;
		ck_assert(!fork_lock_take(&forgetting));
		ck_assert_int_eq(errno, ENOMEM);
		fork_lock_give(&forgetting);
	}
	check_both_free();
	ck_assert_int_eq(in_child(check_forgotten), 0);
}

static void *
check_in_thread(void *unused)
{
	(void)unused;
	check_both_free();
	return NULL;
}

TEST(first_uses_at_once_leave_no_lock_taken)
{
	pthread_t threads[2];
	meeting = true;
	ck_assert_int_eq(pthread_barrier_init(&met, NULL, 2), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL,
			check_in_thread, NULL), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	meeting = false;
	ck_assert_int_eq(in_child(check_forgotten), 0);
	check_both_free();
	pthread_barrier_destroy(&met);
}
