/* SPDX-License-Identifier: MIT */
#ifndef SCENARIOS_H
#define SCENARIOS_H

/*
 * What threads do at the same time, and what must then be so. Nothing in these files
 * is watched itself: it is there to see.
 */

#include "explorer.h"

/* Mappings that the library keeps in reserve. */
enum { SPARES = 16 };

/* Each ends with one that has no name. */
extern const struct scenario registry_scenarios[];
extern const struct scenario map_scenarios[];
extern const struct scenario end_scenarios[];

#endif
