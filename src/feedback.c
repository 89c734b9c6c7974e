/* SPDX-License-Identifier: MIT */
#include "feedback.h"

#include "client_quota.h"
#include "shm_pool.h"
#include "shmguard-feedback-v1-protocol.h"

#include <shmguard/map.h>
#include <stdlib.h>

#define FEEDBACK_VERSION 1

/* The protocol's numbers are those of map.h: the compiler complains about values
 * that differ and, for want of a default label, about those that are missing. */
#define SAME(name) case SHMGUARD_##name: { \
	_Static_assert((int)SHMGUARD_POOL_FEEDBACK_V1_##name == \
		(int)SHMGUARD_##name, #name); \
	break; \
}

static uint32_t
wire_tier(enum shmguard_tier tier)
{
	switch (tier) {
	SAME(TIER_SEALED)
	SAME(TIER_NOSIGBUS)
	SAME(TIER_TRAPPED)
	SAME(TIER_COPIED)
	SAME(TIER_REJECTED)
	}
	return tier;
}

static uint32_t
wire_reason(enum shmguard_reason reason)
{
	switch (reason) {
	SAME(REASON_SEALED)
	SAME(REASON_ADOPTED)
	SAME(REASON_SHORT)
	SAME(REASON_SEALABLE)
	SAME(REASON_UNSEALABLE)
	SAME(REASON_HUGETLB)
	SAME(REASON_LOCAL_FILE)
	SAME(REASON_MAY_BLOCK)
	SAME(REASON_BAD_FD)
	SAME(REASON_PATH_ONLY)
	SAME(REASON_WRITE_ONLY)
	SAME(REASON_NOT_REGULAR)
	SAME(REASON_SECRET)
	SAME(REASON_POLICY)
	SAME(REASON_TOO_LARGE)
	SAME(REASON_UNMAPPABLE)
	SAME(REASON_NO_MEMORY)
	SAME(REASON_QUOTA)
	/* Not of maps. */
	case SHMGUARD_REASON_EMPTY:
	case SHMGUARD_REASON_OVER_LIMIT:
	case SHMGUARD_REASON_TRUNCATED:
	case SHMGUARD_REASON_READ_ERROR:
		break;
	}
	return reason;
}

static uint32_t
wire_improvements(unsigned int improvements)
{
	switch ((enum shmguard_improvement)improvements) {
	SAME(IMPROVEMENT_ALLOW_SEALING)
	SAME(IMPROVEMENT_SEAL_SHRINK)
	SAME(IMPROVEMENT_FULL_LENGTH)
	SAME(IMPROVEMENT_SMALL_PAGES)
	}
	return improvements;
}

/* A shmguard_pool_feedback_v1. Display thread only. */
struct pool_feedback {
	struct wl_resource *resource;
	struct shm_pool *pool; /* no reference; while its resource is there */
	struct wl_listener tier_changed;
	struct wl_listener pool_destroy;
};

static void
send_protection(const struct pool_feedback *feedback)
{
	struct wl_resource *resource = feedback->resource;
	const struct shmguard_map *map = feedback->pool->map;
	enum shmguard_reason reason = shmguard_map_reason(map);

	shmguard_pool_feedback_v1_send_protection(resource,
		wire_tier(shmguard_map_tier(map)), wire_reason(reason),
		shmguard_reason_text(reason));
	const char *advice = shmguard_reason_advice(reason);
	if (advice != NULL)
		shmguard_pool_feedback_v1_send_improvement(resource,
			wire_improvements(shmguard_reason_improvements(reason)),
			advice);
	shmguard_pool_feedback_v1_send_done(resource);
}

static void
handle_tier_changed(struct wl_listener *listener, void *data)
{
	(void)data;
	struct pool_feedback *feedback =
		wl_container_of(listener, feedback, tier_changed);
	send_protection(feedback);
}

static void
forget_pool(struct pool_feedback *feedback)
{
	if (feedback->pool == NULL)
		return;
	wl_list_remove(&feedback->tier_changed.link);
	wl_list_remove(&feedback->pool_destroy.link);
	feedback->pool = NULL;
}

static void
handle_pool_destroy(struct wl_listener *listener, void *data)
{
	(void)data;
	struct pool_feedback *feedback =
		wl_container_of(listener, feedback, pool_destroy);
	forget_pool(feedback);
}

static void
handle_destroy(struct wl_client *client, struct wl_resource *resource)
{
	(void)client;
	wl_resource_destroy(resource);
}

static const struct shmguard_pool_feedback_v1_interface feedback_impl = {
	.destroy = handle_destroy,
};

static void
feedback_handle_resource_destroy(struct wl_resource *resource)
{
	struct pool_feedback *feedback = wl_resource_get_user_data(resource);
	forget_pool(feedback);
	free(feedback);
}

static void
manager_handle_get_pool_feedback(struct wl_client *client,
	struct wl_resource *manager, uint32_t id,
	struct wl_resource *pool_resource)
{
	struct shm_pool *pool = shm_pool_from_resource(pool_resource);
	if (pool == NULL) {
		wl_resource_post_error(manager,
			SHMGUARD_FEEDBACK_MANAGER_V1_ERROR_INVALID_POOL,
			"wl_shm_pool#%u is not guarded by shmguard",
			wl_resource_get_id(pool_resource));
		return;
	}

	struct pool_feedback *feedback = calloc(1, sizeof(*feedback));
	if (feedback == NULL)
		goto err_no_memory;
	feedback->resource = wl_resource_create(client,
		&shmguard_pool_feedback_v1_interface,
		wl_resource_get_version(manager), id);
	if (feedback->resource == NULL)
		goto err_free;

	feedback->pool = pool;
	feedback->tier_changed.notify = handle_tier_changed;
	wl_signal_add(&pool->tier_changed, &feedback->tier_changed);
	feedback->pool_destroy.notify = handle_pool_destroy;
	wl_resource_add_destroy_listener(pool_resource, &feedback->pool_destroy);
	wl_resource_set_implementation(feedback->resource, &feedback_impl,
		feedback, feedback_handle_resource_destroy);
	send_protection(feedback);
	return;

err_free:
	free(feedback);
err_no_memory:
	client_quota_post_no_memory(pool->quota);
}

static const struct shmguard_feedback_manager_v1_interface manager_impl = {
	.destroy = handle_destroy,
	.get_pool_feedback = manager_handle_get_pool_feedback,
};

static void
manager_bind(struct wl_client *client, void *data, uint32_t version,
	uint32_t id)
{
	(void)data;
	struct wl_resource *resource = wl_resource_create(client,
		&shmguard_feedback_manager_v1_interface, (int)version, id);
	if (resource == NULL) {
		wl_client_post_no_memory(client);
		return;
	}
	wl_resource_set_implementation(resource, &manager_impl, NULL, NULL);
}

struct wl_global *
feedback_global_create(struct wl_display *display)
{
	return wl_global_create(display, &shmguard_feedback_manager_v1_interface,
		FEEDBACK_VERSION, NULL, manager_bind);
}
