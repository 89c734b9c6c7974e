/* SPDX-License-Identifier: MIT */
#include "guarded_map_private.h"

#include "hole_check.h"
#include "map_generation.h"
#include "sigbus_trap.h"

#include <errno.h>
#include <string.h>

/* The rows, on both sides. */
struct row_copy {
	const char *from;
	size_t stride;
	size_t row, rows; /* > 0 */
	char *to;
	size_t to_stride;
};

static bool
is_within(const struct shmguard_map *map, size_t offset,
	const struct row_copy *copy)
{
	size_t size = atomic_load_explicit(&map->size, memory_order_acquire);
	if (copy->row == 0 || copy->rows == 0 || copy->stride < copy->row ||
			copy->to_stride < copy->row || offset > size ||
			copy->row > size - offset)
		return false;
	return copy->rows - 1 <= (size - offset - copy->row) / copy->stride;
}

static void
copy_all(const struct row_copy *copy)
{
	for (size_t i = 0; i < copy->rows; i++)
		memcpy(copy->to + i * copy->to_stride,
			copy->from + i * copy->stride, copy->row);
}

/* Where nothing is swapped out, what is in no memory is a hole. Elsewhere it has
 * to be looked at, and counts as filled. */
static void
copy_absent(struct shmguard_map *map, struct trap_range *range, char *to,
	const char *from, size_t length)
{
	if (hole_check_swapped() == 0) {
		memset(to, 0, length);
		return;
	}
	map_charge_holes(map, range, length);
	memcpy(to, from, length);
}

static void
copy_row(struct shmguard_map *map, struct trap_range *range,
	struct hole_window *window, const struct row_copy *copy, size_t row)
{
	const char *from = copy->from + row * copy->stride;
	char *to = copy->to + row * copy->to_stride;
	/* What is looked at, at a time: the rest of the rows, as far as it goes. */
	size_t ahead = (copy->rows - row - 1) * copy->stride + copy->row;

	for (size_t left = copy->row; left > 0;) {
		enum hole_kind kind;
		size_t run = hole_window_run(window, from, left, ahead, &kind);
		if (kind == HOLE_UNKNOWN)
			map_charge_holes(map, range, run);
		if (kind == HOLE_ABSENT)
			copy_absent(map, range, to, from, run);
		else
			memcpy(to, from, run);
		from += run;
		to += run;
		ahead -= run;
		left -= run;
	}
}

/* Past the end of the file nothing is in memory either. Whether it ends before the
 * last byte that is wanted only a look there can tell: a page at most is filled. */
static void
look_at_end(struct shmguard_map *map, struct trap_range *range,
	const struct row_copy *copy)
{
	const volatile char *last = copy->from +
		(copy->rows - 1) * copy->stride + copy->row - 1;
	if (hole_check_absent((const char *)last, 1) == 0)
		return;
	map_charge_holes(map, range, map->verdict.block_size);
	(void)*last;
}

static bool
copy_mapped(struct shmguard_map *map, struct trap_range *range, size_t offset,
	struct row_copy *copy)
{
	struct hole_window window = {0};
	sigbus_trap_prepare_thread();
	copy->from = range->addr + offset;
	if (map->verdict.fills_holes) {
		look_at_end(map, range, copy);
		for (size_t i = 0; i < copy->rows; i++)
			copy_row(map, range, &window, copy, i);
	} else {
		copy_all(copy);
	}
	return atomic_load_explicit(range->lost, memory_order_relaxed);
}

int
shmguard_map_copy(struct shmguard_map *map, size_t offset, size_t stride,
	size_t row, size_t rows, void *to, size_t to_stride)
{
	struct row_copy copy = {
		.stride = stride,
		.row = row,
		.rows = rows,
		.to = to,
		.to_stride = to_stride,
	};
	if (!is_within(map, offset, &copy)) {
		errno = ERANGE;
		return -1;
	}

	/* One long copy is faster than many that follow each other. */
	if (row == stride && row == to_stride) {
		copy.row *= rows;
		copy.rows = 1;
	}

	struct trap_range *range = map_generation_pin(&map->reading);
	if (range != NULL) {
		bool lost = copy_mapped(map, range, offset, &copy);
		map_generation_unpin(range);
		if (!lost)
			return 0;
		errno = EFAULT;
		return -1;
	}

	/* A view holds a copy already, in which holes take no memory. */
	struct shmguard_view view;
	if (shmguard_map_begin_read(map, offset, (rows - 1) * stride + row,
			&view) < 0)
		return -1;
	copy.from = view.data;
	copy_all(&copy);
	return shmguard_view_end(&view);
}
