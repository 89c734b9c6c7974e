/* SPDX-License-Identifier: MIT */

/*
 * The command lines of shmguard-run and shmguard-siege, an argument a line; the
 * first line begins with 's' for the latter. What they would start is not started.
 */

#include "fuzz.h"
#include "lines.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <unistd.h>

#define ARGUMENTS_MAX 64
#define VARIABLES_MAX 64

/* Parses the command line of shmguard-siege. */
void besiege(int argc, char **argv);

static const char *started; /* the first argument of it */
static char preloaded[8192];     /* its LD_PRELOAD */
static char *variables[VARIABLES_MAX + 1];
static int start(const char *path, char *const argv[]);
static int set_own_variable(const char *name, const char *value, int replace);
static char *find_directory(const char *path, char *resolved);

#define LIB_DIR "/usr/lib"
#define VERSION "0"
#define main shmguard_run
#define execv start
#define setenv set_own_variable
#define realpath find_directory
#include "program_end.h"
#include "../../run/main.c"
#undef main

/* ---- In place of what looks at files ---- */

static int
start(const char *path, char *const argv[])
{
	FUZZ_CHECK(*path == '/', "%s", path);
	started = argv[0];
	return -1;
}

/* glibc's keeps every value that there ever was. */
static int
set_own_variable(const char *name, const char *value, int replace)
{
	size_t length = strlen(name);
	int i = 0;
	while (variables[i] != NULL && (strncmp(variables[i], name, length) != 0 ||
			variables[i][length] != '='))
		i++;
	FUZZ_CHECK(i < VARIABLES_MAX && replace != 0, "%d variables", i);
	asprintf(&variables[i], "%s=%s", name, value);
	return 0;
}

static char *
find_directory(const char *path, char *resolved)
{
	errno = ENOENT;
	return *path == '/' && resolved == NULL ? strdup(path) : NULL;
}

void
program_open(struct program *program, const char *name)
{
	program->path = strdup("/usr/bin/weston");
	program->name = name;
}

void
program_close(struct program *program)
{
	free(program->path);
}

void
closure_list(struct closure *closure, const struct program *program)
{
	closure->count = *program->path == '/';
}

void
closure_free(struct closure *closure)
{
	closure->count = 0;
}

/* What preload() made of it: ours are there, in their order. */
bool
closure_has(const struct closure *closure, const char *path)
{
	const char *list = getenv("LD_PRELOAD");
	return closure->count > 0 && list != NULL && strstr(list, path) != NULL;
}

void
guards_choose(struct guards *guards, const struct closure *closure,
	const char *directory)
{
	*guards = (struct guards){.count = 2 * closure->count};
	snprintf(preloaded, sizeof(preloaded), "%s/0.so:%s/1.so", directory,
		directory);
	for (size_t i = 0; i < guards->count; i++)
		asprintf(&guards->objects[i], "%s/%zu.so", directory, i);
}

void
guards_free(struct guards *guards)
{
	for (size_t i = 0; i < guards->count; i++)
		free(guards->objects[i]);
}

/* ---- What must be so ---- */

static void
check_start(char **argv, int argc)
{
	int i = 1;
	while (i < argc && argv[i] != started)
		i++;
	FUZZ_CHECK(i < argc, "%s is started, which is no argument", started);
	const char *values;
	FUZZ_CHECK(policy_env_find_bad(&values) == NULL,
		"started with %s in the environment",
		policy_env_find_bad(&values));
	const char *list = getenv("LD_PRELOAD");
	FUZZ_CHECK(list != NULL && strcmp(list, preloaded) == 0,
		"LD_PRELOAD is %s and not %s", list, preloaded);
}

static void
run(int argc, char **argv)
{
	started = NULL;
	PROGRAM_RUN(shmguard_run(argc, argv));
	FUZZ_CHECK(program_status == -1 || program_status == 0 ||
		program_status >= EXIT_OTHER_MACHINE, "status %d",
		program_status);
	if (started != NULL)
		check_start(argv, argc);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *lines[ARGUMENTS_MAX + 1], *argv[ARGUMENTS_MAX + 1];
	size_t count = lines_split(data, size, lines, ARGUMENTS_MAX);
	/* getopt_long() changes the order. */
	memcpy(argv, lines, sizeof(argv));

	memset(variables, 0, sizeof(variables));
	char **saved = environ;
	environ = variables;
	optind = 0;
	opterr = 0;
	if (*argv[0] == 's')
		besiege((int)count, argv);
	else
		run((int)count, argv);
	environ = saved;
	program_free();
#undef free
	lines_free(lines, count);
	return 0;
}
