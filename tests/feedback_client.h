/* SPDX-License-Identifier: MIT */
#ifndef FEEDBACK_CLIENT_H
#define FEEDBACK_CLIENT_H

/* The client's side of protocol/shmguard-feedback-v1.xml. Failures end the
 * test. */

#include "shm_client.h"

#include "shmguard-feedback-v1-client-protocol.h"

struct feedback_client {
	struct shm_client *client;
	struct wl_registry *registry;
	unsigned int globals; /* of the manager's kind */
	struct shmguard_feedback_manager_v1 *manager; /* NULL if there is none */
};

/* Looks for the global; binds it, which the compositor has not seen yet. */
void feedback_client_init(struct feedback_client *feedback,
	struct shm_client *client);
void feedback_client_finish(struct feedback_client *feedback);

/* What was last said about a pool. */
struct pool_protection {
	uint32_t tier, reason;
	char text[256];
	uint32_t improvements; /* 0 and "": not sent */
	char advice[256];
	unsigned int done; /* events so far */
	bool complete;     /* nothing came after the last of them */
};

/* `protection` has to stay until the result is destroyed. */
struct shmguard_pool_feedback_v1 *feedback_client_watch(
	struct feedback_client *feedback, struct wl_shm_pool *pool,
	struct pool_protection *protection);

#endif
