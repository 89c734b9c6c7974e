/* SPDX-License-Identifier: MIT */
#include "memory_look.h"

#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

size_t
page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

unsigned char
page_byte(size_t page)
{
	return (unsigned char)(page % 251 + 1);
}

int
numbered_memfd(size_t pages)
{
	size_t page = page_size();
	int fd = harness_memfd(pages * page, 0, 0);
	unsigned char *bytes = malloc(page);
	ck_assert_ptr_nonnull(bytes);
	for (size_t i = 0; i < pages; i++) {
		memset(bytes, page_byte(i), page);
		ck_assert_int_eq(pwrite(fd, bytes, page, (off_t)(i * page)),
			(ssize_t)page);
	}
	free(bytes);
	return fd;
}

int
reopen_fd(int fd, int flags)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int again = open(path, flags | O_CLOEXEC);
	ck_assert_msg(again >= 0, "%s: %s", path, strerror(errno));
	return again;
}

int
byte_in_file(int fd, size_t offset)
{
	unsigned char byte;
	return pread(fd, &byte, 1, (off_t)offset) == 1 ? byte : -1;
}

static FILE *
open_proc(const char *path)
{
	FILE *file = fopen(path, "re");
	ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
	return file;
}

int
count_mappings(const char *text)
{
	char line[1024];
	int count = 0;
	FILE *maps = open_proc("/proc/self/maps");
	while (fgets(line, sizeof(line), maps) != NULL)
		count += strstr(line, text) != NULL;
	fclose(maps);
	return count;
}

int
count_stacks(void)
{
	unsigned long start, end, page = page_size();
	char line[1024], permissions[8];
	int count = 0;
	FILE *maps = open_proc("/proc/self/maps");
	while (fgets(line, sizeof(line), maps) != NULL) {
		if (sscanf(line, "%lx-%lx %4s", &start, &end, permissions) == 3)
			count += end - start == page &&
				strcmp(permissions, "---p") == 0;
	}
	fclose(maps);
	return count;
}

/* Copies the line of smaps that starts with `key`, for the mapping that holds
 * the address; an empty key means its first line. */
static bool
read_smaps(const void *address, const char *key, char *line, int size)
{
	unsigned long wanted = (unsigned long)address, start, end;
	char colon_or_permission[8];
	bool within = false, found = false;
	FILE *smaps = open_proc("/proc/self/smaps");
	while (!found && fgets(line, size, smaps) != NULL) {
		if (sscanf(line, "%lx-%lx %4s", &start, &end,
				colon_or_permission) == 3)
			within = wanted >= start && wanted < end;
		found = within && strncmp(line, key, strlen(key)) == 0;
	}
	fclose(smaps);
	return found;
}

bool
is_mapped(const void *address)
{
	char line[1024];
	return read_smaps(address, "", line, sizeof(line));
}

bool
has_vm_flag(const void *address, const char *flag)
{
	char line[1024], wanted[16];
	ck_assert(read_smaps(address, "VmFlags:", line, sizeof(line)));
	snprintf(wanted, sizeof(wanted), " %s ", flag);
	return strstr(line, wanted) != NULL;
}

const char *
permissions_at(const void *address)
{
	static char permissions[8];
	char line[1024];
	ck_assert(read_smaps(address, "", line, sizeof(line)));
	ck_assert_int_eq(sscanf(line, "%*s %7s", permissions), 1);
	return permissions;
}

static long
number_in(const char *path, const char *key)
{
	char line[256];
	long number = -1;
	size_t length = strlen(key);
	FILE *file = open_proc(path);
	while (number < 0 && fgets(line, sizeof(line), file) != NULL) {
		if (strncmp(line, key, length) == 0 && line[length] == ':')
			number = strtol(line + length + 1, NULL, 10);
	}
	fclose(file);
	ck_assert_msg(number >= 0, "no %s in %s", key, path);
	return number;
}

long
number_in_status(const char *key)
{
	return number_in("/proc/self/status", key);
}

long
anonymous_memory(void)
{
	return number_in("/proc/self/smaps_rollup", "Anonymous");
}

bool
is_user_mode_linux(void)
{
	char line[256];
	bool found = false;
	FILE *cpuinfo = open_proc("/proc/cpuinfo");
	while (!found && fgets(line, sizeof(line), cpuinfo) != NULL)
		found = strstr(line, "User Mode Linux") != NULL;
	fclose(cpuinfo);
	return found;
}
