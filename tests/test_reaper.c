/* SPDX-License-Identifier: MIT */
#include "harness.h"
#include "memory_look.h"
#include "reaper.h"
#include "reaper_watch.h"
#include "sanitizers.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void
must_wait(sem_t *semaphore)
{
	struct timespec deadline;
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += PATIENCE_SECONDS;
	while (sem_timedwait(semaphore, &deadline) != 0) {
		if (errno != EINTR)
			ck_abort_msg("nobody came: %s", strerror(errno));
	}
}

/* ---- Jobs ---- */

static sem_t gate, gate_reached;

static void
wait_at_gate(struct reaper_job *job)
{
	sem_post(&gate_reached);
	while (sem_wait(&gate) != 0)
		;
	count_job(job);
}

/* The reaper's thread then stands in a job until the gate is posted. */
static void
occupy_reaper(void)
{
	sem_init(&gate, 0, 0);
	sem_init(&gate_reached, 0, 0);
	submit(wait_at_gate);
	must_wait(&gate_reached);
}

TEST(I11_jobs_run_on_another_thread)
{
	reaper_ref();
	occupy_reaper();
	ck_assert_int_eq(atomic_load(&jobs_done), 0);
	sem_post(&gate);
	reaper_unref();
	ck_assert_int_eq(atomic_load(&jobs_done), 1);
	ck_assert_int_eq(atomic_load(&jobs_done_here), 0);
}

TEST(reference_alone_makes_no_thread)
{
	reaper_ref();
	ck_assert_int_eq(count_reaper_threads(), 0);
	reaper_unref();
}

static int order[100], ordered;

struct numbered_job {
	struct reaper_job job;
	int number;
};

static void
note_number(struct reaper_job *job)
{
	order[ordered++] = ((struct numbered_job *)job)->number;
	free(job);
}

TEST(jobs_run_in_order)
{
	reaper_ref();
	occupy_reaper();
	for (int i = 0; i < 100; i++) {
		struct numbered_job *numbered = malloc(sizeof(*numbered));
		*numbered = (struct numbered_job){{.run = note_number}, i};
		reaper_submit(&numbered->job);
	}
	sem_post(&gate);
	reaper_unref();
	ck_assert_int_eq(ordered, 100);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(order[i], i);
}

TEST(I11_last_unref_waits_for_all_jobs)
{
	reaper_ref();
	occupy_reaper();
	for (int i = 0; i < 1000; i++)
		submit(count_job);
	sem_post(&gate);
	reaper_unref();
	ck_assert_int_eq(atomic_load(&jobs_done), 1001);
	ck_assert_int_eq(atomic_load(&jobs_done_here), 0);
	must_have_reaper_threads(0);
}

TEST(other_unrefs_do_not_wait)
{
	reaper_ref();
	reaper_ref();
	occupy_reaper();
	reaper_unref();
	ck_assert_int_eq(atomic_load(&jobs_done), 0);
	sem_post(&gate);
	reaper_unref();
	ck_assert_int_eq(atomic_load(&jobs_done), 1);
}

static void *
unref_elsewhere(void *unused)
{
	reaper_unref();
	return unused;
}

/* Whoever waits for the thread has let go of its reference. */
static atomic_int joins;

int __real_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_join(pthread_t thread, void **result);

int
__wrap_pthread_join(pthread_t thread, void **result)
{
	atomic_fetch_add(&joins, 1);
	return __real_pthread_join(thread, result);
}

static void *
open_gate_later(void *unused)
{
	usleep(300 * 1000);
	sem_post(&gate);
	return unused;
}

/* The first is already waiting when the reference is taken again. */
TEST(I11_every_last_unref_waits_for_all_jobs)
{
	pthread_t unref_thread, gate_thread;
	reaper_ref();
	occupy_reaper();
	pthread_create(&unref_thread, NULL, unref_elsewhere, NULL);
	must_become(&joins, 1);
	reaper_ref();
	submit(count_job);
	pthread_create(&gate_thread, NULL, open_gate_later, NULL);
	reaper_unref();
	ck_assert_int_eq(atomic_load(&jobs_done), 2);
	pthread_join(unref_thread, NULL);
	pthread_join(gate_thread, NULL);
	must_have_reaper_threads(0);
}

