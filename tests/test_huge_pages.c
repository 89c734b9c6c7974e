/* SPDX-License-Identifier: MIT */

/* Files of huge pages: a seal keeps their size, not their pages (F16). */

#include "harness.h"

#include "fake_kernel.h"
#include "huge_page_limit.h"
#include "memory_look.h"
#include "range_registry.h"

#include <errno.h>
#include <fcntl.h>
#include <shmguard/map.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A sealed file without pages, or -1. Sets the size of one. */
static int
open_huge_file(size_t *huge)
{
	struct stat file;
	int fd = memfd_create("test",
		MFD_CLOEXEC | MFD_HUGETLB | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -1;
	ck_assert_int_eq(fstat(fd, &file), 0);
	*huge = (size_t)file.st_blksize;
	return fd;
}

static void
set_size_and_seal(int fd, size_t size)
{
	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	harness_add_seals(fd, F_SEAL_SHRINK);
}

/* Mappings reserve nothing: huge pages need not be there. */
static void
need_no_huge_pages(void)
{
	fake_kernel_use();
	fake_kernel.reserves_nothing = true;
}

TEST(F16_sealed_huge_pages_are_not_trusted)
{
	static const struct shmguard_policy policies[] = {
		{0},
		{.unsealed = SHMGUARD_UNSEALED_COPY},
		{.handler = SHMGUARD_HANDLER_NONE},
		{.adopt_seals = true},
	};
	static const enum shmguard_tier tiers[] = {
		SHMGUARD_TIER_TRAPPED, SHMGUARD_TIER_COPIED,
		SHMGUARD_TIER_COPIED, SHMGUARD_TIER_TRAPPED,
	};
	size_t huge;
	int client = open_huge_file(&huge);
	if (client < 0)
		SKIP("no huge pages: %s", strerror(errno));
	set_size_and_seal(client, huge);
	need_no_huge_pages();
	for (int i = 0; i < 4; i++) {
		enum shmguard_reason reason;
		struct shmguard_map *map = shmguard_map_open(
			fcntl(client, F_DUPFD_CLOEXEC, 0), 1, &policies[i],
			&reason);
		ck_assert_msg(map != NULL, "%s", strerror(errno));
		ck_assert_int_eq(shmguard_map_tier(map), tiers[i]);
		ck_assert_int_eq(reason, SHMGUARD_REASON_HUGETLB);
		shmguard_map_close(map);
	}
	static const struct shmguard_policy reject = {
		.unsealed = SHMGUARD_UNSEALED_REJECT,
	};
	ck_assert_ptr_null(shmguard_map_open(client, 1, &reject, NULL));
	ck_assert_int_eq(errno, EPERM);
}

TEST(F16_huge_pages_grow_by_the_descriptor)
{
	size_t huge;
	int client = open_huge_file(&huge);
	if (client < 0)
		SKIP("no huge pages: %s", strerror(errno));
	set_size_and_seal(client, 2 * huge);
	need_no_huge_pages();
	struct shmguard_map *map = shmguard_map_open(
		fcntl(client, F_DUPFD_CLOEXEC, 0), 1, NULL, NULL);
	ck_assert_msg(map != NULL, "%s", strerror(errno));
	struct shmguard_view view, grown;
	ck_assert_int_eq(shmguard_map_begin_read(map, 0, 1, &view), 0);
	ck_assert_int_eq(shmguard_map_resize(map, huge), 0);
	ck_assert_int_eq(shmguard_map_begin_read(map, huge - 1, 1, &grown), 0);
	ck_assert_ptr_eq((char *)grown.data - (huge - 1), view.data);
	ck_assert_int_eq(shmguard_view_end(&grown), 0);
	ck_assert_int_eq(shmguard_map_resize(map, huge + 1), 0);
	ck_assert_int_eq(shmguard_map_begin_read(map, huge, 1, &grown), 0);
	ck_assert_uint_eq((uintptr_t)grown.data % huge, 0);

	/* With no huge page to be had a touch costs a block, not the process. */
	ck_assert_int_eq(*(volatile unsigned char *)view.data, 0);
	ck_assert_int_eq(*(volatile unsigned char *)grown.data, 0);
	shmguard_view_end(&view);
	shmguard_view_end(&grown);
	shmguard_map_close(map);
	close(client);
}

/* ---- Holes ---- */

enum { HUGE = 7 };

/* Holes in the middle, next to each other, at the end. */
static const bool punched[HUGE] = {
	false, true, false, true, true, false, true,
};

static bool
fill_and_punch(int client, size_t huge, struct shmguard_map **map)
{
	bool filled = fallocate(client, 0, 0, (off_t)(HUGE * huge)) == 0;
	for (size_t i = 0; filled && i < HUGE; i++) {
		unsigned char *bytes = mmap(NULL, huge, PROT_READ | PROT_WRITE,
			MAP_SHARED, client, (off_t)(i * huge));
		filled = bytes != MAP_FAILED;
		if (filled) {
			memset(bytes, page_byte(i), huge);
			munmap(bytes, huge);
		}
	}
	if (filled) {
		*map = shmguard_map_open(fcntl(client, F_DUPFD_CLOEXEC, 0),
			HUGE * huge, NULL, NULL);
		filled = *map != NULL;
	}
	for (size_t i = 0; filled && i < HUGE; i++) {
		if (punched[i])
			filled = fallocate(client,
				FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				(off_t)(i * huge), (off_t)huge) == 0;
	}
	return filled;
}

TEST(F16_holes_lose_only_the_holes)
{
	size_t huge;
	struct shmguard_map *map = NULL;
	int client = open_huge_file(&huge);
	if (client < 0)
		SKIP("no huge pages: %s", strerror(errno));
	if (!huge_page_limit_raise(HUGE)) {
		close(client);
		SKIP("the number of huge pages cannot be set");
	}
	set_size_and_seal(client, HUGE * huge);
	bool filled = fill_and_punch(client, huge, &map);
	huge_page_limit_restore();
	if (!filled) {
		shmguard_map_close(map);
		close(client);
		SKIP("no huge pages to be had");
	}

	struct shmguard_view view;
	ck_assert_int_eq(shmguard_map_begin_read(map, 0, HUGE * huge, &view), 0);
	for (size_t i = HUGE; i-- > 0;) {
		const volatile unsigned char *data =
			(unsigned char *)view.data + i * huge;
		int expected = punched[i] ? 0 : page_byte(i);
		ck_assert_int_eq(data[0], expected);
		ck_assert_int_eq(data[huge - 1], expected);
	}
	unsigned int faults = view.range->faults;
	bool lost = shmguard_map_lost(map);
	ck_assert_int_eq(shmguard_view_end(&view), lost ? -1 : 0);
	ck_assert_uint_le(faults, 3);
	shmguard_map_close(map);
	close(client);
	if (!lost)
		SKIP("somebody else had made huge pages available");
}
