/* SPDX-License-Identifier: MIT */
#ifndef LOG_SINK_H
#define LOG_SINK_H

/*
 * Where the log of a program goes that knows nothing of it: stderr or a file,
 * one for the process.
 */

#include <shmguard/map.h>

/* Lines up to `level` are written to the file `path`, appended, or to stderr
 * when it is NULL or cannot be opened. The first call decides. The file stays
 * open as long as the process lives. Any thread. */
void log_sink_open(enum shmguard_log_level level, const char *path);

/* A shmguard_log_func, to be used after log_sink_open(). */
void log_sink_write(enum shmguard_log_level level, const char *line,
	void *data);

#endif
