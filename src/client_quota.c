/* SPDX-License-Identifier: MIT */
#include "client_quota.h"

#include "guard.h"
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

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

	quota->guard = guard_ref(guard);
	quota->client = client;
	wl_client_get_credentials(client, &quota->pid, NULL, NULL);
	quota->refs = 1;
	quota->client_destroy.notify = handle_client_destroy;
	wl_client_add_destroy_listener(client, &quota->client_destroy);
	wl_list_insert(&guard->clients, &quota->link);
	return quota;
}

void
client_quota_unref(struct client_quota *quota)
{
	if (--quota->refs > 0)
		return;

	if (quota->client != NULL)
		forget_client(quota);
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
