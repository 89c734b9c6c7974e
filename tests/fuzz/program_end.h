/* SPDX-License-Identifier: MIT */
#ifndef FUZZ_PROGRAM_END_H
#define FUZZ_PROGRAM_END_H

/*
 * For sources of programs that end when something is wrong: included before them,
 * this has them come back to PROGRAM_RUN() instead, and what they had allocated is
 * freed.
 */

#include <err.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern jmp_buf program_end;
extern int program_status;

/* Runs the statement; program_status is the exit status, -1 if it did not end the
 * program. The memory is freed by program_free(). */
#define PROGRAM_RUN(statement) do { \
	program_status = -1; \
	if (setjmp(program_end) == 0) \
		statement; \
} while (0)

void program_free(void);

__attribute__((noreturn))
void program_exit(int status);
__attribute__((noreturn, format(printf, 2, 3)))
void program_err(int status, const char *format, ...);
/* Formats and prints nothing. */
__attribute__((format(printf, 2, 3)))
int program_print(FILE *file, const char *format, ...);

void *program_calloc(size_t count, size_t size);
void *program_reallocarray(void *block, size_t count, size_t size);
char *program_strndup(const char *text, size_t size);
__attribute__((format(printf, 2, 3)))
int program_asprintf(char **text, const char *format, ...);
void program_release(void *block);

#ifndef PROGRAM_END_IMPLEMENTATION
#define exit program_exit
#define err program_err
#define errx program_err
#define fprintf program_print
#define printf(...) program_print(stdout, __VA_ARGS__)
#undef calloc
#define calloc program_calloc
#define reallocarray program_reallocarray
#undef strdup
#define strdup(text) program_strndup(text, strlen(text))
#undef strndup
#define strndup program_strndup
#define asprintf program_asprintf
#define free program_release
#endif

#endif
