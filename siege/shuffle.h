/* SPDX-License-Identifier: MIT */
#ifndef SIEGE_SHUFFLE_H
#define SIEGE_SHUFFLE_H

#include <stddef.h>

/* Fills the array with the numbers from 0, in an order that depends on the seed
 * alone; 0 leaves them in their own. */
void shuffle(unsigned int *numbers, size_t length, unsigned int seed);

#endif
