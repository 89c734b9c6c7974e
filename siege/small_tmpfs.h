/* SPDX-License-Identifier: MIT */
#ifndef SIEGE_SMALL_TMPFS_H
#define SIEGE_SMALL_TMPFS_H

#include <stddef.h>

/* An empty file, alone in a tmpfs that has room for `room` bytes and lasts as
 * long as its file. It is mounted on no directory. Returns a descriptor, or -1
 * with errno if there can be none here: it takes root or user namespaces. */
int small_tmpfs_file(size_t room);

#endif
