/* SPDX-License-Identifier: MIT */
#ifndef GUARD_FIXTURE_H
#define GUARD_FIXTURE_H

/*
 * A compositor with a guarded wl_shm and one client, for tests of the native
 * interface.
 */

#include "shm_client.h"

#include <shmguard/server.h>

struct guard_fixture {
	struct wl_display *server;
	struct shmguard *guard;
	struct shm_client client;
};

/* NULL is the policy under which truncated files fault. The log function is
 * replaced. */
void guard_fixture_init(struct guard_fixture *fixture,
	const struct shmguard_policy *policy);
/* Whatever of it is left. */
void guard_fixture_finish(struct guard_fixture *fixture);

/* The compositor's view of the client's buffer. Fails the test if there is
 * none. */
struct shmguard_buffer *guard_fixture_buffer(struct guard_fixture *fixture,
	struct wl_buffer *buffer);

/* What was logged, one line after the other. */
const char *guard_fixture_log(void);

#endif
