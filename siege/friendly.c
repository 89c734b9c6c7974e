/* SPDX-License-Identifier: MIT */
#include "attack.h"

#include "capture.h"
#include "huge_pages.h"
#include "pool.h"
#include "window.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Clients that are unusual and in the right. Where the compositor lets us look
 * at the screen, their pixels have to be there.
 */

/* Red and blue are equal, see screenshot_count(). Half the window is enough: it
 * may lie partly off the screen or under something. */
#define FRIENDLY_PIXEL 0xffa957a9
#define ENOUGH (PICTURE_WIDTH * PICTURE_HEIGHT / 2)

static void
show(struct client *client, struct wl_buffer *buffer)
{
	struct screenshot shot;
	if (!window_present(client, buffer, 3) ||
			!screenshot_take(client, &shot))
		return;
	unsigned int seen = screenshot_count(&shot, FRIENDLY_PIXEL);
	if (seen < ENOUGH)
		client_wrong(client, "%u of %u pixels are on the screen", seen,
			PICTURE_WIDTH * PICTURE_HEIGHT);
	screenshot_free(&shot);
}

/* The seals that concern a file's size or contents, as bits of a case. */
static const struct {
	int seal;
	const char *name;
} known_seals[] = {
	{F_SEAL_SHRINK, " shrink"},
	{F_SEAL_GROW, " grow"},
	{F_SEAL_SEAL, " seal"},
	{F_SEAL_WRITE, " write"},
	{F_SEAL_FUTURE_WRITE, " future-write"},
};
#define SEALS_TO_WRITE 8 /* cases below do not keep anybody from writing */
#define SEALS_ALL 32

static int
sealed_file(struct client *client, unsigned int bits)
{
	int seals = 0;
	char names[64] = "";
	for (unsigned int i = 0; i < ARRAY_LENGTH(known_seals); i++) {
		if ((bits & (1u << i)) == 0)
			continue;
		seals |= known_seals[i].seal;
		strcat(names, known_seals[i].name);
	}
	client_label(client, "seals:%s", names);

	int fd = file_create(PICTURE_BYTES, MFD_ALLOW_SEALING, FRIENDLY_PIXEL);
	file_seal(fd, seals);
	return fd;
}

static void
sealed(struct client *client, unsigned int number)
{
	int fd = sealed_file(client, number);
	show(client, buffer_create(client, fd, &picture));
	close(fd);
}

static void
unwritable(struct client *client, unsigned int number)
{
	int fd;
	if (number == 0) {
		client_label(client, "read-only descriptor");
		int writable = file_create(PICTURE_BYTES, 0, FRIENDLY_PIXEL);
		fd = file_reopen(writable, O_RDONLY);
		close(writable);
	} else {
		fd = sealed_file(client, SEALS_TO_WRITE + number - 1);
	}
	show(client, buffer_create(client, fd, &picture));
	close(fd);
}

/* The pool grows while the compositor shows a buffer of it, and the next buffer
 * lies in the new part, or the old one is shown again. */
static void
resize_in_use(struct client *client, unsigned int number)
{
	static const struct {
		const char *label;
		int steps; /* each as much as there was at first */
		bool again;
	} cases[] = {
		{"the new part", 1, false},
		{"the old part again", 1, true},
		{"the new part, step by step", 8, false},
		{"the old part again, step by step", 8, true},
	};
	client_label(client, "%s", cases[number].label);
	const bool again = cases[number].again;
	int32_t size = PICTURE_BYTES;
	int fd = file_create(PICTURE_BYTES, 0, again ? FRIENDLY_PIXEL : 0);
	struct wl_shm_pool *pool = pool_create(client, fd, PICTURE_BYTES);
	struct wl_buffer *shown = pool_buffer(pool, &picture);
	window_present(client, shown, 1);

	for (int i = 0; i < cases[number].steps; i++) {
		struct claim claim = picture;
		claim.offset = size;
		size += PICTURE_BYTES;
		file_resize(fd, (size_t)size);
		file_paint(fd, (size_t)claim.offset, PICTURE_BYTES,
			again ? 0 : FRIENDLY_PIXEL);
		window_commit(client, shown);
		wl_shm_pool_resize(pool, size);
		struct wl_buffer *next = pool_buffer(pool, &claim);
		window_present(client, next, 1);
		if (!again)
			shown = next;
	}
	show(client, shown);
	close(fd);
}

/* Rows that do not follow on one another, a picture that does not start on a
 * page, and a last row without padding. */
static void
odd_layout(struct client *client, unsigned int number)
{
	static const struct {
		const char *label;
		int32_t offset, stride;
	} cases[] = {
		{"padded rows", 0, PICTURE_STRIDE + 64},
		{"padding of 4 bytes", 4, PICTURE_STRIDE + 4},
		{"odd offset, page-aligned rows", 4096 - 4, 4096},
		{"far into the pool", 1 << 20, PICTURE_STRIDE},
	};
	struct claim claim = picture;
	claim.offset = cases[number].offset;
	claim.stride = cases[number].stride;
	client_label(client, "%s", cases[number].label);

	size_t size = claim_bytes(&claim);
	int fd = file_create(size, 0, FRIENDLY_PIXEL);
	struct wl_shm_pool *pool = pool_create(client, fd, (int32_t)size);
	show(client, pool_buffer(pool, &claim));
	close(fd);
}

/* As a toolkit does with its icons: pieces of one file, in no order. Their last
 * one is shown, and in the end the first again. */
#define MANY 64

