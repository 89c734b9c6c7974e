/* SPDX-License-Identifier: MIT */
#ifndef SHM_POOL_H
#define SHM_POOL_H

/*
 * wl_shm_pool: a guarded map and the buffers cut from it. Kept by its resource
 * and by its buffers. Display thread only, but for the map.
 */

#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>

struct client_quota;

struct shm_pool {
	struct client_quota *quota; /* a reference */
	struct shmguard_map *map;
	struct wl_resource *resource; /* NULL once destroyed */
	struct wl_signal tier_changed; /* no data; while there is a resource */
	unsigned int refs;
	bool lost_reported;
	unsigned int number; /* in the log; 0 if its creation was not logged */
};

/* Serves wl_shm.create_pool; takes `fd` over. */
void shm_pool_create(struct client_quota *quota, struct wl_resource *shm,
	uint32_t id, int fd, int32_t size);

/* The pool behind a wl_shm_pool, without a reference, or NULL if the wl_shm_pool
 * was not made here. */
struct shm_pool *shm_pool_from_resource(struct wl_resource *resource);

struct shm_pool *shm_pool_ref(struct shm_pool *pool);
void shm_pool_unref(struct shm_pool *pool);

/* Tells the client, once, that bytes of the pool are missing: on `resource`, a
 * wl_buffer of the pool, or on any other that there is. */
void shm_pool_report_lost(struct shm_pool *pool, struct wl_resource *resource);

#endif
