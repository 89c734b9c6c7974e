/* SPDX-License-Identifier: MIT */

/*
 * What the library does where kernels differ. Of each pair of tests one runs on a
 * kernel and the other says why it does not: so a run shows which way was taken.
 */

#include "fake_kernel.h"
#include "harness.h"
#include "memory_look.h"

#include <errno.h>
#include <fcntl.h>
#include <shmguard/map.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

#define PAGES 16

static size_t size;

static struct shmguard_map *
must_open(int fd)
{
	struct shmguard_map *map = shmguard_map_open(
		fcntl(fd, F_DUPFD_CLOEXEC, 0), size, NULL, NULL);
	ck_assert_ptr_nonnull(map);
	return map;
}

static const volatile unsigned char *
must_read(struct shmguard_map *map, struct shmguard_view *view)
{
	ck_assert_int_eq(shmguard_map_begin_read(map, 0, size, view), 0);
	return view->data;
}

/* ---- Files that nobody may write (Linux 6.7) ---- */

static int
write_sealed_file(void)
{
	size = PAGES * page_size();
	return harness_memfd(size, 7,
		F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
}

static bool
kernel_shares(int fd)
{
	void *addr = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (addr == MAP_FAILED) {
		ck_assert_int_eq(errno, EPERM);
		return false;
	}
	munmap(addr, size);
	return true;
}

static void
check_write_sealed(int fd, const char *permissions)
{
	struct shmguard_map *map = must_open(fd);
	ck_assert_int_eq(shmguard_map_tier(map), SHMGUARD_TIER_SEALED);
	struct shmguard_view view;
	const volatile unsigned char *bytes = must_read(map, &view);
	ck_assert_str_eq(permissions_at(view.data), permissions);
	for (size_t i = 0; i < size; i++)
		ck_assert_uint_eq(bytes[i], 7);
	ck_assert_int_eq(shmguard_view_end(&view), 0);
	ck_assert_int_eq(shmguard_map_begin_write(map, 0, 1, &view), -1);
	ck_assert_int_eq(errno, EACCES);
	shmguard_map_close(map);
	close(fd);
}

TEST(F22_write_sealed_file_is_shared)
{
	int fd = write_sealed_file();
	if (!kernel_shares(fd)) {
		close(fd);
		SKIP("this kernel does not share write-sealed files");
	}
	check_write_sealed(fd, "r--s");
}

TEST(F22_write_sealed_file_is_mapped_privately)
{
	int fd = write_sealed_file();
	if (kernel_shares(fd)) {
		close(fd);
		SKIP("this kernel shares write-sealed files");
	}
	check_write_sealed(fd, "r--p");
}

/* ---- Asking for pages (Linux 5.14) ---- */

static bool
kernel_populates(int fd)
{
	void *addr = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(addr, MAP_FAILED);
	int result = madvise(addr, size, MADV_POPULATE_READ);
	munmap(addr, size);
	return result == 0;
}

/* The first fault is not at the first page that is lost: where it is has to be
 * found out. */
static void
check_repair(int fd)
{
	fake_kernel_use(); /* which has no no-SIGBUS mappings */
	struct shmguard_map *map = must_open(fd);
	struct shmguard_view view;
	const volatile unsigned char *bytes = must_read(map, &view);
	size_t page = page_size();
	ck_assert_int_eq(ftruncate(fd, (off_t)(5 * page)), 0);
	ck_assert_uint_eq(bytes[(PAGES - 1) * page], 0);
	for (size_t i = 0; i < PAGES; i++)
		ck_assert_uint_eq(bytes[i * page], i < 5 ? page_byte(i) : 0);
	/* What was replaced at once stays so. */
	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	for (size_t i = 0; i < PAGES; i++)
		ck_assert_str_eq(permissions_at(view.data + i * page),
			i < 5 ? "r--s" : "r--p");
	ck_assert_int_eq(shmguard_view_end(&view), -1);
	shmguard_map_close(map);
	close(fd);
}

TEST(I7_pages_are_asked_for)
{
	size = PAGES * page_size();
	int fd = numbered_memfd(PAGES);
	if (!kernel_populates(fd)) {
		close(fd);
		SKIP("this kernel cannot be asked for pages");
	}
	check_repair(fd);
}

TEST(I7_pages_are_looked_at)
{
	size = PAGES * page_size();
	int fd = numbered_memfd(PAGES);
	if (kernel_populates(fd)) {
		close(fd);
		SKIP("this kernel can be asked for pages");
	}
	check_repair(fd);
}
