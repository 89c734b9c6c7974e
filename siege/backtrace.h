/* SPDX-License-Identifier: MIT */
#ifndef SIEGE_BACKTRACE_H
#define SIEGE_BACKTRACE_H

#include "stage.h"

/* Makes an attack once more, with gdb attached to the compositor of the stage,
 * which was just opened and does not come out of it well, and says where that
 * died. Empty if there is no gdb, if it is not allowed to look, or if nobody
 * died this time. */
void backtrace_take(struct stage *stage, const struct attack *attack,
	const struct attack_options *options, char *text, size_t size);

#endif
