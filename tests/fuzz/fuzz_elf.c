/* SPDX-License-Identifier: MIT */

/*
 * A file, damaged or not, that shmguard-run takes for part of a program: it says
 * what it is or that it is nothing, in little time and memory. An input that begins
 * with a tab is what a dynamic linker lists.
 */

#include "fuzz.h"
#include "lines.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* Of processor time, for a file of at most some 100 KiB, instrumented. */
#define SECONDS_MAX 10

#define STOCK_LIBRARY "libshmguard-stock.so.1"
#define FDS_LIBRARY "libshmguard-fds.so.1"
static int have_object(const char *path, int mode);

#define access have_object
#include "program_end.h"
#include "../../run/guards.c"
#include "../../run/closure.c"
#undef access

static int
have_object(const char *path, int mode)
{
	(void)mode;
	return strstr(path, "/shmguard/") != NULL ? -1 : 0;
}

static double
processor_time(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Copied, so that the sanitizer sees each byte of it. */
static void
read_string(const char *text)
{
	if (text != NULL)
		free(strdup(text));
}

static void
inspect(const char *path)
{
	struct elf_file file, self;
	if (elf_file_open(&file, path) < 0)
		return;
	read_string(elf_file_interpreter(&file));
	read_string(elf_file_soname(&file));
	struct symbol_use uses[] = {
		{.name = "wl_display_init_shm"}, {.name = "f"}, {.name = ""},
	};
	elf_file_find_symbols(&file, uses, 3);
	for (size_t i = 0; i < 3; i++)
		FUZZ_CHECK(uses[i].index != 0 ||
			(!uses[i].defined && !uses[i].redirectable),
			"%s is used without being there", uses[i].name);
	if (elf_file_open(&self, "/proc/self/exe") == 0) {
		elf_file_is_like(&file, &self);
		elf_file_close(&self);
	}
	elf_file_close(&file);
}

static void
choose(char *path)
{
	const struct closure closure = {.paths = &path, .count = 1};
	struct guards guards;
	PROGRAM_RUN(guards_choose(&guards, &closure, "/usr/lib"));
	FUZZ_CHECK(program_status == -1 ? guards.count > 0 :
		program_status >= EXIT_OTHER_MACHINE, "status %d, %zu guards",
		program_status, program_status == -1 ? guards.count : 0);
	if (program_status == -1)
		guards_free(&guards);
	program_free();
}

static void
parse_list(const uint8_t *data, size_t size)
{
	char *lines[256 + 1];
	size_t count = lines_split(data, size, lines, 256);
	struct closure closure = {0};
	for (size_t i = 0; i < count; i++)
		parse_line(&closure, lines[i]);
	for (size_t i = 0; i < closure.count; i++)
		FUZZ_CHECK(closure.paths[i][0] == '/' &&
			closure_has(&closure, closure.paths[i]), "%s",
			closure.paths[i]);
	closure_free(&closure);
	program_free();
	lines_free(lines, count);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	double start = processor_time();
	if (size > 0 && data[0] == '\t') {
		parse_list(data, size);
	} else {
		int fd = memfd_create("x", MFD_CLOEXEC);
		FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size,
			"cannot write the file");
		char path[64];
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		inspect(path);
		choose(path);
		close(fd);
	}
	double seconds = processor_time() - start;
	FUZZ_CHECK(seconds < SECONDS_MAX, "%.1f seconds", seconds);
	return 0;
}
