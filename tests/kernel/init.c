/* SPDX-License-Identifier: MIT */

/*
 * The first process of the kernel that tests run in. The command line of the
 * kernel, which gives us what it does not know as environment, says:
 *
 *   out_tty=, err_tty=   terminals
 *   work_type=, work_source=, work_options=   of a file system to mount: what
 *                      is outside and can be written
 *
 * There it runs bash with the script `start` and leaves its exit status in the
 * file `status`. Statically linked: what is mounted over what does not matter.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define WORK "/mnt"

static void
end(const char *problem)
{
	if (problem != NULL)
		fprintf(stderr, "init: %s: %s\n", problem, strerror(errno));
	tcdrain(STDOUT_FILENO);
	tcdrain(STDERR_FILENO);
	sync();
	reboot(RB_POWER_OFF);
	_exit(1);
}

static void
must(int result, const char *what)
{
	if (result < 0)
		end(what);
}

static const char *
wanted(const char *name)
{
	const char *value = getenv(name);
	if (value == NULL) {
		errno = ENOENT;
		end(name);
	}
	return value;
}

/* What is written there arrives outside byte for byte. */
static void
use_terminal(const char *path, int as_fd)
{
	struct termios modes;
	int fd = open(path, O_RDWR | O_NOCTTY);
	must(fd, path);
	must(tcgetattr(fd, &modes), path);
	cfmakeraw(&modes);
	must(tcsetattr(fd, TCSANOW, &modes), path);
	must(dup2(fd, as_fd), path);
	close(fd);
}

/* Everybody's orphans are ours. */
static int
wait_for(pid_t child)
{
	int status;
	pid_t ended;
	do {
		ended = wait(&status);
	} while (ended != child && (ended > 0 || errno == EINTR));
	if (ended < 0)
		end("wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int
run(char *const arguments[])
{
	pid_t child = fork();
	must(child, "fork");
	if (child == 0) {
		setsid();
		execve(arguments[0], arguments, (char *[]){NULL});
		fprintf(stderr, "init: %s: %s\n", arguments[0], strerror(errno));
		_exit(127);
	}
	return wait_for(child);
}

int
main(void)
{
	/* The kernel may have done that. */
	if (mount("dev", "/dev", "devtmpfs", 0, NULL) < 0 && errno != EBUSY)
		end("/dev");
	int null = open("/dev/null", O_RDWR);
	must(dup2(null, STDIN_FILENO), "/dev/null");
	use_terminal(wanted("err_tty"), STDERR_FILENO);
	use_terminal(wanted("out_tty"), STDOUT_FILENO);

	must(mount(wanted("work_source"), WORK, wanted("work_type"),
		MS_NOSUID | MS_NODEV, wanted("work_options")), WORK);
	int status = run((char *[]){"/bin/bash", WORK "/start", NULL});

	FILE *file = fopen(WORK "/status", "w");
	if (file == NULL || fprintf(file, "%d\n", status) < 0 || fclose(file) != 0)
		end(WORK "/status");
	end(NULL);
}
