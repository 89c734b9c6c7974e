/* SPDX-License-Identifier: MIT */
#ifndef INJECT_FILES_H
#define INJECT_FILES_H

/* What clients' files are called in /proc/self/maps: those of harness_memfd(), and
 * those on disk. */

#include <stddef.h>

#define INJECT_MEMFD "/memfd:test"
#define INJECT_FILE "shmguard-inject"

/* A file on disk without a name, every byte `fill`. */
int inject_local_file(size_t size, int fill);

#endif
