/* SPDX-License-Identifier: MIT */

/* What threads do at the same time, and what must then be so. Nothing here is
 * watched itself: it is there to see. */

#include "scenarios.h"

#include "world.h"

#include "fault_notifier.h"
#include "guarded_map.h"
#include "range_registry.h"
#include "reaper.h"
#include "spare_mappings.h"

#include <shmguard/map.h>
#include <stddef.h>
#include <sys/mman.h>

enum { SPARES = 16 };

/* ---- The registry by itself ---- */

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

/* ---- Maps ---- */

static struct shmguard_map *map, *other_map;
static int file, other_file;
static struct fault_notifier *notifier;
static volatile int reports, other_reports;

static struct shmguard_map *
open_map(int fd, size_t pages, void *owner)
{
	enum shmguard_reason reason;
	struct shmguard_map *opened = guarded_map_open(fd,
		pages * world_page_size(), NULL, NULL, notifier, owner, &reason);
	CHECK(opened != NULL);
	return opened;
}

/* A view of a file's first page. */
static void
begin_view(struct shmguard_map *of, bool write, struct shmguard_view *view)
{
	int result = write ?
		shmguard_map_begin_write(of, 0, world_page_size(), view) :
		shmguard_map_begin_read(of, 0, world_page_size(), view);
	CHECK(result == 0);
	world_hold(view->data);
}

static void
use_view(const struct shmguard_view *view, bool write, int expected)
{
	int content = write ? world_store(view->data) : world_load(view->data);
	CHECK(content == CONTENT_ZERO || content == expected);
}

static void
end_view(struct shmguard_view *view)
{
	world_release(view->data);
	shmguard_view_end(view);
}

static void
read_map(void *unused)
{
	struct shmguard_view view;
	(void)unused;
	begin_view(map, false, &view);
	use_view(&view, false, file);
	end_view(&view);
}

static void
write_map(void *unused)
{
	struct shmguard_view view;
	(void)unused;
	begin_view(map, true, &view);
	use_view(&view, true, file);
	end_view(&view);
}

static void
close_maps(void)
{
	shmguard_map_close(map);
	CHECK(world_mappings() == 0);
	CHECK(world_spares() == SPARES);
}

/* Once something has been lost that is refused. */
static void
resize_map(void *unused)
{
	(void)unused;
	if (shmguard_map_resize(map, 2 * world_page_size()) == 0)
		CHECK(shmguard_map_size(map) == 2 * world_page_size());
}

static void
truncate_file(void *unused)
{
	(void)unused;
	world_truncate(file, 0);
}

/* The reader's mapping moves, its slot becomes another map's, and that goes too. */
static void
move_and_reuse(void *unused)
{
	resize_map(unused);
	struct shmguard_map *opened = open_map(other_file, 1, NULL);
	shmguard_map_close(opened);
}

static void
make_map(size_t backed)
{
	file = world_file(backed);
	other_file = world_file(backed);
	map = open_map(file, 1, (void *)&reports);
}

static void
set_up_moves(void)
{
	make_map(4);
	start_thread(read_map, NULL);
	start_thread(move_and_reuse, NULL);
}

static void
set_up_moves_and_losses(void)
{
	make_map(4);
	start_thread(read_map, NULL);
	start_thread(resize_map, NULL);
	start_thread(truncate_file, NULL);
}

static void
set_up_two_readers(void)
{
	make_map(4);
	start_thread(read_map, NULL);
	start_thread(read_map, NULL);
	start_thread(move_and_reuse, NULL);
}

static void
set_up_writers(void)
{
	make_map(0);
	start_thread(read_map, NULL);
	start_thread(write_map, NULL);
}

static void
set_up_writers_and_losses(void)
{
	make_map(4);
	start_thread(write_map, NULL);
	start_thread(write_map, NULL);
	start_thread(truncate_file, NULL);
}

/* ---- The host's memory where a client's was ---- */

static struct shmguard_view early_view;

static void
use_early_view(void *unused)
{
	(void)unused;
	use_view(&early_view, false, file);
	end_view(&early_view);
}

static void
close_map(void *unused)
{
	(void)unused;
	shmguard_map_close(map);
}

