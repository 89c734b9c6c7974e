/* SPDX-License-Identifier: MIT */
#ifndef FUSE_SERVER_H
#define FUSE_SERVER_H

/* The answers of fuse_file.h's server, in a process of its own. */

#include "fuse_file.h"

struct served_file {
	_Atomic(enum fuse_file_mode) mode; /* looked at for each request */
	size_t size;
	unsigned char *content;
};

/* Serves a mount made with this descriptor of /dev/fuse, until there is none
 * any more. Closes it. */
void fuse_server_run(struct served_file *file, int device);

#endif
