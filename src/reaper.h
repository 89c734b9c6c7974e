/* SPDX-License-Identifier: MIT */
#ifndef REAPER_H
#define REAPER_H

/*
 * Work that must not be done on the display's thread: unmapping large memory
 * and closing descriptors whose close(2) can block.
 *
 * Process-wide. Threads are made when there is work for them, have all signals
 * blocked, preempt nobody, and stay behind in the parent when it forks: jobs
 * that were queued then never run in the child.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct reaper_syscalls {
	int (*thread_create)(pthread_t *thread, const pthread_attr_t *attr,
		void *(*func)(void *), void *data);
	int (*close)(int fd);
};

/* The calls in use. Tests put others in their place, before first use. */
extern const struct reaper_syscalls *reaper_syscalls;
extern const struct reaper_syscalls real_reaper_syscalls;

/* Jobs that may wait; more than that run on the caller's thread. */
#define REAPER_QUEUE_MAX 4096

/* Threads that may hang in close(2) at a time. */
#define REAPER_CLOSERS_MAX 16

/* Mappings at least this long, in bytes, are worth a trip to the reaper: freeing
 * their pages can take about a millisecond. */
#define REAPER_WORTH_IT ((size_t)4 << 20)

struct reaper_job {
	/* Runs on the reaper's thread, or at once on the caller's where no thread
	 * can be made or the queue is full. Frees the job. */
	void (*run)(struct reaper_job *job);
	struct reaper_job *next; /* the reaper's */
};

/* Keeps the thread between jobs. The release of the last reference waits until
 * the queue is empty and the thread is gone, unless a job releases it. Any
 * thread. */
void reaper_ref(void);
void reaper_unref(void);

/* Runs the job away from this thread. Without a reference the thread ends when
 * there are no more jobs, and nobody waits for it. Any thread. */
void reaper_submit(struct reaper_job *job);

/* For others who need threads like these: starts a detached one, if there can be
 * one. The caller bounds their number; `func` calls reaper_step_back() first.
 * Any thread. */
bool reaper_start_thread(void *(*func)(void *), void *data);
void reaper_step_back(void);

/* Closes a descriptor whose close(2) may never return. Such closes get threads
 * of their own, a bounded number of them; past the bound descriptors wait, open,
 * until one returns. Nothing here waits for them, reaper_unref() neither; the
 * kernel keeps an exiting process until they return. Any thread. */
void reaper_close_blocking(int fd);

/* Closes a descriptor that may be the last one of its file: freeing the pages of
 * a large file is work for the reaper. `may_block` as found by seal_check(), or
 * else the file must be known to answer fstat(2) at once. Any thread. */
void reaper_close_last(int fd, bool may_block);

#endif
