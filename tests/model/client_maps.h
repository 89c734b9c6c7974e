/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_MAPS_H
#define CLIENT_MAPS_H

/*
 * What scenarios with maps have in common: the maps, and what threads do with
 * them.
 */

#include <shmguard/map.h>
#include <stdbool.h>
#include <stddef.h>

/* Of files of a client's, of which the second may have no map. */
extern struct shmguard_map *map, *other_map;
extern int file, other_file;
/* Who is told of lost memory, in reports; NULL: nobody. */
extern struct fault_notifier *notifier;
extern volatile int reports, other_reports;
/* For set_up() to begin. */
extern struct shmguard_view early_view;

/* Two files, of so many pages that are there, and a map of the first. */
void make_map(size_t backed);
struct shmguard_map *open_map(int fd, size_t pages, void *owner);

/* A view of a file's first page. It shows what the file has, or zeros. */
void begin_view(struct shmguard_map *of, bool write, struct shmguard_view *view);
void use_view(const struct shmguard_view *view, bool write, int expected);
void end_view(struct shmguard_view *view);

/* For threads: `unused` is NULL. */
void read_map(void *unused);
void use_early_view(void *unused);
void close_map(void *unused);
/* Opens a map of the second file, reads it, and closes it. */
void use_other_map(void *unused);

/* For finish(). */
void nothing_is_left(void);

#endif
