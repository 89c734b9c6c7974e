/* SPDX-License-Identifier: MIT */
#ifndef MAP_FAULTS_FIXTURE_H
#define MAP_FAULTS_FIXTURE_H

/*
 * A client whose file loses memory under a map. Everything here fails the test on
 * errors.
 */

#include <shmguard/map.h>
#include <stddef.h>

/* Of each map. */
enum { PAGES = 8 };

/* Bytes in a page. */
extern size_t page;

/* Begins to read all of a map. */
struct shmguard_view must_read(struct shmguard_map *map);

/* Ends it, which returns 0, or -1 if memory was lost. */
void end_with(struct shmguard_view view, int expected);

void truncate_to(int client, size_t pages);

/* `kept` pages show what numbered_memfd() filled them with, the others zeros. */
void check_bytes(const struct shmguard_view *view, size_t kept);

#endif
