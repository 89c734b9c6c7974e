/* SPDX-License-Identifier: MIT */
#ifndef FUZZ_SCRIPT_H
#define FUZZ_SCRIPT_H

/*
 * Inputs that are scripts: one byte chooses an operation, the bytes behind it are
 * its arguments, and so on to the end. Every sequence of bytes is a script.
 *
 * Kinds of arguments: 'b' is a byte, 'n' an entry of numbers.inc or, after the
 * byte 0xff, four bytes with any value, the lowest first. What is missing at the
 * end is zero.
 */

#include <stddef.h>
#include <stdint.h>

#define SCRIPT_ARGS_MAX 9

struct script_op {
	const char *args; /* a letter for each */
	void (*run)(void *world, const int32_t *args);
};

struct script {
	const uint8_t *data;
	size_t size;
};

uint8_t script_take_byte(struct script *script);
int32_t script_take_number(struct script *script);

/* Runs all that is left. No more than this many operations: time is bounded. */
#define SCRIPT_OPS_MAX 400
void script_run(struct script *script, const struct script_op *ops,
	size_t count, void *world);

#endif