static void
fault_in_foreign_memory(void *unused)
{
	(void)unused;
	void *page = world_map_foreign();
	world_touch_foreign(page);
	world_unmap_foreign(page);
}

static void
nothing_is_left(void)
{
	CHECK(world_mappings() == 0);
	CHECK(world_spares() == SPARES);
}

static void
set_up_foreign(void)
{
	make_map(0);
	begin_view(map, false, &early_view);
	start_thread(use_early_view, NULL);
	start_thread(close_map, NULL);
	start_thread(fault_in_foreign_memory, NULL);
}

static void
use_other_map(void *unused)
{
	(void)unused;
	struct shmguard_map *opened = open_map(other_file, 1, NULL);
	struct shmguard_view view;
	begin_view(opened, false, &view);
	use_view(&view, false, other_file);
	end_view(&view);
	shmguard_map_close(opened);
}

static void
set_up_strangers(void)
{
	make_map(0);
	begin_view(map, false, &early_view);
	shmguard_map_close(map);
	start_thread(use_early_view, NULL);
	start_thread(use_other_map, NULL);
}

/* ---- Reports ---- */

static void
count_report(void *owner)
{
	(*(volatile int *)owner)++;
}

static void
read_other_map(void *unused)
{
	struct shmguard_view view;
	(void)unused;
	begin_view(other_map, false, &view);
	use_view(&view, false, other_file);
	end_view(&view);
}

static void
wait_for_reports(void *unused)
{
	(void)unused;
	while (reports == 0 || other_reports == 0) {
		world_poll(fault_notifier_fd(notifier));
		guarded_map_dispatch_faults(notifier, count_report);
	}
}

static void
close_all(void)
{
	CHECK(reports == 1 && other_reports == 1);
	shmguard_map_close(map);
	shmguard_map_close(other_map);
	fault_notifier_unref(notifier);
	nothing_is_left();
}

static void
set_up_reports(void)
{
	notifier = fault_notifier_create();
	make_map(0);
	other_map = open_map(other_file, 1, (void *)&other_reports);
	start_thread(read_map, NULL);
	start_thread(read_other_map, NULL);
	start_thread(wait_for_reports, NULL);
}

/* What the display does when the client goes, and nobody may be told after. */
static void
close_and_dispatch(void *unused)
{
	(void)unused;
	guarded_map_dispatch_faults(notifier, count_report);
	int before = reports;
	shmguard_map_close(map);
	guarded_map_dispatch_faults(notifier, count_report);
	CHECK(reports == before && reports <= 1);
	fault_notifier_unref(notifier);
}

static void
set_up_late_reports(void)
{
	notifier = fault_notifier_create();
	make_map(0);
	begin_view(map, false, &early_view);
	start_thread(use_early_view, NULL);
	start_thread(close_and_dispatch, NULL);
}

/* ---- Views that one thread counts without atomics ---- */

static struct shmguard_view late_view;

static void
use_late_view(void *unused)
{
	(void)unused;
	use_view(&late_view, false, file);
	end_view(&late_view);
}

static void
end_views(void)
{
	fault_notifier_unref(notifier);
	nothing_is_left();
}

/* The display is thread 0; the second view is begun by thread 1. */
static void
make_counted_map(void)
{
	notifier = fault_notifier_create();
	make_map(1);
	begin_view(map, false, &early_view);
	act_as_thread(1);
	begin_view(map, false, &late_view);
}

static void
use_and_close(void *unused)
{
	use_early_view(unused);
	close_map(unused);
}

static void
set_up_counted(void)
{
	make_counted_map();
	start_thread(use_and_close, NULL);
	start_thread(use_late_view, NULL);
}

static void
set_up_counted_crosswise(void)
{
	make_counted_map();
	start_thread(use_late_view, NULL);
	start_thread(use_early_view, NULL);
	start_thread(close_map, NULL);
}

static void
set_up_counted_elsewhere(void)
{
	make_counted_map();
	start_thread(use_early_view, NULL);
	start_thread(use_late_view, NULL);
	start_thread(close_map, NULL);
}

