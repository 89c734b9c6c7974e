/* SPDX-License-Identifier: MIT */
#ifndef CLOCK_H
#define CLOCK_H

/* Taking times, and telling them to whoever runs the driver. */

#include <stddef.h>
#include <stdint.h>

/* Nanoseconds of a clock that nobody sets. */
uint64_t clock_now(void);

/* What was stored there is wanted: the compiler must not leave it out. */
static inline void
clock_keep(const void *memory)
{
	__asm__ volatile("" : : "r"(memory) : "memory");
}

#define SAMPLES_MAX 1024

/* All zero at first. Past SAMPLES_MAX the rest is dropped. */
struct samples {
	size_t count;
	double values[SAMPLES_MAX];
};

void samples_add(struct samples *samples, double value);
/* Sorts them. Dies if there are none. */
double samples_median(struct samples *samples);
double samples_max(const struct samples *samples);

/* One line on standard output: what was measured, in which unit. */
void report(const char *unit, double value, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same for what cannot be measured here. */
void report_skip(const char *why, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Ends the program, with errno in words. */
void die(const char *what) __attribute__((noreturn));

#endif