static void
many_buffers(struct client *client, unsigned int number)
{
	(void)number;
	int fd = file_create(PICTURE_BYTES, 0, FRIENDLY_PIXEL);
	struct wl_shm_pool *pool = pool_create(client, fd, PICTURE_BYTES);
	struct wl_buffer *first = pool_buffer(pool, &picture);
	for (int i = 0; i < MANY; i++) {
		struct claim claim = picture;
		claim.height = PICTURE_HEIGHT / MANY;
		claim.offset = PICTURE_BYTES / MANY * (i * 37 % MANY);
		struct wl_buffer *buffer = pool_buffer(pool, &claim);
		if (i % 8 == 0)
			window_present(client, buffer, 1);
		if (i % 2 == 0)
			wl_buffer_destroy(buffer);
	}
	wl_shm_pool_destroy(pool);
	show(client, first);
	close(fd);
}

static void
huge_page(struct client *client, unsigned int number)
{
	(void)number;
	struct huge_pages pages;
	const char *problem = huge_pages_acquire(&pages, 1);
	if (problem != NULL) {
		client_skip(client, "%s", problem);
		return;
	}
	struct claim claim = picture;
	claim.offset = 1004;
	uint32_t *pixels = mmap(NULL, pages.size, PROT_WRITE, MAP_SHARED,
		pages.fd, 0);
	if (pixels == MAP_FAILED)
		fail("mmap");
	for (size_t i = 0; i < pages.size / sizeof(*pixels); i++)
		pixels[i] = FRIENDLY_PIXEL;
	munmap(pixels, pages.size);
	show(client, buffer_create(client, pages.fd, &claim));
	huge_pages_release(&pages);
}

/* A compositor that refuses files whose file system may block has to look that
 * up in the mount table, where a chroot hides what it lies on. */
static bool
mount_is_known(int fd)
{
	struct statx statx_result;
	FILE *table = fopen("/proc/self/mountinfo", "re");
	if (table == NULL || statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID,
			&statx_result) < 0)
		fail("mount table");

	bool known = false;
	unsigned long long id;
	while (!known && fscanf(table, "%llu%*[^\n]", &id) == 1)
		known = id == statx_result.stx_mnt_id;
	fclose(table);
	return known;
}

static void
file_on_disk(struct client *client, unsigned int number)
{
	static const char *const directories[] = {"/var/tmp", "/dev/shm"};
	client_label(client, "%s", directories[number]);

	char path[64];
	snprintf(path, sizeof(path), "%s/siege-XXXXXX", directories[number]);
	int fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0) {
		client_skip(client, "%s: %m", directories[number]);
		return;
	}
	unlink(path);
	if (!mount_is_known(fd)) {
		client_skip(client, "the mount of %s is hidden",
			directories[number]);
		close(fd);
		return;
	}
	file_paint(fd, 0, PICTURE_BYTES, FRIENDLY_PIXEL);
	show(client, buffer_create(client, fd, &picture));
	close(fd);
}

/* Only the wl_buffer is left when it is first read. */
static void
buffer_alone(struct client *client, unsigned int number)
{
	(void)number;
	int fd = file_create(PICTURE_BYTES, 0, FRIENDLY_PIXEL);
	struct wl_buffer *buffer = buffer_create(client, fd, &picture);
	client_sync(client);
	close(fd);
	show(client, buffer);
}

const struct attack friendly_clients[] = {
	{
		.name = "friendly-seals",
		.about = "shows files with every combination of size seals",
		.expected = "shows them",
		.rule = "wl_shm.create_pool takes any file that can be mapped",
		.accepted = OUTCOME_SERVED,
		.cases = SEALS_TO_WRITE,
		.run = sealed,
	},
	{
		.name = "friendly-unwritable",
		.about = "shows read-only descriptors and write-sealed files",
		.expected = "shows them: a compositor only reads",
		.rule = "F22",
		.accepted = OUTCOME_SERVED,
		.cases = 1 + SEALS_ALL - SEALS_TO_WRITE,
		.run = unwritable,
	},
	{
		.name = "friendly-resize",
		.about = "grows a pool that is on the screen and uses the new part",
		.expected = "resizes at once and shows it",
		.rule = "wl_shm_pool.resize; F6",
		.accepted = OUTCOME_SERVED,
		.cases = 4,
		.run = resize_in_use,
	},
	{
		.name = "friendly-odd-layout",
		.about = "shows pictures at odd offsets with padded rows",
		.expected = "shows them",
		.rule = "wl_shm_pool.create_buffer; F10, F23",
		.accepted = OUTCOME_SERVED,
		.cases = 4,
		.run = odd_layout,
	},
	{
		.name = "friendly-many-buffers",
		.about = "makes 65 buffers of one pool and shows some of them",
		.expected = "shows them",
		.rule = "wl_shm_pool.create_buffer, wl_shm_pool.destroy",
		.accepted = OUTCOME_SERVED,
		.run = many_buffers,
	},
	{
		.name = "friendly-huge-page",
		.about = "shows a picture in a huge page",
		.expected = "shows it",
		.rule = "wl_shm.create_pool takes any file that can be mapped",
		.accepted = OUTCOME_SERVED,
		.run = huge_page,
	},
	{
		.name = "friendly-file-on-disk",
		.about = "shows ordinary files, which cannot be sealed",
		.expected = "shows them",
		.rule = "wl_shm.create_pool takes any file that can be mapped",
		.accepted = OUTCOME_SERVED,
		.cases = 2,
		.run = file_on_disk,
	},
	{
		.name = "friendly-buffer-alone",
		.about = "shows a buffer whose pool and descriptor are gone",
		.expected = "shows it",
		.rule = "wl_shm_pool.destroy",
		.accepted = OUTCOME_SERVED,
		.run = buffer_alone,
	},
	{0},
};