/* Two maps: the slot of one that goes is another's when the mark is read. */
static void
close_and_open(void *unused)
{
	close_map(unused);
	use_other_map(unused);
}

static void
set_up_counted_reuse(void)
{
	make_counted_map();
	start_thread(use_early_view, NULL);
	start_thread(use_late_view, NULL);
	start_thread(close_and_open, NULL);
}

/* ---- The reaper ---- */

static void
close_other_map(void *unused)
{
	(void)unused;
	shmguard_map_close(other_map);
}

static void
close_and_end(void *unused)
{
	close_map(unused);
	reaper_unref();
}

static void
close_and_wait(void *unused)
{
	close_map(unused);
	world_wait_for_unmapping();
	reaper_unref();
}

static void
make_large_maps(void)
{
	world_use_page_size(REAPER_WORTH_IT);
	make_map(1);
	other_map = open_map(other_file, 1, NULL);
}

static void
set_up_reaper(void)
{
	make_large_maps();
	reaper_ref();
	start_thread(close_and_end, NULL);
	start_thread(close_other_map, NULL);
}

static void
set_up_reaper_waited_for(void)
{
	make_large_maps();
	reaper_ref();
	start_thread(close_and_wait, NULL);
	start_thread(close_other_map, NULL);
}

static void
set_up_reaper_unreferenced(void)
{
	make_large_maps();
	start_thread(close_map, NULL);
	start_thread(close_other_map, NULL);
}

static void
set_up_reaper_and_view(void)
{
	world_use_page_size(REAPER_WORTH_IT);
	make_map(0);
	begin_view(map, false, &early_view);
	reaper_ref();
	start_thread(use_early_view, NULL);
	start_thread(close_and_end, NULL);
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

const struct scenario scenarios[] = {
	{"I3_a_slot_is_never_taken_for_its_predecessor", set_up_slot_reuse,
		nothing_is_flagged, 0, 0},
	{"I3_two_slots_come_and_go", set_up_two_slots, nothing_is_flagged, 0, 0},
	{"I1_what_stays_is_always_found", set_up_lasting, NULL, 0, 0},
	{"I6_a_view_keeps_a_map_that_moves", set_up_moves, close_maps, 0, 0},
	{"I6_I7_a_map_moves_and_loses_its_file", set_up_moves_and_losses,
		close_maps, 0, 0},
	{"I6_two_views_and_a_slot_that_is_reused", set_up_two_readers, close_maps,
		1, 2},
	{"I7_a_repair_lets_writers_store", set_up_writers, close_maps, 4, 5},
	{"I7_two_writers_lose_their_file", set_up_writers_and_losses, close_maps,
		2, 3},
	{"I3_I4_the_hosts_memory_takes_the_place_of_a_clients", set_up_foreign,
		nothing_is_left, 0, 0},
	{"I3_a_map_takes_the_place_of_another", set_up_strangers, nothing_is_left,
		0, 0},
	{"I5_every_loss_is_reported", set_up_reports, close_all, 4, 6},
	{"I5_nobody_is_told_of_a_closed_map", set_up_late_reports,
		nothing_is_left, 0, 0},
	{"I6_views_of_the_display_and_another", set_up_counted, end_views, 0, 0},
	{"I6_views_that_others_end", set_up_counted_crosswise, end_views, 0, 0},
	{"I6_a_map_that_another_thread_closes", set_up_counted_elsewhere,
		end_views, 0, 0},
	{"I6_a_mark_that_is_out_of_date", set_up_counted_reuse, end_views, 2, 3},
	{"I11_the_reaper_does_all_before_it_ends", set_up_reaper, nothing_is_left,
		0, 0},
	{"I11_the_reaper_hears_of_every_job", set_up_reaper_waited_for,
		nothing_is_left, 0, 0},
	{"I11_the_reaper_does_all_without_a_reference",
		set_up_reaper_unreferenced, nothing_is_left, 0, 0},
	{"I11_the_reaper_waits_for_views", set_up_reaper_and_view,
		nothing_is_left, 0, 0},
	{"spare_mappings_are_known", set_up_spares, spares_are_known, 0, 0},
	{NULL, NULL, NULL, 0, 0},
};
