/* SPDX-License-Identifier: MIT */
#include "hole_check.h"

#include <stdint.h>
#include <string.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/mman.h>
#include <sys/sysinfo.h>
#endif

/* In what mincore(2) says of a page; it keeps the other bits for later. */
#define PRESENT 1
#define UNKNOWN 2

/* For files that are not ours to write the kernel says that all is there. */
static void
look(struct hole_window *window, const char *at, size_t length, size_t page)
{
	const char *start = at - (uintptr_t)at % page;
	size_t wanted = length + (size_t)(at - start);
	size_t pages = wanted / page + (wanted % page != 0);
	if (pages > HOLE_WINDOW_PAGES)
		pages = HOLE_WINDOW_PAGES;
	window->start = start;
	window->end = start + pages * page;
#ifdef __linux__
	if (mincore((void *)start, pages * page, window->pages) == 0)
		return;
#endif
	memset(window->pages, UNKNOWN, pages);
}

static enum hole_kind
kind_of(unsigned char page)
{
	if (page & PRESENT)
		return HOLE_PRESENT;
	return page == UNKNOWN ? HOLE_UNKNOWN : HOLE_ABSENT;
}

size_t
hole_window_run(struct hole_window *window, const void *at, size_t length,
	size_t ahead, enum hole_kind *kind)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const char *first = at;
	if (first < window->start || first >= window->end)
		look(window, first, ahead, page);

	size_t i = (size_t)(first - window->start) / page;
	size_t run = page - (size_t)(first - window->start) % page;
	*kind = kind_of(window->pages[i]);
	while (run < length && window->start + ++i * page < window->end &&
			kind_of(window->pages[i]) == *kind)
		run += page;
	return run < length ? run : length;
}

size_t
hole_check_absent(const void *start, size_t length)
{
	struct hole_window window = {0};
	const char *at = start;
	size_t sum = 0;
	while (length > 0) {
		enum hole_kind kind;
		size_t run = hole_window_run(&window, at, length, length,
			&kind);
		if (kind != HOLE_PRESENT)
			sum += run;
		at += run;
		length -= run;
	}
	return sum;
}

bool
hole_check_works(void)
{
	/* Of the stack there is at least the end. */
	char here = 0;
	return hole_check_absent(&here, 1) == 0;
}

size_t
hole_check_swapped(void)
{
#ifdef __linux__
	struct sysinfo info;
	if (sysinfo(&info) < 0)
		return 0;
	uint64_t swapped = (uint64_t)(info.totalswap - info.freeswap) *
		info.mem_unit;
	return swapped < SIZE_MAX ? (size_t)swapped : SIZE_MAX;
#else
	return 0;
#endif
}
