/* SPDX-License-Identifier: MIT */
#include "attack.h"

#include "pool.h"
#include "window.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Descriptors that are no memory: most cannot be mapped at all, others can and
 * then misbehave.
 */

#define HOSTILE_PIXEL 0xff606020
#define PRESENTED 3

static int
open_or_fail(const char *path, int flags)
{
	int fd = open(path, O_CLOEXEC | flags);
	if (fd < 0)
		fail(path);
	return fd;
}

static int
open_directory(void)
{
	return open_or_fail("/", O_RDONLY | O_DIRECTORY);
}

static int
open_null(void)
{
	return open_or_fail("/dev/null", O_RDWR);
}

static int
open_zero(void)
{
	return open_or_fail("/dev/zero", O_RDWR);
}

static int
reopen_memory(int flags)
{
	int fd = file_create(PICTURE_BYTES, 0, HOSTILE_PIXEL);
	int reopened = file_reopen(fd, flags);
	close(fd);
	return reopened;
}

static int
open_path_only(void)
{
	return reopen_memory(O_PATH);
}

static int
open_write_only(void)
{
	return reopen_memory(O_WRONLY);
}

static int
open_pipe(void)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		fail("pipe2");
	close(ends[1]);
	return ends[0];
}

static int
open_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fail("socket");
	return fd;
}

static int
open_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	if (fd < 0)
		fail("eventfd");
	return fd;
}

/* Nothing may read such a file but through a mapping, and mapping it uses up
 * the compositor's locked memory. */
static int
open_secret(void)
{
#ifdef SYS_memfd_secret
	int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
	if (fd >= 0)
		file_resize(fd, PICTURE_BYTES);
	return fd;
#else
	errno = ENOSYS;
	return -1;
#endif
}

static void
not_memory(struct client *client, unsigned int number)
{
	static const struct {
		const char *label;
		int (*open)(void);
	} cases[] = {
		{"directory", open_directory},
		{"/dev/null", open_null},
		{"/dev/zero", open_zero},
		{"path only", open_path_only},
		{"write-only", open_write_only},
		{"pipe", open_pipe},
		{"socket", open_socket},
		{"eventfd", open_eventfd},
		{"memfd_secret", open_secret},
	};
	client_label(client, "%s", cases[number].label);
	int fd = cases[number].open();
	if (fd < 0) {
		client_skip(client, "%s: %s", cases[number].label,
			strerror(errno));
		return;
	}
	window_present(client, buffer_create(client, fd, &picture), PRESENTED);
	close(fd);
}

const struct attack descriptor_attacks[] = {
	{
		.name = "not-memory",
		.about = "makes pools of things that are not files",
		.expected = "refuses each one with invalid_fd",
		.rule = "wl_shm error invalid_fd",
		.accepted = OUTCOME_TOLD,
		.cases = 9,
		.run = not_memory,
	},
	{0},
};
