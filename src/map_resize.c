/* SPDX-License-Identifier: MIT */
#include "guarded_map_private.h"

#include "map_generation.h"
#include "nosigbus_map.h"

#include <errno.h>

/* Bytes of address space, of which 32-bit processes have few. */
#define MAX_ROOM (sizeof(size_t) > 4 ? (size_t)256 << 20 : (size_t)4 << 20)

/* Whether a longer mapping is still what the tier says. F_SEAL_SHRINK keeps what
 * is there, and the last byte being there proves that all before it is: without
 * the descriptor that is the size check. */
static bool
keeps_tier(const struct shmguard_map *map, const struct client_mapping *mapping,
	size_t size)
{
	if (map->tier == SHMGUARD_TIER_SEALED)
		return client_mapping_is_backed(mapping, size - 1);
	return map->tier != SHMGUARD_TIER_NOSIGBUS || mapping->nosigbus;
}

static int
allow_trapped_tier(const struct shmguard_map *map)
{
	if (map->trap_allowed)
		return 0;
	errno = EPERM;
	return -1;
}

static void
fall_to_trapped_tier(struct shmguard_map *map)
{
	if (map->tier == SHMGUARD_TIER_SEALED)
		map->reason = SHMGUARD_REASON_SHORT;
	map->tier = SHMGUARD_TIER_TRAPPED;
}

/* Pools that grow do so again: the mapping is made longer than it need be, past the
 * end of the file, so that most of the steps take no system call. Nobody is told of
 * addresses past the map's size. */
static size_t
add_room(const struct shmguard_map *map, size_t size)
{
	size_t most = range_max_length() - (map->verdict.block_size - 1) - size;
	size_t room = size / 2;
	if (room > MAX_ROOM)
		room = MAX_ROOM;
	return size + (room < most ? room : most);
}

/* Makes a mapping of `length` bytes for the map to be of `size`. */
static int
grow_by_moving(struct shmguard_map *map, struct trap_range *range, size_t size,
	size_t length)
{
	struct client_mapping *mapping = map_generation_mapping(range);
	struct client_mapping moved;
	int result = map->fd >= 0 ?
		map_from_descriptor(map, size, mapping->writable, &moved) :
		client_mapping_duplicate(mapping, length, mapping->writable,
			&moved);
	if (result < 0)
		return -1;
	bool keeps = keeps_tier(map, &moved, size);
	if (!keeps && allow_trapped_tier(map) < 0) {
		client_mapping_close(&moved);
		errno = EPERM;
		return -1;
	}
	if (map_add_generation(map, &map->reading, &moved) < 0)
		return -1;
	if (!keeps)
		fall_to_trapped_tier(map);
	return 0;
}

static int
grow_mapping(struct shmguard_map *map, struct trap_range *range, size_t size)
{
	size_t roomy = add_room(map, size);
	if (map_generation_mapping(range)->length < size &&
			map_generation_grow(range, roomy) < 0 &&
			map_generation_grow(range, size) < 0) {
		int result = grow_by_moving(map, range, size, roomy);
		if (result < 0 && errno == EDQUOT)
			result = grow_by_moving(map, range, size, size);
		return result;
	}
	if (keeps_tier(map, map_generation_mapping(range), size))
		return 0;
	if (allow_trapped_tier(map) < 0)
		return -1;
	fall_to_trapped_tier(map);
	return 0;
}

static int
resize_locked(struct shmguard_map *map, size_t size)
{
	if (size == 0 || size < map->size) {
		errno = EINVAL;
		return -1;
	}
	if (size > range_max_length() - (map->verdict.block_size - 1)) {
		errno = EOVERFLOW;
		return -1;
	}
	if (map->reading == NULL) {
		map->size = size;
		return 0;
	}
	/* Its pages are partly the file's and partly ours: it cannot be moved as
	 * one, and the client has forfeited it. */
	if (map->lost) {
		errno = EFAULT;
		return -1;
	}
	if (grow_mapping(map, map->reading, size) < 0) {
		if (map->lost)
			errno = EFAULT; /* meanwhile */
		return -1;
	}

	/* Made anew, longer, at the next write. */
	struct trap_range *writing = atomic_exchange(&map->writing, NULL);
	if (writing != NULL)
		map_generation_unpin(writing);
	map->size = size;
	return 0;
}

int
shmguard_map_resize(struct shmguard_map *map, size_t size)
{
	pthread_mutex_lock(&map->lock);
	int result = resize_locked(map, size);
	pthread_mutex_unlock(&map->lock);
	return result;
}
