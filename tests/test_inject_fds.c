/* SPDX-License-Identifier: MIT */

/*
 * Injected failures of what stands between the C library and libwlroots. The
 * functions that it passes on to are looked up, so they are replaced there.
 */

#include "fake_wlroots.h"
#include "harness.h"
#include "inject.h"
#include "inject_calls.h"
#include "inject_memory.h"
#include "memory_look.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void *inject_dlsym(void *handle, const char *name);

static void *
next_mmap(void *address, size_t length, int protection, int flags, int fd,
	off_t offset)
{
	static __typeof__(mmap) *next;
	if (next == NULL)
		next = dlsym(RTLD_NEXT, "mmap");
	if (inject_fails(INJECT_mmap))
		return MAP_FAILED;
	return next(address, length, protection, flags, fd, offset);
}

static ssize_t
next_pread(int fd, void *bytes, size_t size, off_t offset)
{
	static __typeof__(pread) *next;
	if (next == NULL)
		next = dlsym(RTLD_NEXT, "pread64");
	if (inject_fails(INJECT_pread))
		return -1;
	return next(fd, bytes, size, offset);
}

static int
next_close(int fd)
{
	static __typeof__(close) *next;
	if (next == NULL)
		next = dlsym(RTLD_NEXT, "close");
	int result = next(fd);
	return inject_fails(INJECT_close) ? -1 : result;
}

void *
inject_dlsym(void *handle, const char *name)
{
	if (strcmp(name, "mmap") == 0 || strcmp(name, "mmap64") == 0)
		return (void *)(uintptr_t)next_mmap;
	if (strcmp(name, "pread") == 0 || strcmp(name, "pread64") == 0)
		return (void *)(uintptr_t)next_pread;
	if (strcmp(name, "close") == 0)
		return (void *)(uintptr_t)next_close;
	return dlsym(handle, name);
}

INJECT_TEST(F24_failures_while_keymaps_are_mapped)
{
	size_t page = page_size();
	int fd = harness_memfd(2 * page, 'x', -1);
	long before = number_in_status("VmSize");
	inject_begin();
	inject_works(fake_wlroots_keymap(fd, page) == (ssize_t)page);
	inject_works(fake_wlroots_keymap(fd, 100) == 100);
	inject_works(fake_wlroots_keymap(fd, 3 * page) == 2 * (ssize_t)page);
	inject_end();
	/* In KiB. */
	ck_assert_int_lt(number_in_status("VmSize"), before + 200);
	close(fd);
}

INJECT_TEST(F24_failures_while_keymaps_are_refused)
{
	int ends[2];
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	inject_begin();
	ck_assert_int_eq(fake_wlroots_keymap(ends[0], 100), -1);
	ck_assert_int_eq(fake_wlroots_keymap(-1, 100), -1);
	inject_end();
	close(ends[0]);
	close(ends[1]);
}

INJECT_TEST(F17_failures_while_descriptors_are_closed)
{
	char bytes[4];
	int fd = harness_memfd(100, 'x', -1);
	/* Counts as one that can block. */
	int blocking = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(blocking, 0);
	inject_begin();
	inject_works(fake_wlroots_pread(fd, bytes, 4, 0) == 4);
	ck_assert(fake_wlroots_read(blocking, bytes, 4) < 0 ||
		inject_happened());
	inject_works(fake_wlroots_close(fd) == 0);
	inject_works(fake_wlroots_close(blocking) == 0);
	inject_end();
}
