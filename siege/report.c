/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <string.h>

unsigned int
siege_states(const struct siege *siege)
{
	return siege->options->target.command != NULL ? 2 : 1;
}

enum state
siege_state(const struct siege *siege, unsigned int number)
{
	if (siege->options->target.command == NULL)
		return STATE_RUNNING;
	return number == 0 ? STATE_COLD : STATE_WARM;
}

/* A failure to try is worse than a skip, and nothing is better than OK. */
const struct result *
siege_worst(const struct siege *siege, unsigned int attack, enum state state)
{
	const struct result *worst = NULL;
	for (size_t i = 0; i < siege->n_results; i++) {
		const struct result *result = &siege->results[i];
		if (result->attack == attack && result->state == state &&
				(worst == NULL || result->verdict > worst->verdict))
			worst = result;
	}
	return worst;
}

unsigned int
siege_count(const struct siege *siege, enum verdict verdict)
{
	unsigned int count = 0;
	for (size_t i = 0; i < siege->n_results; i++)
		count += siege->results[i].verdict == verdict;
	return count;
}

bool
siege_has_failed(const struct siege *siege)
{
	const struct options *options = siege->options;
	size_t expected = (size_t)options->n_attacks * options->repeat *
		siege_states(siege);
	bool failed = siege->n_results < expected;
	for (size_t i = 0; i < siege->n_results; i++)
		failed = failed || verdict_is_failure(
			siege->results[i].verdict, options->strict);
	return failed;
}

const char *
siege_summary(const struct siege *siege)
{
	static char text[256];
	size_t length = 0;
	text[0] = '\0';
	for (int verdict = 0; verdict < VERDICTS; verdict++) {
		unsigned int count = siege_count(siege, (enum verdict)verdict);
		if (count > 0)
			length += (size_t)snprintf(text + length,
				sizeof(text) - length, "%s%u %s",
				length > 0 ? ", " : "", count,
				verdict_word((enum verdict)verdict));
	}
	return length > 0 ? text : "nothing was attacked";
}
