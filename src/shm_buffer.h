/* SPDX-License-Identifier: MIT */
#ifndef SHM_BUFFER_H
#define SHM_BUFFER_H

/*
 * wl_buffer made from a wl_shm_pool. Kept by its resource and by references; it
 * keeps the pool.
 */

#include "range_registry.h"
#include "sigbus_trap.h"

#include <shmguard/server.h>
#include <stdbool.h>
#include <stdint.h>

struct buffer_copy;
struct shm_pool;

struct shm_buffer_geometry {
	int32_t offset, width, height, stride;
	uint32_t format;
};

struct shmguard_buffer {
	struct wl_resource *resource; /* NULL once destroyed */
	unsigned int refs;

	/* From here on fixed: any thread may read it. */
	uint32_t size; /* bytes that all planes span, no more than the pool's */
	struct shm_pool *pool; /* a reference */
	union {
		struct trap_range *range; /* pinned */
		/* In tier COPIED; NULL if the host does not want addresses. */
		struct buffer_copy *copy;
	};
	bool copied;
	/* Looking at it takes no guarded_map_begin_look() any more. */
	_Atomic bool can_look;
	struct shm_buffer_geometry geometry;
};

/* Whether an access by this thread may begin at once. Any thread. */
static inline bool
shm_buffer_can_look(const struct shmguard_buffer *buffer)
{
	return atomic_load_explicit(&buffer->can_look, memory_order_relaxed) &&
		sigbus_trap_thread_is_prepared;
}

/* Has what an access takes done, where the above is false. Not in tier COPIED. */
void shm_buffer_begin_look(struct shmguard_buffer *buffer);

/* Row 0 of plane 0. Not in tier COPIED. */
static inline void *
shm_buffer_data(const struct shmguard_buffer *buffer)
{
	return buffer->range->addr + buffer->geometry.offset;
}

/* Serves wl_shm_pool.create_buffer. */
void shm_buffer_create(struct shm_pool *pool, uint32_t id,
	const struct shm_buffer_geometry *geometry);

#endif
