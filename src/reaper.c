/* SPDX-License-Identifier: MIT */
#include "reaper.h"

#include "fork_lock.h"

#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Jobs unmap, close and free. */
#define STACK_SIZE ((size_t)256 << 10)

/* Nanoseconds. */
#define NAP 1000000

/* Descriptors that can wait although there is no memory for it: as many as libwayland
 * takes from a client in one piece. */
#define RESERVE 28

const struct reaper_syscalls real_reaper_syscalls = {
	.thread_create = pthread_create,
	.close = close,
};

const struct reaper_syscalls *reaper_syscalls = &real_reaper_syscalls;

struct waiting_fd {
	int fd;
	struct waiting_fd *next;
};

static void forget_in_child(void);

static struct fork_lock lock = FORK_LOCK_INITIALIZER(forget_in_child);
static pthread_cond_t wake_worker = PTHREAD_COND_INITIALIZER;
static pthread_cond_t worker_ended = PTHREAD_COND_INITIALIZER;

static size_t references;

static pthread_t worker;
static bool worker_runs;
static bool worker_must_end; /* somebody is joining it */
static struct reaper_job *first_job, **last_job = &first_job;
static size_t jobs;

static unsigned closers;
static struct waiting_fd *waiting_fds;
/* For want of memory. */
static struct waiting_fd reserve[RESERVE];
static bool reserve_taken[RESERVE];

/* Threads stay behind in the parent, and so do the mappings that the jobs are
 * about: running them here could unmap what the child puts in their place.
 * Descriptors that waited stay open in the child. Other threads may have waited
 * for the conditions. */
static void
forget_in_child(void)
{
	wake_worker = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
	worker_ended = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
	worker_runs = false;
	worker_must_end = false;
	first_job = NULL;
	last_job = &first_job;
	jobs = 0;
	closers = 0;
	waiting_fds = NULL;
	memset(reserve_taken, 0, sizeof(reserve_taken));
}

static bool
start_thread(pthread_t *thread, void *(*func)(void *), void *data,
	bool detached)
{
	pthread_attr_t attr;
	sigset_t all, old;

	if (pthread_attr_init(&attr) != 0)
		return false;
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (detached)
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int error = reaper_syscalls->thread_create(thread, &attr, func, data);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return error == 0;
}

bool
reaper_start_thread(void *(*func)(void *), void *data)
{
	pthread_t thread;
	return start_thread(&thread, func, data, true);
}

/* The thread that submits a job must not lose its processor to it: neither
 * because we inherited its realtime priority, nor because a thread that wakes
 * up preempts others, which batch threads do not. */
void
reaper_step_back(void)
{
#ifdef __linux__
	pthread_setname_np(pthread_self(), "shmguard-reaper");
	sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0});
#endif
}

/* With the lock held. To be woken takes the thread that submits more time than most
 * jobs take, and jobs come in numbers: those that follow find us awake. */
static void
wait_for_jobs(void)
{
	while (first_job == NULL && references > 0 && !worker_must_end)
		pthread_cond_wait(&wake_worker, &lock.mutex);
	if (references == 0 || worker_must_end)
		return;
	fork_lock_give(&lock);
	nanosleep(&(struct timespec){.tv_nsec = NAP}, NULL);
	fork_lock_take(&lock);
}

static void *
run_worker(void *data)
{
	(void)data;
	reaper_step_back();

	fork_lock_take(&lock);
	for (;;) {
		if (first_job == NULL)
			wait_for_jobs();
		struct reaper_job *job = first_job;
		if (job == NULL)
			break;
		first_job = job->next;
		if (first_job == NULL)
			last_job = &first_job;
		jobs--;

		fork_lock_give(&lock);
		job->run(job);
		fork_lock_take(&lock);
	}
	if (!worker_must_end)
		pthread_detach(pthread_self());
	worker_runs = false;
	worker_must_end = false;
	pthread_cond_broadcast(&worker_ended);
	fork_lock_give(&lock);
	return NULL;
}

