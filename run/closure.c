/* SPDX-License-Identifier: MIT */
#include "closure.h"

#include "status.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs the program's dynamic linker, which starts nothing when asked to list.
 * Its errors come among its output. */
static FILE *
start_linker(const char *linker, const char *program, pid_t *child)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		err(EXIT_USAGE, "pipe");
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
	char *const argv[] = {(char *)linker, "--list", (char *)program, NULL};
	int error = posix_spawn(child, linker, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	errno = error;
	FILE *output = error == 0 ? fdopen(ends[0], "r") : NULL;
	if (output == NULL)
		err(EXIT_NO_LIBRARY, "%s, the dynamic linker of %s", linker,
			program);
	return output;
}

static void
add_path(struct closure *closure, const char *path, size_t length)
{
	char **paths = reallocarray(closure->paths, closure->count + 1,
		sizeof(*paths));
	char *copy = strndup(path, length);
	if (paths == NULL || copy == NULL)
		err(EXIT_USAGE, NULL);
	paths[closure->count++] = copy;
	closure->paths = paths;
}

/* One of "name => path (address)", "path (address)" and "name (address)", which
 * is no file. */
static void
parse_line(struct closure *closure, const char *line)
{
	line += strspn(line, "\t ");
	const char *arrow = strstr(line, " => ");
	const char *path = arrow != NULL ? arrow + strlen(" => ") : line;
	const char *address = strrchr(path, '(');
	if (*path == '/' && address != NULL && address > path + 1)
		add_path(closure, path, (size_t)(address - 1 - path));
}

void
closure_list(struct closure *closure, const struct program *program)
{
	*closure = (struct closure){0};
	add_path(closure, program->path, strlen(program->path));
	const char *linker = elf_file_interpreter(&program->file);
	if (linker == NULL)
		errx(EXIT_NOT_GUARDABLE, "%s is linked statically: there is nothing "
			"in it that could be replaced", program->path);

	pid_t child;
	FILE *output = start_linker(linker, program->path, &child);
	char *line = NULL, complaint[512] = "";
	size_t size = 0;
	while (getline(&line, &size, output) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (*line == '\t')
			parse_line(closure, line);
		else
			snprintf(complaint, sizeof(complaint), "%s", line);
	}
	free(line);
	fclose(output);
	int status;
	if (waitpid(child, &status, 0) < 0)
		err(EXIT_USAGE, "waitpid");
	if (status != 0)
		errx(EXIT_NO_LIBRARY, "%s", *complaint != '\0' ? complaint : linker);
}

void
closure_free(struct closure *closure)
{
	for (size_t i = 0; i < closure->count; i++)
		free(closure->paths[i]);
	free(closure->paths);
}

bool
closure_has(const struct closure *closure, const char *path)
{
	for (size_t i = 0; i < closure->count; i++) {
		if (strcmp(closure->paths[i], path) == 0)
			return true;
	}
	return false;
}
