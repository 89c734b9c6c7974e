/* SPDX-License-Identifier: MIT */
#include "compositor.h"

#include "attack.h"
#include "directory.h"
#include "process.h"

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_PATIENCE 30000 /* milliseconds until it listens */
#define STOP_GRACE 2000      /* the same from SIGTERM to SIGKILL */
#define STATUS_PATIENCE 2000 /* for a wrapper to tell what became of it */
#define KILL_PATIENCE 5000   /* and from there to its end */
#define GLANCE 20
#define LOG_MAX (1 << 20)

static void
log_path(const struct compositor *compositor, char *path, size_t size)
{
	snprintf(path, size, "%s/log", compositor->directory);
}

static void
become(const struct passwd *user)
{
	setenv("HOME", user->pw_dir, 1);
	setenv("USER", user->pw_name, 1);
	setenv("LOGNAME", user->pw_name, 1);
	if (initgroups(user->pw_name, user->pw_gid) < 0 ||
			setgid(user->pw_gid) < 0 || setuid(user->pw_uid) < 0)
		err(EXIT_UNABLE, "%s", user->pw_name);
	/* That was forgotten with our identity. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
}

__attribute__((noreturn))
static void
execute(const struct compositor *compositor, const char *command,
	const struct passwd *user)
{
	char path[PATH_MAX + 8];
	log_path(compositor, path, sizeof(path));
	int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (log < 0 || null < 0)
		err(EXIT_UNABLE, "%s", path);
	dup2(null, STDIN_FILENO);
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);

	const struct rlimit none = {0, 0};
	setrlimit(RLIMIT_CORE, &none);
	setsid();
	setenv("XDG_RUNTIME_DIR", compositor->directory, 1);
	unsetenv("WAYLAND_DISPLAY");
	unsetenv("WAYLAND_SOCKET");
	unsetenv("DISPLAY");
	signal(SIGPIPE, SIG_DFL);
	if (user != NULL)
		become(user);
	/* Where the kernel lets debuggers have their children only. */
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	execl("/bin/sh", "sh", "-c", command, NULL);
	err(EXIT_UNABLE, "/bin/sh");
}

/* Returns who listens, or 0. */
static pid_t
find_listener(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct ucred peer;
	socklen_t length = sizeof(peer);
	pid_t pid = 0;
	if (strlen(path) >= sizeof(address.sun_path))
		return 0;
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address,
			sizeof(address)) == 0 &&
			getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0)
		pid = peer.pid;
	close(fd);
	return pid;
}

/* Whatever its name is: a display's socket lies next to its lock. */
static bool
find_display(struct compositor *compositor)
{
	DIR *directory = opendir(compositor->directory);
	if (directory == NULL)
		return false;
	struct dirent *entry;
	while (compositor->pid == 0 && (entry = readdir(directory)) != NULL) {
		char path[PATH_MAX + NAME_MAX];
		size_t length = strlen(entry->d_name);
		if (length < 6 ||
				strcmp(entry->d_name + length - 5, ".lock") != 0)
			continue;
		int n = snprintf(path, sizeof(path), "%s/%.*s",
			compositor->directory, (int)length - 5, entry->d_name);
		if (n >= (int)sizeof(compositor->display))
			continue;
		compositor->pid = find_listener(path);
		strcpy(compositor->display, path);
	}
	closedir(directory);
	return compositor->pid != 0;
}

static bool
watch(struct compositor *compositor, char *problem, size_t size)
{
	compositor->pidfd = (int)syscall(SYS_pidfd_open, compositor->pid, 0);
	if (compositor->pidfd < 0)
		snprintf(problem, size, "process %d: %s", (int)compositor->pid,
			strerror(errno));
	return compositor->pidfd >= 0;
}

