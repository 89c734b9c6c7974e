/* SPDX-License-Identifier: MIT */
#include "private_pages.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

static bool
keep(void *pages, size_t size)
{
	bool kept = true;
#ifdef MADV_DONTDUMP
	kept = madvise(pages, size, MADV_DONTDUMP) == 0;
#endif
#ifdef MADV_WIPEONFORK
	kept = madvise(pages, size, MADV_WIPEONFORK) == 0 && kept;
#endif
	return kept;
}

void *
private_pages_map(size_t size)
{
	void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pages == MAP_FAILED) {
		errno = ENOMEM;
		return NULL;
	}
	/* What fails here costs privacy in a crash, not the picture. */
	keep(pages, size);
	return pages;
}

bool
private_pages_can_be_kept(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *pages = mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
		-1, 0);
	if (pages == MAP_FAILED)
		return true; /* for all that is known */
	bool kept = keep(pages, page);
#ifdef MADV_DONTFORK
	kept = madvise(pages, page, MADV_DONTFORK) == 0 && kept;
#endif
	int saved_errno = errno;
	munmap(pages, page);
	errno = saved_errno;
	return kept;
}
