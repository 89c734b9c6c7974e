/* SPDX-License-Identifier: MIT */
#ifndef SIEGE_COMPOSITOR_H
#define SIEGE_COMPOSITOR_H

/*
 * The compositor under siege: one that we start and stop, or one that was there.
 */

#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/un.h>

struct compositor {
	pid_t pid;   /* of whoever listens at the display */
	int pidfd;
	char display[sizeof(((struct sockaddr_un *)0)->sun_path)];

	/* If we started it; the child may be a script or a wrapper. */
	pid_t child; /* 0 if it was there */
	bool child_ended;
	int status; /* of the child that ended, as from wait(2) */
	char directory[PATH_MAX]; /* XDG_RUNTIME_DIR */
};

/* Starts a shell command in a session of its own, without a display that it
 * could connect to, with `directory`, which must not exist, as XDG_RUNTIME_DIR;
 * as `user` unless that is NULL. Returns when clients can connect. On failure
 * returns false and says why; compositor_stop() is due either way. */
bool compositor_start(struct compositor *compositor, const char *command,
	const struct passwd *user, const char *directory, char *problem,
	size_t size);

/* Uses one that was there. `display` as in WAYLAND_DISPLAY; `pid` may be 0 if
 * it is the one who listens. Never killed. */
bool compositor_adopt(struct compositor *compositor, const char *display,
	pid_t pid, char *problem, size_t size);

/* Whether the process ended. For one that we started this collects the status,
 * for which it may wait a moment. */
bool compositor_is_gone(struct compositor *compositor);

/* The last lines that it printed, and its log kept within bounds. */
void compositor_log_tail(const struct compositor *compositor, char *text,
	size_t size);
void compositor_log_trim(const struct compositor *compositor);

/* Ends it, one way or the other, with its files; without asking first if it does
 * not answer. Returns false if it cannot even be killed. */
bool compositor_stop(struct compositor *compositor, bool hung);

#endif
