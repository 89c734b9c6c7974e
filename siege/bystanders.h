/* SPDX-License-Identifier: MIT */
#ifndef SIEGE_BYSTANDERS_H
#define SIEGE_BYSTANDERS_H

/*
 * What the innocent clients of a siege see, in memory that their processes share
 * with whoever started them: one writer for each field unless said otherwise.
 * All zeros at first. Times are microseconds of CLOCK_MONOTONIC.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Something that should happen over and over. */
struct beat {
	_Atomic uint64_t count;
	_Atomic int64_t last;    /* when; also reset by the reader */
	_Atomic int64_t longest; /* wait since it was reset, by the reader */
};

struct bystanders {
	/* The canary's: frames presented, questions answered. */
	struct beat frames, answers;
	_Atomic bool canary_lost; /* what follows is written before */
	bool canary_stalled;      /* it was not answered */
	char canary_problem[192];

	/* The newcomers', one after the other. */
	_Atomic bool paused;  /* by the reader: let no other come */
	_Atomic bool windows; /* by the reader: let them open windows */
	_Atomic bool resting; /* none is there */
	_Atomic unsigned int tried, served, refused;
	char newcomer_problem[192]; /* of the last one that was refused */
};

int64_t now_us(void);

void beat_note(struct beat *beat);

/* For the reader: begins a new measurement, and its longest wait so far, which
 * includes one that is not over. */
void beat_reset(struct beat *beat);
int64_t beat_longest(const struct beat *beat);

#endif
