/* SPDX-License-Identifier: MIT */
#ifndef MAP_RESIZE_FIXTURE_H
#define MAP_RESIZE_FIXTURE_H

/*
 * Maps of so many pages, of files that are numbered_memfd(), which are resized.
 * Everything here fails the test on errors.
 */

#include <shmguard/map.h>
#include <stddef.h>

extern const struct shmguard_policy copy_policy, reject_policy, adopt_policy,
	no_handler_policy, writable_policy;

/* Bytes in a page. */
extern size_t page;

/* The client's descriptor stays open. */
struct shmguard_map *must_open(int client, size_t pages,
	const struct shmguard_policy *policy);

struct shmguard_view must_read(struct shmguard_map *map, size_t pages);

/* No memory was lost. */
void must_end(struct shmguard_view view);

/* It shows what numbered_memfd() filled the file with. */
void check_numbers(const struct shmguard_view *view);

/* With this errno, and the map is what it was. */
void check_resize_fails(struct shmguard_map *map, size_t size, int error);

/* A numbered_memfd() that cannot shrink. */
int sealed_memfd(size_t pages);

#endif
