/* SPDX-License-Identifier: MIT */
#include "fake_kernel.h"

#include "harness.h"
#include "memory_look.h"
#include "nosigbus_map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The bit that the library tries on Linux, spelled out on purpose. */
#define NOSIGBUS_FLAG 0x200000

#define ROOM ((size_t)64 << 20)

struct fake_kernel fake_kernel = {.calls_before_failure = -1};

bool
kernel_has_nosigbus(void)
{
	return getenv("SHMGUARD_TEST_EXPECT_NOSIGBUS") != NULL;
}

static bool
fails_now(void)
{
	if (fake_kernel.calls_before_failure < 0 ||
			fake_kernel.calls_before_failure-- > 0)
		return false;
	fake_kernel.failed = true;
	errno = ENOMEM;
	return true;
}

static void *
map_with_room(size_t length, int prot, int flags, int fd, off_t offset)
{
	char *room = mmap(NULL, length + 2 * ROOM, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		return MAP_FAILED;
	munmap(room, length + 2 * ROOM);
	/* The next mapping takes the top of it, or on some kernels the bottom. */
	return mmap(room + ROOM, length, prot, flags | MAP_FIXED_NOREPLACE, fd,
		offset);
}

static void *
do_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	if (fails_now())
		return MAP_FAILED;
	if (fake_kernel.refuses_sealed_sharing && fd >= 0 &&
			(flags & MAP_TYPE) == MAP_SHARED &&
			(fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE)) {
		errno = EPERM;
		return MAP_FAILED;
	}
	bool nosigbus = flags & NOSIGBUS_FLAG && fake_kernel.has_nosigbus;
	if (nosigbus && (fake_kernel.refuses_nosigbus ||
			(flags & MAP_TYPE) != MAP_PRIVATE)) {
		errno = EOPNOTSUPP;
		return MAP_FAILED;
	}

	/* The real thing where the harness has found it. */
	bool real = nosigbus && kernel_has_nosigbus();
	if (!real)
		flags &= ~NOSIGBUS_FLAG;
	if (fake_kernel.reserves_nothing)
		flags |= MAP_NORESERVE;
	char *result = fake_kernel.roomy && addr == NULL ?
		map_with_room(length, prot, flags, fd, offset) :
		mmap(addr, length, prot, flags, fd, offset);
	struct stat file;
	if (!nosigbus || real || result == MAP_FAILED || fstat(fd, &file) != 0)
		return result;
	size_t page = page_size();
	size_t backed = ((size_t)file.st_size + page - 1) / page * page;
	if (backed < length)
		ck_assert_ptr_eq(mmap(result + backed, length - backed, prot,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			result + backed);
	return result;
}

static void *
do_mremap(void *old, size_t old_length, size_t length, int flags, void *fixed)
{
	if (fails_now())
		return MAP_FAILED;
	if (fake_kernel.tight && !(flags & MREMAP_MAYMOVE)) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	return mremap(old, old_length, length, flags, fixed);
}

static int
do_mprotect(void *addr, size_t length, int prot)
{
	return fails_now() ? -1 : mprotect(addr, length, prot);
}

static int
do_madvise(void *addr, size_t length, int advice)
{
	return fails_now() ? -1 : madvise(addr, length, advice);
}

void
fake_kernel_use(void)
{
	static const struct map_syscalls calls = {
		.mmap = do_mmap,
		.munmap = munmap,
		.mremap = do_mremap,
		.mprotect = do_mprotect,
		.madvise = do_madvise,
	};
	map_syscalls = &calls;
}
