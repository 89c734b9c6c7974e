/* SPDX-License-Identifier: MIT */
#include "guarded_map_private.h"

#include "blocking_read.h"
#include "hole_check.h"
#include "map_generation.h"
#include "nosigbus_map.h"
#include "sigbus_trap.h"
#include "view_copy.h"

#include <errno.h>
#include <stdint.h>

/* Bytes. Asking the kernel costs 0.3 us and 0.26 us for each MiB, of which reading
 * takes 40 (of new pages 16, of which reading takes some hundred). Smaller accesses
 * cannot have much filled, and are the ones whose cost is looked at: cursors,
 * glyphs. */
#define HOLES_WORTH_IT ((size_t)64 << 10)
/* Bytes that are looked at before it is asked whether they are too many. */
#define HOLES_AT_A_TIME ((size_t)16 << 20)

static bool
is_within(const struct shmguard_map *map, size_t offset, size_t length)
{
	size_t size = atomic_load_explicit(&map->size, memory_order_acquire);
	if (length > 0 && length <= size && offset <= size - length)
		return true;
	errno = ERANGE;
	return false;
}

static void
release_source(void *owner)
{
	map_unref(owner);
}

/* The client has been told of a file that lost bytes: its server is not asked
 * again. */
static struct view_copy *
read_elsewhere(struct shmguard_map *map, size_t offset, size_t length)
{
	if (map->lost) {
		struct view_copy *zeros = view_copy_create_zeros((off_t)offset,
			length, false, map);
		if (zeros != NULL)
			view_copy_set_lost(zeros);
		return zeros;
	}

	struct blocking_source source = {
		.fd = map->fd,
		.deadline = map->blocking_deadline,
		.owner = map,
		.released = release_source,
	};
	map_ref(map);
	struct view_copy *copy = blocking_read(&source, (off_t)offset, length);
	if (copy != NULL && view_copy_is_lost(copy))
		map_report_lost_copy(map);
	return copy;
}

static int
begin_copy(struct shmguard_map *map, size_t offset, size_t length, bool write,
	struct shmguard_view *view)
{
	struct view_copy *copy = map->read_elsewhere ?
		read_elsewhere(map, offset, length) :
		view_copy_create(map->fd, (off_t)offset, length, write, map);
	if (copy == NULL)
		return -1;

	map_ref(map);
	view->data = view_copy_data(copy);
	view->size = length;
	view->range = NULL;
	view->copy = copy;
	return 0;
}

void
map_charge_holes(struct shmguard_map *map, struct trap_range *range,
	size_t bytes)
{
	if (bytes == 0 || map_generation_charge_holes(range, bytes))
		return;
	map->over_limit = true;
	sigbus_trap_give_up(range);
}

/* What a repair has put there looks like a hole and is none. */
static void
look_for_holes(struct shmguard_map *map, struct trap_range *range,
	const void *data, size_t length)
{
	uintptr_t at = (uintptr_t)data, end = at + length;
	for (;;) {
		uintptr_t zeros = atomic_load(&range->zeros_from);
		if (end > zeros)
			end = zeros;
		if (at >= end)
			return;
		size_t piece = end - at < HOLES_AT_A_TIME ? end - at :
			HOLES_AT_A_TIME;
		map_charge_holes(map, range,
			hole_check_absent((const void *)at, piece));
		at += piece;
	}
}

static bool
is_paid_for(const struct trap_range *range, size_t offset, size_t length)
{
	return (uintptr_t)range->addr + offset + length <=
		atomic_load_explicit(&range->prepaid_to, memory_order_relaxed);
}

/* While there is plenty, all of a mapping is charged at once, filled or not. To look
 * each time would cost more than the rest of the access. */
bool
guarded_map_begin_look(struct shmguard_map *map, struct trap_range *range,
	size_t offset, size_t length)
{
	sigbus_trap_prepare_thread();
	if (length < HOLES_WORTH_IT || !map->verdict.fills_holes ||
			is_paid_for(range, offset, length) ||
			map_generation_prepay(range))
		return true;
	look_for_holes(map, range, range->addr + offset, length);
	return false;
}

struct trap_range *
guarded_map_pin(struct shmguard_map *map)
{
	return map_generation_pin(&map->reading);
}

int
shmguard_map_begin_read(struct shmguard_map *map, size_t offset, size_t length,
	struct shmguard_view *view)
{
	if (!is_within(map, offset, length))
		return -1;
	struct trap_range *range = map_generation_pin(&map->reading);
	if (range == NULL)
		return begin_copy(map, offset, length, false, view);

	guarded_map_begin_look(map, range, offset, length);
	map_generation_view_pinned(range);
	guarded_map_set_view(view, range, offset, length);
	return 0;
}

bool
guarded_map_is_over_limit(const struct shmguard_map *map)
{
	return map->over_limit;
}

/* With the lock held: makes map->writing, or map->reading if that one is shared,
 * take stores. */
static int
allow_writing(struct shmguard_map *map)
{
	struct trap_range *range = map->reading;
	struct client_mapping *mapping = map_generation_mapping(range);
	if (mapping->shared)
		return map_generation_make_writable(range);
	if (map->writing != NULL)
		return 0;

	struct client_mapping shared;
	if (map->fd >= 0 ? map_from_descriptor(map, map->size, true, &shared) < 0 :
			client_mapping_duplicate(mapping, map->size, true,
				&shared) < 0)
		return -1;
	if (!shared.shared) {
		/* Write-sealed meanwhile: stores would not reach the file. */
		client_mapping_close(&shared);
		errno = EPERM;
		return -1;
	}
	return map_add_generation(map, &map->writing, &shared);
}

static struct trap_range *
pin_writable(struct shmguard_map *map)
{
	struct trap_range *range = NULL;
	pthread_mutex_lock(&map->lock);
	if (allow_writing(map) == 0)
		range = map_generation_pin(
			map->writing != NULL ? &map->writing : &map->reading);
	pthread_mutex_unlock(&map->lock);
	return range;
}

int
shmguard_map_begin_write(struct shmguard_map *map, size_t offset, size_t length,
	struct shmguard_view *view)
{
	if (!is_within(map, offset, length))
		return -1;
	if (!map->verdict.can_write) {
		errno = EACCES;
		return -1;
	}
	if (map->writes_by_copy)
		return begin_copy(map, offset, length, true, view);

	sigbus_trap_prepare_thread();
	struct trap_range *range = map_generation_pin(&map->reading);
	if (!map_generation_is_writable(range)) {
		map_generation_unpin(range);
		range = pin_writable(map);
		if (range == NULL)
			return -1;
	}
	map_generation_view_pinned(range);
	guarded_map_set_view(view, range, offset, length);
	return 0;
}

static int
lost_error(void)
{
	errno = EFAULT;
	return -1;
}

static int
end_copy(struct view_copy *copy)
{
	struct shmguard_map *map = view_copy_owner(copy);
	bool lost = view_copy_finish(copy, map->fd);
	if (lost)
		map_report_lost_copy(map);
	map_unref(map);
	return lost ? lost_error() : 0;
}

int
shmguard_view_end(struct shmguard_view *view)
{
	struct trap_range *range = view->range;
	if (range == NULL)
		return end_copy(view->copy);
	/* It may be gone afterwards. */
	bool lost = atomic_load_explicit(range->lost, memory_order_relaxed);
	map_generation_end_view(range);
	return lost ? lost_error() : 0;
}
