/* SPDX-License-Identifier: MIT */

/*
 * shmguard-run: starts a compositor with those libraries preloaded that guard
 * its wl_shm. See shmguard-run(1).
 */

#include "guards.h"
#include "policy_env.h"
#include "status.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	OPTION_CHECK = 1,
	OPTION_LIB_DIR,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_POLICY, /* and following: policy_variables */
};

static const char *const policy_variables[] = {
	"SHMGUARD_UNSEALED",
	"SHMGUARD_ADOPT_SEALS",
	"SHMGUARD_READ_ONLY",
	"SHMGUARD_LOG",
	"SHMGUARD_FEEDBACK",
	"SHMGUARD_BLOCKING",
};

static const struct option options[] = {
	{"unsealed", required_argument, NULL, OPTION_POLICY},
	{"adopt-seals", optional_argument, NULL, OPTION_POLICY + 1},
	{"read-only", optional_argument, NULL, OPTION_POLICY + 2},
	{"log", required_argument, NULL, OPTION_POLICY + 3},
	{"feedback", optional_argument, NULL, OPTION_POLICY + 4},
	{"blocking", required_argument, NULL, OPTION_POLICY + 5},
	{"check", no_argument, NULL, OPTION_CHECK},
	{"lib-dir", required_argument, NULL, OPTION_LIB_DIR},
	{"help", no_argument, NULL, OPTION_HELP},
	{"version", no_argument, NULL, OPTION_VERSION},
	{0},
};

static void
print_usage(void)
{
	printf("usage: shmguard-run [options] COMPOSITOR [ARGUMENT]...\n"
		"\n"
		"Starts a Wayland compositor, unchanged, with its wl_shm guarded.\n"
		"\n"
		"  --unsealed=trap|copy|reject    files not sealed against shrinking\n"
		"  --blocking=reject|allow|copy   files on FUSE, a network, ...\n"
		"  --adopt-seals[=0|1]            seal those that allow it\n"
		"  --read-only[=0|1]              never map files for writing\n"
		"  --log=error|info|debug[:FILE]  what is logged, and where to\n"
		"  --feedback[=0|1]               tell clients how they are guarded\n"
		"  --check                        say what would be guarded, start "
			"nothing\n"
		"  --lib-dir=DIR                  where the guards are, if not in\n"
		"                                 " LIB_DIR "\n"
		"  --help, --version\n"
		"\n"
		"Options win over the environment: SHMGUARD_UNSEALED and so on. "
			"Variables\n"
		"without an option, like SHMGUARD_MAX_POOLS, limit what a client "
			"may hold.\n"
		"See shmguard-run(1).\n");
}

static void
set_variable(const char *name, const char *value)
{
	if (setenv(name, value, 1) < 0)
		err(EXIT_USAGE, "%s", name);
}

/* Whatever the user preloads already comes after ours. */
static void
preload(const struct guards *guards)
{
	for (size_t i = guards->count; i-- > 0;) {
		const char *others = getenv("LD_PRELOAD");
		char *value;
		if (others == NULL || *others == '\0')
			value = strdup(guards->objects[i]);
		else if (asprintf(&value, "%s:%s", guards->objects[i], others) < 0)
			value = NULL;
		if (value == NULL)
			err(EXIT_USAGE, NULL);
		set_variable("LD_PRELOAD", value);
		free(value);
	}
}

/* The dynamic linker ignores what it cannot preload, and starts the program. */
static void
check_preload(const struct guards *guards, const struct program *program)
{
	struct closure closure;
	closure_list(&closure, program);
	for (size_t i = 0; i < guards->count; i++) {
		if (!closure_has(&closure, guards->objects[i]))
			errx(EXIT_NOT_INSTALLED, "the dynamic linker does not preload "
				"%s into %s", guards->objects[i], program->path);
	}
	closure_free(&closure);
}

/* Returns the number of arguments it took. */
static int
parse_options(int argc, char *argv[], bool *check, const char **directory)
{
	int option;
	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (option) {
		case OPTION_CHECK:
			*check = true;
			break;
		case OPTION_LIB_DIR:
			*directory = optarg;
			break;
		case OPTION_HELP:
			print_usage();
			exit(EXIT_SUCCESS);
		case OPTION_VERSION:
			printf("shmguard-run %s\n", VERSION);
			exit(EXIT_SUCCESS);
		case '?':
			exit(EXIT_USAGE);
		default:
			set_variable(policy_variables[option - OPTION_POLICY],
				optarg != NULL ? optarg : "1");
		}
	}
	if (optind == argc)
		errx(EXIT_USAGE, "which COMPOSITOR? See --help");
	return optind;
}

int
main(int argc, char *argv[])
{
	bool check = false;
	const char *directory = LIB_DIR;
	argv[0] = program_invocation_short_name; /* for getopt_long()'s errors */
	char **command = argv + parse_options(argc, argv, &check, &directory);
	const char *values;
	const char *bad = policy_env_find_bad(&values);
	if (bad != NULL)
		errx(EXIT_USAGE, "%s is '%s', which is not %s", bad, getenv(bad),
			values);
	char *absolute = realpath(directory, NULL);
	if (absolute == NULL)
		err(EXIT_NOT_INSTALLED, "%s", directory);

	struct program program;
	program_open(&program, command[0]);
	struct closure closure;
	closure_list(&closure, &program);
	struct guards guards;
	guards_choose(&guards, &closure, absolute);
	closure_free(&closure);
	free(absolute);
	preload(&guards);
	check_preload(&guards, &program);

	fprintf(check ? stdout : stderr, "shmguard-run: guarding %s: %s\n",
		program.path, guards.text);
	if (!check) {
		execv(program.path, command);
		err(EXIT_CANNOT_EXECUTE, "%s", program.path);
	}
	guards_free(&guards);
	program_close(&program);
	return EXIT_SUCCESS;
}
