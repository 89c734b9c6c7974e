/* SPDX-License-Identifier: MIT */
#include "options.h"

#include "attack_run.h"
#include "shuffle.h"

#include <err.h>
#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE 10 /* seconds */
#define JOBS_MAX 64

enum {
	OPTION_COMPOSITOR = 256,
	OPTION_DISPLAY,
	OPTION_PID,
	OPTION_USER,
	OPTION_ONLY,
	OPTION_SKIP,
	OPTION_REPEAT,
	OPTION_TIMEOUT,
	OPTION_SEED,
	OPTION_STRICT,
	OPTION_TAP,
	OPTION_JSON,
	OPTION_REPORT,
	OPTION_LIST,
	OPTION_HELP,
	OPTION_VERSION,
};

static const struct option long_options[] = {
	{"compositor", required_argument, NULL, OPTION_COMPOSITOR},
	{"display", required_argument, NULL, OPTION_DISPLAY},
	{"pid", required_argument, NULL, OPTION_PID},
	{"user", required_argument, NULL, OPTION_USER},
	{"only", required_argument, NULL, OPTION_ONLY},
	{"skip", required_argument, NULL, OPTION_SKIP},
	{"repeat", required_argument, NULL, OPTION_REPEAT},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{"seed", required_argument, NULL, OPTION_SEED},
	{"jobs", required_argument, NULL, 'j'},
	{"strict", no_argument, NULL, OPTION_STRICT},
	{"tap", no_argument, NULL, OPTION_TAP},
	{"json", required_argument, NULL, OPTION_JSON},
	{"report", required_argument, NULL, OPTION_REPORT},
	{"list", no_argument, NULL, OPTION_LIST},
	{"help", no_argument, NULL, OPTION_HELP},
	{"version", no_argument, NULL, OPTION_VERSION},
	{0},
};

static void
print_usage(FILE *file)
{
	fprintf(file,
		"usage: shmguard-siege [options] --compositor COMMAND\n"
		"       shmguard-siege [options] --display NAME [--pid PID]\n"
		"       shmguard-siege --list\n"
		"\n"
		"Sets hostile clients on a Wayland compositor and tells what became of\n"
		"it. Do not attack the session that you work in.\n"
		"\n"
		"  --compositor COMMAND  a shell command that starts it, without a screen\n"
		"  --display NAME        one that runs already, as in WAYLAND_DISPLAY\n"
		"  --pid PID             its process, if not the one that listens there\n"
		"  --user NAME           run the compositor as this user (for root)\n"
		"  --only PATTERN,...    these attacks only; may be repeated\n"
		"  --skip PATTERN,...    all but these; may be repeated\n"
		"  --repeat N            make each attack N times\n"
		"  --timeout S           seconds to wait for any answer (default %d)\n"
		"  --seed N              shuffle attacks and their shapes, always alike\n"
		"  -j, --jobs N          use N compositors at the same time\n"
		"  --strict              an attack that is skipped is a failure\n"
		"  --tap                 print the Test Anything Protocol\n"
		"  --json FILE           write everything that was measured\n"
		"  --report FILE         write a page: HTML for *.html, else Markdown\n"
		"  --list, --help, --version\n"
		"\n"
		"Exit status: 0 all OK or skipped, 1 not so, 2 nothing could be attacked.\n",
		PATIENCE);
}

static void
list_attacks(void)
{
	const struct attack *attack;
	for (size_t i = 0; (attack = attack_at(i)) != NULL; i++)
		printf("%s\n    does:     %s\n    expected: %s\n"
			"    rule:     %s\n", attack->name, attack->about,
			attack->expected, attack->rule);
}

static unsigned int
parse_number(const char *option, const char *text, long max)
{
	char *end;
	long number = strtol(text, &end, 10);
	if (*text == '\0' || *end != '\0' || number < 1 || number > max)
		errx(EXIT_NOT_MADE, "--%s: '%s' is not a number from 1 to %ld",
			option, text, max);
	return (unsigned int)number;
}

/* Some compositors refuse to be root's, and some attacks have to be. */
static const struct passwd *
find_user(const char *name)
{
	const struct passwd *user = getpwnam(name);
	if (user == NULL)
		errx(EXIT_NOT_MADE, "--user: there is no '%s'", name);
	if (geteuid() != 0)
		errx(EXIT_NOT_MADE, "--user is for root");
	return user;
}

