/* SPDX-License-Identifier: MIT */
#ifndef FEEDBACK_FIXTURE_H
#define FEEDBACK_FIXTURE_H

/* A client that has a pool and knows how it is protected. */

#include "feedback_client.h"
#include "guard_fixture.h"

#define POOL_SIZE 4096

struct feedback_fixture {
	struct guard_fixture guarded;
	struct shm_client *client;
	struct feedback_client feedback;
	/* Each may be destroyed and set to NULL. */
	struct wl_shm_pool *pool;
	struct shmguard_pool_feedback_v1 *watch;
	struct pool_protection protection; /* as the watch says */
};

/* `policy` may be NULL; feedback is offered in any case. `fd` stays the
 * caller's. */
void feedback_fixture_init(struct feedback_fixture *fixture,
	const struct shmguard_policy *policy, int fd, int32_t size);
/* Whatever of it is left. */
void feedback_fixture_finish(struct feedback_fixture *fixture);

/* With the words and improvements that belong to the reason. */
void expect_protection(const struct pool_protection *protection,
	enum shmguard_tier tier, enum shmguard_reason reason);

#endif
