/* SPDX-License-Identifier: MIT */
#ifndef FUZZ_LINES_H
#define FUZZ_LINES_H

/*
 * Inputs that are text: strings, each ended by a newline or a NUL.
 */

#include <stddef.h>
#include <stdint.h>

/* Copies each to memory of its own, so that the sanitizer sees who reads past its
 * end. Not more than `max`; NULL follows the last, there must be room for it. */
size_t lines_split(const uint8_t *data, size_t size, char **lines, size_t max);
void lines_free(char **lines, size_t count);

#endif
