/* SPDX-License-Identifier: MIT */
#ifndef SIEGE_NEWCOMER_H
#define SIEGE_NEWCOMER_H

struct bystanders;

/* Is one client after the other that connects, has a file mapped and a buffer
 * made, opens a small window if it may, and leaves, as notes in `bystanders`
 * tell, until a signal says to stop. `patience` in milliseconds. */
void newcomers_visit(int patience, struct bystanders *bystanders);

#endif
