/* SPDX-License-Identifier: MIT */
#include "private_pages.h"

#include <errno.h>
#include <sys/mman.h>

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
#ifdef MADV_DONTDUMP
	madvise(pages, size, MADV_DONTDUMP);
#endif
#ifdef MADV_WIPEONFORK
	madvise(pages, size, MADV_WIPEONFORK);
#endif
	return pages;
}
