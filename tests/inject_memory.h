/* SPDX-License-Identifier: MIT */
#ifndef INJECT_MEMORY_H
#define INJECT_MEMORY_H

/*
 * What the library has mapped itself, as its calls tell. Pages that it puts in the
 * place of others are not told of.
 */

#include <stdbool.h>
#include <stddef.h>

/* Any thread. `fd` is the file, or -1. */
void inject_memory_add(void *address, size_t length, int fd);
/* Now it is there, and that long; an old length of 0 makes another one of the same
 * file. */
void inject_memory_move(void *old, size_t old_length, void *address,
	size_t length);
void inject_memory_remove(void *address, size_t length);
/* It was to be removed, and the call failed. */
void inject_memory_refuse(void *address);

/* In bytes: all. */
long inject_memory_bytes(void);
/* What shows, or has shown, files of clients: bytes, and mappings. */
size_t inject_memory_of_clients(size_t *count);

/* Whether there is anything that was refused to be removed; and unmaps it. */
bool inject_memory_has_refused(void);
void inject_memory_unmap_refused(void);

#endif
