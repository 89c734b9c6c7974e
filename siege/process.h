/* SPDX-License-Identifier: MIT */
#ifndef SIEGE_PROCESS_H
#define SIEGE_PROCESS_H

/*
 * Processes that do not outlive whoever started them.
 */

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/* fork(2). The child gets SIGTERM when its parent ends. Ends the program if
 * there can be no process. */
pid_t process_fork(void);

/* Whether our child has ended; it is then gone for good. */
bool process_has_ended(pid_t child, int *status);

/* The same within a time. */
bool process_await_end(pid_t child, int *status, int milliseconds);

/* Asks our child to end with SIGTERM, and makes it with all its descendants
 * after `grace` milliseconds. Returns false if even that did not help, as for
 * one that waits for a FUSE server that is not its descendant. */
bool process_end(pid_t child, int *status, int grace);

/* Kills what descends from a process, the youngest first: what a process is
 * stuck in may well be one of its children. */
void process_kill_descendants(pid_t pid);

/* A file of a process under /proc, as in fopen(3); may return NULL. */
FILE *process_file(pid_t pid, const char *name);

#endif