void
reaper_ref(void)
{
	fork_lock_take(&lock);
	references++;
	fork_lock_give(&lock);
}

void
reaper_unref(void)
{
	fork_lock_take(&lock);
	if (--references > 0 || !worker_runs ||
			pthread_equal(worker, pthread_self())) {
		fork_lock_give(&lock);
		return;
	}
	if (worker_must_end) {
		/* Taken again and dropped again while somebody joins. */
		while (worker_must_end)
			pthread_cond_wait(&worker_ended, &lock.mutex);
		fork_lock_give(&lock);
		return;
	}
	worker_must_end = true;
	pthread_t thread = worker;
	pthread_cond_signal(&wake_worker);
	fork_lock_give(&lock);
	pthread_join(thread, NULL);
}

void
reaper_submit(struct reaper_job *job)
{
	fork_lock_take(&lock);
	if (!worker_runs)
		worker_runs = start_thread(&worker, run_worker, NULL, false);
	if (!worker_runs || jobs >= REAPER_QUEUE_MAX) {
		fork_lock_give(&lock);
		job->run(job);
		return;
	}
	job->next = NULL;
	*last_job = job;
	last_job = &job->next;
	jobs++;
	fork_lock_give(&lock);
	pthread_cond_signal(&wake_worker);
}

/* With the lock held, as what follows. */
static struct waiting_fd *
take_waiting(void)
{
	struct waiting_fd *waiting = malloc(sizeof(*waiting));
	for (size_t i = 0; i < RESERVE && waiting == NULL; i++) {
		if (reserve_taken[i])
			continue;
		reserve_taken[i] = true;
		waiting = &reserve[i];
	}
	return waiting;
}

static void
give_waiting(struct waiting_fd *waiting)
{
	if (waiting >= reserve && waiting < reserve + RESERVE)
		reserve_taken[waiting - reserve] = false;
	else
		free(waiting);
}

static void *
run_closer(void *data)
{
	int fd = (int)(intptr_t)data;
	reaper_step_back();

	for (;;) {
		reaper_syscalls->close(fd);

		fork_lock_take(&lock);
		struct waiting_fd *next = waiting_fds;
		if (next == NULL) {
			closers--;
			fork_lock_give(&lock);
			return NULL;
		}
		waiting_fds = next->next;
		fd = next->fd;
		give_waiting(next);
		fork_lock_give(&lock);
	}
}

void
reaper_close_blocking(int fd)
{
	pthread_t thread;
	fork_lock_take(&lock);
	if (closers < REAPER_CLOSERS_MAX && start_thread(&thread, run_closer,
			(void *)(intptr_t)fd, true)) {
		closers++;
		fork_lock_give(&lock);
		return;
	}

	/* If there is no room the descriptor stays open for good: one of ours less
	 * is better than a display thread that waits for ever. */
	struct waiting_fd *waiting = take_waiting();
	if (waiting != NULL) {
		waiting->fd = fd;
		waiting->next = waiting_fds;
		waiting_fds = waiting;
	}
	fork_lock_give(&lock);
}

struct close_job {
	struct reaper_job job;
	int fd;
};

static void
run_close(struct reaper_job *job)
{
	struct close_job *closing = (struct close_job *)job;
	reaper_syscalls->close(closing->fd);
	free(closing);
}

void
reaper_close_last(int fd, bool may_block)
{
	if (may_block) {
		reaper_close_blocking(fd);
		return;
	}
	struct stat file;
	struct close_job *closing = NULL;
	if (fstat(fd, &file) == 0 && S_ISREG(file.st_mode) &&
			(uint64_t)file.st_size >= REAPER_WORTH_IT)
		closing = malloc(sizeof(*closing));
	if (closing == NULL) {
		reaper_syscalls->close(fd);
		return;
	}
	*closing = (struct close_job){.job.run = run_close, .fd = fd};
	reaper_submit(&closing->job);
}
