/* SPDX-License-Identifier: MIT */
#ifndef SIEGE_HUGE_PAGES_H
#define SIEGE_HUGE_PAGES_H

#include <stddef.h>

/* A file of huge pages, and whatever is needed to leave the machine without a
 * free one. The number of huge pages is the whole machine's: it is raised for a
 * moment and put back, also if this process is killed. */
struct huge_pages {
	int fd;
	int thief;  /* holds the pages that were free */
	int keeper; /* socket to the process that puts the number back */
	size_t size; /* of a page */
};

/* A file of `count` pages that can be sealed. Returns NULL, or why there can be
 * no such file. */
const char *huge_pages_acquire(struct huge_pages *pages, unsigned int count);

/* Makes a page, counted from 0, a hole that cannot be filled again. Returns NULL
 * or why not; huge_pages_release() is due either way. */
const char *huge_pages_punch(struct huge_pages *pages, unsigned int page);

void huge_pages_release(struct huge_pages *pages);

#endif
