/* SPDX-License-Identifier: MIT */
#include "inject_files.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
inject_local_file(size_t size, int fill)
{
	char path[] = "/var/tmp/" INJECT_FILE "-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	unlink(path);
	char *bytes = malloc(size);
	ck_assert_ptr_nonnull(bytes);
	memset(bytes, fill, size);
	ck_assert_int_eq(write(fd, bytes, size), (ssize_t)size);
	free(bytes);
	return fd;
}
