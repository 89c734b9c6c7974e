/* SPDX-License-Identifier: MIT */
#include "bystanders.h"

#include <time.h>

int64_t
now_us(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

void
beat_note(struct beat *beat)
{
	int64_t now = now_us();
	int64_t wait = now - atomic_exchange(&beat->last, now);
	if (wait > beat->longest)
		beat->longest = wait;
	beat->count++;
}

void
beat_reset(struct beat *beat)
{
	beat->last = now_us();
	beat->longest = 0;
}

int64_t
beat_longest(const struct beat *beat)
{
	int64_t wait = now_us() - beat->last;
	return wait > beat->longest ? wait : beat->longest;
}
