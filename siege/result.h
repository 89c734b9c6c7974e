/* SPDX-License-Identifier: MIT */
#ifndef SIEGE_RESULT_H
#define SIEGE_RESULT_H

/*
 * What comes of one run of one attack, as it travels from the process that made
 * it to the one that reports.
 */

#include "judgement.h"

#include <stdbool.h>

/* What the compositor had been through before. */
enum state {
	STATE_COLD,    /* nothing: it was just started */
	STATE_WARM,    /* an ordinary unsealed client, and other attacks */
	STATE_RUNNING, /* nobody knows: it was not started by us */
};

struct result {
	unsigned int attack; /* as in attack_at() */
	enum state state;
	unsigned int repeat;
	bool last;  /* of this attack in this round */
	bool unfit; /* the compositor could not even be started */

	enum verdict verdict;
	char word[32];
	char text[512];
	double seconds;
	struct evidence evidence;
	char log[1024];        /* the end of the compositor's; on failures */
	char backtrace[4096];  /* of a crash, if there is a debugger */
};

static inline const char *
state_word(enum state state)
{
	static const char *const words[] = {"cold", "warm", "running"};
	return words[state];
}

/* A failure makes the exit status. */
static inline bool
verdict_is_failure(enum verdict verdict, bool strict)
{
	return verdict != VERDICT_OK && (strict || verdict != VERDICT_SKIP);
}

#endif
