/* SPDX-License-Identifier: MIT */
#ifndef SIEGE_JUDGEMENT_H
#define SIEGE_JUDGEMENT_H

/*
 * What was seen of an attack, and what to call it.
 */

#include "attack_run.h"
#include "holdings.h"

/* From good to bad. The worst that applies is the verdict. */
enum verdict {
	VERDICT_OK,
	VERDICT_SKIP,     /* does not apply here; no failure */
	VERDICT_UNPROVEN, /* the bad memory was never really read */
	VERDICT_STALL,    /* others waited too long */
	VERDICT_LEAK,     /* each attack leaves more behind than others do */
	VERDICT_WRONG,    /* an innocent client hurt, a guilty one never told */
	VERDICT_STARVED,  /* others could not connect, map or allocate */
	VERDICT_HANG,     /* nobody is answered */
	VERDICT_CRASH,
	VERDICT_ERROR, /* the attack could not be made: nothing is known */
};
#define VERDICTS (VERDICT_ERROR + 1)

/* How often an attack is made again when something seems to be left behind. */
#define LEAK_ROUNDS 3

struct evidence {
	/* Of the attack itself. */
	bool reported; /* else `problem` says what became of it */
	struct attack_report report;
	char problem[192];

	/* Of the compositor. */
	bool gone;
	bool killed;  /* `status` is known */
	int status;   /* as from wait(2) */
	long minor_faults;
	struct holdings before, after;
	bool counted;  /* these are known */
	/* If there was more after it: after ordinary clients for as long as it took,
	 * LEAK_ROUNDS more attacks, and ordinary clients for as long as these. */
	struct holdings rest, again, rest_again;
	bool repeated; /* these are known */

	/* Of the bystanders. Milliseconds. */
	bool served; /* afterwards */
	bool canary_lost;
	bool canary_stalled; /* it was not answered, rather than sent away */
	char canary_problem[192];
	unsigned int newcomers, refused;
	char newcomer_problem[192];
	bool by_frames; /* else the canary is not in sight: by answers */
	int calm_wait, wait; /* the canary's longest */
	int late; /* how late we woke up ourselves: others' load */
};

/* Waits shorter than that beyond the usual are not counted: milliseconds. */
#define STALL_MIN 200

/* Whether so many attacks left more behind than ordinary clients do. They leave
 * something as well with some compositors, for ever or until a cache is full. */
bool holdings_of_attacks(const struct holdings *before,
	const struct holdings *after, const struct holdings *rest, long attacks);

/* Says what it is in a word, such as CRASH(SIGBUS), and in a line. */
enum verdict judge(const struct evidence *evidence, char *word,
	size_t word_size, char *text, size_t text_size);

const char *verdict_word(enum verdict verdict);

#endif
