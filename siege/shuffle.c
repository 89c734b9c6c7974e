/* SPDX-License-Identifier: MIT */
#include "shuffle.h"

#include <stdlib.h>

void
shuffle(unsigned int *numbers, size_t length, unsigned int seed)
{
	for (size_t i = 0; i < length; i++)
		numbers[i] = (unsigned int)i;
	if (seed == 0)
		return;
	for (size_t i = length; i > 1; i--) {
		size_t other = (size_t)rand_r(&seed) % i;
		unsigned int number = numbers[i - 1];
		numbers[i - 1] = numbers[other];
		numbers[other] = number;
	}
}
