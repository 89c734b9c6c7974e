/* SPDX-License-Identifier: MIT */
#ifndef FAKE_WLROOTS_H
#define FAKE_WLROOTS_H

/*
 * A library whose name is like wlroots', and that does with clients' descriptors
 * what wlroots does. Made twice: one is built for large files, one is not.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The length of a text in a file, found as wlroots reads a keymap. -1 with errno
 * if the file cannot be mapped. */
ssize_t fake_wlroots_keymap(int fd, size_t size);

/* System calls, from this library. */
void *fake_wlroots_mmap(size_t length, int protection, int flags, int fd,
	int64_t offset);
ssize_t fake_wlroots_read(int fd, void *bytes, size_t size);
ssize_t fake_wlroots_pread(int fd, void *bytes, size_t size, int64_t offset);
int64_t fake_wlroots_seek_end(int fd);
int fake_wlroots_fstat(int fd);
int fake_wlroots_close(int fd);

#endif
