/* SPDX-License-Identifier: MIT */
#include "fuse_file.h"

#include "fuse_server.h"
#include "user_namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* In memory that is shared with the server. */
struct fuse_file {
	pid_t server;
	int pidfd; /* the server's */
	int mount; /* keeps the mount alive */
	struct served_file served;
	unsigned char content[];
};

/* ---- The server's process ---- */

static bool
configure(int context, const char *key, unsigned value)
{
	char text[16];
	snprintf(text, sizeof(text), "%u", value);
	return syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, key, text,
		0) == 0;
}

/* Returns the mount and the device to serve it from, or -1 with errno. */
static int
make_mount(int *device)
{
	bool contained = false;
	int context = (int)syscall(SYS_fsopen, "fuse", FSOPEN_CLOEXEC);
	if (context < 0 && errno == EPERM) {
		contained = user_namespace_enter();
		if (contained)
			context = (int)syscall(SYS_fsopen, "fuse",
				FSOPEN_CLOEXEC);
	}
	if (context < 0)
		return -1;
	/* So that the kernel lets whoever gets the file ask our server, as it
	 * does with a user's own processes. Contained, it would let nobody else. */
	if (!contained && syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG,
			"allow_other", NULL, 0) < 0)
		return -1;
	*device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (*device < 0 ||
			!configure(context, "fd", (unsigned)*device) ||
			!configure(context, "rootmode", 40700) || /* octal */
			!configure(context, "user_id", getuid()) ||
			!configure(context, "group_id", getgid()) ||
			syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE,
				NULL, NULL, 0) < 0)
		return -1;
	return (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC,
		MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
}

static void
run_server(struct fuse_file *file, int ready)
{
	/* The test's sockets and pipes must not seem open because of us. */
	ready = dup2(ready, STDERR_FILENO + 1);
	syscall(SYS_close_range, ready + 1, ~0U, 0);

	sigset_t none;
	sigemptyset(&none);
	signal(SIGALRM, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	alarm(FUSE_FILE_LIFETIME);

	/* Open as long as we live: the test takes a copy when it likes. */
	int device, mount = make_mount(&device);
	int outcome = mount < 0 ? -errno : mount;
	/* Entering a user namespace would have cleared this. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (write(ready, &outcome, sizeof(outcome)) != sizeof(outcome))
		return;
	close(ready);
	if (mount >= 0)
		fuse_server_run(&file->served, device);
}

/* ---- The test's process ---- */

/* Returns the mount that the server has made, or -1 with errno. */
static int
take_mount(const struct fuse_file *file, int ready)
{
	int outcome = -ECHILD; /* if it ended before it told */
	while (read(ready, &outcome, sizeof(outcome)) < 0 && errno == EINTR)
		continue;
	if (outcome < 0) {
		errno = -outcome;
		return -1;
	}
	return (int)syscall(SYS_pidfd_getfd, file->pidfd, outcome, 0);
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
	struct fuse_file *file = mmap(NULL, sizeof(*file) + size,
		PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (file == MAP_FAILED)
		return NULL;
	file->served.mode = mode;
	file->served.size = size;
	file->served.content = file->content;
	memset(file->content, FUSE_FILE_BYTE, size);

	int ready[2], error;
	if (pipe2(ready, O_CLOEXEC) < 0)
		goto err_pipe;
	pid_t server = fork();
	if (server == 0) {
		run_server(file, ready[1]);
		_exit(0);
	}
	close(ready[1]);
	if (server < 0)
		goto err_fork;
	file->server = server;
	file->pidfd = (int)syscall(SYS_pidfd_open, server, 0);
	file->mount = take_mount(file, ready[0]);
	if (file->mount < 0)
		goto err_mount;
	close(ready[0]);
	return file;

err_mount:
	error = errno;
	close(file->pidfd);
	end_server(server);
	errno = error;
err_fork:
	close(ready[0]);
err_pipe:
	munmap(file, sizeof(*file) + size);
	return NULL;
}

const char *
fuse_file_problem(void)
{
	return strerror(errno);
}

void
fuse_file_stop(struct fuse_file *file)
{
	if (file == NULL)
		return;
	end_server(file->server);
	close(file->mount);
	close(file->pidfd);
	munmap(file, sizeof(*file) + file->served.size);
}

int
fuse_file_open(const struct fuse_file *file, int flags)
{
	return openat(file->mount, "file", flags | O_CLOEXEC);
}

int
fuse_file_set_mode(struct fuse_file *file, enum fuse_file_mode mode)
{
	struct pollfd ended = {.fd = file->pidfd, .events = POLLIN};
	if (poll(&ended, 1, 0) == 1) {
		errno = ENOTCONN;
		return -1;
	}
	file->served.mode = mode;
	return 0;
}

int
fuse_file_attach(const struct fuse_file *file, const char *directory)
{
	return (int)syscall(SYS_move_mount, file->mount, "", AT_FDCWD,
		directory, MOVE_MOUNT_F_EMPTY_PATH);
}
