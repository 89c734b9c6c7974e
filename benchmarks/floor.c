/* SPDX-License-Identifier: MIT */

/* floor FAMILY...: what the kernel and the memory take for the same, without any
 * protocol, check or bookkeeping. Same lines as main.c. */

#include "clock.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, FRAME = 3840 * 2160 * 4 };

static int
make_file(size_t size, bool drawn)
{
	int fd = memfd_create("floor", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		die("memfd_create");
	if (!drawn)
		return fd;
	void *drawing = mmap(NULL, size, PROT_WRITE, MAP_SHARED, fd, 0);
	if (drawing == MAP_FAILED)
		die("mmap");
	memset(drawing, 0x5a, size);
	munmap(drawing, size);
	return fd;
}

static char *
map(int fd, size_t size)
{
	char *data = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED)
		die("mmap");
	return data;
}

static void
touch(const char *data, size_t size)
{
	for (size_t at = 0; at < size; at += PAGE)
		(void)((const volatile char *)data)[at];
}

/* A mapping that comes and goes, and its descriptor. */
static void
measure_churn(void)
{
	static const struct {
		const char *name;
		size_t size;
	} sizes[] = {{"64KiB", 64 << 10}, {"8MiB", 8 << 20}};
	for (int i = 0; i < 2; i++) {
		struct samples samples = {0};
		int fd = make_file(sizes[i].size, false);
		for (int j = 0; j < 301; j++) {
			uint64_t time = 0;
			for (int k = 0; k < 16; k++) {
				int received = dup(fd);
				uint64_t start = clock_now();
				char *data = map(received, sizes[i].size);
				close(received);
				munmap(data, sizes[i].size);
				time += clock_now() - start;
			}
			samples_add(&samples, (double)time / 16e3);
		}
		double median = samples_median(&samples);
		report("us", median, "churn/%s/sealed", sizes[i].name);
		report("us", median, "churn/%s/unsealed", sizes[i].name);
		close(fd);
	}
}

static char *
make_target(void)
{
	char *target = malloc(FRAME);
	if (target == NULL)
		die("malloc");
	memset(target, 1, FRAME);
	return target;
}

static void
measure_frame(void)
{
	struct samples mapped = {0}, read = {0};
	char *target = make_target();
	for (int i = 0; i < 15; i++) {
		int fd = make_file(FRAME, true);
		uint64_t start = clock_now();
		char *data = map(fd, FRAME);
		memcpy(target, data, FRAME);
		clock_keep(target);
		munmap(data, FRAME);
		samples_add(&mapped, (double)(clock_now() - start) / 1e6);

		start = clock_now();
		if (pread(fd, target, FRAME, 0) != FRAME)
			die("pread");
		samples_add(&read, (double)(clock_now() - start) / 1e6);
		close(fd);
	}
	double median = samples_median(&mapped);
	report("ms", median, "frame/4K/sealed");
	report("ms", median, "frame/4K/unsealed");
	report("ms", samples_median(&read), "frame/4K/pread");
	free(target);
}

static void
measure_copy(void)
{
	struct samples samples = {0};
	char *target = make_target();
	int fd = make_file(FRAME, true);
	char *data = map(fd, FRAME);
	for (int i = -2; i < 60; i++) {
		uint64_t start = clock_now();
		memcpy(target, data, FRAME);
		clock_keep(target);
		if (i >= 0)
			samples_add(&samples,
				(double)(clock_now() - start) / 1e6);
	}
	report("ms", samples_median(&samples), "copy/4K");
	free(target);
}

/* Unmapped and closed by the thread that is not to stall. */
static void
measure_stall(void)
{
	static const size_t sizes[] = {64, 256, 2048};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (int client_first = 1; client_first >= 0; client_first--) {
			size_t size = sizes[i] << 20;
			int fd = make_file(size, true);
			char *data = map(fd, size);
			touch(data, size);
			if (client_first)
				close(fd);
			uint64_t start = clock_now();
			munmap(data, size);
			report("ms", (double)(clock_now() - start) / 1e6,
				"stall/%zuMiB/client-%s", sizes[i],
				client_first ? "first" : "last");
			if (!client_first)
				close(fd);
		}
	}
}

static void
measure_resize(void)
{
	enum { PAGES = 80 << 8 };
	struct samples samples = {0};
	for (int i = 0; i < 5; i++) {
		int fd = make_file((size_t)PAGES * PAGE, false);
		char *data = map(fd, PAGE);
		uint64_t start = clock_now();
		for (size_t pages = 2; pages <= PAGES; pages++) {
			data = mremap(data, (pages - 1) * PAGE, pages * PAGE,
				MREMAP_MAYMOVE);
			if (data == MAP_FAILED)
				die("mremap");
		}
		samples_add(&samples,
			(double)(clock_now() - start) / 1e3 / PAGES);
		munmap(data, (size_t)PAGES * PAGE);
		close(fd);
	}
	report("us", samples_median(&samples), "resize/free");
}

static void
repair(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	char *page = (char *)((uintptr_t)info->si_addr & ~(uintptr_t)(PAGE - 1));
	if (mmap(page, 16 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS |
			MAP_FIXED, -1, 0) == MAP_FAILED)
		_exit(1);
}

static void
measure_fault(void)
{
	struct samples samples = {0};
	struct sigaction action = {
		.sa_sigaction = repair,
		.sa_flags = SA_SIGINFO,
	};
	sigaction(SIGBUS, &action, NULL);
	for (int i = 0; i < 50; i++) {
		int fd = make_file(16 * PAGE, true);
		char *data = map(fd, 16 * PAGE);
		touch(data, PAGE);
		if (ftruncate(fd, 0) < 0)
			die("ftruncate");
		uint64_t start = clock_now();
		touch(data, 1);
		samples_add(&samples, (double)(clock_now() - start) / 1e3);
		munmap(data, 16 * PAGE);
		close(fd);
	}
	report("us", samples_median(&samples), "fault/1");
}

/* Of a process that has next to nothing. */
static void
measure_spawn(void)
{
	struct samples samples = {0};
	for (int i = 0; i < 41; i++) {
		uint64_t start = clock_now();
		pid_t child = fork();
		if (child == 0) {
			execl("/bin/true", "true", (char *)NULL);
			_exit(1);
		}
		waitpid(child, NULL, 0);
		samples_add(&samples, (double)(clock_now() - start) / 1e6);
	}
	report("ms", samples_median(&samples), "spawn/20000");
}

static const struct {
	const char *name;
	void (*measure)(void);
} families[] = {
	{"churn", measure_churn},
	{"frame", measure_frame},
	{"copy", measure_copy},
	{"stall", measure_stall},
	{"resize", measure_resize},
	{"fault", measure_fault},
	{"spawn", measure_spawn},
};

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		for (size_t j = 0; j < sizeof(families) / sizeof(families[0]);
				j++) {
			if (strcmp(argv[i], families[j].name) == 0)
				families[j].measure();
		}
	}
	return 0;
}
