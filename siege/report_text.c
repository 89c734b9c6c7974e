/* SPDX-License-Identifier: MIT */
#include "report.h"

#include "attack_run.h"

#include <string.h>
#include <unistd.h>

#define ATTACK_WIDTH 26
#define VERDICT_WIDTH 17

static bool
is_terminal(void)
{
	return isatty(STDOUT_FILENO) == 1;
}

static const char *
color(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_OK:
		return "\033[32m";
	case VERDICT_SKIP:
		return "\033[2m";
	case VERDICT_UNPROVEN:
	case VERDICT_STALL:
	case VERDICT_LEAK:
		return "\033[33m";
	default:
		return "\033[1;31m";
	}
}

static void
wipe_line(void)
{
	if (is_terminal())
		printf("\r\033[K");
}

void
text_begin(const struct siege *siege)
{
	const struct options *options = siege->options;
	printf("%s\n\n%-*s", options->target.command != NULL ?
		options->target.command : options->target.display, ATTACK_WIDTH,
		"attack");
	for (unsigned int i = 0; i < siege_states(siege); i++)
		printf(" %-*s", VERDICT_WIDTH,
			state_word(siege_state(siege, i)));
	printf(" what came of it\n");
	fflush(stdout);
}

static void
print_verdict(const struct result *result)
{
	if (result == NULL) {
		printf(" %-*s", VERDICT_WIDTH, "-");
		return;
	}
	bool colored = is_terminal();
	printf(" %s%-*s%s", colored ? color(result->verdict) : "",
		VERDICT_WIDTH, result->word, colored ? "\033[0m" : "");
}

/* One line for each state that has something of its own to say. */
void
text_row(const struct siege *siege, unsigned int attack)
{
	const struct result *first =
		siege_worst(siege, attack, siege_state(siege, 0));
	const struct result *last = siege_worst(siege, attack,
		siege_state(siege, siege_states(siege) - 1));
	wipe_line();
	printf("%-*s", ATTACK_WIDTH, attack_at(attack)->name);
	print_verdict(first);
	if (last != first)
		print_verdict(last);
	if (first != NULL)
		printf(" %s", first->text);
	if (first != NULL && last != NULL && last != first &&
			(first->verdict != last->verdict ||
				strcmp(first->text, last->text) != 0))
		printf("\n%*s warm: %s",
			ATTACK_WIDTH + 2 * (VERDICT_WIDTH + 1), "", last->text);
	printf("\n");
	fflush(stdout);
}

void
text_going_on(const char *names)
{
	if (!is_terminal())
		return;
	printf("\r\033[K\033[2m%.70s\033[0m", names);
	fflush(stdout);
}

/* In full, once: a failure of one state has often the same log in the other. */
static void
print_backtraces(const struct siege *siege)
{
	for (unsigned int i = 0; i < siege->options->n_attacks; i++) {
		unsigned int attack = siege->options->attacks[i];
		const struct result *result =
			siege_worst(siege, attack, siege_state(siege, 0));
		if (result != NULL && result->backtrace[0] != '\0')
			printf("\n%s: %s\n%s\n", attack_at(attack)->name,
				result->word, result->backtrace);
	}
}

void
text_end(const struct siege *siege)
{
	wipe_line();
	print_backtraces(siege);
	printf("\n%s%s in %.0f s\n", siege->interrupted ? "interrupted: " : "",
		siege_summary(siege), siege->seconds);
}
