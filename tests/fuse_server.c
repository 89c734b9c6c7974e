/* SPDX-License-Identifier: MIT */
#define FUSE_USE_VERSION 35
#include "fuse_server.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NODE (FUSE_ROOT_ID + 1)

/* Handlers rarely need all that they are given. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

/* Whether the mode leaves nothing to be answered. A request that is not replied
 * to stays libfuse's until the server ends. */
static bool
misbehave(fuse_req_t request, fuse_ino_t node)
{
	const struct served_file *file = fuse_req_userdata(request);
	enum fuse_file_mode mode = node == FILE_NODE ? file->mode :
		FUSE_FILE_NORMAL;
	if (mode == FUSE_FILE_SLOW)
		usleep(FUSE_FILE_DELAY * 1000);
	if (mode == FUSE_FILE_ERROR)
		fuse_reply_err(request, EIO);
	return mode == FUSE_FILE_ERROR || mode == FUSE_FILE_SILENT;
}

static struct stat
attributes(const struct served_file *file, fuse_ino_t node)
{
	bool is_file = node == FILE_NODE;
	return (struct stat){
		.st_ino = node,
		.st_mode = is_file ? S_IFREG | 0600 : S_IFDIR | 0700,
		.st_nlink = 1,
		.st_uid = getuid(),
		.st_gid = getgid(),
		.st_size = is_file ? (off_t)file->size : 0,
	};
}

static void
answer_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	const struct fuse_entry_param entry = {
		.ino = FILE_NODE,
		.attr = attributes(fuse_req_userdata(request), FILE_NODE),
	};
	if (strcmp(name, "file") == 0)
		fuse_reply_entry(request, &entry);
	else
		fuse_reply_err(request, ENOENT);
}

static void
answer_getattr(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *info)
{
	const struct stat status = attributes(fuse_req_userdata(request), node);
	if (!misbehave(request, node))
		fuse_reply_attr(request, &status, 0);
}

static void
answer_setattr(fuse_req_t request, fuse_ino_t node, struct stat *status,
	int which, struct fuse_file_info *info)
{
	if (!misbehave(request, node))
		fuse_reply_err(request, EPERM);
}

static void
answer_statfs(fuse_req_t request, fuse_ino_t node)
{
	if (!misbehave(request, node))
		fuse_reply_statfs(request, &(struct statvfs){0});
}

static void
answer_read(fuse_req_t request, fuse_ino_t node, size_t size, off_t offset,
	struct fuse_file_info *info)
{
	const struct served_file *file = fuse_req_userdata(request);
	if (misbehave(request, node))
		return;
	off_t end = (off_t)file->size;
	if (file->mode == FUSE_FILE_SHORT)
		end /= 2;
	if (offset > end)
		offset = end;
	if ((off_t)size > end - offset)
		size = (size_t)(end - offset);
	fuse_reply_buf(request, (const char *)file->content + offset, size);
}

static void
answer_write(fuse_req_t request, fuse_ino_t node, const char *bytes,
	size_t size, off_t offset, struct fuse_file_info *info)
{
	struct served_file *file = fuse_req_userdata(request);
	off_t end = (off_t)file->size;
	if (misbehave(request, node))
		return;
	if (offset > end || (off_t)size > end - offset) {
		fuse_reply_err(request, EFBIG);
		return;
	}
	memcpy(file->content + offset, bytes, size);
	fuse_reply_write(request, size);
}

static void
answer_fsync(fuse_req_t request, fuse_ino_t node, int only_data,
	struct fuse_file_info *info)
{
	if (!misbehave(request, node))
		fuse_reply_err(request, 0);
}

static void
answer_close(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *info)
{
	if (!misbehave(request, node))
		fuse_reply_err(request, 0);
}

static const struct fuse_lowlevel_ops answers = {
	.lookup = answer_lookup,
	.getattr = answer_getattr,
	.setattr = answer_setattr,
	.statfs = answer_statfs,
	.read = answer_read,
	.write = answer_write,
	.fsync = answer_fsync,
	.flush = answer_close,
	.release = answer_close,
};

void
fuse_server_run(struct served_file *file, int device)
{
	char *arguments[] = {"fuse_file"}, mountpoint[32];
	struct fuse_args args = FUSE_ARGS_INIT(1, arguments);
	struct fuse_session *session =
		fuse_session_new(&args, &answers, sizeof(answers), file);
	if (session == NULL)
		return;
	/* So libfuse is told that there is a mount already. */
	snprintf(mountpoint, sizeof(mountpoint), "/dev/fd/%d", device);
	if (fuse_session_mount(session, mountpoint) == 0)
		fuse_session_loop(session);
	fuse_session_destroy(session);
}
