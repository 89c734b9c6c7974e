/* SPDX-License-Identifier: MIT */

/* shmguard through its own interface. */

#include "clock.h"

#include <shmguard/server.h>

#define BACKEND_HAS_THREADS true
#define BACKEND_POOLS_MAX SIZE_MAX
#define BACKEND_KEEPS_DESCRIPTORS false

struct backend_buffer {
	struct shmguard_buffer *buffer;
	struct shmguard_view view;
};

/* Without limits: there are measurements with more than a client may have. */
static inline void
backend_start(struct wl_display *display)
{
	static const struct shmguard_usage all = {
		SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, 0,
	};
	const struct shmguard_policy policy = {
		.limits = {.client = all, .total = all},
	};
	if (shmguard_create(display, &policy) == NULL)
		die("shmguard_create");
}

static inline void
backend_get(struct backend_buffer *buffer, struct wl_resource *resource)
{
	buffer->buffer =
		shmguard_buffer_ref(shmguard_buffer_from_resource(resource));
}

static inline void
backend_put(struct backend_buffer *buffer)
{
	shmguard_buffer_unref(buffer->buffer);
}

static inline const char *
backend_begin(struct backend_buffer *buffer)
{
	if (shmguard_buffer_begin_read(buffer->buffer, &buffer->view) < 0)
		return NULL;
	return buffer->view.data;
}

static inline void
backend_end(struct backend_buffer *buffer)
{
	shmguard_view_end(&buffer->view);
}

static inline void
backend_copy(struct backend_buffer *buffer, int32_t rows, void *to,
	size_t stride)
{
	if (shmguard_buffer_copy(buffer->buffer, 0, rows, to, stride) < 0)
		die("shmguard_buffer_copy");
}
