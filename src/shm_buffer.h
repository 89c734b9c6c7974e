/* SPDX-License-Identifier: MIT */
#ifndef SHM_BUFFER_H
#define SHM_BUFFER_H

/*
 * wl_buffer made from a wl_shm_pool. Kept by its resource and by references; it
 * keeps the pool.
 */

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
	struct shm_pool *pool; /* a reference */
	struct wl_list link;   /* shm_pool.buffers */
	struct wl_resource *resource; /* NULL once destroyed */
	size_t refs;

	/* Fixed: any thread may read these. */
	struct shm_buffer_geometry geometry;
	size_t size; /* bytes that all planes span */
	struct shmguard_view data; /* data is NULL in tier COPIED */
	struct buffer_copy *copy;  /* then, if the host wants addresses */
};

/* Serves wl_shm_pool.create_buffer. */
void shm_buffer_create(struct shm_pool *pool, uint32_t id,
	const struct shm_buffer_geometry *geometry);

#endif
