/* SPDX-License-Identifier: MIT */
#include "huge_pages.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define NR_HUGE_PAGES "/proc/sys/vm/nr_hugepages"

/* Free pages of others that we dare to hold for a moment. */
#define STOLEN_MAX 64

static long
count_read(void)
{
	long count = -1;
	FILE *file = fopen(NR_HUGE_PAGES, "re");
	if (file == NULL)
		return -1;
	if (fscanf(file, "%ld", &count) != 1)
		count = -1;
	fclose(file);
	return count;
}

static long
count_write(long count)
{
	FILE *file = fopen(NR_HUGE_PAGES, "we");
	if (file == NULL)
		return -1;
	fprintf(file, "%ld", count);
	return fclose(file) == 0 ? count_read() : -1;
}

static int
huge_file(void)
{
	return memfd_create("siege-huge",
		MFD_CLOEXEC | MFD_HUGETLB | MFD_ALLOW_SEALING);
}

const char *
huge_pages_acquire(struct huge_pages *pages, unsigned int count)
{
	*pages = (struct huge_pages){.fd = huge_file(), .thief = huge_file()};
	pages->lock = open(NR_HUGE_PAGES, O_RDONLY | O_CLOEXEC);
	if (pages->lock >= 0)
		flock(pages->lock, LOCK_EX);
	struct stat stat;
	if (pages->fd < 0 || pages->thief < 0 || fstat(pages->fd, &stat) < 0) {
		huge_pages_release(pages);
		return "the kernel has no huge pages";
	}
	pages->size = (size_t)stat.st_blksize;

	/* Fewer than asked for may be granted. */
	long before = count_read();
	long after = before < 0 ? before : count_write(before + (long)count);
	if (after > before)
		pages->added = after - before;
	if (fallocate(pages->fd, 0, 0, (off_t)(count * pages->size)) < 0) {
		huge_pages_release(pages);
		return geteuid() == 0 ? "the machine grants no huge page" :
			"only root may ask for a huge page";
	}
	return NULL;
}

const char *
huge_pages_punch(struct huge_pages *pages, unsigned int page)
{
	off_t size = (off_t)pages->size;
	if (fallocate(pages->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			page * size, size) < 0)
		return "no holes in huge pages";
	for (off_t i = 0; i < STOLEN_MAX; i++) {
		if (fallocate(pages->thief, 0, i * size, size) < 0)
			return NULL;
	}
	return "too many free huge pages";
}

void
huge_pages_release(struct huge_pages *pages)
{
	if (pages->fd >= 0)
		close(pages->fd);
	if (pages->thief >= 0)
		close(pages->thief);
	if (pages->added != 0)
		count_write(count_read() - pages->added);
	if (pages->lock >= 0) {
		flock(pages->lock, LOCK_UN);
		close(pages->lock);
	}
}
