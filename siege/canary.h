/* SPDX-License-Identifier: MIT */
#ifndef SIEGE_CANARY_H
#define SIEGE_CANARY_H

/* A well-behaved client with an animated window that prints a line for every
 * frame the compositor presented, until it is told to stop by a signal (then 0
 * is returned) or loses the compositor (1). */
int canary_sing(int patience);

#endif
