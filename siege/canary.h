/* SPDX-License-Identifier: MIT */
#ifndef SIEGE_CANARY_H
#define SIEGE_CANARY_H

struct bystanders;

/* A well-behaved client with an animated window, until it is told to stop by a
 * signal (then 0 is returned) or loses the compositor (1). It notes what it sees
 * in `bystanders`, or prints a line for every frame that was presented if that
 * is NULL. */
int canary_sing(int patience, struct bystanders *bystanders);

#endif
