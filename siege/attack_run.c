/* SPDX-License-Identifier: MIT */
#include "attack_run.h"

#include "shuffle.h"
#include "window.h"
#include "witness.h"

#include <err.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_PIXEL 0xff405060

static const struct attack *const families[] = {
	truncate_attacks,
	layout_attacks,
	size_attacks,
	lifetime_attacks,
	role_attacks,
	capture_attacks,
	descriptor_attacks,
	backing_attacks,
	fuse_attacks,
	keymap_attacks,
	flood_attacks,
	friendly_clients,
};

/* The cases of an attack that ended in the same way. */
struct tally {
	enum outcome outcome;
	unsigned int count;
	char text[192];
};

const struct attack *
attack_at(size_t index)
{
	for (size_t i = 0; i < ARRAY_LENGTH(families); i++) {
		for (const struct attack *attack = families[i];
				attack->name != NULL; attack++) {
			if (index-- == 0)
				return attack;
		}
	}
	return NULL;
}

const struct attack *
attack_find(const char *name)
{
	const struct attack *attack;
	for (size_t i = 0; (attack = attack_at(i)) != NULL; i++) {
		if (strcmp(attack->name, name) == 0)
			return attack;
	}
	return NULL;
}

static enum outcome
run_case(const struct attack *attack, unsigned int number, bool first,
	int patience, char *label, size_t label_size, char *text,
	size_t text_size)
{
	struct client client;
	if (client_connect(&client, patience) &&
			window_open(&client, WINDOW_PIXEL)) {
		/* Where it matters whether the window is really shown. */
		if (attack->reads || attack->accepted == OUTCOME_SERVED)
			witness_await(&client);
		attack->run(&client, number);
	} else if (first) {
		errx(EXIT_UNABLE, "the compositor at WAYLAND_DISPLAY does not "
			"show a window");
	}
	enum outcome outcome = judge_client(&client, attack->reads, text,
		text_size);
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

/* snprintf() at the end of a string, with what fits. */
__attribute__((format(printf, 3, 4)))
static void
append(char *text, size_t size, const char *format, ...)
{
	size_t length = strlen(text);
	va_list args;
	va_start(args, format);
	vsnprintf(text + length, size - length, format, args);
	va_end(args);
}

static void
tally_describe(const struct tally *tallies, size_t length, unsigned int cases,
	char *text, size_t size)
{
	text[0] = '\0';
	for (size_t i = 0; i < length && tallies[i].count > 0; i++) {
		const struct tally *tally = &tallies[i];
		bool told = tally->outcome == OUTCOME_TOLD;
		int shown = (int)(told && cases > 1 ?
			strcspn(tally->text, ":") : strlen(tally->text));

		append(text, size, "%s", i > 0 ? "; " : "");
		if (cases > 1)
			append(text, size, "%ux ", tally->count);
		if (cases > 1 && !told)
			append(text, size, "%s%s", outcome_word(tally->outcome),
				shown > 0 ? ", " : "");
		append(text, size, "%.*s", shown, tally->text);
	}
}

/* Which outcome stands for an attack of several cases: one that is not
 * accepted before any that is, and a skipped one last. */
static int
weight(const struct attack *attack, enum outcome outcome)
{
	static const enum outcome order[] = {
		OUTCOME_SKIPPED, OUTCOME_SERVED, OUTCOME_TOLD,
		OUTCOME_DISCONNECTED, OUTCOME_UNREAD, OUTCOME_WRONG,
		OUTCOME_STARVED, OUTCOME_HUNG, OUTCOME_DIED,
	};
	int place = 0;
	while (order[place] != outcome)
		place++;
	return (attack->accepted & outcome) != 0 || place == 0 ? place :
		place + (int)ARRAY_LENGTH(order);
}

void
attack_run(const struct attack *attack, const struct attack_options *options,
	struct attack_report *report)
{
	struct tally tallies[8] = {0};
	unsigned int cases = attack->cases > 0 ? attack->cases : 1;
	unsigned int *order = calloc(cases, sizeof(*order));
	if (order == NULL)
		err(EXIT_UNABLE, NULL);
	shuffle(order, cases, options->seed);
	report->outcome = OUTCOME_SKIPPED;
	report->shape[0] = '\0';

	for (unsigned int i = 0; i < cases; i++) {
		char label[64], text[192];
		enum outcome outcome = run_case(attack, order[i], i == 0,
			options->patience, label, sizeof(label), text,
			sizeof(text));
		if (options->verbose != NULL)
			fprintf(options->verbose, "  %u %s: %s: %s\n",
				order[i] + 1, label, outcome_word(outcome), text);
		tally_add(tallies, ARRAY_LENGTH(tallies), outcome, text);
		if (weight(attack, outcome) > weight(attack, report->outcome)) {
			report->outcome = outcome;
			snprintf(report->shape, sizeof(report->shape), "%s",
				label);
		}
		if (outcome == OUTCOME_DIED || outcome == OUTCOME_HUNG)
			break;
	}
	free(order);
	report->accepted = (attack->accepted & report->outcome) != 0;
	if (report->outcome == OUTCOME_SKIPPED)
		snprintf(report->text, sizeof(report->text), "%s",
			tallies[0].text);
	else
		tally_describe(tallies, ARRAY_LENGTH(tallies), cases,
			report->text, sizeof(report->text));
}
