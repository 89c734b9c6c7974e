/* SPDX-License-Identifier: MIT */
#include "shm_pool.h"

#include "client_quota.h"
#include "guard.h"
#include "guarded_map.h"
#include "pool_log.h"
#include "shm_buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wayland-server-protocol.h>

static void
pool_handle_create_buffer(struct wl_client *client,
	struct wl_resource *resource, uint32_t id, int32_t offset, int32_t width,
	int32_t height, int32_t stride, uint32_t format)
{
	(void)client;
	shm_buffer_create(wl_resource_get_user_data(resource), id,
		&(struct shm_buffer_geometry){
			.offset = offset,
			.width = width,
			.height = height,
			.stride = stride,
			.format = format,
		});
}

static void
pool_handle_destroy(struct wl_client *client, struct wl_resource *resource)
{
	(void)client;
	wl_resource_destroy(resource);
}

static void
pool_handle_resize(struct wl_client *client, struct wl_resource *resource,
	int32_t size)
{
	(void)client;
	struct shm_pool *pool = wl_resource_get_user_data(resource);
	struct client_quota *quota = pool->quota;
	size_t old_size = shmguard_map_size(pool->map);
	enum shmguard_tier old_tier = shmguard_map_tier(pool->map);

	if (size <= 0 || (size_t)size < old_size) {
		client_quota_post_error(quota, resource, WL_SHM_ERROR_INVALID_FD,
			"wl_shm_pool cannot shrink from %zu to %d bytes",
			old_size, size);
		return;
	}
	if (shmguard_map_resize(pool->map, (size_t)size) < 0) {
		if (errno == ENOMEM)
			client_quota_post_no_memory(quota);
		else if (errno == EDQUOT)
			client_quota_post_refusal(quota);
		else
			client_quota_post_error(quota, resource,
				WL_SHM_ERROR_INVALID_FD,
				"wl_shm_pool cannot grow from %zu to %d bytes: %s",
				old_size, size, strerror(errno));
		return;
	}
	pool_log_resize(pool);
	if (shmguard_map_tier(pool->map) != old_tier)
		wl_signal_emit(&pool->tier_changed, NULL);
}

static const struct wl_shm_pool_interface pool_impl = {
	.create_buffer = pool_handle_create_buffer,
	.destroy = pool_handle_destroy,
	.resize = pool_handle_resize,
};

static void
pool_handle_resource_destroy(struct wl_resource *resource)
{
	struct shm_pool *pool = wl_resource_get_user_data(resource);
	pool->resource = NULL;
	shm_pool_unref(pool);
}

struct shm_pool *
shm_pool_from_resource(struct wl_resource *resource)
{
	if (!wl_resource_instance_of(resource, &wl_shm_pool_interface, &pool_impl))
		return NULL;
	return wl_resource_get_user_data(resource);
}

struct shm_pool *
shm_pool_ref(struct shm_pool *pool)
{
	pool->refs++;
	return pool;
}

void
shm_pool_unref(struct shm_pool *pool)
{
	if (--pool->refs > 0)
		return;

	pool_log_destroy(pool);
	account_give(pool->quota->account, RESOURCE_POOLS, 1);
	shmguard_map_close(pool->map);
	client_quota_unref(pool->quota);
	free(pool);
}

/* Closing some descriptors can block for ever; the map knows how. */
static void
discard_descriptor(int fd)
{
	shmguard_map_close(shmguard_map_open(fd, 0, NULL, NULL));
}

static void
refuse(struct client_quota *quota, struct wl_resource *shm, int32_t size,
	const char *why)
{
	client_quota_post_error(quota, shm, WL_SHM_ERROR_INVALID_FD,
		"wl_shm_pool of %d bytes refused: %s", size, why);
}

