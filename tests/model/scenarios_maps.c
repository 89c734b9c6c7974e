/* SPDX-License-Identifier: MIT */

/* Maps that move, are written to and lose their file, and what is said about it. */

#include "scenarios.h"

#include "client_maps.h"
#include "world.h"

#include "guarded_map.h"

#include <stddef.h>

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

static void
fault_in_foreign_memory(void *unused)
{
	(void)unused;
	void *page = world_map_foreign();
	world_touch_foreign(page);
	world_unmap_foreign(page);
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

const struct scenario map_scenarios[] = {
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
	{NULL, NULL, NULL, 0, 0},
};