/* Sets the mark of each attack that one of the patterns means. */
static void
mark(bool *marks, const char *patterns)
{
	char *copy = strdup(patterns), *rest = copy, *pattern;
	if (copy == NULL)
		err(EXIT_NOT_MADE, NULL);
	while ((pattern = strsep(&rest, ",")) != NULL) {
		bool found = false;
		const struct attack *attack;
		for (size_t i = 0; (attack = attack_at(i)) != NULL; i++) {
			if (fnmatch(pattern, attack->name, 0) == 0) {
				marks[i] = true;
				found = true;
			}
		}
		if (!found)
			errx(EXIT_NOT_MADE, "there is no attack '%s', see --list",
				pattern);
	}
	free(copy);
}

static void
choose_attacks(struct options *options, const bool *only, bool any_only,
	const bool *skip, unsigned int total)
{
	unsigned int *order = calloc(total, sizeof(*order));
	options->attacks = calloc(total, sizeof(*options->attacks));
	if (order == NULL || options->attacks == NULL)
		err(EXIT_NOT_MADE, NULL);
	shuffle(order, total, options->seed);
	for (unsigned int i = 0; i < total; i++) {
		unsigned int attack = order[i];
		if ((only[attack] || !any_only) && !skip[attack])
			options->attacks[options->n_attacks++] = attack;
	}
	free(order);
	if (options->n_attacks == 0)
		errx(EXIT_NOT_MADE, "no attack is left");
}

static void
check(const struct options *options)
{
	const struct target *target = &options->target;
	if ((target->command == NULL) == (target->display == NULL))
		errx(EXIT_NOT_MADE, "either --compositor or --display is needed, "
			"see --help");
	if (target->command != NULL && target->pid != 0)
		errx(EXIT_NOT_MADE, "--pid belongs to --display");
	if (target->display != NULL && target->user != NULL)
		errx(EXIT_NOT_MADE, "--user belongs to --compositor");
	if (target->display != NULL && options->jobs > 1)
		errx(EXIT_NOT_MADE, "-j belongs to --compositor");
}

/* What says something and ends the program. */
__attribute__((noreturn))
static void
inform(int option)
{
	if (option == OPTION_LIST)
		list_attacks();
	else if (option == OPTION_HELP)
		print_usage(stdout);
	else
		printf("shmguard-siege %s\n", VERSION);
	exit(EXIT_SUCCESS);
}

static void
set(struct options *options, int option, const char *value)
{
	struct target *target = &options->target;
	switch (option) {
	case OPTION_COMPOSITOR:
		target->command = value;
		break;
	case OPTION_DISPLAY:
		target->display = value;
		break;
	case OPTION_PID:
		target->pid = (pid_t)parse_number("pid", value, INT_MAX);
		break;
	case OPTION_USER:
		target->user = find_user(value);
		break;
	case OPTION_REPEAT:
		options->repeat = parse_number("repeat", value, 10000);
		break;
	case OPTION_TIMEOUT:
		target->patience =
			1000 * (int)parse_number("timeout", value, 3600);
		break;
	case OPTION_SEED:
		options->seed = parse_number("seed", value, INT_MAX);
		break;
	case 'j':
		options->jobs = parse_number("jobs", value, JOBS_MAX);
		break;
	case OPTION_STRICT:
		options->strict = true;
		break;
	case OPTION_TAP:
		options->tap = true;
		break;
	case OPTION_JSON:
		options->json = value;
		break;
	case OPTION_REPORT:
		options->report = value;
		break;
	case '?':
		exit(EXIT_NOT_MADE);
	default:
		inform(option);
	}
}

void
options_parse(struct options *options, int argc, char *argv[])
{
	*options = (struct options){
		.target.patience = 1000 * PATIENCE,
		.repeat = 1,
		.jobs = 1,
	};
	unsigned int total = 1; /* at least */
	while (attack_at(total) != NULL)
		total++;
	bool *only = calloc(total, sizeof(*only));
	bool *skip = calloc(total, sizeof(*skip));
	bool any_only = false;
	if (only == NULL || skip == NULL)
		err(EXIT_NOT_MADE, NULL);

	argv[0] = program_invocation_short_name; /* for getopt_long()'s errors */
	int option;
	while ((option = getopt_long(argc, argv, "j:", long_options, NULL))
			!= -1) {
		if (option == OPTION_ONLY) {
			mark(only, optarg);
			any_only = true;
		} else if (option == OPTION_SKIP) {
			mark(skip, optarg);
		} else {
			set(options, option, optarg);
		}
	}
	if (optind < argc)
		errx(EXIT_NOT_MADE, "what is '%s'? See --help", argv[optind]);
	check(options);
	choose_attacks(options, only, any_only, skip, total);
	free(only);
	free(skip);
}

void
options_free(struct options *options)
{
	free(options->attacks);
}
