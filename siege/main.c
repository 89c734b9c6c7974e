/* SPDX-License-Identifier: MIT */

/*
 * shmguard-siege-client: one hostile client for any compositor.
 *
 * Prints one line, "ATTACK: OUTCOME: details", and exits with 0 if a correct
 * compositor may act like that.
 */

#include "attack_run.h"

#include "canary.h"

#include <err.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* No attack takes longer, whatever the compositor does. */
#define TIME_LIMIT 90 /* seconds */

/* Most attacks leave their objects to the end of the connection, as clients do
 * that are killed, and libwayland does not free them then. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
	return "leak:libwayland-client";
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

static int
exit_status(const struct attack_report *report)
{
	switch (report->outcome) {
	case OUTCOME_SKIPPED:
		return EXIT_SKIPPED;
	case OUTCOME_DIED:
		return EXIT_DIED;
	case OUTCOME_HUNG:
		return EXIT_HUNG;
	default:
		return report->accepted ? EXIT_SUCCESS : EXIT_NOT_ACCEPTED;
	}
}

static void
handle_signal(int signal)
{
	(void)signal;
	client_interrupt();
}

/* What has to be undone, like huge pages, is undone on the way out of main(). */
static void
catch_signals(void)
{
	const struct sigaction action = {.sa_handler = handle_signal};
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	/* A compositor that hangs up must not take us along. */
	signal(SIGPIPE, SIG_IGN);
}

static void
print_usage(FILE *file)
{
	fprintf(file,
		"usage: shmguard-siege-client [options] ATTACK\n"
		"       shmguard-siege-client --list\n"
		"       shmguard-siege-client --canary\n"
		"\n"
		"Attacks the compositor at WAYLAND_DISPLAY and prints what came of it.\n"
		"\n"
		"  -l, --list       list the attacks\n"
		"  -c, --canary     behave: show an animation, print a line per frame\n"
		"  -t, --timeout S  seconds to wait for an answer (default 5)\n"
		"  -n, --flood N    objects that a flood makes (default 2000)\n"
		"  -v, --verbose    say how each case of an attack ended\n"
		"  -h, --help       print this\n"
		"\n"
		"Exit status: 0 as a correct compositor may do, 1 not so, 2 could not\n"
		"try, 3 the compositor died, 4 it hangs, 77 does not apply here.\n");
}

static int
parse_number(const char *text, long max)
{
	char *end;
	long number = strtol(text, &end, 10);
	if (*text == '\0' || *end != '\0' || number < 1 || number > max)
		errx(EXIT_UNABLE, "%s: not a number from 1 to %ld", text, max);
	return (int)number;
}

int
main(int argc, char *argv[])
{
	static const struct option options[] = {
		{"list", no_argument, NULL, 'l'},
		{"canary", no_argument, NULL, 'c'},
		{"timeout", required_argument, NULL, 't'},
		{"flood", required_argument, NULL, 'n'},
		{"verbose", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct attack_options attack_options = {.patience = 5000};
	bool canary = false;

	int option;
	while ((option = getopt_long(argc, argv, "lct:n:vh", options, NULL))
			!= -1) {
		switch (option) {
		case 'l':
			list_attacks();
			return EXIT_SUCCESS;
		case 'c':
			canary = true;
			break;
		case 't':
			attack_options.patience =
				1000 * parse_number(optarg, 3600);
			break;
		case 'n':
			flood_size = (unsigned int)parse_number(optarg, 1000000);
			break;
		case 'v':
			attack_options.verbose = stderr;
			break;
		case 'h':
			print_usage(stdout);
			return EXIT_SUCCESS;
		default:
			print_usage(stderr);
			return EXIT_UNABLE;
		}
	}
	if (argc - optind != (canary ? 0 : 1)) {
		print_usage(stderr);
		return EXIT_UNABLE;
	}

	catch_signals();
	if (canary)
		return canary_sing(attack_options.patience, NULL);
	const struct attack *attack = attack_find(argv[optind]);
	if (attack == NULL)
		errx(EXIT_UNABLE, "%s: no such attack, see --list", argv[optind]);
	alarm(TIME_LIMIT);
	struct attack_report report;
	attack_run(attack, &attack_options, &report);
	printf("%s: %s%s%s\n", attack->name, outcome_word(report.outcome),
		report.text[0] != '\0' ? ": " : "", report.text);
	if (client_is_interrupted())
		errx(EXIT_UNABLE, "interrupted");
	return exit_status(&report);
}
