/* SPDX-License-Identifier: MIT */

/* What maps are built on, by itself: the registry and the spare mappings. */

#include "scenarios.h"

#include "world.h"

#include "range_registry.h"
#include "spare_mappings.h"

#include <stddef.h>
#include <sys/mman.h>

/* ---- The registry ---- */

static _Atomic bool lost;
static int owners[4];
/* Until when there is memory of theirs. */
static volatile bool valid[4];

static struct trap_range *
register_at(unsigned int where, size_t pages, int *owner)
{
	size_t page = world_page_size();
	struct trap_range *range = range_register((void *)(where * page),
		pages * page, &(struct range_config){
			.block_size = page,
			.prot = PROT_READ,
			.notify_fd = -1,
			.lost = &lost,
			.owner = owner,
			.data = owner,
		});
	CHECK(range != NULL);
	return range;
}

/* A handler: looks for a page, and works on what it has found. */
static void
look_up(uintptr_t where, bool marks)
{
	uintptr_t start, end, page = world_page_size();
	range_handler_enter();
	struct trap_range *range = range_find(where * page, &start, &end);
	if (range != NULL) {
		watched_read(range, offsetof(struct trap_range, prot));
		int *owner = range->owner;
		CHECK(start <= where * page && where * page < end);
		CHECK(start / page == (uintptr_t)(owner - owners) + 1);
		CHECK(valid[owner - owners]);
		if (marks)
			range_mark_faulted(range);
		/* Until the handler leaves. */
		CHECK(valid[owner - owners] && range->owner == owner);
	}
	range_handler_leave();
}

static void
look_up_and_mark(void *where)
{
	look_up((uintptr_t)where, true);
}

/* And cannot repair it. */
static void
look_up_only(void *where)
{
	look_up((uintptr_t)where, false);
}

static void
come_and_go(void *data)
{
	int *owner = data;
	valid[owner - owners] = true;
	struct trap_range *range =
		register_at((unsigned int)(owner - owners) + 1, 2, owner);
	CHECK(range_unregister(range));
	valid[owner - owners] = false;
}

static void
come_and_go_twice(void *data)
{
	come_and_go(data);
	come_and_go((int *)data + 1);
}

/* Two pages each, the second is both's: the handlers look for that. */
static void
set_up_slot_reuse(void)
{
	range_max_length();
	start_thread(look_up_and_mark, (void *)2);
	start_thread(come_and_go_twice, &owners[0]);
	start_thread(look_up_only, (void *)2);
}

static void *
name_owner(void *owner)
{
	return owner;
}

static void
nothing_is_flagged(void)
{
	CHECK(range_next_faulted(-1, name_owner) == NULL);
}

static void
set_up_two_slots(void)
{
	range_max_length();
	start_thread(come_and_go, &owners[0]);
	start_thread(come_and_go, &owners[1]);
	start_thread(look_up_and_mark, (void *)2);
}

static struct trap_range *lasting;

static void
look_up_lasting(void *unused)
{
	uintptr_t start, end;
	(void)unused;
	range_handler_enter();
	CHECK(range_find(3 * world_page_size(), &start, &end) == lasting);
	CHECK(start == 3 * world_page_size());
	CHECK(end == 4 * world_page_size() || end == 6 * world_page_size());
	range_handler_leave();
}

static void
grow_lasting(void *unused)
{
	(void)unused;
	range_grow(lasting, 3 * world_page_size());
	CHECK(range_length(lasting) == 3 * world_page_size());
}

static void
set_up_lasting(void)
{
	/* In the second slot, that others come before it. */
	struct trap_range *first = register_at(1, 1, &owners[0]);
	lasting = register_at(3, 1, &owners[2]);
	CHECK(range_unregister(first));
	start_thread(look_up_lasting, NULL);
	start_thread(come_and_go, &owners[0]);
	start_thread(grow_lasting, NULL);
}

/* ---- Spare mappings ---- */

static void
fill_spares(void *unused)
{
	(void)unused;
	spare_mappings_fill();
}

static void
release_spare(void *unused)
{
	(void)unused;
	spare_mappings_release();
}

static void
spares_are_known(void)
{
	CHECK(world_spares() <= SPARES);
	if (spare_mappings_are_complete())
		CHECK(world_spares() == SPARES);
}

static void
set_up_spares(void)
{
	spare_mappings_fill();
	start_thread(release_spare, NULL);
	start_thread(release_spare, NULL);
	start_thread(fill_spares, NULL);
}

const struct scenario registry_scenarios[] = {
	{"I3_a_slot_is_never_taken_for_its_predecessor", set_up_slot_reuse,
		nothing_is_flagged, 0, 0},
	{"I3_two_slots_come_and_go", set_up_two_slots, nothing_is_flagged, 0, 0},
	{"I1_what_stays_is_always_found", set_up_lasting, NULL, 0, 0},
	{"spare_mappings_are_known", set_up_spares, spares_are_known, 0, 0},
	{NULL, NULL, NULL, 0, 0},
};