static struct shmguard_map *
open_map(struct client_quota *quota, struct shm_pool *pool,
	struct wl_resource *shm, int fd, int32_t size,
	const struct file_look *look)
{
	struct shmguard *guard = quota->guard;
	enum shmguard_reason reason;
	struct shmguard_map *map = guarded_map_open(fd, (size_t)size,
		&guard->policy, quota->account, guard->notifier, pool, &reason);
	if (map != NULL) {
		if (shmguard_map_tier(map) != SHMGUARD_TIER_COPIED)
			guard_hold_trap(guard);
		return map;
	}

	pool_log_refuse(quota, look, size, reason);
	if (errno == ENOMEM)
		client_quota_post_no_memory(quota);
	else if (errno == EDQUOT)
		client_quota_post_refusal(quota);
	else if (reason == SHMGUARD_REASON_UNMAPPABLE)
		refuse(quota, shm, size, strerror(errno));
	else
		refuse(quota, shm, size, shmguard_reason_text(reason));
	return NULL;
}

void
shm_pool_create(struct client_quota *quota, struct wl_resource *shm,
	uint32_t id, int fd, int32_t size)
{
	if (size <= 0) {
		discard_descriptor(fd);
		client_quota_post_error(quota, shm, WL_SHM_ERROR_INVALID_STRIDE,
			"wl_shm_pool size %d is not positive", size);
		return;
	}

	struct file_look look;
	file_look_at(&look, &quota->guard->policy, fd);
	if (account_take(quota->account, RESOURCE_POOLS, 1) < 0) {
		pool_log_refuse(quota, &look, size, SHMGUARD_REASON_QUOTA);
		discard_descriptor(fd);
		client_quota_post_refusal(quota);
		return;
	}
	struct shm_pool *pool = malloc(sizeof(*pool));
	if (pool == NULL) {
		discard_descriptor(fd);
		client_quota_post_no_memory(quota);
		goto err_give;
	}
	*pool = (struct shm_pool){.quota = quota, .refs = 1};
	pool->map = open_map(quota, pool, shm, fd, size, &look);
	if (pool->map == NULL)
		goto err_free;
	pool->resource = wl_resource_create(quota->client, &wl_shm_pool_interface,
		wl_resource_get_version(shm), id);
	if (pool->resource == NULL) {
		client_quota_post_no_memory(quota);
		goto err_close;
	}

	wl_signal_init(&pool->tier_changed);
	quota->refs++;
	wl_resource_set_implementation(pool->resource, &pool_impl, pool,
		pool_handle_resource_destroy);
	pool_log_create(pool, &look);
	return;

err_close:
	shmguard_map_close(pool->map);
err_free:
	free(pool);
err_give:
	account_give(quota->account, RESOURCE_POOLS, 1);
}

struct search {
	const struct shm_pool *pool;
	struct wl_resource *found; /* NULL: not yet */
};

static enum wl_iterator_result
look_for_buffer(struct wl_resource *resource, void *data)
{
	struct search *search = data;
	const struct shmguard_buffer *buffer =
		shmguard_buffer_from_resource(resource);
	if (buffer == NULL || buffer->pool != search->pool)
		return WL_ITERATOR_CONTINUE;
	search->found = resource;
	return WL_ITERATOR_STOP;
}

/* A wl_buffer of the pool, or NULL. The search takes a while; but the client has
 * this done for it only once. */
static struct wl_resource *
find_buffer(const struct shm_pool *pool)
{
	struct search search = {.pool = pool};
	if (pool->quota->client != NULL)
		wl_client_for_each_resource(pool->quota->client,
			look_for_buffer, &search);
	return search.found;
}

void
shm_pool_report_lost(struct shm_pool *pool, struct wl_resource *resource)
{
	if (pool->lost_reported)
		return;
	pool->lost_reported = true;
	if (guarded_map_is_over_limit(pool->map)) {
		client_quota_post_refusal(pool->quota);
		return;
	}

	if (resource == NULL)
		resource = find_buffer(pool);
	client_quota_post_error(pool->quota, resource, WL_SHM_ERROR_INVALID_FD,
		"file of a wl_shm_pool of %zu bytes lost some of them",
		shmguard_map_size(pool->map));
}
