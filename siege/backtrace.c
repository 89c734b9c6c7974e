/* SPDX-License-Identifier: MIT */
#include "backtrace.h"

#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define GLANCE 10
#define ATTACH_PATIENCE 30000 /* milliseconds, to read symbols */
#define DEATH_PATIENCE 20000  /* the same, for all the rest */
#define GRACE 1000

/* A compositor that guards itself survives some SIGBUS: each is shown, and only
 * the last one is of interest. */
static const char script[] =
	"set pagination off\n"
	"set confirm off\n"
	"set width 0\n"
	"handle all nostop noprint pass\n"
	"handle SIGSEGV SIGABRT SIGFPE SIGILL stop print pass\n"
	"catch signal SIGBUS\n"
	"commands\n"
	"silent\n"
	"backtrace 24\n"
	"continue\n"
	"end\n"
	"echo attached\\n\n"
	"continue\n"
	"backtrace 24\n"
	"kill\n";

static pid_t
start_debugger(const struct stage *stage, int output)
{
	char path[64], pid[16];
	int input = memfd_create("siege-gdb", 0);
	if (input < 0 || write(input, script, sizeof(script) - 1) !=
			(ssize_t)sizeof(script) - 1)
		return -1;
	snprintf(path, sizeof(path), "/dev/fd/%d", input);
	snprintf(pid, sizeof(pid), "%d", (int)stage->compositor.pid);
	pid_t debugger = process_fork();
	if (debugger == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);
		dup2(null, STDIN_FILENO);
		dup2(output, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execlp("gdb", "gdb", "--batch", "--nx", "--quiet", "-iex",
			"set debuginfod enabled off", "-p", pid, "-x", path, NULL);
		_exit(EXIT_UNABLE);
	}
	close(input);
	return debugger;
}

/* What it has said so far; the end of it. */
static void
read_output(int output, char *text, size_t size)
{
	off_t end = lseek(output, 0, SEEK_END);
	off_t start = end > (off_t)size - 1 ? end - (off_t)size + 1 : 0;
	ssize_t length = pread(output, text, size - 1, start);
	text[length > 0 ? length : 0] = '\0';
}

static bool
await_attachment(pid_t debugger, int output, bool *ended)
{
	char text[1 << 16];
	int status;
	for (int waited = 0; waited < ATTACH_PATIENCE; waited += GLANCE) {
		*ended = process_has_ended(debugger, &status);
		if (*ended || client_is_interrupted())
			return false;
		read_output(output, text, sizeof(text));
		if (strstr(text, "attached\n") != NULL)
			return true;
		poll(NULL, 0, GLANCE);
	}
	return false;
}

/* The last stack that was printed, all of whose lines begin with a number. */
static void
take_last_stack(const char *output, char *text, size_t size)
{
	const char *start = NULL, *next = output;
	while ((next = strstr(next, "#0 ")) != NULL) {
		if (next == output || next[-1] == '\n')
			start = next;
		next++;
	}
	size_t length = 0;
	while (start != NULL && start[length] == '#') {
		size_t line = strcspn(start + length, "\n");
		if (start[length + line] == '\0' || length + line + 1 >= size)
			break;
		length += line + 1;
	}
	snprintf(text, size, "%.*s", (int)length, length > 0 ? start : "");
}

void
backtrace_take(struct stage *stage, const struct attack *attack,
	const struct attack_options *options, char *text, size_t size)
{
	static char said[1 << 20];
	bool ended = false;
	int status;
	text[0] = '\0';
	int output = memfd_create("siege-gdb", MFD_CLOEXEC);
	if (output < 0)
		return;
	pid_t debugger = start_debugger(stage, output);
	if (debugger > 0 && await_attachment(debugger, output, &ended)) {
		pid_t client = stage_attack(stage, attack, options, output);
		ended = process_await_end(debugger, &status, DEATH_PATIENCE);
		process_end(client, &status, GRACE);
	}
	if (debugger > 0 && !ended)
		process_end(debugger, &status, GRACE);
	read_output(output, said, sizeof(said));
	take_last_stack(said, text, size);
	close(output);
}
