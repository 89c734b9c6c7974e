/* SPDX-License-Identifier: MIT */
#include "page_probe.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#if defined(__linux__) && !defined(MADV_POPULATE_READ)
#define MADV_POPULATE_READ 22
#endif

enum page_backing
page_probe(void *block, size_t block_size)
{
#ifdef __linux__
	if (madvise(block, block_size, MADV_POPULATE_READ) == 0)
		return PAGE_BACKED;
	if (errno != EINVAL)
		return PAGE_LOST;

	/* Linux before 5.14. This some sandboxes forbid. */
	char byte;
	struct iovec here = {&byte, 1}, there = {block, 1};
	if (process_vm_readv(getpid(), &here, 1, &there, 1, 0) == 1)
		return PAGE_BACKED;
	return errno == EFAULT ? PAGE_LOST : PAGE_UNKNOWN;
#else
	(void)block;
	(void)block_size;
	return PAGE_UNKNOWN;
#endif
}
