/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_QUOTA_H
#define CLIENT_QUOTA_H

/*
 * One connection to one guard: what its client may hold, and how it is told that
 * it did wrong. Counted by the wl_shm resources and pools that point to it; may
 * outlive the connection. Display thread only.
 */

#include "account.h"

#include <shmguard/server.h>
#include <sys/types.h>

struct client_quota {
	struct shmguard *guard; /* a reference */
	struct wl_client *client; /* NULL once it is gone */
	pid_t pid;
	/* A reference. One for all connections of a process: they cost a client
	 * that wants more than its share nothing. */
	struct account *account;

	size_t refs;
	struct wl_listener client_destroy;
	struct wl_list link; /* shmguard.clients, while the client is there */
};

/* The client's, with a reference; made when there is none. NULL: no memory. */
struct client_quota *client_quota_get(struct shmguard *guard,
	struct wl_client *client);
void client_quota_unref(struct client_quota *quota);

/* The client's, without a reference, or NULL. */
struct client_quota *client_quota_find(struct shmguard *guard,
	struct wl_client *client);

/* Logs the reason and ends the client with a protocol error on `resource`, one
 * of its own, or with an implementation error where that is NULL. Does nothing
 * when the client is gone. libwayland cuts the reason after 127 characters. */
__attribute__((format(printf, 4, 5)))
void client_quota_post_error(struct client_quota *quota,
	struct wl_resource *resource, uint32_t code, const char *format, ...);

/* The same for want of memory. */
void client_quota_post_no_memory(struct client_quota *quota);

/* The same for what its account has just been refused. */
void client_quota_post_refusal(struct client_quota *quota);

#endif
