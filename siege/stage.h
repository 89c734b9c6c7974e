/* SPDX-License-Identifier: MIT */
#ifndef SIEGE_STAGE_H
#define SIEGE_STAGE_H

/*
 * A compositor with its bystanders, ready to be attacked.
 */

#include "attack_run.h"
#include "bystanders.h"
#include "compositor.h"

#include <pwd.h>

/* Written by the clients' processes. */
struct shared {
	struct bystanders bystanders;
	struct attack_report report;
};

struct stage {
	struct compositor compositor;
	struct shared *shared;
	pid_t canary, newcomers; /* 0: not there */
	int patience;            /* milliseconds */
	bool in_sight; /* the canary should be presented, not only answered */
};

/* What there is to besiege. */
struct target {
	const char *command; /* for a shell; NULL: what is there already */
	const char *display;
	pid_t pid;           /* 0: whoever listens there */
	const struct passwd *user; /* whom the command is run as; NULL: us */
	int patience;
};

/* Starts the compositor in `directory` (see compositor_start) and the bystanders
 * on it. On failure returns false and says why; stage_close() is due either
 * way. */
bool stage_open(struct stage *stage, const struct target *target,
	const char *directory, char *problem, size_t size);

/* Returns false if the compositor could not even be killed. */
bool stage_close(struct stage *stage, bool hung);

/* Waits until the canary was answered, and presented if it is in sight, some
 * times more and a newcomer with a window was served,
 * or the compositor is gone, or nothing has come of it for `patience`. */
bool stage_await_service(struct stage *stage);

/* Lets no newcomer be there. Returns false if one does not go. */
bool stage_pause_newcomers(struct stage *stage);
void stage_resume_newcomers(struct stage *stage);

/* Makes the attack in a process of its own, and of a process group of its own for
 * what that leaves behind. */
pid_t stage_attack(struct stage *stage, const struct attack *attack,
	const struct attack_options *options, int errors);

#endif
