/* SPDX-License-Identifier: MIT */
#ifndef WLR_FIXTURE_H
#define WLR_FIXTURE_H

/*
 * A compositor on wlroots, without backend, whose renderer is pixman, and one
 * client.
 */

#include "shm_client.h"

#include <stdint.h>
#include <wlr/types/wlr_buffer.h>

struct wlr_renderer;

struct wlr_fixture {
	struct wl_display *server;
	struct wlr_renderer *renderer;
	struct shm_client client;
};

/* `create_shm` adds the wl_shm global. */
void wlr_fixture_init(struct wlr_fixture *fixture,
	void (*create_shm)(struct wlr_fixture *fixture));
void wlr_fixture_finish(struct wlr_fixture *fixture);

/* The client's buffer as wlroots sees it, locked. Fails the test if there is
 * none. */
struct wlr_buffer *wlr_fixture_lock(struct wlr_fixture *fixture,
	struct wl_buffer *proxy);

/* wlr_buffer_begin_data_ptr_access() for 32-bit buffers in rows without gaps.
 * NULL when it fails. */
void *wlr_fixture_begin(struct wlr_buffer *buffer, uint32_t flags);

#define READ WLR_BUFFER_DATA_PTR_ACCESS_READ
#define WRITE WLR_BUFFER_DATA_PTR_ACCESS_WRITE

#endif
