/* SPDX-License-Identifier: MIT */
#ifndef MEMORY_CGROUP_H
#define MEMORY_CGROUP_H

/* A control group that allows its processes so much memory, for tests. Both
 * versions of the hierarchy will do. Root only. */

#include <stdbool.h>
#include <stddef.h>

struct memory_cgroup;

/* NULL with the reason if there can be none here. */
struct memory_cgroup *memory_cgroup_create(size_t bytes, char *why, size_t size);

/* Moves the calling process, with what it allocates from now on. */
bool memory_cgroup_enter(const struct memory_cgroup *group);

/* Its processes must be gone. */
void memory_cgroup_destroy(struct memory_cgroup *group);

#endif
