/* SPDX-License-Identifier: MIT */
#include "fuse_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <linux/mount.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FILE_NODE (FUSE_ROOT_ID + 1)
/* Bytes of a write request; the kernel asks for this much buffer at least. */
#define MAX_WRITE 4096
#define REQUEST_BYTES 8192

struct fuse_file {
	pid_t server;
	int control; /* one byte there: a mode; one byte back: done */
	int mount;   /* keeps the mount alive */
};

struct server {
	int device, control;
	enum fuse_file_mode mode;
	size_t size;
	unsigned char *content;
};

/* ---- The server: answers ---- */

static void
reply(const struct server *server, const struct fuse_in_header *request,
	int error, const void *body, size_t size)
{
	struct fuse_out_header header = {
		.len = (uint32_t)(sizeof(header) + size),
		.error = -error,
		.unique = request->unique,
	};
	struct iovec parts[] = {
		{.iov_base = &header, .iov_len = sizeof(header)},
		{.iov_base = (void *)body, .iov_len = size},
	};
	/* ENOENT: the request was given up. Nobody is left to be told. */
	(void)!writev(server->device, parts, size > 0 ? 2 : 1);
}

static struct fuse_attr
attributes(const struct server *server, uint64_t node)
{
	bool is_file = node == FILE_NODE;
	return (struct fuse_attr){
		.ino = node,
		.size = is_file ? server->size : 0,
		.blocks = is_file ? (server->size + 511) / 512 : 0,
		.mode = is_file ? S_IFREG | 0600 : S_IFDIR | 0700,
		.nlink = is_file ? 1 : 2,
		.uid = getuid(),
		.gid = getgid(),
		.blksize = 4096,
	};
}

static void
answer_init(const struct server *server, const struct fuse_in_header *request,
	const struct fuse_init_in *in)
{
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = in->minor < FUSE_KERNEL_MINOR_VERSION ? in->minor :
			FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = in->max_readahead,
		.max_write = MAX_WRITE,
	};
	reply(server, request, 0, &out, sizeof(out));
}

static void
answer_lookup(const struct server *server, const struct fuse_in_header *request,
	const char *name)
{
	if (strcmp(name, "file") != 0) {
		reply(server, request, ENOENT, NULL, 0);
		return;
	}
	struct fuse_entry_out out = {
		.nodeid = FILE_NODE,
		.attr = attributes(server, FILE_NODE),
	};
	reply(server, request, 0, &out, sizeof(out));
}

static void
answer_read(const struct server *server, const struct fuse_in_header *request,
	const struct fuse_read_in *in)
{
	size_t end = server->mode == FUSE_FILE_SHORT ? server->size / 2 :
		server->size;
	if (in->offset >= end) {
		reply(server, request, 0, NULL, 0);
		return;
	}
	size_t size = end - (size_t)in->offset;
	reply(server, request, 0, server->content + in->offset,
		in->size < size ? in->size : size);
}

static void
answer_write(const struct server *server, const struct fuse_in_header *request,
	const struct fuse_write_in *in)
{
	if (in->offset > server->size || in->size > server->size - in->offset) {
		reply(server, request, EFBIG, NULL, 0);
		return;
	}
	memcpy(server->content + in->offset, in + 1, in->size);
	struct fuse_write_out out = {.size = in->size};
	reply(server, request, 0, &out, sizeof(out));
}

static void
answer(const struct server *server, const struct fuse_in_header *request)
{
	const void *body = request + 1;
	struct fuse_attr_out attr_out = {
		.attr = attributes(server, request->nodeid),
	};
	struct fuse_open_out open_out = {.open_flags = 0};

	switch (request->opcode) {
	case FUSE_INIT:
		answer_init(server, request, body);
		break;
	case FUSE_LOOKUP:
		answer_lookup(server, request, body);
		break;
	case FUSE_GETATTR:
		reply(server, request, 0, &attr_out, sizeof(attr_out));
		break;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		reply(server, request, 0, &open_out, sizeof(open_out));
		break;
	case FUSE_READ:
		answer_read(server, request, body);
		break;
	case FUSE_WRITE:
		answer_write(server, request, body);
		break;
	case FUSE_FLUSH:
	case FUSE_FSYNC:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
		/* ENOSYS would make the kernel stop asking. */
		reply(server, request, 0, NULL, 0);
		break;
	default:
		reply(server, request, ENOSYS, NULL, 0);
		break;
	}
}

