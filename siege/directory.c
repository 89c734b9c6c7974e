/* SPDX-License-Identifier: MIT */
#include "directory.h"

#include <ftw.h>
#include <stdio.h>

#define OPEN_MAX_DIRECTORIES 16

static int
remove_entry(const char *path, const struct stat *status, int type,
	struct FTW *place)
{
	(void)status, (void)type, (void)place;
	remove(path);
	return 0;
}

void
directory_remove(const char *path)
{
	nftw(path, remove_entry, OPEN_MAX_DIRECTORIES,
		FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
