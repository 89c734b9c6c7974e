/* SPDX-License-Identifier: MIT */
#ifndef MEMORY_LOOK_H
#define MEMORY_LOOK_H

/*
 * What the kernel says about this process's memory, and files to fill it with.
 * Everything here fails the test on errors.
 */

#include <stdbool.h>
#include <stddef.h>

/* Bytes in a page. */
size_t page_size(void);

/* A sealable memfd of so many pages. Page number i is full of page_byte(i), which
 * is never 0. */
int numbered_memfd(size_t pages);
unsigned char page_byte(size_t page);

/* A second open file description of the same file. */
int reopen_fd(int fd, int flags);

/* The byte at `offset`, or -1 where the file has none. */
int byte_in_file(int fd, size_t offset);

/* Mappings in /proc/self/maps whose line contains `text`. */
int count_mappings(const char *text);

/* How many thread stacks are mapped: each has a page that nothing may touch. */
int count_stacks(void);

bool is_mapped(const void *address);

/* Whether the VmFlags of the mapping that holds an address name this one. */
bool has_vm_flag(const void *address, const char *flag);

/* What a mapping allows, e.g. "rw-s". Static storage. */
const char *permissions_at(const void *address);

/* A number from /proc/self/status, e.g. "VmSize", in its unit. */
long number_in_status(const char *key);

/* KiB of this process's own memory. Counted page by page; VmRSS has the pages of
 * libraries in it too, and some kernels count it late. */
long anonymous_memory(void);

/* Whether this is a kernel that itself runs as a process. It maps every page by
 * itself there, of which its host allows a process some 65000. */
bool is_user_mode_linux(void);

#endif
