/* SPDX-License-Identifier: MIT */
#include "attack.h"

#include "huge_pages.h"
#include "pool.h"
#include "small_tmpfs.h"
#include "window.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/*
 * Files that are as long as they say, of memory that is not there.
 */

#define HOSTILE_PIXEL 0xff606020
#define PRESENTED 3

/* Not at the start of a page. */
#define ODD 1004

/* A seal keeps the size of such a file, not its pages: once there is a hole and
 * no free huge page to fill it with, reading the hole is SIGBUS. */
static void
huge_hole(struct client *client, unsigned int number)
{
	static const struct {
		const char *label;
		unsigned int pages, hole;
		int seals;
		bool across; /* the buffer lies in two pages */
	} cases[] = {
		{"a sealed page", 1, 0, F_SEAL_SHRINK | F_SEAL_GROW, false},
		{"a page", 1, 0, 0, false},
		{"the second page, a sealed buffer in both", 2, 1,
			F_SEAL_SHRINK | F_SEAL_GROW, true},
		{"the first page, a buffer in both", 2, 0, 0, true},
	};
	client_label(client, "%s", cases[number].label);
	struct huge_pages pages;
	const char *problem = huge_pages_acquire(&pages, cases[number].pages);
	if (problem != NULL) {
		client_skip(client, "%s", problem);
		return;
	}
	file_seal(pages.fd, cases[number].seals);

	struct claim claim = picture;
	if (cases[number].across)
		claim.offset = (int32_t)pages.size - PICTURE_BYTES / 2 + ODD;
	struct wl_buffer *buffer = buffer_create(client, pages.fd, &claim);
	client_sync(client);
	problem = huge_pages_punch(&pages, cases[number].hole);
	if (problem == NULL)
		window_present(client, buffer, PRESENTED);
	else
		client_skip(client, "%s", problem);
	huge_pages_release(&pages);
}

static void
huge_truncated(struct client *client, unsigned int number)
{
	const unsigned int left = number;
	client_label(client, "%u of 2 pages left", left);
	struct huge_pages pages;
	const char *problem = huge_pages_acquire(&pages, 2);
	if (problem != NULL) {
		client_skip(client, "%s", problem);
		return;
	}
	struct claim claim = picture;
	claim.offset = (int32_t)pages.size - PICTURE_BYTES / 2 + ODD;
	struct wl_buffer *buffer = buffer_create(client, pages.fd, &claim);
	client_sync(client);
	file_resize(pages.fd, left * pages.size);
	window_present(client, buffer, PRESENTED);
	huge_pages_release(&pages);
}

/* The kernel unmaps nothing less than a huge page, and says so late. */
static void
huge_odd_size(struct client *client, unsigned int number)
{
	(void)number;
	struct huge_pages pages;
	const char *problem = huge_pages_acquire(&pages, 2);
	if (problem != NULL) {
		client_skip(client, "%s", problem);
		return;
	}
	const int32_t sizes[] = {
		PICTURE_BYTES, PICTURE_BYTES + 1, (int32_t)pages.size - 1,
		(int32_t)pages.size + 4096, 2 * (int32_t)pages.size - 4095,
	};
	for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
		struct wl_shm_pool *pool =
			pool_create(client, pages.fd, sizes[i]);
		struct claim claim = picture;
		claim.offset = sizes[i] - PICTURE_BYTES;
		struct wl_buffer *first = pool_buffer(pool, &claim);
		window_present(client, first, 1);
		for (size_t k = i + 1; k < ARRAY_LENGTH(sizes); k++)
			wl_shm_pool_resize(pool, sizes[k]);
		claim.offset = sizes[ARRAY_LENGTH(sizes) - 1] - PICTURE_BYTES;
		struct wl_buffer *last = pool_buffer(pool, &claim);
		window_present(client, last, 1);
		window_present(client, first, 1);
		wl_buffer_destroy(first);
		wl_buffer_destroy(last);
		wl_shm_pool_destroy(pool);
	}
	huge_pages_release(&pages);
}

