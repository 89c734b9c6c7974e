/* SPDX-License-Identifier: MIT */
#ifndef SIEGE_ASSAULT_H
#define SIEGE_ASSAULT_H

/*
 * One attack on a stage, with everything measured before, during and after.
 */

#include "judgement.h"
#include "stage.h"

/* Milliseconds that an attack may take whatever the compositor does. */
#define ASSAULT_LIMIT 90000

/* Returns when the compositor has come to rest, is gone, or does not answer. */
void assault(struct stage *stage, const struct attack *attack,
	const struct attack_options *options, struct evidence *evidence);

/* An ordinary client with a file that is not sealed, such as every desktop has
 * had by the time it is attacked. Returns whether it was served. */
bool assault_warm_up(struct stage *stage);

#endif
