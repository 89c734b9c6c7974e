/* SPDX-License-Identifier: MIT */
#include "shm_buffer.h"

#include "buffer_copy.h"
#include "client_quota.h"
#include "guard.h"
#include "guarded_map.h"
#include "pixel_layout.h"
#include "shm_pool.h"

#include <errno.h>
#include <stdlib.h>
#include <wayland-server-protocol.h>

static void
buffer_handle_destroy(struct wl_client *client, struct wl_resource *resource)
{
	(void)client;
	wl_resource_destroy(resource);
}

static const struct wl_buffer_interface buffer_impl = {
	.destroy = buffer_handle_destroy,
};

static void
unpin_data(struct shmguard_buffer *buffer)
{
	if (!buffer->copied) {
		map_generation_unpin(buffer->range);
	} else if (buffer->copy != NULL) {
		buffer_copy_destroy(buffer->copy);
		account_give_mappings(buffer->pool->quota->account, 1,
			buffer->size);
	}
}

static void
buffer_handle_resource_destroy(struct wl_resource *resource)
{
	struct shmguard_buffer *buffer = wl_resource_get_user_data(resource);
	buffer->resource = NULL;
	shmguard_buffer_unref(buffer);
}

struct shmguard_buffer *
shmguard_buffer_from_resource(struct wl_resource *resource)
{
	if (!wl_resource_instance_of(resource, &wl_buffer_interface, &buffer_impl))
		return NULL;
	return wl_resource_get_user_data(resource);
}

struct shmguard_buffer *
shmguard_buffer_ref(struct shmguard_buffer *buffer)
{
	buffer->refs++;
	return buffer;
}

void
shmguard_buffer_unref(struct shmguard_buffer *buffer)
{
	if (--buffer->refs > 0)
		return;

	unpin_data(buffer);
	account_give(buffer->pool->quota->account, RESOURCE_BUFFERS, 1);
	shm_pool_unref(buffer->pool);
	free(buffer);
}

/* What no renderer should be asked to take, or NULL. */
static const char *
find_excess(const struct shmguard_limits *limits,
	const struct shm_buffer_geometry *geometry)
{
	if (geometry->width > limits->width)
		return "over the limit on width";
	if (geometry->height > limits->height)
		return "over the limit on height";
	if (geometry->stride > limits->stride)
		return "over the limit on stride";
	return NULL;
}

/* The number of bytes it spans, or 0 after a protocol error. */
static size_t
check_geometry(struct shm_pool *pool,
	const struct shm_buffer_geometry *geometry)
{
	struct client_quota *quota = pool->quota;

	if (!guard_has_format(quota->guard, geometry->format)) {
		client_quota_post_error(quota, pool->resource,
			WL_SHM_ERROR_INVALID_FORMAT,
			"format 0x%08x was not advertised", geometry->format);
		return 0;
	}

	struct pixel_span span = pixel_layout_span(
		pixel_layout_find(geometry->format), geometry->width,
		geometry->height, geometry->stride);
	if (span.problem == NULL)
		span.problem = find_excess(&quota->guard->policy.limits, geometry);
	if (span.problem != NULL) {
		client_quota_post_error(quota, pool->resource,
			WL_SHM_ERROR_INVALID_STRIDE,
			"%dx%d pixels, stride %d, format 0x%08x: %s",
			geometry->width, geometry->height, geometry->stride,
			geometry->format, span.problem);
		return 0;
	}

	size_t pool_size = shmguard_map_size(pool->map);
	if (geometry->offset < 0 || span.bytes > pool_size ||
			(size_t)geometry->offset > pool_size - span.bytes) {
		client_quota_post_error(quota, pool->resource,
			WL_SHM_ERROR_INVALID_STRIDE,
			"%dx%d pixels, stride %d, format 0x%08x, offset %d: "
			"not within the pool's %zu bytes",
			geometry->width, geometry->height, geometry->stride,
			geometry->format, geometry->offset, pool_size);
		return 0;
	}
	return (size_t)span.bytes;
}

void
shm_buffer_begin_look(struct shmguard_buffer *buffer)
{
	if (guarded_map_begin_look(buffer->pool->map, buffer->range,
			(size_t)buffer->geometry.offset, buffer->size))
		atomic_store_explicit(&buffer->can_look, true,
			memory_order_relaxed);
}

static inline int
begin_view(struct shmguard_buffer *buffer, struct shmguard_view *view)
{
	map_generation_begin_view(buffer->range);
	guarded_map_set_view(view, buffer->range,
		(size_t)buffer->geometry.offset, buffer->size);
	return 0;
}

/* Kept out of the usual case, which needs no stack. */
__attribute__((noinline))
static int
begin_unusual_view(struct shmguard_buffer *buffer, struct shmguard_view *view)
{
	if (buffer->copied)
		return shmguard_map_begin_read(buffer->pool->map,
			(size_t)buffer->geometry.offset, buffer->size, view);
	shm_buffer_begin_look(buffer);
	return begin_view(buffer, view);
}

