/* SPDX-License-Identifier: MIT */
#include "nosigbus_map.h"

#include "page_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__linux__) && !defined(MAP_NOSIGBUS)
/* The value of the 2021 patch series. Kernels without it ignore the bit. */
#define MAP_NOSIGBUS 0x200000
#elif defined(__OpenBSD__)
#define MAP_NOSIGBUS __MAP_NOFAULT
#endif

#ifndef __linux__
#define MREMAP_MAYMOVE 0
#endif

/* mremap(2) is variadic in libc, which a function pointer cannot stand for. */
static void *
real_mremap(void *old, size_t old_length, size_t length, int flags,
	void *fixed)
{
#ifdef __linux__
	return mremap(old, old_length, length, flags, fixed);
#else
	(void)old, (void)old_length, (void)length, (void)flags, (void)fixed;
	errno = ENOTSUP;
	return MAP_FAILED;
#endif
}

const struct map_syscalls real_map_syscalls = {
	.mmap = mmap,
	.munmap = munmap,
	.mremap = real_mremap,
	.mprotect = mprotect,
	.madvise = madvise,
};

const struct map_syscalls *map_syscalls = &real_map_syscalls;

#ifdef MAP_NOSIGBUS
static int
open_page_file(size_t page)
{
#ifdef __linux__
	int fd = memfd_create("shmguard-probe", MFD_CLOEXEC);
#else
	char name[] = "/tmp/shmguard-probe.XXXXXXXXXX";
	int fd = shm_mkstemp(name);
	if (fd >= 0)
		shm_unlink(name);
#endif
	if (fd >= 0 && ftruncate(fd, (off_t)page) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

int
nosigbus_probe(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int flag = -1;
	int pipe_fds[2];

	int fd = open_page_file(page);
	if (fd < 0)
		return -1;
	if (pipe2(pipe_fds, O_CLOEXEC) != 0)
		goto close_file;

	/* Private: Linux takes unknown bits without complaint either way, and
	 * the patch knows the flag for private mappings only. */
	char *addr = map_syscalls->mmap(NULL, 2 * page, PROT_READ,
		MAP_PRIVATE | MAP_NOSIGBUS, fd, 0);
	if (addr == MAP_FAILED) {
		if (errno == EINVAL || errno == EOPNOTSUPP || errno == EPERM)
			flag = 0;
		goto close_pipe;
	}
	/* The kernel reads the byte for us, so that a missing page is an errno
	 * and not a signal. */
	ssize_t written = write(pipe_fds[1], addr + page, 1);
	if (written == 1)
		flag = MAP_NOSIGBUS;
	else if (written < 0 && errno == EFAULT)
		flag = 0;
	map_syscalls->munmap(addr, 2 * page);

close_pipe:
	close(pipe_fds[0]);
	close(pipe_fds[1]);
close_file:
	close(fd);
	return flag;
}
#else
int
nosigbus_probe(void)
{
	return 0;
}
#endif

int
nosigbus_flag(void)
{
	static _Atomic int cached = -1;

	/* Threads that get here together find out the same thing. */
	int flag = atomic_load_explicit(&cached, memory_order_relaxed);
	if (flag < 0) {
		flag = nosigbus_probe();
		if (flag < 0)
			return 0;
		atomic_store_explicit(&cached, flag, memory_order_relaxed);
	}
	return flag;
}

static int
round_up(size_t length, size_t block_size, size_t *rounded)
{
	size_t rest = length % block_size;
	size_t missing = rest == 0 ? 0 : block_size - rest;
	if (length > SIZE_MAX - missing) {
		errno = EOVERFLOW;
		return -1;
	}
	*rounded = length + missing;
	return 0;
}

static bool
has_huge_pages(size_t block_size)
{
	return block_size > (size_t)sysconf(_SC_PAGESIZE);
}

/* I12. What fails here costs privacy in a crash, not the picture: a client's
 * window is not refused for it. */
static void
keep_to_ourselves(void *addr, size_t length, bool dump)
{
#ifdef MADV_DONTFORK
	map_syscalls->madvise(addr, length, MADV_DONTFORK);
#endif
#ifdef MADV_DONTDUMP
	if (!dump)
		map_syscalls->madvise(addr, length, MADV_DONTDUMP);
#else
	(void)dump;
#endif
}

static int
open_nosigbus(struct client_mapping *mapping, int fd,
	const struct map_request *request)
{
	mapping->addr = map_syscalls->mmap(NULL, mapping->length, PROT_READ,
		MAP_PRIVATE | nosigbus_flag(), fd, 0);
	if (mapping->addr == MAP_FAILED)
		return -1;
	mapping->nosigbus = true;

	/* Done without if need be: the file can be read all the same. */
	void *handle = map_syscalls->mmap(NULL, mapping->block_size, PROT_NONE,
		MAP_SHARED, fd, 0);
	if (handle != MAP_FAILED) {
		keep_to_ourselves(handle, mapping->block_size, request->dump);
		mapping->handle = handle;
	}
	return 0;
}

static int
open_plain(struct client_mapping *mapping, int fd,
	const struct map_request *request)
{
	int prot = PROT_READ | (request->writable ? PROT_WRITE : 0);
	mapping->writable = request->writable;
	mapping->addr = map_syscalls->mmap(NULL, mapping->length, prot, MAP_SHARED,
		fd, 0);
	if (mapping->addr != MAP_FAILED) {
		mapping->shared = true;
		return 0;
	}
	if (errno != EACCES && errno != EPERM)
		return -1;

	/* Not ours to write, or write-sealed, which kernels before Linux 6.7 do
	 * not share at all. A private mapping shows the same bytes, and what is
	 * stored in it stays here. */
	mapping->addr = map_syscalls->mmap(NULL, mapping->length, prot,
		MAP_PRIVATE | MAP_NORESERVE, fd, 0);
	return mapping->addr != MAP_FAILED ? 0 : -1;
}

int
client_mapping_open(struct client_mapping *mapping, int fd,
	const struct map_request *request)
{
	struct client_mapping new = {.block_size = request->block_size};
	if (round_up(request->length, new.block_size, &new.length) != 0)
		return -1;

	/* Stores must reach the file, which private mappings keep from it. Huge
	 * pages take the flag and fault in spite of it. */
	bool nosigbus = request->nosigbus && !request->writable &&
		!request->hugetlb && nosigbus_flag() != 0;
	if ((!nosigbus || open_nosigbus(&new, fd, request) != 0) &&
			open_plain(&new, fd, request) != 0)
		return -1;

	keep_to_ourselves(new.addr, new.length, request->dump);
	*mapping = new;
	return 0;
}

int
client_mapping_grow(struct client_mapping *mapping, size_t length)
{
	size_t rounded;
	if (round_up(length, mapping->block_size, &rounded) != 0)
		return -1;
	if (rounded <= mapping->length)
		return 0;
	if (has_huge_pages(mapping->block_size)) {
		errno = ENOTSUP;
		return -1;
	}
	if (map_syscalls->mremap(mapping->addr, mapping->length, rounded, 0,
			NULL) == MAP_FAILED)
		return -1;
	mapping->length = rounded;
	return 0;
}

static int
set_writable(struct client_mapping *mapping, bool writable)
{
	int prot = writable ? PROT_READ | PROT_WRITE : PROT_READ;
	if (map_syscalls->mprotect(mapping->addr, mapping->length, prot) != 0)
		return -1;
	mapping->writable = writable;
	return 0;
}

int
client_mapping_duplicate(const struct client_mapping *mapping, size_t length,
	bool writable, struct client_mapping *copy)
{
	void *source = mapping->shared ? mapping->addr : mapping->handle;
	struct client_mapping new = {
		.block_size = mapping->block_size,
		.shared = true,
		.writable = mapping->writable,
	};
	if (round_up(length, new.block_size, &new.length) != 0)
		return -1;
	if (source == NULL || has_huge_pages(new.block_size)) {
		errno = ENOTSUP;
		return -1;
	}

	/* With an old size of 0 nothing is moved: a second mapping of the same
	 * file appears, which inherits what madvise() said about the first. */
	new.addr = map_syscalls->mremap(source, 0, new.length, MREMAP_MAYMOVE,
		NULL);
	if (new.addr == MAP_FAILED)
		return -1;

	bool has_protection = mapping->shared && writable == mapping->writable;
	if (!has_protection && set_writable(&new, writable) != 0) {
		int saved_errno = errno;
		map_syscalls->munmap(new.addr, new.length);
		errno = saved_errno;
		return -1;
	}
	*copy = new;
	return 0;
}

/* Found out with a page of our own, once per process. */
static bool
kernel_duplicates(void)
{
	static _Atomic int cached = -1;

	int answer = atomic_load_explicit(&cached, memory_order_relaxed);
	if (answer >= 0)
		return answer;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *first = map_syscalls->mmap(NULL, page, PROT_NONE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (first == MAP_FAILED)
		return true; /* for all that is known */
	void *second = map_syscalls->mremap(first, 0, page, MREMAP_MAYMOVE, NULL);
	answer = second != MAP_FAILED || (errno != ENOSYS && errno != EPERM &&
		errno != ENOTSUP);
	if (second != MAP_FAILED || !answer)
		atomic_store_explicit(&cached, answer, memory_order_relaxed);
	if (second != MAP_FAILED)
		map_syscalls->munmap(second, page);
	map_syscalls->munmap(first, page);
	return answer;
}

bool
client_mapping_can_duplicate(const struct client_mapping *mapping)
{
	return (mapping->shared || mapping->handle != NULL) &&
		!has_huge_pages(mapping->block_size) && kernel_duplicates();
}

int
client_mapping_make_writable(struct client_mapping *mapping)
{
	if (mapping->writable)
		return 0;
	if (!mapping->shared) {
		errno = ENOTSUP;
		return -1;
	}
	if (set_writable(mapping, true) != 0) {
		/* Replacement pages before the refused part may have changed. */
		int saved_errno = errno;
		map_syscalls->mprotect(mapping->addr, mapping->length,
			PROT_READ);
		errno = saved_errno;
		return -1;
	}
	return 0;
}

bool
client_mapping_is_backed(const struct client_mapping *mapping, size_t offset)
{
	if (offset >= mapping->length)
		return false;
	size_t block = offset - offset % mapping->block_size;
	return page_probe((char *)mapping->addr + block,
		mapping->block_size) == PAGE_BACKED;
}

void
client_mapping_close(struct client_mapping *mapping)
{
	if (map_syscalls->munmap(mapping->addr, mapping->length) == 0)
		mapping->length = 0;
	if (mapping->handle != NULL && map_syscalls->munmap(mapping->handle,
			mapping->block_size) == 0)
		mapping->handle = NULL;
}
