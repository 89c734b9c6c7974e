/* SPDX-License-Identifier: MIT */
#ifndef SIEGE_OPTIONS_H
#define SIEGE_OPTIONS_H

/*
 * The command line of shmguard-siege.
 */

#include "stage.h"

#include <stdbool.h>

#define EXIT_FAILURES 1 /* some attack was not OK */
#define EXIT_NOT_MADE 2 /* usage, or there is nothing to attack */

struct options {
	struct target target;
	/* Attacks, as numbers for attack_at() in the order of the siege. */
	unsigned int *attacks;
	unsigned int n_attacks;
	unsigned int repeat;
	unsigned int seed;
	unsigned int jobs;
	bool strict;
	bool tap;
	const char *json;   /* file; may be NULL */
	const char *report; /* file; may be NULL */
};

/* Ends the program for --help, --list, --version and mistakes. Strings are
 * argv's; options_free() frees the rest. */
void options_parse(struct options *options, int argc, char *argv[]);
void options_free(struct options *options);

#endif
