/* SPDX-License-Identifier: MIT */
#include "attack.h"

#include "pool.h"
#include "window.h"

#include <stdlib.h>
#include <unistd.h>

/*
 * Numbers that do not fit: rows longer than the stride, planes past the pool's
 * end, sizes at the edges of their types.
 */

#define HOSTILE_PIXEL 0xff208040
#define PRESENTED 2

/*
 * Reading past a pool's end shows if nothing is mapped there. Pools are mapped
 * one below the other: of each pair made here the upper one is unmapped again.
 */
#define PAIRS 8
#define PAIR_BYTES (1 << 20)

static void
present_at_pool_end(struct client *client, const struct claim *claim,
	size_t bytes)
{
	struct claim at_end = *claim;
	at_end.offset = (int32_t)(PAIR_BYTES - bytes);

	int fd = file_create(PAIR_BYTES, 0, HOSTILE_PIXEL);
	struct wl_shm_pool *upper[PAIRS], *lower[PAIRS];
	for (int i = 0; i < PAIRS; i++) {
		upper[i] = pool_create(client, fd, PAIR_BYTES);
		lower[i] = pool_create(client, fd, PAIR_BYTES);
	}
	for (int i = 0; i < PAIRS; i++)
		wl_shm_pool_destroy(upper[i]);
	client_sync(client);

	for (int i = 0; i < PAIRS; i++)
		window_present(client, pool_buffer(lower[i], &at_end), PRESENTED);
	close(fd);
}

/* A row of 4-byte pixels in one byte for each pixel: width fits in stride only
 * if one compares pixels with bytes. */
static void
stride_in_pixels(struct client *client, unsigned int number)
{
	static const struct {
		const char *label;
		struct claim claim;
	} cases[] = {
		{"one byte for each pixel",
			{0, 800, 300, 800, WL_SHM_FORMAT_XRGB8888}},
		{"one byte too few",
			{0, 800, 300, 4 * 800 - 1, WL_SHM_FORMAT_ARGB8888}},
		{"a single row", {0, 4096, 1, 4096, WL_SHM_FORMAT_ARGB8888}},
		{"two bytes for each pixel, 16 bits a pixel less one byte",
			{0, 800, 300, 2 * 800 - 1, WL_SHM_FORMAT_RGB565}},
	};
	const struct claim *claim = &cases[number].claim;
	client_label(client, "%s", cases[number].label);
	if (!client_has_format(client, claim->format)) {
		client_skip(client, "format 0x%08x is not offered", claim->format);
		return;
	}
	present_at_pool_end(client, claim,
		(size_t)claim->stride * (size_t)claim->height);
}

/* A pool that holds the first plane and no other. */
static void
first_plane_only(struct client *client, unsigned int number)
{
	static const struct {
		const char *label;
		uint32_t format;
		int32_t bytes_per_pixel;
	} cases[] = {
		{"NV12", WL_SHM_FORMAT_NV12, 1},
		{"NV21", WL_SHM_FORMAT_NV21, 1},
		{"NV16", WL_SHM_FORMAT_NV16, 1},
		{"P010", WL_SHM_FORMAT_P010, 2},
		{"YUV420", WL_SHM_FORMAT_YUV420, 1},
		{"YVU420", WL_SHM_FORMAT_YVU420, 1},
		{"YUV444", WL_SHM_FORMAT_YUV444, 1},
	};
	client_label(client, "%s", cases[number].label);
	if (!client_has_format(client, cases[number].format)) {
		client_skip(client, "no planar format is offered");
		return;
	}

	const struct claim claim = {
		.width = PICTURE_WIDTH,
		.height = PICTURE_HEIGHT,
		.stride = PICTURE_WIDTH * cases[number].bytes_per_pixel,
		.format = cases[number].format,
	};
	present_at_pool_end(client, &claim,
		(size_t)claim.stride * (size_t)claim.height);
}

