/* SPDX-License-Identifier: MIT */

/*
 * libwayland-server's wl_shm functions, by their own names, on top of the
 * guard. A program that finds these before libwayland's is guarded without
 * knowing it.
 */

#include "buffer_copy.h"
#include "client_quota.h"
#include "guard.h"
#include "guarded_map.h"
#include "log.h"
#include "policy_env.h"
#include "shm_buffer.h"
#include "shm_pool.h"

#include <errno.h>
#include <stdlib.h>

/* What libwayland keeps inside wl_display. */
struct stock_display {
	struct wl_listener display_destroy;
	struct wl_array formats; /* uint32_t, as added */
	struct wl_array guards;  /* struct shmguard *, destroyed by the display */
};

static void
handle_display_destroy(struct wl_listener *listener, void *data)
{
	(void)data;
	struct stock_display *state =
		wl_container_of(listener, state, display_destroy);
	wl_list_remove(&state->display_destroy.link);
	wl_array_release(&state->formats);
	wl_array_release(&state->guards);
	free(state);
}

/* NULL: no memory. */
static struct stock_display *
stock_display_get(struct wl_display *display)
{
	struct stock_display *state;
	struct wl_listener *listener =
		wl_display_get_destroy_listener(display, handle_display_destroy);
	if (listener != NULL)
		return wl_container_of(listener, state, display_destroy);

	state = calloc(1, sizeof(*state));
	if (state == NULL)
		return NULL;
	wl_array_init(&state->formats);
	wl_array_init(&state->guards);
	state->display_destroy.notify = handle_display_destroy;
	wl_display_add_destroy_listener(display, &state->display_destroy);
	return state;
}

/* libwayland takes any format, and nobody checks whether it did: one that has
 * no layout is not offered, but that is no reason for the host to give up. */
static int
add_format(struct shmguard *guard, uint32_t format)
{
	if (shmguard_add_format(guard, format) == 0)
		return 0;
	if (errno != ENOTSUP)
		return -1;
	guard_log(&guard->policy, SHMGUARD_LOG_INFO, "format 0x%08x is not "
		"offered to clients: it has no linear layout", format);
	return 0;
}

WL_EXPORT int
wl_display_init_shm(struct wl_display *display)
{
	/* Whether an access reads or writes is not said, so both must work. */
	struct shmguard_policy policy = {.writable = true};
	policy_from_environment(&policy);

	struct stock_display *state = stock_display_get(display);
	if (state == NULL)
		return -1;
	struct shmguard *guard = shmguard_create(display, &policy);
	if (guard == NULL)
		return -1;
	guard->gives_addresses = true;

	const uint32_t *formats = state->formats.data;
	size_t count = state->formats.size / sizeof(*formats);
	for (size_t i = 0; i < count; i++) {
		if (add_format(guard, formats[i]) < 0)
			goto err_destroy;
	}
	struct shmguard **slot = wl_array_add(&state->guards, sizeof(*slot));
	if (slot == NULL)
		goto err_destroy;
	*slot = guard;
	return 0;

err_destroy:
	shmguard_destroy(guard);
	return -1;
}

WL_EXPORT uint32_t *
wl_display_add_shm_format(struct wl_display *display, uint32_t format)
{
	struct stock_display *state = stock_display_get(display);
	if (state == NULL)
		return NULL;

	struct shmguard **guards = state->guards.data;
	size_t count = state->guards.size / sizeof(*guards);
	for (size_t i = 0; i < count; i++) {
		if (add_format(guards[i], format) < 0)
			return NULL;
	}
	uint32_t *slot = wl_array_add(&state->formats, sizeof(*slot));
	if (slot != NULL)
		*slot = format;
	return slot;
}

static struct shmguard_buffer *
guarded(struct wl_shm_buffer *buffer)
{
	return (struct shmguard_buffer *)buffer;
}

WL_EXPORT struct wl_shm_buffer *
wl_shm_buffer_get(struct wl_resource *resource)
{
	if (resource == NULL)
		return NULL;
	return (struct wl_shm_buffer *)shmguard_buffer_from_resource(resource);
}

static void
begin_unusual_access(struct shmguard_buffer *buffer)
{
	if (buffer->copied)
		buffer_copy_begin(buffer->copy, buffer);
	else
		shm_buffer_begin_look(buffer);
}

