/* SPDX-License-Identifier: MIT */
#ifndef MONOTONIC_CLOCK_H
#define MONOTONIC_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NSEC_PER_SEC INT64_C(1000000000)

/* In nanoseconds. Any thread. */
static inline int64_t
monotonic_now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * NSEC_PER_SEC + time.tv_nsec;
}

#endif
