/* SPDX-License-Identifier: MIT */
#ifndef FUSE_FILE_H
#define FUSE_FILE_H

/*
 * One regular file, called "file", on a FUSE mount whose server misbehaves to
 * order. Linux 5.9 and later; needs libfuse 3, /dev/fuse and either CAP_SYS_ADMIN
 * or user namespaces, but no fusermount.
 *
 * The mount is attached to no directory and in nobody's mount table, as if it
 * were in a namespace of the client's, so there is nothing to clean up. The
 * server is a child process. It ends, and whoever waits for it gets an error,
 * when it is stopped, when the thread that started it ends, and in any case
 * after FUSE_FILE_LIFETIME seconds.
 *
 * While a server is silent, every copy of a descriptor of its file is a trap:
 * close(2) and exit(2) never return, not even for a process that is killed.
 * Start other servers and fork before such a file is opened, or after its
 * server was stopped; stop the server before closing.
 */

#include <stddef.h>

#define FUSE_FILE_LIFETIME 120 /* seconds */
#define FUSE_FILE_DELAY 500    /* milliseconds, FUSE_FILE_SLOW */
#define FUSE_FILE_BYTE 0x5f    /* what the file is full of */

enum fuse_file_mode {
	FUSE_FILE_NORMAL,
	/* Lookup and open(2) work; stat(2), statfs(2), reads, writes, fsync(2),
	 * truncate(2) and close(2) are never answered. */
	FUSE_FILE_SILENT,
	/* Each answer about the file takes FUSE_FILE_DELAY. */
	FUSE_FILE_SLOW,
	/* The same fail with EIO. */
	FUSE_FILE_ERROR,
	/* Reads end at half of the size that stat(2) tells: the kernel then
	 * takes the file for shorter, and pages that are mapped are gone. */
	FUSE_FILE_SHORT,
};

struct fuse_file;

/* A file of `size` bytes. NULL with errno (EPERM, ENOENT, ENODEV, ENOSYS, ...)
 * if FUSE is not available here. The caller's, until fuse_file_stop(). */
struct fuse_file *fuse_file_start(size_t size, enum fuse_file_mode mode);

/* Why fuse_file_start() has just returned NULL, for the user. */
const char *fuse_file_problem(void);

/* Ends the server, waits for it, and frees `file`. Its descriptors stay the
 * caller's; closing them does not block any more. NULL is allowed. */
void fuse_file_stop(struct fuse_file *file);

/* Returns a descriptor, close-on-exec, or -1 with errno. Works in all modes. */
int fuse_file_open(const struct fuse_file *file, int flags);

/* For requests that come after it returns; those that a silent server left
 * unanswered stay so until it is stopped. 0, or -1 with ENOTCONN if the server
 * has ended. */
int fuse_file_set_mode(struct fuse_file *file, enum fuse_file_mode mode);

/* Attaches the mount to a directory, for tests that want it in a mount table.
 * The caller should be in a mount namespace of its own, which takes the mount
 * along when it ends. 0, or -1 with errno. Once per file. */
int fuse_file_attach(const struct fuse_file *file, const char *directory);

#endif
