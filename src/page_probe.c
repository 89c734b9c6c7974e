/* SPDX-License-Identifier: MIT */
#include "page_probe.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#if defined(__linux__) && !defined(MADV_POPULATE_READ)
#define MADV_POPULATE_READ 22
#endif

#ifdef __linux__

/* The kernel lacks a call, or somebody has it refused. */
static bool
cannot_be_asked(int error)
{
	return error == EINVAL || error == ENOSYS || error == EPERM ||
		error == EACCES;
}

/* Has the kernel copy a set of signals from there, and then refuse it for what it
 * is asked to do with that. No sandbox forbids this one: handlers return by it. */
static enum page_backing
probe_by_copy(const void *block)
{
	enum { NO_SUCH_ACTION = -1, KERNEL_SIGSET_SIZE = 8 };
	if (syscall(SYS_rt_sigprocmask, NO_SUCH_ACTION, block, NULL,
			KERNEL_SIGSET_SIZE) == 0)
		return PAGE_UNKNOWN;
	if (errno == EINVAL)
		return PAGE_BACKED;
	return errno == EFAULT ? PAGE_LOST : PAGE_UNKNOWN;
}

#endif

enum page_backing
page_probe(void *block, size_t block_size)
{
#ifdef __linux__
	if (madvise(block, block_size, MADV_POPULATE_READ) == 0)
		return PAGE_BACKED;
	if (!cannot_be_asked(errno))
		return PAGE_LOST;

	/* Linux before 5.14. This some sandboxes forbid. */
	char byte;
	struct iovec here = {&byte, 1}, there = {block, 1};
	if (process_vm_readv(getpid(), &here, 1, &there, 1, 0) == 1)
		return PAGE_BACKED;
	return errno == EFAULT ? PAGE_LOST : probe_by_copy(block);
#else
	(void)block;
	(void)block_size;
	return PAGE_UNKNOWN;
#endif
}
