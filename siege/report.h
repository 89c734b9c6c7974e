/* SPDX-License-Identifier: MIT */
#ifndef SIEGE_REPORT_H
#define SIEGE_REPORT_H

/*
 * What a siege was and what came of it, for people and for programs.
 */

#include "options.h"
#include "result.h"

#include <stdio.h>
#include <time.h>

struct siege {
	const struct options *options;
	struct result *results; /* in the order in which they came */
	size_t n_results;
	time_t started;
	double seconds;
	bool interrupted;
};

/* How many runs each attack has, not counting repetitions, and which. */
unsigned int siege_states(const struct siege *siege);
enum state siege_state(const struct siege *siege, unsigned int number);

/* The worst that came of an attack in a state; NULL if nothing did. */
const struct result *siege_worst(const struct siege *siege,
	unsigned int attack, enum state state);

unsigned int siege_count(const struct siege *siege, enum verdict verdict);
bool siege_has_failed(const struct siege *siege);

/* "12 OK, 1 CRASH", in a buffer that is good until the next call. */
const char *siege_summary(const struct siege *siege);

/* The lines of standard output, live: in colours, and with a line that says
 * what is going on, if that is a terminal. */
void text_begin(const struct siege *siege);
void text_row(const struct siege *siege, unsigned int attack);
void text_going_on(const char *names);
void text_end(const struct siege *siege);

void tap_begin(const struct siege *siege);
void tap_result(const struct siege *siege, const struct result *result);
void tap_end(const struct siege *siege);

/* Whole files. Return false with errno if they cannot be written. */
bool json_write(const struct siege *siege, const char *path);
bool page_write(const struct siege *siege, const char *path);

#endif