int
shmguard_buffer_begin_read(struct shmguard_buffer *buffer,
	struct shmguard_view *view)
{
	if (!shm_buffer_can_look(buffer))
		return begin_unusual_view(buffer, view);
	return begin_view(buffer, view);
}

int
shmguard_buffer_begin_write(struct shmguard_buffer *buffer,
	struct shmguard_view *view)
{
	return shmguard_map_begin_write(buffer->pool->map,
		(size_t)buffer->geometry.offset, buffer->size, view);
}

int
shmguard_buffer_end(struct shmguard_buffer *buffer, struct shmguard_view *view)
{
	struct shm_pool *pool = buffer->pool;
	int status = shmguard_view_end(view);
	int error = errno;
	if (shmguard_map_lost(pool->map) &&
			guard_on_display_thread(pool->quota->guard))
		shm_pool_report_lost(pool, buffer->resource);
	errno = error;
	return status;
}

int
shmguard_buffer_copy(struct shmguard_buffer *buffer, int32_t first,
	int32_t rows, void *to, size_t to_stride)
{
	const struct shm_buffer_geometry *geometry = &buffer->geometry;
	size_t row = pixel_layout_row(pixel_layout_find(geometry->format),
		geometry->width);
	if (row == 0) {
		errno = ENOTSUP;
		return -1;
	}
	if (first < 0 || rows <= 0 || rows > geometry->height - first) {
		errno = ERANGE;
		return -1;
	}
	size_t stride = (size_t)geometry->stride;
	return shmguard_map_copy(buffer->pool->map,
		(size_t)geometry->offset + (size_t)first * stride, stride, row,
		(size_t)rows, to, to_stride);
}

/* Pinned from the start and for good, so that any thread can ask for the
 * address and no resize can change it (I6). Where the policy says writable the
 * mapping takes stores, however it is pinned. */
static int
pin_data(struct shmguard_buffer *buffer)
{
	buffer->range = guarded_map_pin(buffer->pool->map);
	buffer->copied = buffer->range == NULL;
	if (!buffer->copied || !buffer->pool->quota->guard->gives_addresses)
		return 0;

	struct account *account = buffer->pool->quota->account;
	if (account_take_mappings(account, 1, buffer->size) < 0)
		return -1;
	buffer->copy = buffer_copy_create(buffer->size);
	if (buffer->copy != NULL)
		return 0;
	account_give_mappings(account, 1, buffer->size);
	errno = ENOMEM;
	return -1;
}

void
shm_buffer_create(struct shm_pool *pool, uint32_t id,
	const struct shm_buffer_geometry *geometry)
{
	struct client_quota *quota = pool->quota;
	int error = ENOMEM;
	size_t size = check_geometry(pool, geometry);
	if (size == 0)
		return;

	if (account_take(quota->account, RESOURCE_BUFFERS, 1) < 0) {
		client_quota_post_refusal(quota);
		return;
	}
	struct shmguard_buffer *buffer = malloc(sizeof(*buffer));
	if (buffer == NULL)
		goto err_give;
	*buffer = (struct shmguard_buffer){
		.refs = 1,
		.size = (uint32_t)size,
		.pool = pool,
		.geometry = *geometry,
	};
	if (pin_data(buffer) < 0) {
		error = errno;
		goto err_free;
	}
	buffer->resource = wl_resource_create(quota->client, &wl_buffer_interface,
		1, id);
	if (buffer->resource == NULL)
		goto err_unpin;

	shm_pool_ref(pool);
	wl_resource_set_implementation(buffer->resource, &buffer_impl, buffer,
		buffer_handle_resource_destroy);
	return;

err_unpin:
	unpin_data(buffer);
err_free:
	free(buffer);
err_give:
	account_give(quota->account, RESOURCE_BUFFERS, 1);
	if (error == EDQUOT)
		client_quota_post_refusal(quota);
	else
		client_quota_post_no_memory(quota);
}

void *
shmguard_buffer_data(struct shmguard_buffer *buffer)
{
	if (!buffer->copied)
		return shm_buffer_data(buffer);
	errno = ENOTSUP;
	return NULL;
}

int32_t
shmguard_buffer_width(const struct shmguard_buffer *buffer)
{
	return buffer->geometry.width;
}

int32_t
shmguard_buffer_height(const struct shmguard_buffer *buffer)
{
	return buffer->geometry.height;
}

int32_t
shmguard_buffer_stride(const struct shmguard_buffer *buffer)
{
	return buffer->geometry.stride;
}

uint32_t
shmguard_buffer_format(const struct shmguard_buffer *buffer)
{
	return buffer->geometry.format;
}

int32_t
shmguard_buffer_offset(const struct shmguard_buffer *buffer)
{
	return buffer->geometry.offset;
}

size_t
shmguard_buffer_size(const struct shmguard_buffer *buffer)
{
	return buffer->size;
}

enum shmguard_tier
shmguard_buffer_tier(const struct shmguard_buffer *buffer)
{
	return shmguard_map_tier(buffer->pool->map);
}

enum shmguard_reason
shmguard_buffer_reason(const struct shmguard_buffer *buffer)
{
	return shmguard_map_reason(buffer->pool->map);
}