static void
handle(const struct server *server, const struct fuse_in_header *request)
{
	switch (request->opcode) {
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		return; /* want no answer */
	}

	bool about_file = request->nodeid == FILE_NODE &&
		request->opcode != FUSE_OPEN;
	if (about_file && server->mode == FUSE_FILE_SILENT)
		return;
	if (about_file && server->mode == FUSE_FILE_ERROR) {
		reply(server, request, EIO, NULL, 0);
		return;
	}
	if (about_file && server->mode == FUSE_FILE_SLOW) {
		struct timespec delay = {
			.tv_sec = FUSE_FILE_DELAY / 1000,
			.tv_nsec = FUSE_FILE_DELAY % 1000 * 1000000,
		};
		nanosleep(&delay, NULL);
	}
	answer(server, request);
}

static void
serve(struct server *server)
{
	_Alignas(8) char request[REQUEST_BYTES];
	struct pollfd polled[] = {
		{.fd = server->control, .events = POLLIN},
		{.fd = server->device, .events = POLLIN},
	};
	for (;;) {
		if (poll(polled, 2, -1) < 0)
			return;
		if (polled[0].revents != 0) {
			unsigned char mode;
			if (recv(server->control, &mode, 1, 0) != 1)
				return;
			server->mode = mode;
			(void)!send(server->control, &mode, 1, MSG_NOSIGNAL);
		}
		if (polled[1].revents != 0) {
			ssize_t got = read(server->device, request,
				sizeof(request));
			if (got >= (ssize_t)sizeof(struct fuse_in_header))
				handle(server, (void *)request);
			else if (got < 0 && errno != ENOENT && errno != EINTR)
				return;
		}
	}
}

/* ---- The server: becoming one ---- */

static bool
write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t length = (ssize_t)strlen(text);
	bool done = write(fd, text, (size_t)length) == length;
	close(fd);
	return done;
}

/* For the unprivileged: a user namespace in which mounting FUSE is allowed. */
static bool
enter_user_namespace(void)
{
	char uid_map[64], gid_map[64];
	snprintf(uid_map, sizeof(uid_map), "0 %u 1", (unsigned)geteuid());
	snprintf(gid_map, sizeof(gid_map), "0 %u 1", (unsigned)getegid());
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
		write_text("/proc/self/setgroups", "deny") &&
		write_text("/proc/self/gid_map", gid_map) &&
		write_text("/proc/self/uid_map", uid_map);
}

static bool
configure(int context, const char *key, const char *value)
{
	return syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, key, value,
		0) == 0;
}

/* Returns the mount and the device to serve it from, or -1 with errno. */
static int
make_mount(int *device)
{
	int context = (int)syscall(SYS_fsopen, "fuse", FSOPEN_CLOEXEC);
	if (context < 0 && errno == EPERM && enter_user_namespace())
		context = (int)syscall(SYS_fsopen, "fuse", FSOPEN_CLOEXEC);
	if (context < 0)
		return -1;
	*device = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (*device < 0)
		return -1;

	char device_text[16], uid_text[16], gid_text[16];
	snprintf(device_text, sizeof(device_text), "%d", *device);
	snprintf(uid_text, sizeof(uid_text), "%u", (unsigned)getuid());
	snprintf(gid_text, sizeof(gid_text), "%u", (unsigned)getgid());
	if (!configure(context, "fd", device_text) ||
			!configure(context, "rootmode", "40700") ||
			!configure(context, "user_id", uid_text) ||
			!configure(context, "group_id", gid_text) ||
			syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE,
				NULL, NULL, 0) < 0)
		return -1;
	return (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC,
		MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
}

