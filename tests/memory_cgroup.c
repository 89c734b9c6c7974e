/* SPDX-License-Identifier: MIT */
#include "memory_cgroup.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct memory_cgroup {
	char path[128];
};

/* Where the memory controller of each version is, and what its limit is called. */
static const struct {
	const char *root, *limit;
} hierarchies[] = {
	{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
	{"/sys/fs/cgroup", "memory.max"},
};

static bool
write_number(const struct memory_cgroup *group, const char *name,
	unsigned long long number)
{
	char path[192];
	snprintf(path, sizeof(path), "%s/%s", group->path, name);
	FILE *file = fopen(path, "we");
	if (file == NULL)
		return false;
	bool ok = fprintf(file, "%llu\n", number) > 0;
	return fclose(file) == 0 && ok;
}

struct memory_cgroup *
memory_cgroup_create(size_t bytes, char *why, size_t size)
{
	struct memory_cgroup *group = malloc(sizeof(*group));
	ck_assert_ptr_nonnull(group);
	snprintf(why, size, "no memory cgroup can be made");
	for (int i = 0; i < 2; i++) {
		snprintf(group->path, sizeof(group->path), "%s/shmguard-test-%d",
			hierarchies[i].root, (int)getpid());
		if (mkdir(group->path, 0700) < 0) {
			snprintf(why, size, "no memory cgroup can be made: %s",
				strerror(errno));
			continue;
		}
		if (write_number(group, hierarchies[i].limit, bytes))
			return group;
		snprintf(why, size, "%s cannot be written: %s",
			hierarchies[i].limit, strerror(errno));
		rmdir(group->path);
	}
	free(group);
	return NULL;
}

bool
memory_cgroup_enter(const struct memory_cgroup *group)
{
	return write_number(group, "cgroup.procs", (unsigned int)getpid());
}

void
memory_cgroup_destroy(struct memory_cgroup *group)
{
	int result = rmdir(group->path);
	/* It may be busy for a moment after its last process was waited for. */
	for (int i = 0; i < 1000 && result < 0 && errno == EBUSY; i++) {
		usleep(10 * 1000);
		result = rmdir(group->path);
	}
	ck_assert_int_eq(result, 0);
	free(group);
}
