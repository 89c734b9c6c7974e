/* SPDX-License-Identifier: MIT */

/* libwayland's functions, whoever defines them: libwayland or shmguard-stock. */

#include "clock.h"

#include <string.h>
#include <wayland-server.h>

#define BACKEND_HAS_THREADS true
#define BACKEND_POOLS_MAX ((size_t)BENCH_POOLS_MAX)
#define BACKEND_KEEPS_DESCRIPTORS false

struct backend_buffer {
	struct wl_shm_buffer *buffer;
	struct wl_shm_pool *pool;
};

static inline void
backend_start(struct wl_display *display)
{
	if (wl_display_init_shm(display) < 0)
		die("wl_display_init_shm");
}

/* Like any compositor that shows a buffer for longer than a call. */
static inline void
backend_get(struct backend_buffer *buffer, struct wl_resource *resource)
{
	buffer->buffer = wl_shm_buffer_get(resource);
	buffer->pool = wl_shm_buffer_ref_pool(buffer->buffer);
}

static inline void
backend_put(struct backend_buffer *buffer)
{
	wl_shm_pool_unref(buffer->pool);
}

static inline const char *
backend_begin(struct backend_buffer *buffer)
{
	wl_shm_buffer_begin_access(buffer->buffer);
	return wl_shm_buffer_get_data(buffer->buffer);
}

static inline void
backend_end(struct backend_buffer *buffer)
{
	wl_shm_buffer_end_access(buffer->buffer);
}

static inline void
backend_copy(struct backend_buffer *buffer, int32_t rows, void *to,
	size_t stride)
{
	const char *data = backend_begin(buffer);
	memcpy(to, data, (size_t)rows * stride);
	backend_end(buffer);
}
