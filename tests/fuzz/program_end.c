/* SPDX-License-Identifier: MIT */
#define PROGRAM_END_IMPLEMENTATION
#include "program_end.h"

#include "fuzz.h"

#include <stdarg.h>
#include <stdint.h>

#define BLOCKS_MAX 4096

jmp_buf program_end;
int program_status;

static void *blocks[BLOCKS_MAX];
static size_t block_count;

void
program_exit(int status)
{
	program_status = status;
	longjmp(program_end, 1);
}

static int
format_text(const char *format, va_list args)
{
	char text[4096];
	return format != NULL ? vsnprintf(text, sizeof(text), format, args) : 0;
}

void
program_err(int status, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	format_text(format, args);
	va_end(args);
	program_exit(status);
}

int
program_print(FILE *file, const char *format, ...)
{
	va_list args;
	(void)file;
	va_start(args, format);
	int length = format_text(format, args);
	va_end(args);
	return length;
}

static void *
keep(void *block)
{
	FUZZ_CHECK(block != NULL && block_count < BLOCKS_MAX,
		"%zu blocks of memory", block_count);
	blocks[block_count++] = block;
	return block;
}

void *
program_calloc(size_t count, size_t size)
{
	return keep(calloc(count, size));
}

static void
forget(void *block)
{
	for (size_t i = block_count; i-- > 0;) {
		if (blocks[i] == block) {
			blocks[i] = blocks[--block_count];
			return;
		}
	}
	FUZZ_CHECK(block == NULL, "memory that nobody allocated is freed");
}

void *
program_reallocarray(void *block, size_t count, size_t size)
{
	forget(block);
	return keep(reallocarray(block, count, size));
}

char *
program_strndup(const char *text, size_t size)
{
	return keep(strndup(text, size));
}

int
program_asprintf(char **text, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int length = vasprintf(text, format, args);
	va_end(args);
	keep(*text);
	return length;
}

void
program_release(void *block)
{
	forget(block);
	free(block);
}

void
program_free(void)
{
	while (block_count > 0)
		free(blocks[--block_count]);
}
