/* SPDX-License-Identifier: MIT */
#ifndef GUARD_H
#define GUARD_H

/*
 * The wl_shm global. Outlives shmguard_destroy() and the display for as long as
 * something that clients made through it does. Display thread only.
 */

#include <shmguard/server.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct shmguard {
	/* Its limits are resolved. Does not log once destroyed. */
	struct shmguard_policy policy;
	struct fault_notifier *notifier;
	struct wl_array formats; /* uint32_t, advertised in this order */
	struct wl_list clients;  /* client_quota.link */
	/* The host wants an address for every buffer: shm_buffer.copy. */
	bool gives_addresses;

	/* Since the first pool: not installed anew for each of them. */
	bool holds_trap;

	size_t refs;              /* the creator and each client_quota */
	struct wl_global *global; /* NULL once destroyed */
	struct wl_global *feedback_global; /* NULL if not offered */
	/* Both until the display goes: faults are reported until then. */
	struct wl_event_source *fault_source; /* NULL afterwards */
	struct wl_listener display_destroy;

	/* Who dispatched the display last, see guard_on_display_thread(). */
	_Atomic uintptr_t display_thread;
};

struct shmguard *guard_ref(struct shmguard *guard);
void guard_unref(struct shmguard *guard);

/* A pool was made that may need the trap. */
void guard_hold_trap(struct shmguard *guard);

bool guard_has_format(const struct shmguard *guard, uint32_t format);

/* Whether the calling thread is the one that last created the guard, served a
 * bind or reported faults. Any thread. */
bool guard_on_display_thread(const struct shmguard *guard);

#endif