TEST(I11_can_be_used_again_and_again)
{
	for (int i = 0; i < 50; i++) {
		reaper_ref();
		submit(count_job);
		reaper_unref();
		ck_assert_int_eq(atomic_load(&jobs_done), i + 1);
	}
	ck_assert_int_eq(atomic_load(&jobs_done_here), 0);
	must_have_reaper_threads(0);
}

TEST(thread_without_reference_ends_with_its_jobs)
{
	occupy_reaper();
	for (int i = 0; i < 10; i++)
		submit(count_job);
	ck_assert_int_eq(count_reaper_threads(), 1);
	sem_post(&gate);
	must_become(&jobs_done, 11);
	must_have_reaper_threads(0);
	ck_assert_int_eq(atomic_load(&jobs_done_here), 0);
}

static void
unref_in_job(struct reaper_job *job)
{
	reaper_unref();
	count_job(job);
}

TEST(threads_that_ended_leave_no_stacks)
{
	int before = count_stacks();
	for (int i = 0; i < 100; i++) {
		if (i % 2 == 0) {
			submit(count_job);
		} else {
			reaper_ref();
			submit(unref_in_job);
		}
		must_become(&jobs_done, i + 1);
		must_have_reaper_threads(0);
	}
	ck_assert_int_lt(count_stacks(), before + 50);
}

TEST(reference_keeps_the_thread)
{
	reaper_ref();
	occupy_reaper();
	sem_post(&gate);
	must_become(&jobs_done, 1);
	usleep(100 * 1000);
	ck_assert_int_eq(count_reaper_threads(), 1);
	reaper_unref();
	must_have_reaper_threads(0);
}

TEST(job_may_release_the_last_reference)
{
	reaper_ref();
	submit(unref_in_job);
	must_become(&jobs_done, 1);
	must_have_reaper_threads(0);
}

TEST(I11_queue_is_bounded)
{
	reaper_ref();
	occupy_reaper();
	for (int i = 0; i < REAPER_QUEUE_MAX; i++)
		submit(count_job);
	ck_assert_int_eq(atomic_load(&jobs_done), 0);
	submit(count_job);
	submit(count_job);
	ck_assert_int_eq(atomic_load(&jobs_done_here), 2);

	/* There is room again when the queue was worked off. */
	sem_post(&gate);
	must_become(&jobs_done, REAPER_QUEUE_MAX + 3);
	submit(count_job);
	reaper_unref();
	ck_assert_int_eq(atomic_load(&jobs_done), REAPER_QUEUE_MAX + 4);
	ck_assert_int_eq(atomic_load(&jobs_done_here), 2);
}

/* ---- Threads ---- */

static int
refuse_thread(pthread_t *thread, const pthread_attr_t *attr,
	void *(*func)(void *), void *data)
{
	(void)thread, (void)attr, (void)func, (void)data;
	return EAGAIN;
}

TEST(jobs_run_here_when_no_thread_can_be_made)
{
	const struct reaper_syscalls no_threads = {refuse_thread, close};
	reaper_ref();
	reaper_syscalls = &no_threads;
	submit(count_job);
	submit(count_job);
	ck_assert_int_eq(atomic_load(&jobs_done_here), 2);

	reaper_syscalls = &real_reaper_syscalls;
	submit(count_job);
	reaper_unref();
	ck_assert_int_eq(atomic_load(&jobs_done), 3);
	ck_assert_int_eq(atomic_load(&jobs_done_here), 2);
}

static struct {
	sigset_t blocked;
	int policy;
	int threads;
} seen;

static void
look_around(struct reaper_job *job)
{
	pthread_sigmask(SIG_SETMASK, NULL, &seen.blocked);
	seen.policy = sched_getscheduler(0);
	seen.threads = count_reaper_threads();
	free(job);
}

TEST(I4_signals_are_left_to_other_threads)
{
	sigset_t before, after;
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	reaper_ref();
	submit(look_around);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	reaper_unref();
	for (int i = 1; i < 32; i++) {
		ck_assert_int_eq(sigismember(&after, i),
			sigismember(&before, i));
		if (i != SIGKILL && i != SIGSTOP)
			ck_assert_int_eq(sigismember(&seen.blocked, i), 1);
	}
	ck_assert_int_eq(seen.threads, 1);
}