/* Reading a hole of such a file takes a page that its file system has not. */
static void
tmpfs_full(struct client *client, unsigned int number)
{
	static const struct {
		const char *label;
		int32_t offset;
		size_t room;
	} cases[] = {
		{"room for a page", 0, 4096},
		{"room for half of it, at an odd offset", ODD,
			PICTURE_BYTES / 2},
		{"room for all but the last page", 0, PICTURE_BYTES - 4096},
	};
	client_label(client, "%s", cases[number].label);
	int fd = small_tmpfs_file(cases[number].room);
	if (fd < 0) {
		client_skip(client, "no tmpfs of our own (%s)", strerror(errno));
		return;
	}
	struct claim claim = picture;
	claim.offset = cases[number].offset;
	file_resize(fd, claim_bytes(&claim));
	file_paint(fd, 0, cases[number].room, HOSTILE_PIXEL);
	window_present(client, buffer_create(client, fd, &claim), PRESENTED);
	close(fd);
}

#define SPARSE_POOL INT32_MAX
#define SPARSE_POOLS 32

/* A file costs its owner nothing until somebody reads it. */
static void
sparse_pool(struct client *client, unsigned int number)
{
	static const struct {
		const char *label;
		struct claim claim;
		unsigned int pools;
	} cases[] = {
		{"at its start", {0, 512, 384, 2048, WL_SHM_FORMAT_XRGB8888}, 1},
		{"at its end, at an odd offset",
			{SPARSE_POOL - PICTURE_BYTES - ODD, 512, 384, 2048, WL_SHM_FORMAT_XRGB8888}, 1},
		{"rows of 1 MiB", {0, 512, 384, 1 << 20, WL_SHM_FORMAT_XRGB8888}, 1},
		{"8,192 x 8,192 pixels", {0, 8192, 8192, 32768, WL_SHM_FORMAT_XRGB8888}, 1},
		{"32 of them", {0, 512, 384, 2048, WL_SHM_FORMAT_XRGB8888}, SPARSE_POOLS},
	};
	client_label(client, "%s", cases[number].label);
	int fd = file_create(0, 0, 0);
	file_resize(fd, SPARSE_POOL);
	for (unsigned int i = 0; i < cases[number].pools &&
			client_is_alive(client); i++) {
		struct wl_shm_pool *pool = pool_create(client, fd, SPARSE_POOL);
		struct wl_buffer *buffer =
			pool_buffer(pool, &cases[number].claim);
		if (i == 0)
			window_present(client, buffer, 1);
	}
	close(fd);
}

const struct attack backing_attacks[] = {
	{
		.name = "huge-hole",
		.about = "punches a hole into a file of huge pages",
		.expected = "shows zeros for what is missing, posts invalid_fd",
		.rule = "F16",
		.accepted = OUTCOME_TOLD,
		.reads = true,
		.cases = 4,
		.run = huge_hole,
	},
	{
		.name = "huge-truncated",
		.about = "cuts a file of huge pages within a buffer",
		.expected = "shows zeros for what is missing, posts invalid_fd",
		.rule = "F16; wl_shm error invalid_fd; I7",
		.accepted = OUTCOME_TOLD,
		.reads = true,
		.cases = 2,
		.run = huge_truncated,
	},
	{
		.name = "huge-odd-size",
		.about = "makes pools of sizes that are no whole huge pages",
		.expected = "shows them or refuses them, and keeps no mapping",
		.rule = "munmap(2), mremap(2): huge pages; F16",
		.accepted = OUTCOME_ANY_SAFE,
		.run = huge_odd_size,
	},
	{
		.name = "tmpfs-full",
		.about = "leaves holes in a file for which its tmpfs has no room",
		.expected = "shows zeros for what is missing, posts invalid_fd",
		.rule = "tmpfs(5), size; wl_shm error invalid_fd; I7",
		.accepted = OUTCOME_TOLD,
		.reads = true,
		.cases = 3,
		.run = tmpfs_full,
	},
	{
		.name = "sparse-pool",
		.about = "makes pools of 2 GiB of nothing and shows parts of them",
		.expected = "shows them or refuses them, serves the others",
		.rule = "F18; I9",
		.accepted = OUTCOME_ANY_SAFE,
		.cases = 5,
		.run = sparse_pool,
	},
	{0},
};