/* The memory is guarded at all times; only the thread may need preparing. */
WL_EXPORT void
wl_shm_buffer_begin_access(struct wl_shm_buffer *wl_buffer)
{
	struct shmguard_buffer *buffer = guarded(wl_buffer);
	if (!shm_buffer_can_look(buffer))
		begin_unusual_access(buffer);
}

/* Kept out of the usual case, which needs no stack. */
__attribute__((noinline))
static void
end_unusual_access(struct shmguard_buffer *buffer)
{
	struct shm_pool *pool = buffer->pool;
	if (buffer->copied)
		buffer_copy_end(buffer->copy);
	if (shmguard_map_lost(pool->map) &&
			guard_on_display_thread(pool->quota->guard))
		shm_pool_report_lost(pool, buffer->resource);
}

WL_EXPORT void
wl_shm_buffer_end_access(struct wl_shm_buffer *wl_buffer)
{
	struct shmguard_buffer *buffer = guarded(wl_buffer);
	if (buffer->copied || atomic_load_explicit(buffer->range->lost,
			memory_order_relaxed))
		end_unusual_access(buffer);
}

WL_EXPORT void *
wl_shm_buffer_get_data(struct wl_shm_buffer *wl_buffer)
{
	struct shmguard_buffer *buffer = guarded(wl_buffer);
	return buffer->copied ? buffer_copy_data(buffer->copy, buffer) :
		shm_buffer_data(buffer);
}

/* libwayland's headers give these a const argument since 1.25 and none before:
 * the symbols are the same, so they are defined by another name. */
WL_EXPORT int32_t get_stride(const struct shmguard_buffer *buffer)
	__asm__("wl_shm_buffer_get_stride");
WL_EXPORT uint32_t get_format(const struct shmguard_buffer *buffer)
	__asm__("wl_shm_buffer_get_format");
WL_EXPORT int32_t get_width(const struct shmguard_buffer *buffer)
	__asm__("wl_shm_buffer_get_width");
WL_EXPORT int32_t get_height(const struct shmguard_buffer *buffer)
	__asm__("wl_shm_buffer_get_height");

int32_t
get_stride(const struct shmguard_buffer *buffer)
{
	return shmguard_buffer_stride(buffer);
}

uint32_t
get_format(const struct shmguard_buffer *buffer)
{
	return shmguard_buffer_format(buffer);
}

int32_t
get_width(const struct shmguard_buffer *buffer)
{
	return shmguard_buffer_width(buffer);
}

int32_t
get_height(const struct shmguard_buffer *buffer)
{
	return shmguard_buffer_height(buffer);
}

/* Since libwayland 1.24: older headers do not declare them. */
WL_EXPORT struct wl_shm_buffer *wl_shm_buffer_ref(
	struct wl_shm_buffer *buffer);
WL_EXPORT void wl_shm_buffer_unref(struct wl_shm_buffer *buffer);

struct wl_shm_buffer *
wl_shm_buffer_ref(struct wl_shm_buffer *buffer)
{
	shmguard_buffer_ref(guarded(buffer));
	return buffer;
}

void
wl_shm_buffer_unref(struct wl_shm_buffer *buffer)
{
	shmguard_buffer_unref(guarded(buffer));
}

/* To hold the pool is to keep what wl_shm_buffer_get_data() returned readable:
 * the buffer does that, its wl_buffer or not. */
WL_EXPORT struct wl_shm_pool *
wl_shm_buffer_ref_pool(struct wl_shm_buffer *buffer)
{
	return (struct wl_shm_pool *)shmguard_buffer_ref(guarded(buffer));
}

WL_EXPORT void
wl_shm_pool_unref(struct wl_shm_pool *pool)
{
	shmguard_buffer_unref((struct shmguard_buffer *)pool);
}

/* libwayland's returns nothing else either. */
WL_EXPORT struct wl_shm_buffer *
wl_shm_buffer_create(struct wl_client *client, uint32_t id, int32_t width,
	int32_t height, int32_t stride, uint32_t format)
{
	(void)client;
	(void)id;
	(void)width;
	(void)height;
	(void)stride;
	(void)format;
	return NULL;
}
