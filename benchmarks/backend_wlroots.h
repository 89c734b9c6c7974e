/* SPDX-License-Identifier: MIT */

/* wlroots' buffers: its own or, with BENCH_ADAPTER, those of the adapter. */

#include "clock.h"

#include <drm_fourcc.h>
#include <string.h>
#include <wlr/types/wlr_buffer.h>
#include <wlr/types/wlr_shm.h>
#ifdef BENCH_ADAPTER
#include <shmguard/wlroots.h>
#endif

/* Accesses of a struct wlr_buffer are counted without a lock. */
#define BACKEND_HAS_THREADS false
#define BACKEND_POOLS_MAX SIZE_MAX
#ifdef BENCH_ADAPTER
#define BACKEND_KEEPS_DESCRIPTORS false
#else
#define BACKEND_KEEPS_DESCRIPTORS true
#endif

struct backend_buffer {
	struct wlr_buffer *buffer;
};

static inline void
backend_start(struct wl_display *display)
{
	static const uint32_t formats[] = {
		DRM_FORMAT_ARGB8888, DRM_FORMAT_XRGB8888,
	};
#ifdef BENCH_ADAPTER
	static const struct shmguard_usage all = {
		SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, 0,
	};
	const struct shmguard_policy policy = {
		.limits = {.client = all, .total = all},
	};
	if (shmguard_wlr_create(display, 2, formats, 2, &policy) == NULL)
		die("shmguard_wlr_create");
#else
	if (wlr_shm_create(display, 2, formats, 2) == NULL)
		die("wlr_shm_create");
#endif
}

static inline void
backend_get(struct backend_buffer *buffer, struct wl_resource *resource)
{
	buffer->buffer = wlr_buffer_try_from_resource(resource);
	if (buffer->buffer == NULL)
		die("wlr_buffer_try_from_resource");
}

static inline void
backend_put(struct backend_buffer *buffer)
{
	wlr_buffer_unlock(buffer->buffer);
}

static inline const char *
backend_begin(struct backend_buffer *buffer)
{
	void *data;
	uint32_t format;
	size_t stride;
	if (!wlr_buffer_begin_data_ptr_access(buffer->buffer,
			WLR_BUFFER_DATA_PTR_ACCESS_READ, &data, &format, &stride))
		return NULL;
	return data;
}

static inline void
backend_end(struct backend_buffer *buffer)
{
	wlr_buffer_end_data_ptr_access(buffer->buffer);
}

static inline void
backend_copy(struct backend_buffer *buffer, int32_t rows, void *to,
	size_t stride)
{
	const char *data = backend_begin(buffer);
	memcpy(to, data, (size_t)rows * stride);
	backend_end(buffer);
}
