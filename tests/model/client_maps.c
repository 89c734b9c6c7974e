/* SPDX-License-Identifier: MIT */
#include "client_maps.h"

#include "scenarios.h"
#include "world.h"

#include "guarded_map.h"

#include <stddef.h>

struct shmguard_map *map, *other_map;
int file, other_file;
struct fault_notifier *notifier;
volatile int reports, other_reports;
struct shmguard_view early_view;

struct shmguard_map *
open_map(int fd, size_t pages, void *owner)
{
	enum shmguard_reason reason;
	struct shmguard_map *opened = guarded_map_open(fd,
		pages * world_page_size(), NULL, NULL, notifier, owner, &reason);
	CHECK(opened != NULL);
	return opened;
}

void
make_map(size_t backed)
{
	file = world_file(backed);
	other_file = world_file(backed);
	map = open_map(file, 1, (void *)&reports);
}

void
begin_view(struct shmguard_map *of, bool write, struct shmguard_view *view)
{
	int result = write ?
		shmguard_map_begin_write(of, 0, world_page_size(), view) :
		shmguard_map_begin_read(of, 0, world_page_size(), view);
	CHECK(result == 0);
	world_hold(view->data);
}

void
use_view(const struct shmguard_view *view, bool write, int expected)
{
	int content = write ? world_store(view->data) : world_load(view->data);
	CHECK(content == CONTENT_ZERO || content == expected);
}

void
end_view(struct shmguard_view *view)
{
	world_release(view->data);
	shmguard_view_end(view);
}

void
read_map(void *unused)
{
	struct shmguard_view view;
	(void)unused;
	begin_view(map, false, &view);
	use_view(&view, false, file);
	end_view(&view);
}

void
use_early_view(void *unused)
{
	(void)unused;
	use_view(&early_view, false, file);
	end_view(&early_view);
}

void
close_map(void *unused)
{
	(void)unused;
	shmguard_map_close(map);
}

void
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

void
nothing_is_left(void)
{
	CHECK(world_mappings() == 0);
	CHECK(world_spares() == SPARES);
}
