/* SPDX-License-Identifier: MIT */
#include "report.h"

#include "attack_run.h"

#include <string.h>

void
tap_begin(const struct siege *siege)
{
	const struct options *options = siege->options;
	printf("TAP version 13\n1..%u\n", options->n_attacks *
		options->repeat * siege_states(siege));
	fflush(stdout);
}

static void
print_comment(const char *text)
{
	while (*text != '\0') {
		size_t length = strcspn(text, "\n");
		printf("# %.*s\n", (int)length, text);
		text += length + (text[length] == '\n');
	}
}

void
tap_result(const struct siege *siege, const struct result *result)
{
	bool skipped = result->verdict == VERDICT_SKIP &&
		!siege->options->strict;
	bool failed = verdict_is_failure(result->verdict,
		siege->options->strict);
	printf("%s %zu - %s %s", failed ? "not ok" : "ok", siege->n_results,
		attack_at(result->attack)->name, state_word(result->state));
	if (skipped)
		printf(" # SKIP %s", result->text);
	printf("\n");
	if (!skipped) {
		printf("# %s: ", result->word);
		printf("%s\n", result->text);
	}
	print_comment(result->log);
	print_comment(result->backtrace);
	fflush(stdout);
}

void
tap_end(const struct siege *siege)
{
	if (siege->interrupted)
		printf("Bail out! interrupted\n");
}
