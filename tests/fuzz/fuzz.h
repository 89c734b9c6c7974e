/* SPDX-License-Identifier: MIT */
#ifndef FUZZ_H
#define FUZZ_H

/*
 * What the fuzz targets have in common. A target is a program with libFuzzer's
 * main(), which calls LLVMFuzzerTestOneInput() with one input after the other.
 */

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Says it and dies of a signal, which has libFuzzer keep the input. */
__attribute__((noreturn, format(printf, 4, 5)))
void fuzz_fail(const char *file, int line, const char *condition,
	const char *format, ...);

/* A property that must hold for every input. What follows is said if not. */
#define FUZZ_CHECK(condition, ...) do { \
	if (!(condition)) \
		fuzz_fail(__FILE__, __LINE__, #condition, __VA_ARGS__); \
} while (0)

#endif
