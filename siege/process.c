/* SPDX-License-Identifier: MIT */
#include "process.h"

#include "attack.h"

#include <ctype.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define GLANCE 5          /* milliseconds */
#define KILL_PATIENCE 5000 /* for the kernel to take a process down */

pid_t
process_fork(void)
{
	pid_t parent = getpid();
	fflush(NULL);
	pid_t pid = fork();
	if (pid < 0)
		err(EXIT_UNABLE, "fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			_exit(EXIT_UNABLE);
	}
	return pid;
}

bool
process_has_ended(pid_t child, int *status)
{
	pid_t pid = waitpid(child, status, WNOHANG);
	return pid == child || (pid < 0 && errno == ECHILD);
}

bool
process_await_end(pid_t child, int *status, int milliseconds)
{
	for (int waited = 0; waited <= milliseconds; waited += GLANCE) {
		if (process_has_ended(child, status))
			return true;
		poll(NULL, 0, GLANCE);
	}
	return false;
}

bool
process_end(pid_t child, int *status, int grace)
{
	kill(child, SIGTERM);
	if (process_await_end(child, status, grace))
		return true;
	process_kill_descendants(child);
	kill(child, SIGKILL);
	return process_await_end(child, status, KILL_PATIENCE);
}

FILE *
process_file(pid_t pid, const char *name)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return fopen(path, "re");
}

/* 0 if it is gone. */
static pid_t
parent_of(pid_t pid)
{
	FILE *file = process_file(pid, "stat");
	if (file == NULL)
		return 0;
	char line[512];
	int parent = 0;
	/* The name, in parentheses, may hold anything. */
	const char *end = fgets(line, sizeof(line), file) != NULL ?
		strrchr(line, ')') : NULL;
	if (end == NULL || sscanf(end, ") %*c %d", &parent) != 1)
		parent = 0;
	fclose(file);
	return parent;
}

/* As deep as processes have children. */
void
process_kill_descendants(pid_t pid) /* NOLINT(misc-no-recursion) */
{
	DIR *directory = opendir("/proc");
	if (directory == NULL)
		return;
	struct dirent *entry;
	while ((entry = readdir(directory)) != NULL) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		pid_t other = (pid_t)atoi(entry->d_name);
		if (other == pid || parent_of(other) != pid)
			continue;
		process_kill_descendants(other);
		kill(other, SIGKILL);
	}
	closedir(directory);
}
