/* SPDX-License-Identifier: MIT */
#ifndef REAPER_WATCH_H
#define REAPER_WATCH_H

/*
 * Jobs for the reaper, and what it has done with them. Nothing here but the
 * functions called must_ uses libcheck, whose lock forked children and threads
 * do better without.
 */

#include "reaper.h"

#include <stdatomic.h>

/* Long enough that what does not happen in this time never will. */
#define PATIENCE_SECONDS 20

/* Counted by count_job(): all, and those on the first thread. */
extern atomic_int jobs_done, jobs_done_here;

/* Submits a job that is made with malloc(3); `run` frees it. */
void submit(void (*run)(struct reaper_job *job));
void count_job(struct reaper_job *job);

/* From now on counts what is closed by way of reaper.h: all, and that on the
 * first thread. */
extern atomic_int fds_closed, fds_closed_here;
void watch_closes(void);

/* Threads of the reaper, by their name. */
int count_reaper_threads(void);

/* Wait, and fail the test if it does not come to that. */
void must_become(atomic_int *value, int expected);
void must_have_reaper_threads(int expected);

#endif
