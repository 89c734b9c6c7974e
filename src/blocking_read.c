/* SPDX-License-Identifier: MIT */
#include "blocking_read.h"

#include "fork_lock.h"
#include "monotonic_clock.h"
#include "reaper.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#define NSEC_PER_MSEC INT64_C(1000000)

/* Of what was waited, so much is no server's fault: pages that are in memory take
 * 0.5 to 1 ms per MiB. */
#define COPY_NSEC_PER_BYTE 1

/* One read, while two threads know of it. */
struct read_job {
	struct blocking_source source;
	struct view_copy *copy;
	bool done;      /* the reader's last word */
	bool abandoned; /* the asker's: whoever is last frees the job */
	pthread_cond_t finished;
};

static void forget_in_child(void);

/* Nobody here can be told that forks are not watched. */
static struct fork_lock lock = FORK_LOCK_INITIALIZER(forget_in_child);
static unsigned int readers;

/* What has been waited lately, as of `debt_time`. */
static int64_t debt, debt_time;

/* They stay behind, with the jobs of theirs. */
static void
forget_in_child(void)
{
	readers = 0;
}

static void
destroy_job(struct read_job *job)
{
	pthread_cond_destroy(&job->finished);
	free(job);
}

static struct read_job *
create_job(const struct blocking_source *source, struct view_copy *copy)
{
	struct read_job *job = malloc(sizeof(*job));
	if (job == NULL)
		return NULL;
	*job = (struct read_job){.source = *source, .copy = copy};

	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&job->finished, &attr);
	pthread_condattr_destroy(&attr);
	return job;
}

static void *
run_reader(void *data)
{
	struct read_job *job = data;
	struct blocking_source source = job->source;
	reaper_step_back();
	view_copy_fill(job->copy, source.fd);

	fork_lock_take(&lock);
	readers--;
	job->done = true;
	bool abandoned = job->abandoned;
	pthread_cond_signal(&job->finished);
	fork_lock_give(&lock);
	if (abandoned) {
		view_copy_finish(job->copy, -1);
		destroy_job(job);
	}
	source.released(source.owner);
	return NULL;
}

/* With the lock held. Returns whether the reader is done. */
static bool
wait_for_reader(struct read_job *job, size_t length)
{
	int64_t start = monotonic_now();
	debt -= (start - debt_time) / BLOCKING_READ_SHARE;
	if (debt < 0)
		debt = 0;
	debt_time = start;

	int64_t end = start + job->source.deadline * NSEC_PER_MSEC - debt;
	struct timespec deadline = {
		.tv_sec = (time_t)(end / NSEC_PER_SEC),
		.tv_nsec = (long)(end % NSEC_PER_SEC),
	};
	while (!job->done && pthread_cond_timedwait(&job->finished,
			&lock.mutex,
			&deadline) != ETIMEDOUT)
		continue;
	int64_t waited = monotonic_now() - start;
	int64_t excused = (int64_t)length * COPY_NSEC_PER_BYTE;
	if (waited > excused)
		debt += waited - excused;
	return job->done;
}

/* With the lock held. */
static bool
start_reader(struct read_job *job)
{
	if (readers >= BLOCKING_READERS_MAX || !reaper_start_thread(run_reader, job))
		return false;
	readers++;
	return true;
}

struct view_copy *
blocking_read(const struct blocking_source *source, off_t offset, size_t length)
{
	/* What the view gets if the reader keeps the other. */
	struct view_copy *zeros =
		view_copy_create_zeros(offset, length, false, source->owner);
	struct view_copy *copy =
		view_copy_create_zeros(offset, length, false, source->owner);
	struct read_job *job = create_job(source, copy);
	if (zeros == NULL || copy == NULL || job == NULL)
		goto err_memory;

	fork_lock_take(&lock);
	bool started = start_reader(job);
	bool done = started && wait_for_reader(job, length);
	job->abandoned = !done;
	fork_lock_give(&lock);

	if (done) {
		view_copy_finish(zeros, -1);
		destroy_job(job);
		return copy;
	}
	if (!started) {
		view_copy_finish(copy, -1);
		destroy_job(job);
		source->released(source->owner);
	}
	view_copy_set_lost(zeros);
	return zeros;

err_memory:
	if (job != NULL)
		destroy_job(job);
	if (copy != NULL)
		view_copy_finish(copy, -1);
	if (zeros != NULL)
		view_copy_finish(zeros, -1);
	source->released(source->owner);
	errno = ENOMEM;
	return NULL;
}
