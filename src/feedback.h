/* SPDX-License-Identifier: MIT */
#ifndef FEEDBACK_H
#define FEEDBACK_H

/*
 * protocol/shmguard-feedback-v1.xml: clients ask how their wl_shm_pool objects
 * are protected. Display thread only.
 */

#include <wayland-server-core.h>

/* Answers for the pools of every guard. The caller destroys it, or the display
 * does; what clients made through it goes on working. NULL: no memory. */
struct wl_global *feedback_global_create(struct wl_display *display);

#endif