/* What create_pool, create_buffer and resize must refuse whatever the file. */
static void
impossible_size(struct client *client, unsigned int number)
{
	static const struct {
		const char *label;
		int32_t pool, resize; /* bytes; no resize if 0 */
		struct claim claim;   /* no buffer if all zero */
	} cases[] = {
		{"pool of no bytes", 0, 0, {0}},
		{"pool of -1 bytes", -1, 0, {0}},
		{"pool of INT_MIN bytes", INT32_MIN, 0, {0}},
		{"pool resized to -1", 8192, -1, {0}},
		{"pool resized to INT_MIN", 8192, INT32_MIN, {0}},
		{"pool resized to half", 8192, 4096, {0}},
		{"width 0", 8192, 0, {0, 0, 16, 64, 0}},
		{"width -1", 8192, 0, {0, -1, 16, 64, 0}},
		{"width INT_MIN", 8192, 0, {0, INT32_MIN, 16, 64, 0}},
		{"height 0", 8192, 0, {0, 16, 0, 64, 0}},
		{"height -1", 8192, 0, {0, 16, -1, 64, 0}},
		{"stride 0", 8192, 0, {0, 16, 16, 0, 0}},
		{"stride -64", 8192, 0, {0, 16, 16, -64, 0}},
		{"stride INT_MIN", 8192, 0, {0, 16, 1, INT32_MIN, 0}},
		{"offset -4", 8192, 0, {-4, 16, 16, 64, 0}},
		{"offset INT_MIN", 8192, 0, {INT32_MIN, 16, 16, 64, 0}},
		{"offset past the end", 8192, 0, {8192, 16, 16, 64, 0}},
		{"offset + size wraps", 8192, 0, {INT32_MAX - 63, 16, 1, 64, 0}},
		{"one byte past the end", 8192, 0, {7169, 16, 16, 64, 0}},
		{"stride * height wraps to 0", 8192, 0, {0, 16, 1 << 26, 64, 0}},
		{"stride * height wraps past it", 8192, 0,
			{0, 16, (1 << 26) + 16, 64, 0}},
		{"width * 4 wraps to 64", 8192, 0, {0, (1 << 30) + 16, 1, 64, 0}},
		{"everything INT_MAX", 8192, 0,
			{INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX, 0}},
		{"no such format", 8192, 0, {0, 16, 16, 64, 0x20202020}},
	};
	client_label(client, "%s", cases[number].label);

	const struct claim *claim = &cases[number].claim;
	int fd = file_create(8192, 0, HOSTILE_PIXEL);
	struct wl_shm_pool *pool = pool_create(client, fd, cases[number].pool);
	if (cases[number].resize != 0)
		wl_shm_pool_resize(pool, cases[number].resize);
	if (claim->height != 0 || claim->width != 0)
		window_present(client, pool_buffer(pool, claim), PRESENTED);
	client_sync(client);
	close(fd);
}

/* What may be taken or refused: a renderer may have smaller limits than the
 * protocol. The files are sparse and little of them is on the screen. */
static void
extreme_size(struct client *client, unsigned int number)
{
	static const struct {
		const char *label;
		int32_t pool;
		struct claim claim;
	} cases[] = {
		{"pool of INT_MAX bytes", INT32_MAX, {0, 16, 16, 64, 0}},
		{"buffer at the end of it", INT32_MAX,
			{INT32_MAX - 1024, 16, 16, 64, 0}},
		{"stride of 1 GiB", INT32_MAX, {0, 16, 1, 1 << 30, 0}},
		{"32,768 pixels wide", 1 << 20, {0, 1 << 15, 1, 1 << 17, 0}},
		{"65,536 pixels wide", 1 << 20, {0, 1 << 16, 1, 1 << 18, 0}},
		{"100,000 pixels wide", 1 << 20, {0, 100000, 1, 400000, 0}},
		{"40,000 pixels high", 1 << 20, {0, 1, 40000, 4, 0}},
		{"200,000 pixels high", 1 << 20, {0, 1, 200000, 4, 0}},
		{"half a billion pixels wide", INT32_MAX,
			{0, (1 << 29) - 1, 1, INT32_MAX - 3, 0}},
		{"half a billion pixels high", INT32_MAX,
			{0, 1, (1 << 29) - 1, 4, 0}},
	};
	client_label(client, "%s", cases[number].label);

	int fd = file_create(0, 0, 0);
	file_resize(fd, (size_t)cases[number].pool);
	struct wl_shm_pool *pool = pool_create(client, fd, cases[number].pool);
	struct wl_buffer *buffer = pool_buffer(pool, &cases[number].claim);
	window_present(client, buffer, PRESENTED);
	close(fd);
}

const struct attack layout_attacks[] = {
	{
		.name = "stride-in-pixels",
		.about = "claims rows that are longer than the stride",
		.expected = "refuses the buffer with invalid_stride",
		.rule = "wl_shm error invalid_stride; F2",
		.accepted = OUTCOME_TOLD,
		.cases = 4,
		.run = stride_in_pixels,
	},
	{
		.name = "first-plane-only",
		.about = "claims a planar format in a pool for its first plane",
		.expected = "refuses the buffer with invalid_stride",
		.rule = "wl_shm error invalid_stride; F3",
		.accepted = OUTCOME_TOLD,
		.cases = 7,
		.run = first_plane_only,
	},
	{
		.name = "impossible-size",
		.about = "zero, negative and overflowing sizes in every argument",
		.expected = "refuses each one with an error",
		.rule = "wl_shm errors invalid_stride and invalid_format",
		.accepted = OUTCOME_TOLD,
		.cases = 24,
		.run = impossible_size,
	},
	{
		.name = "extreme-size",
		.about = "shows buffers that are larger than a renderer can take",
		.expected = "shows what it can or refuses, and lives",
		.rule = "I9; some compositors abort or hang",
		.accepted = OUTCOME_ANY_SAFE,
		.covers = true,
		.cases = 10,
		.run = extreme_size,
	},
	{0},
};
