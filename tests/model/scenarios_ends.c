/* SPDX-License-Identifier: MIT */

/* Maps that go when their last view ends, and by way of the reaper. */

#include "scenarios.h"

#include "client_maps.h"
#include "world.h"

#include "guarded_map.h"
#include "reaper.h"

#include <stddef.h>

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

const struct scenario end_scenarios[] = {
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
	{NULL, NULL, NULL, 0, 0},
};
