/* SPDX-License-Identifier: MIT */
#include "client_quota.h"

#include "guard.h"
#include "log.h"
#include "pool_log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <wayland-server-protocol.h>

/* What libwayland calls its object for the connection itself. */
#define DISPLAY_OBJECT_ID 1

static void
forget_client(struct client_quota *quota)
{
	wl_list_remove(&quota->client_destroy.link);
	wl_list_remove(&quota->link);
	quota->client = NULL;
}

static void
handle_client_destroy(struct wl_listener *listener, void *data)
{
	(void)data;
	struct client_quota *quota =
		wl_container_of(listener, quota, client_destroy);
	forget_client(quota);
}

struct client_quota *
client_quota_find(struct shmguard *guard, struct wl_client *client)
{
	struct client_quota *quota;
	wl_list_for_each(quota, &guard->clients, link) {
		if (quota->client == client)
			return quota;
	}
	return NULL;
}

/* Clients that we have started ourselves, over a pair of sockets, all have our
 * process number; those in other namespaces may have none. */
static struct account *
find_account(const struct shmguard *guard, pid_t pid)
{
	const struct client_quota *other;
	if (pid <= 0 || pid == getpid())
		return NULL;
	wl_list_for_each(other, &guard->clients, link) {
		if (other->pid == pid)
			return account_ref(other->account);
	}
	return NULL;
}

struct client_quota *
client_quota_get(struct shmguard *guard, struct wl_client *client)
{
	struct client_quota *quota = client_quota_find(guard, client);
	if (quota != NULL) {
		quota->refs++;
		return quota;
	}

	quota = calloc(1, sizeof(*quota));
	if (quota == NULL)
		return NULL;

	wl_client_get_credentials(client, &quota->pid, NULL, NULL);
	quota->account = find_account(guard, quota->pid);
	if (quota->account == NULL)
		quota->account = account_create(&guard->policy.limits);
	if (quota->account == NULL) {
		free(quota);
		return NULL;
	}
	quota->guard = guard_ref(guard);
	quota->client = client;
	quota->refs = 1;
	quota->client_destroy.notify = handle_client_destroy;
	wl_client_add_destroy_listener(client, &quota->client_destroy);
	wl_list_insert(&guard->clients, &quota->link);
	pool_log_client(&guard->policy, quota->pid);
	return quota;
}

void
client_quota_unref(struct client_quota *quota)
{
	if (--quota->refs > 0)
		return;

	if (quota->client != NULL)
		forget_client(quota);
	account_unref(quota->account);
	guard_unref(quota->guard);
	free(quota);
}

void
client_quota_post_error(struct client_quota *quota,
	struct wl_resource *resource, uint32_t code, const char *format, ...)
{
	if (quota->client == NULL)
		return;

	char reason[256];
	va_list args;
	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);

	guard_log(&quota->guard->policy, SHMGUARD_LOG_INFO,
		"client with pid %d ended: %s", (int)quota->pid, reason);
	if (resource != NULL)
		wl_resource_post_error(resource, code, "%s", reason);
	else
		wl_client_post_implementation_error(quota->client, "%s", reason);
}

void
client_quota_post_no_memory(struct client_quota *quota)
{
	if (quota->client == NULL)
		return;

	guard_log(&quota->guard->policy, SHMGUARD_LOG_INFO,
		"client with pid %d ended: out of memory", (int)quota->pid);
	wl_client_post_no_memory(quota->client);
}

/* As the client would be told for want of memory, which it is: libwayland's own
 * function for that has no place for a reason. */
void
client_quota_post_refusal(struct client_quota *quota)
{
	if (quota->client == NULL)
		return;

	char limit[128];
	client_quota_post_error(quota,
		wl_client_get_object(quota->client, DISPLAY_OBJECT_ID),
		WL_DISPLAY_ERROR_NO_MEMORY, "%s",
		account_describe_refusal(quota->account, limit, sizeof(limit)));
}
