/* SPDX-License-Identifier: MIT */
#include "feedback_client.h"

#include "harness.h"

#include <stdio.h>
#include <string.h>

static void
handle_global(void *data, struct wl_registry *registry, uint32_t name,
	const char *interface, uint32_t version)
{
	struct feedback_client *feedback = data;
	if (strcmp(interface, shmguard_feedback_manager_v1_interface.name) != 0)
		return;
	ck_assert_uint_eq(version, 1);
	feedback->globals++;
	if (feedback->manager == NULL)
		feedback->manager = wl_registry_bind(registry, name,
			&shmguard_feedback_manager_v1_interface, version);
}

static void
handle_global_remove(void *data, struct wl_registry *registry, uint32_t name)
{
	(void)data;
	(void)registry;
	(void)name;
}

static const struct wl_registry_listener registry_listener = {
	.global = handle_global,
	.global_remove = handle_global_remove,
};

void
feedback_client_init(struct feedback_client *feedback,
	struct shm_client *client)
{
	memset(feedback, 0, sizeof(*feedback));
	feedback->client = client;
	feedback->registry = wl_display_get_registry(client->display);
	wl_registry_add_listener(feedback->registry, &registry_listener, feedback);
	ck_assert(shm_client_roundtrip(client));
}

void
feedback_client_finish(struct feedback_client *feedback)
{
	if (feedback->manager != NULL)
		shmguard_feedback_manager_v1_destroy(feedback->manager);
	wl_registry_destroy(feedback->registry);
}

static void
handle_protection(void *data, struct shmguard_pool_feedback_v1 *resource,
	uint32_t tier, uint32_t reason, const char *text)
{
	(void)resource;
	struct pool_protection *protection = data;
	ck_assert(protection->complete || protection->done == 0);
	protection->complete = false;
	protection->tier = tier;
	protection->reason = reason;
	snprintf(protection->text, sizeof(protection->text), "%s", text);
	protection->improvements = 0;
	protection->advice[0] = '\0';
}

static void
handle_improvement(void *data, struct shmguard_pool_feedback_v1 *resource,
	uint32_t improvements, const char *text)
{
	(void)resource;
	struct pool_protection *protection = data;
	ck_assert(!protection->complete);
	ck_assert_uint_eq(protection->improvements, 0);
	ck_assert_uint_ne(improvements, 0);
	ck_assert_str_ne(text, "");
	protection->improvements = improvements;
	snprintf(protection->advice, sizeof(protection->advice), "%s", text);
}

static void
handle_done(void *data, struct shmguard_pool_feedback_v1 *resource)
{
	(void)resource;
	struct pool_protection *protection = data;
	ck_assert_str_ne(protection->text, "");
	ck_assert(!protection->complete);
	protection->complete = true;
	protection->done++;
}

static const struct shmguard_pool_feedback_v1_listener listener = {
	.protection = handle_protection,
	.improvement = handle_improvement,
	.done = handle_done,
};

struct shmguard_pool_feedback_v1 *
feedback_client_watch(struct feedback_client *feedback,
	struct wl_shm_pool *pool, struct pool_protection *protection)
{
	memset(protection, 0, sizeof(*protection));
	ck_assert_ptr_nonnull(feedback->manager);
	struct shmguard_pool_feedback_v1 *watch =
		shmguard_feedback_manager_v1_get_pool_feedback(feedback->manager,
			pool);
	shmguard_pool_feedback_v1_add_listener(watch, &listener, protection);
	return watch;
}
