/* SPDX-License-Identifier: MIT */
#include "holdings.h"

#include "process.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

/* Less is an allocator's business. */
#define MEMORY_MIN 4096 /* KiB for each attack */

static long
count_descriptors(pid_t pid)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	DIR *directory = opendir(path);
	if (directory == NULL)
		return -1;
	long count = -2; /* . and .. */
	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	return count;
}

struct mapping {
	unsigned long start, end;
	bool anonymous, untouchable, executable;
};

static bool
parse_mapping(const char *line, struct mapping *mapping)
{
	char permissions[5];
	unsigned long inode;
	int name = 0;
	if (sscanf(line, "%lx-%lx %4s %*x %*s %lu %n", &mapping->start,
			&mapping->end, permissions, &inode, &name) < 4)
		return false;
	mapping->anonymous = inode == 0 && line[name] == '\0';
	mapping->untouchable = mapping->anonymous &&
		strncmp(permissions, "---", 3) == 0;
	mapping->executable = permissions[2] == 'x';
	return true;
}

static bool
are_together(const struct mapping *first, const struct mapping *second)
{
	return first->anonymous && second->anonymous &&
		first->end == second->start;
}

/* Mappings one behind the other, none of a file; or one of a file. */
struct run {
	long count;
	bool of_code, last_counts;
};

/* Whether they are a thread's stack and its guard, or the two parts of a heap:
 * the C library keeps some of either for threads to come. How many there are is
 * a matter of how many ran at the same time. */
static void
add_to_run(struct run *run, const struct mapping *last,
	const struct mapping *mapping)
{
	bool of_thread = are_together(last, mapping) &&
		last->untouchable != mapping->untouchable;
	if (of_thread && run->last_counts)
		run->count--;
	run->last_counts = !of_thread;
	run->count += run->last_counts;
	run->of_code |= mapping->anonymous && mapping->executable;
}

/* Renderers compile code when they first meet a case, and keep it and its data. */
static long
worth(const struct run *run)
{
	return run->of_code ? 0 : run->count;
}

static long
count_mappings(pid_t pid)
{
	FILE *file = process_file(pid, "maps");
	if (file == NULL)
		return -1;
	long count = 0;
	char line[4200];
	struct mapping last = {0}, mapping;
	struct run run = {0};
	while (fgets(line, sizeof(line), file) != NULL) {
		if (!parse_mapping(line, &mapping))
			continue;
		if (!are_together(&last, &mapping)) {
			count += worth(&run);
			run = (struct run){0};
		}
		add_to_run(&run, &last, &mapping);
		last = mapping;
	}
	fclose(file);
	return count + worth(&run);
}

static long
private_memory(pid_t pid)
{
	FILE *file = process_file(pid, "smaps_rollup");
	if (file == NULL)
		return -1;
	char line[256];
	long sum = 0, kib;
	while (fgets(line, sizeof(line), file) != NULL) {
		if (sscanf(line, "Private_%*[^:]: %ld kB", &kib) == 1)
			sum += kib;
	}
	fclose(file);
	return sum;
}

bool
holdings_look(pid_t pid, struct holdings *holdings)
{
	holdings->descriptors = count_descriptors(pid);
	holdings->mappings = count_mappings(pid);
	holdings->private_kib = private_memory(pid);
	return holdings->descriptors >= 0 && holdings->mappings > 0 &&
		holdings->private_kib > 0;
}

bool
holdings_have_grown(const struct holdings *from, const struct holdings *to,
	long attacks)
{
	return to->descriptors >= from->descriptors + attacks ||
		to->mappings >= from->mappings + attacks ||
		to->private_kib >= from->private_kib + attacks * MEMORY_MIN;
}

long
minor_faults(pid_t pid)
{
	FILE *file = process_file(pid, "stat");
	if (file == NULL)
		return -1;
	char line[512];
	long faults;
	const char *end = fgets(line, sizeof(line), file) != NULL ?
		strrchr(line, ')') : NULL;
	if (end == NULL || sscanf(end, ") %*c %*d %*d %*d %*d %*d %*u %ld",
			&faults) != 1)
		faults = -1;
	fclose(file);
	return faults;
}
