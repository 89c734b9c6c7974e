/* SPDX-License-Identifier: MIT */
#ifndef LIBRARY_CODE_H
#define LIBRARY_CODE_H

/*
 * Where a library's code lies, so that a function that takes the place of
 * another one can tell who calls it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct library_code {
	size_t count;
	/* A library has one executable segment; some linkers make more. */
	struct {
		uintptr_t start, end;
	} segments[4];
};

/* Looks for a loaded library whose file name begins with `name`, which ends where
 * a version (-0.18) or a suffix (.so) begins. Empty if there is none. */
void library_code_find(struct library_code *code, const char *name);

/* Async-signal-safe. */
bool library_code_contains(const struct library_code *code,
	const void *address);

#endif
