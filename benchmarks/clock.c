/* SPDX-License-Identifier: MIT */
#include "clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t
clock_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void
samples_add(struct samples *samples, double value)
{
	if (samples->count < SAMPLES_MAX)
		samples->values[samples->count++] = value;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

double
samples_median(struct samples *samples)
{
	if (samples->count == 0) {
		errno = ENODATA;
		die("median");
	}
	qsort(samples->values, samples->count, sizeof(samples->values[0]),
		compare);
	size_t middle = samples->count / 2;
	if (samples->count % 2 == 1)
		return samples->values[middle];
	return (samples->values[middle - 1] + samples->values[middle]) / 2;
}

double
samples_max(const struct samples *samples)
{
	double max = 0;
	for (size_t i = 0; i < samples->count; i++) {
		if (samples->values[i] > max)
			max = samples->values[i];
	}
	return max;
}

void
report(const char *unit, double value, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\t%s\t%.6g\n", unit, value);
	fflush(stdout);
}

void
report_skip(const char *why, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\tskip\t%s\n", why);
	fflush(stdout);
}

void
die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}