TEST(I11_waking_up_preempts_nobody)
{
	reaper_ref();
	submit(look_around);
	reaper_unref();
	ck_assert_int_eq(seen.policy, SCHED_BATCH);
}

TEST(I11_realtime_priority_is_not_inherited)
{
	const struct sched_param rt = {sched_get_priority_min(SCHED_RR)};
	const struct sched_param normal = {0};
	if (sched_setscheduler(0, SCHED_RR, &rt) != 0)
		SKIP("no realtime priority: %s", strerror(errno));
	reaper_ref();
	submit(look_around);
	sched_setscheduler(0, SCHED_OTHER, &normal);
	reaper_unref();
	ck_assert_int_eq(seen.policy, SCHED_BATCH);
}

#define SUBMITTERS 8
#define JOBS_EACH 500

static void *
submit_with_one_reference(void *unused)
{
	reaper_ref();
	for (int i = 0; i < JOBS_EACH; i++)
		submit(count_job);
	reaper_unref();
	return unused;
}

/* The last reference is dropped and taken again all the time. */
static void *
submit_with_many_references(void *unused)
{
	for (int i = 0; i < JOBS_EACH; i++) {
		reaper_ref();
		submit(count_job);
		reaper_unref();
	}
	return unused;
}

static void *
submit_without_reference(void *unused)
{
	for (int i = 0; i < JOBS_EACH; i++)
		submit(count_job);
	return unused;
}

static void
run_submitters(void *(*func)(void *))
{
	pthread_t threads[SUBMITTERS];
	for (int i = 0; i < SUBMITTERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, func, NULL), 0);
	for (int i = 0; i < SUBMITTERS; i++)
		pthread_join(threads[i], NULL);
	must_become(&jobs_done, SUBMITTERS * JOBS_EACH);
	must_have_reaper_threads(0);
}

TEST(I11_many_threads_submit)
{
	run_submitters(submit_with_one_reference);
	ck_assert_int_eq(atomic_load(&jobs_done), SUBMITTERS * JOBS_EACH);
}

TEST(I11_many_threads_start_and_stop_the_reaper)
{
	run_submitters(submit_with_many_references);
}

TEST(I11_many_threads_submit_without_reference)
{
	run_submitters(submit_without_reference);
}

/* ---- Fork ---- */

/* TSan does not allow threads in the child of a process with threads. */
#ifndef HAVE_TSAN

static void
child_uses_reaper(void)
{
	atomic_store(&jobs_done, 0);
	reaper_ref();
	submit(count_job);
	reaper_unref();
	reaper_unref(); /* the parent's reference */
	_exit(atomic_load(&jobs_done) == 1 &&
		atomic_load(&jobs_done_here) == 0 ? 0 : 1);
}

static void
must_exit_cleanly(pid_t child)
{
	int status;
	ck_assert_int_gt(child, 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}

TEST(forked_child_has_a_reaper_of_its_own)
{
	reaper_ref();
	occupy_reaper();
	for (int i = 0; i < REAPER_QUEUE_MAX; i++)
		submit(count_job);
	pid_t child = fork();
	if (child == 0)
		child_uses_reaper();
	must_exit_cleanly(child);

	ck_assert_int_eq(atomic_load(&jobs_done), 0);
	sem_post(&gate);
	reaper_unref();
	ck_assert_int_eq(atomic_load(&jobs_done), REAPER_QUEUE_MAX + 1);
}

/* A child made by ASan's runtime can find its allocator locked. */
#ifndef HAVE_ASAN

static atomic_bool hammering;

static void *
hammer(void *unused)
{
	while (atomic_load(&hammering))
		submit(count_job);
	return unused;
}

/* Some of the children are made while another thread holds the lock. */
TEST(fork_at_any_moment)
{
	pthread_t threads[2];
	reaper_ref();
	atomic_store(&hammering, true);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, hammer,
			NULL), 0);
	for (int i = 0; i < 300; i++) {
		pid_t child = fork();
		if (child == 0)
			child_uses_reaper();
		must_exit_cleanly(child);
	}
	atomic_store(&hammering, false);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	reaper_unref();
}

#endif
#endif
