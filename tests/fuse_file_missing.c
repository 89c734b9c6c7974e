/* SPDX-License-Identifier: MIT */
#include "fuse_file.h"

#include <errno.h>
#include <stddef.h>

/* In place of fuse_file.c where there is no libfuse: no file ever starts. */

struct fuse_file *
fuse_file_start(size_t size, enum fuse_file_mode mode)
{
	(void)size, (void)mode;
	errno = ENOSYS;
	return NULL;
}

const char *
fuse_file_problem(void)
{
	return "built without libfuse3";
}

void
fuse_file_stop(struct fuse_file *file)
{
	(void)file;
}

int
fuse_file_open(const struct fuse_file *file, int flags)
{
	(void)file, (void)flags;
	errno = ENOSYS;
	return -1;
}

int
fuse_file_set_mode(struct fuse_file *file, enum fuse_file_mode mode)
{
	(void)file, (void)mode;
	errno = ENOSYS;
	return -1;
}

int
fuse_file_attach(const struct fuse_file *file, const char *directory)
{
	(void)file, (void)directory;
	errno = ENOSYS;
	return -1;
}
