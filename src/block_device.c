/* SPDX-License-Identifier: MIT */
#include "block_device.h"

#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifdef __linux__
#include <dirent.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#endif

/* Volumes on volumes: people stack three. */
#define MAX_DEPTH 8

static bool
begins_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool
block_device_name_is_foreign(const char *name)
{
	static const char *const prefixes[] = {
		"drbd", "loop", "nbd", "rbd", "ublk",
	};
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (begins_with(name, prefixes[i]))
			return true;
	}
	return false;
}

#ifdef __linux__

/* No deeper than MAX_DEPTH. */
static bool
lies_on_foreign(const char *name, int depth) /* NOLINT(misc-no-recursion) */
{
	char path[PATH_MAX];
	if (block_device_name_is_foreign(name) || depth == MAX_DEPTH)
		return true;
	snprintf(path, sizeof(path), "/sys/class/block/%s/slaves", name);
	DIR *slaves = opendir(path);
	if (slaves == NULL)
		return false;

	bool foreign = false;
	const struct dirent *slave;
	while (!foreign && (slave = readdir(slaves)) != NULL) {
		if (slave->d_name[0] != '.')
			foreign = lies_on_foreign(slave->d_name, depth + 1);
	}
	closedir(slaves);
	return foreign;
}

bool
block_device_is_foreign(uint32_t dev_major, uint32_t dev_minor)
{
	char path[64], target[PATH_MAX];
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", dev_major, dev_minor);
	ssize_t length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return false;
	target[length] = '\0';
	const char *slash = strrchr(target, '/');
	return lies_on_foreign(slash != NULL ? slash + 1 : target, 0);
}

/* btrfs has a device number of its own: only the source tells. */
static bool
is_foreign_file(const char *path)
{
	struct stat device;
	return stat(path, &device) == 0 && S_ISBLK(device.st_mode) &&
		block_device_is_foreign(major(device.st_rdev),
			minor(device.st_rdev));
}

#else

bool
block_device_is_foreign(uint32_t dev_major, uint32_t dev_minor)
{
	(void)dev_major;
	(void)dev_minor;
	return false;
}

static bool
is_foreign_file(const char *path)
{
	(void)path;
	return false;
}

#endif

bool
block_device_source_is_foreign(const char *source)
{
	static const char directory[] = "/dev/";
	return begins_with(source, directory) && (is_foreign_file(source) ||
		block_device_name_is_foreign(source + sizeof(directory) - 1));
}
