/* SPDX-License-Identifier: MIT */
#include "small_tmpfs.h"

#include "user_namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int
make_file(size_t room)
{
	char size[32];
	snprintf(size, sizeof(size), "%zu", room);
	int context = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
	if (context < 0 && errno == EPERM && user_namespace_enter())
		context = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
	if (context < 0 || syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING,
			"size", size, 0) < 0 ||
			syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE,
				NULL, NULL, 0) < 0)
		return -1;
	int mount = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0);
	return mount < 0 ? -1 :
		openat(mount, "siege", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

/* A message of one int, 0 or an errno, and with 0 a descriptor. */
union ancillary {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static bool
send_file(int socket, int fd)
{
	int problem = fd < 0 ? errno : 0;
	struct iovec part = {&problem, sizeof(problem)};
	union ancillary ancillary = {0};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	if (fd >= 0) {
		message.msg_control = &ancillary;
		message.msg_controllen = sizeof(ancillary);
		ancillary.header.cmsg_level = SOL_SOCKET;
		ancillary.header.cmsg_type = SCM_RIGHTS;
		ancillary.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&ancillary.header), &fd, sizeof(fd));
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL) == sizeof(problem);
}

static int
receive_file(int socket)
{
	int fd, problem = ECHILD;
	struct iovec part = {&problem, sizeof(problem)};
	union ancillary ancillary = {0};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &ancillary,
		.msg_controllen = sizeof(ancillary),
	};
	ssize_t length;
	do {
		length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	} while (length < 0 && errno == EINTR);
	if (length != sizeof(problem) || problem != 0 ||
			message.msg_controllen == 0) {
		errno = problem;
		return -1;
	}
	memcpy(&fd, CMSG_DATA(&ancillary.header), sizeof(fd));
	return fd;
}

/* Another process, because it may have to leave our user namespace. */
int
small_tmpfs_file(size_t room)
{
	int sockets[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return -1;
	pid_t maker = fork();
	if (maker == 0)
		_exit(send_file(sockets[1], make_file(room)) ? 0 : 1);
	close(sockets[1]);
	int fd = maker < 0 ? -1 : receive_file(sockets[0]);
	int problem = errno;
	close(sockets[0]);
	if (maker > 0)
		waitpid(maker, NULL, 0);
	errno = problem;
	return fd;
}
