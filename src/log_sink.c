/* SPDX-License-Identifier: MIT */
#include "log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Set once, before anybody has the function that reads it. */
static struct {
	pthread_mutex_t lock;
	int fd; /* -1 until it is open */
	enum shmguard_log_level level;
} sink = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.fd = -1,
};

static int
open_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY,
		0600);
	if (fd < 0)
		dprintf(STDERR_FILENO, "shmguard: cannot log to %s: %s\n", path,
			strerror(errno));
	return fd;
}

void
log_sink_open(enum shmguard_log_level level, const char *path)
{
	pthread_mutex_lock(&sink.lock);
	if (sink.fd < 0) {
		int fd = path != NULL ? open_file(path) : -1;
		sink.fd = fd >= 0 ? fd : STDERR_FILENO;
		sink.level = level;
	}
	pthread_mutex_unlock(&sink.lock);
}

void
log_sink_write(enum shmguard_log_level level, const char *line, void *data)
{
	(void)data;
	if (level <= sink.level)
		dprintf(sink.fd, "shmguard: %s\n", line);
}
