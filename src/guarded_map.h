/* SPDX-License-Identifier: MIT */
#ifndef GUARDED_MAP_H
#define GUARDED_MAP_H

/*
 * One client file's life: open, pin, grow, write, close. The public face is
 * <shmguard/map.h>; this adds what the wl_shm objects need beyond it.
 */

#include <shmguard/map.h>

/* Wakes somebody when client memory is lost: an eventfd, shared by the maps that
 * report to it and by its creator, so that a handler never writes to a
 * descriptor that was closed and reused. */
struct fault_notifier;

struct fault_notifier *fault_notifier_create(void); /* NULL with errno */
struct fault_notifier *fault_notifier_ref(struct fault_notifier *notifier);
void fault_notifier_unref(struct fault_notifier *notifier);
/* The descriptor to poll: readable when some map lost memory. */
int fault_notifier_fd(const struct fault_notifier *notifier);
/* Clears the wake-up and calls `func` with the owner of each map that lost
 * memory since the last time and was not closed. */
void fault_notifier_dispatch(struct fault_notifier *notifier,
	void (*func)(void *owner));

/* shmguard_map_open() with somebody to tell. Both may be NULL. */
struct shmguard_map *guarded_map_open(int fd, size_t size,
	const struct shmguard_policy *policy, struct fault_notifier *notifier,
	void *owner, enum shmguard_reason *reason);

/* A second pin on the same bytes, valid beyond the first. Mapped views only. */
void guarded_view_dup(const struct shmguard_view *view,
	struct shmguard_view *copy);

/* Whether `view` (mapped) still shows the memory that a new view would show. */
bool guarded_map_is_current(const struct shmguard_map *map,
	const struct shmguard_view *view);

#endif
