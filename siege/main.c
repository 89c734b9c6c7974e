/* SPDX-License-Identifier: MIT */

/*
 * shmguard-siege-client: one hostile client for any compositor.
 *
 * Prints one line, "ATTACK: OUTCOME: details", and exits with 0 if a correct
 * compositor may act like that.
 */

#include "attack.h"

#include "canary.h"
#include "window.h"

#include <err.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WINDOW_PIXEL 0xff405060

/* No attack takes longer, whatever the compositor does. */
#define TIME_LIMIT 90 /* seconds */

static const struct attack *const families[] = {
	truncate_attacks,
	layout_attacks,
	lifetime_attacks,
	capture_attacks,
	descriptor_attacks,
	fuse_attacks,
	keymap_attacks,
	flood_attacks,
	friendly_clients,
};

/* Most attacks leave their objects to the end of the connection, as clients do
 * that are killed, and libwayland does not free them then. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
	return "leak:libwayland-client";
}

/* The cases of an attack that ended in the same way. */
struct tally {
	enum outcome outcome;
	unsigned int count;
	char text[192];
};

static void
list_attacks(void)
{
	for (size_t i = 0; i < ARRAY_LENGTH(families); i++) {
		for (const struct attack *attack = families[i];
				attack->name != NULL; attack++)
			printf("%s\n    does:     %s\n    expected: %s\n"
				"    rule:     %s\n", attack->name, attack->about,
				attack->expected, attack->rule);
	}
}

static const struct attack *
find_attack(const char *name)
{
	for (size_t i = 0; i < ARRAY_LENGTH(families); i++) {
		for (const struct attack *attack = families[i];
				attack->name != NULL; attack++) {
			if (strcmp(attack->name, name) == 0)
				return attack;
		}
	}
	return NULL;
}

static enum outcome
run_case(const struct attack *attack, unsigned int number, int patience,
	char *label, size_t label_size, char *text, size_t text_size)
{
	struct client client;
	if (client_connect(&client, patience) &&
			window_open(&client, WINDOW_PIXEL))
		attack->run(&client, number);
	else if (number == 0)
		errx(EXIT_UNABLE, "the compositor at WAYLAND_DISPLAY does not "
			"show a window");
	enum outcome outcome = judge_client(&client, text, text_size);
	if (attack->finish != NULL)
		attack->finish();
	snprintf(label, label_size, "%s", client.label);
	client_disconnect(&client);
	return outcome;
}

/* Counts the case among those that ended alike: the same outcome and, of a
 * protocol error, the same error whatever its message says. When there are
 * too many kinds of ends, the last one takes them. */
static void
tally_add(struct tally *tallies, size_t length, enum outcome outcome,
	const char *text)
{
	size_t i = 0;
	size_t kind = outcome == OUTCOME_TOLD ? strcspn(text, ":") : strlen(text);
	while (i < length - 1 && tallies[i].count > 0 &&
			(tallies[i].outcome != outcome ||
				strncmp(tallies[i].text, text, kind) != 0))
		i++;
	if (tallies[i].count++ == 0) {
		tallies[i].outcome = outcome;
		snprintf(tallies[i].text, sizeof(tallies[i].text), "%s", text);
	}
}

static void
tally_print(const struct tally *tallies, size_t length, unsigned int cases)
{
	const char *separator = ": ";
	for (size_t i = 0; i < length && tallies[i].count > 0; i++) {
		const struct tally *tally = &tallies[i];
		bool told = tally->outcome == OUTCOME_TOLD;
		const char *text = tally->text;
		int shown = (int)(told && cases > 1 ? strcspn(text, ":") :
			strlen(text));

		printf("%s", separator);
		if (cases > 1)
			printf("%ux ", tally->count);
		if (cases > 1 && !told)
			printf("%s%s", outcome_word(tally->outcome),
				shown > 0 ? ", " : "");
		printf("%.*s", shown, text);
		separator = "; ";
	}
	printf("\n");
}

/* Which outcome stands for an attack of several cases: one that is not
 * accepted before any that is, and a skipped one last. */
static int
weight(const struct attack *attack, enum outcome outcome)
{
	if (outcome == OUTCOME_SKIPPED)
		return 0;
	int factor = (attack->accepted & outcome) != 0 ? 1 : 100;
	return factor * (int)outcome;
}

static enum outcome
run_attack(const struct attack *attack, int patience, bool verbose)
{
	struct tally tallies[8] = {0};
	enum outcome result = OUTCOME_SKIPPED;
	unsigned int cases = attack->cases > 0 ? attack->cases : 1;

	for (unsigned int i = 0; i < cases; i++) {
		char label[64], text[192];
		enum outcome outcome = run_case(attack, i, patience, label,
			sizeof(label), text, sizeof(text));
		if (verbose)
			fprintf(stderr, "  %u %s: %s: %s\n", i + 1, label,
				outcome_word(outcome), text);
		tally_add(tallies, ARRAY_LENGTH(tallies), outcome, text);
		if (weight(attack, outcome) > weight(attack, result))
			result = outcome;
		if (outcome == OUTCOME_DIED || outcome == OUTCOME_HUNG)
			break;
	}
	printf("%s: %s", attack->name, outcome_word(result));
	tally_print(tallies, ARRAY_LENGTH(tallies), cases);
	return result;
}

static int
exit_status(const struct attack *attack, enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_SKIPPED:
		return EXIT_SKIPPED;
	case OUTCOME_DIED:
		return EXIT_DIED;
	case OUTCOME_HUNG:
		return EXIT_HUNG;
	default:
		return (attack->accepted & outcome) != 0 ? EXIT_SUCCESS :
			EXIT_NOT_ACCEPTED;
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
	int patience = 5000;
	bool canary = false, verbose = false;

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
			patience = 1000 * parse_number(optarg, 3600);
			break;
		case 'n':
			flood_size = (unsigned int)parse_number(optarg, 1000000);
			break;
		case 'v':
			verbose = true;
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
		return canary_sing(patience);
	const struct attack *attack = find_attack(argv[optind]);
	if (attack == NULL)
		errx(EXIT_UNABLE, "%s: no such attack, see --list", argv[optind]);
	alarm(TIME_LIMIT);
	enum outcome outcome = run_attack(attack, patience, verbose);
	if (client_is_interrupted())
		errx(EXIT_UNABLE, "interrupted");
	return exit_status(attack, outcome);
}
