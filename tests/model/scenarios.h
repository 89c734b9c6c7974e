/* SPDX-License-Identifier: MIT */
#ifndef SCENARIOS_H
#define SCENARIOS_H

#include "explorer.h"

/* Ends with one that has no name. */
extern const struct scenario scenarios[];

#endif
