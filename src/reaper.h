/* SPDX-License-Identifier: MIT */
#ifndef REAPER_H
#define REAPER_H

/*
 * Work that must not be done on the display's thread: unmapping large memory
 * and closing descriptors whose close(2) can block.
 *
 * Process-wide. Threads are made when there is work for them and end when it is
 * done. All signals are blocked in them.
 */

#include <stdbool.h>
#include <stddef.h>

/* Mappings at least this long, in bytes, are worth a trip to the reaper: freeing
 * their pages can take about a millisecond. */
#define REAPER_WORTH_IT ((size_t)4 << 20)

struct reaper_job {
	/* Runs on the reaper's thread, or at once on the caller's where no thread
	 * can be made or the queue is full. Frees the job. */
	void (*run)(struct reaper_job *job);
	struct reaper_job *next; /* the reaper's */
};

/* Keeps the reaper ready. The matching release of the last reference waits
 * until the queue is empty and the thread is gone. Any thread. */
void reaper_ref(void);
void reaper_unref(void);

/* Runs the job away from this thread. The caller holds a reference. */
void reaper_submit(struct reaper_job *job);

/* Closes a descriptor whose close(2) may never return. Such closes get threads
 * of their own, a bounded number of them; past the bound descriptors wait, open,
 * until one returns. Nothing waits for them, at exit neither. */
void reaper_close_blocking(int fd);

#endif