bool
compositor_start(struct compositor *compositor, const char *command,
	const struct passwd *user, const char *directory, char *problem,
	size_t size)
{
	*compositor = (struct compositor){.pidfd = -1};
	snprintf(compositor->directory, sizeof(compositor->directory), "%s",
		directory);
	if (mkdir(directory, 0700) < 0 || (user != NULL &&
			chown(directory, user->pw_uid, user->pw_gid) < 0)) {
		snprintf(problem, size, "%s: %s", directory, strerror(errno));
		return false;
	}
	compositor->child = process_fork();
	if (compositor->child == 0)
		execute(compositor, command, user);

	for (int waited = 0; waited < START_PATIENCE; waited += GLANCE) {
		if (find_display(compositor))
			return watch(compositor, problem, size);
		if (client_is_interrupted())
			break;
		if (process_has_ended(compositor->child, &compositor->status)) {
			compositor->child_ended = true;
			char log[256];
			compositor_log_tail(compositor, log, sizeof(log));
			snprintf(problem, size, "the compositor ended before it "
				"could be used: %s", log);
			return false;
		}
		poll(NULL, 0, GLANCE);
	}
	snprintf(problem, size, "the compositor does not listen");
	return false;
}

bool
compositor_adopt(struct compositor *compositor, const char *display, pid_t pid,
	char *problem, size_t size)
{
	*compositor = (struct compositor){.pidfd = -1};
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	if (display[0] != '/' && runtime == NULL) {
		snprintf(problem, size, "XDG_RUNTIME_DIR is not set");
		return false;
	}
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s%s%s", display[0] != '/' ? runtime : "",
		display[0] != '/' ? "/" : "", display);
	pid_t listener = find_listener(path);
	if (listener == 0) {
		snprintf(problem, size, "nobody listens at %s", path);
		return false;
	}
	strcpy(compositor->display, path);
	compositor->pid = pid != 0 ? pid : listener;
	return watch(compositor, problem, size);
}

bool
compositor_is_gone(struct compositor *compositor)
{
	struct pollfd pollfd = {.fd = compositor->pidfd, .events = POLLIN};
	if (poll(&pollfd, 1, 0) != 1)
		return false;
	if (compositor->child != 0 && !compositor->child_ended)
		compositor->child_ended = process_await_end(compositor->child,
			&compositor->status, STATUS_PATIENCE);
	return true;
}

void
compositor_log_tail(const struct compositor *compositor, char *text,
	size_t size)
{
	text[0] = '\0';
	char path[PATH_MAX + 8];
	log_path(compositor, path, sizeof(path));
	int fd = compositor->child != 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	off_t end = lseek(fd, 0, SEEK_END);
	off_t start = end > (off_t)size - 1 ? end - (off_t)size + 1 : 0;
	ssize_t length = pread(fd, text, size - 1, start);
	text[length > 0 ? length : 0] = '\0';
	close(fd);
	/* Whole lines only. */
	char *line = start > 0 ? strchr(text, '\n') : NULL;
	if (line != NULL)
		memmove(text, line + 1, strlen(line + 1) + 1);
	for (size_t i = strlen(text); i > 0 && text[i - 1] == '\n';)
		text[--i] = '\0';
}

void
compositor_log_trim(const struct compositor *compositor)
{
	char path[PATH_MAX + 8];
	struct stat stat_result;
	log_path(compositor, path, sizeof(path));
	/* It is written to at its end, wherever that is. */
	if (compositor->child != 0 && stat(path, &stat_result) == 0 &&
			stat_result.st_size > LOG_MAX && truncate(path, 0) < 0)
		warn("%s", path);
}

/* Its session may be more than one process. */
static bool
end_session(struct compositor *compositor, bool hung)
{
	pid_t child = compositor->child;
	kill(-child, SIGTERM);
	bool ended = compositor->child_ended || process_await_end(child,
		&compositor->status, hung ? 0 : STOP_GRACE);
	if (!ended)
		process_kill_descendants(child);
	kill(-child, SIGKILL);
	ended = ended || process_await_end(child, &compositor->status,
		KILL_PATIENCE);
	/* Orphans may have come to us. */
	while (waitpid(-child, NULL, WNOHANG) > 0)
		continue;
	return ended;
}

bool
compositor_stop(struct compositor *compositor, bool hung)
{
	bool ended = true;
	if (compositor->child != 0)
		ended = end_session(compositor, hung);
	if (compositor->pidfd >= 0)
		close(compositor->pidfd);
	if (compositor->directory[0] != '\0')
		directory_remove(compositor->directory);
	*compositor = (struct compositor){.pidfd = -1};
	return ended;
}