/* Tells the parent an errno and, if that is 0, hands it the mount. */
static bool
send_mount(int control, int error, int mount)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} ancillary = {0};
	struct iovec part = {.iov_base = &error, .iov_len = sizeof(error)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	if (error == 0) {
		message.msg_control = &ancillary;
		message.msg_controllen = sizeof(ancillary);
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &mount, sizeof(int));
	}
	return sendmsg(control, &message, MSG_NOSIGNAL) >= 0;
}

static void
reset_process(int control)
{
	/* The test's sockets and pipes must not seem open because of us. */
	if (control > 0)
		syscall(SYS_close_range, 0, control - 1, 0);
	syscall(SYS_close_range, control + 1, ~0U, 0);

	sigset_t none;
	sigemptyset(&none);
	signal(SIGALRM, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	alarm(FUSE_FILE_LIFETIME);
}

static void
run_server(int control, size_t size, enum fuse_file_mode mode)
{
	reset_process(control);

	struct server server = {
		.control = control,
		.mode = mode,
		.size = size,
		.content = malloc(size + 1),
	};
	int mount = server.content == NULL ? -1 : make_mount(&server.device);
	if (mount < 0) {
		send_mount(control, errno, -1);
		return;
	}
	/* Entering a user namespace would have cleared this. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!send_mount(control, 0, mount))
		return;
	close(mount);
	memset(server.content, FUSE_FILE_BYTE, size);
	serve(&server);
}

/* ---- The test's side ---- */

static int
receive_mount(int control)
{
	int error = ECHILD, mount = -1;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} ancillary;
	struct iovec part = {.iov_base = &error, .iov_len = sizeof(error)};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &ancillary,
		.msg_controllen = sizeof(ancillary),
	};
	ssize_t got;
	do {
		got = recvmsg(control, &message, MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);

	const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (got == sizeof(error) && error == 0 && header != NULL)
		memcpy(&mount, CMSG_DATA(header), sizeof(int));
	errno = error;
	return mount;
}

static void
end_server(pid_t server)
{
	kill(server, SIGKILL);
	while (waitpid(server, NULL, 0) < 0 && errno == EINTR)
		continue;
}

struct fuse_file *
fuse_file_start(size_t size, enum fuse_file_mode mode)
{
	int control[2];
	struct fuse_file *file = malloc(sizeof(*file));
	if (file == NULL)
		return NULL;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0)
		goto err_socket;

	file->server = fork();
	if (file->server == 0) {
		run_server(control[1], size, mode);
		_exit(0);
	}
	close(control[1]);
	file->control = control[0];
	if (file->server < 0)
		goto err_fork;

	file->mount = receive_mount(file->control);
	if (file->mount < 0)
		goto err_mount;
	return file;

	int error;
err_mount:
	error = errno;
	end_server(file->server);
	errno = error;
err_fork:
	close(control[0]);
err_socket:
	free(file);
	return NULL;
}

void
fuse_file_stop(struct fuse_file *file)
{
	if (file == NULL)
		return;
	end_server(file->server);
	close(file->mount);
	close(file->control);
	free(file);
}

int
fuse_file_open(const struct fuse_file *file, int flags)
{
	return openat(file->mount, "file", flags | O_CLOEXEC);
}

int
fuse_file_set_mode(struct fuse_file *file, enum fuse_file_mode mode)
{
	unsigned char byte = (unsigned char)mode;
	if (send(file->control, &byte, 1, MSG_NOSIGNAL) != 1)
		return -1;
	ssize_t got;
	do {
		got = recv(file->control, &byte, 1, 0);
	} while (got < 0 && errno == EINTR);
	if (got == 0)
		errno = ENOTCONN;
	return got == 1 ? 0 : -1;
}

int
fuse_file_attach(const struct fuse_file *file, const char *directory)
{
	return (int)syscall(SYS_move_mount, file->mount, "", AT_FDCWD,
		directory, MOVE_MOUNT_F_EMPTY_PATH);
}
