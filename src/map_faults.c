/* SPDX-License-Identifier: MIT */
#include "guarded_map_private.h"

#include "fork_lock.h"

/* Nobody here can be told that forks are not watched. */
static struct fork_lock lock = FORK_LOCK_INITIALIZER(NULL);
/* Maps whose copies met missing bytes: the registry knows of the others. */
static struct shmguard_map *lost_maps;

void
map_report_lost_copy(struct shmguard_map *map)
{
	map->lost = true;
	if (map->notifier == NULL)
		return;

	fork_lock_take(&lock);
	/* Once closed there is nobody to tell, and nobody to take it off. */
	if (!map->lost_listed && map->owner != NULL) {
		map->lost_listed = true;
		map->lost_next = lost_maps;
		lost_maps = map;
	}
	fork_lock_give(&lock);
	fault_notifier_wake(map->notifier);
}

static void
unlist(struct shmguard_map **link)
{
	struct shmguard_map *map = *link;
	*link = map->lost_next;
	map->lost_listed = false;
}

void
map_forget_lost_copy(struct shmguard_map *map)
{
	/* Copies are made from the descriptor. */
	if (map->fd < 0) {
		map->owner = NULL;
		return;
	}
	fork_lock_take(&lock);
	map->owner = NULL;
	struct shmguard_map **link = &lost_maps;
	while (*link != NULL && *link != map)
		link = &(*link)->lost_next;
	if (*link == map)
		unlist(link);
	fork_lock_give(&lock);
}

static struct shmguard_map *
next_lost_copy(const struct fault_notifier *notifier)
{
	fork_lock_take(&lock);
	struct shmguard_map **link = &lost_maps;
	while (*link != NULL && (*link)->notifier != notifier)
		link = &(*link)->lost_next;
	struct shmguard_map *map = *link;
	if (map != NULL) {
		map_ref(map);
		unlist(link);
	}
	fork_lock_give(&lock);
	return map;
}

static void *
hold_map(void *owner)
{
	map_ref(owner);
	return owner;
}

void
guarded_map_dispatch_faults(struct fault_notifier *notifier,
	void (*func)(void *owner))
{
	/* Before looking: a fault that comes later wakes us again. */
	fault_notifier_clear(notifier);
	for (;;) {
		struct shmguard_map *map =
			range_next_faulted(fault_notifier_fd(notifier), hold_map);
		if (map == NULL)
			map = next_lost_copy(notifier);
		if (map == NULL)
			return;
		if (map->owner != NULL && !map->reported) {
			map->reported = true;
			func(map->owner);
		}
		map_unref(map);
	}
}
