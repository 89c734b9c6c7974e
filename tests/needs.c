/* SPDX-License-Identifier: MIT */
#include "needs.h"

#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void
needs_memfd(void)
{
	int fd = memfd_create("needed", MFD_CLOEXEC);
	if (fd < 0)
		harness_lacks("memfd_create");
	close(fd);
}

void
needs_seals(void)
{
	int fd = memfd_create("needed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		harness_lacks("memfd_create");
	if (fcntl(fd, F_GET_SEALS) < 0)
		harness_lacks("F_GET_SEALS");
	close(fd);
}

void
needs_statx(void)
{
	struct statx file;
	if (syscall(SYS_statx, AT_FDCWD, "/", 0, STATX_TYPE, &file) < 0)
		harness_lacks("statx");
}

static void *
map_page(size_t page)
{
	void *addr = mmap(NULL, page, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1,
		0);
	ck_assert_ptr_ne(addr, MAP_FAILED);
	return addr;
}

bool
can_mremap(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *first = map_page(page);
	void *second = mremap(first, 0, page, MREMAP_MAYMOVE);
	int error = errno;
	if (second != MAP_FAILED)
		munmap(second, page);
	munmap(first, page);
	errno = error;
	return second != MAP_FAILED;
}

void
needs_mremap(void)
{
	if (!can_mremap())
		harness_lacks("mremap");
}

bool
can_madvise(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *addr = map_page(page);
	int result = madvise(addr, page, MADV_DONTDUMP), error = errno;
	munmap(addr, page);
	errno = error;
	return result == 0;
}

void
needs_madvise(void)
{
	if (!can_madvise())
		harness_lacks("madvise");
}
