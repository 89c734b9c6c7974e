/* SPDX-License-Identifier: MIT */
#include "attack.h"

#include "pool.h"
#include "window.h"

#include <stdlib.h>
#include <unistd.h>

/*
 * Pixels that do not fit: rows longer than the stride, planes past the pool's end,
 * formats that were never offered.
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
 * if one compares pixels with bytes. Formats that pack two or four pixels in a
 * block need room for the whole of the last block. */
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
		{"a single column", {0, 1, 4096, 1, WL_SHM_FORMAT_ARGB8888}},
		{"16 bits a pixel, one byte too few",
			{0, 800, 300, 2 * 800 - 1, WL_SHM_FORMAT_RGB565}},
		{"24 bits a pixel, two bytes each",
			{0, 800, 300, 2 * 800, WL_SHM_FORMAT_RGB888}},
		{"24 bits a pixel, one byte too few",
			{0, 800, 300, 3 * 800 - 1, WL_SHM_FORMAT_BGR888}},
		{"64 bits a pixel, four bytes each",
			{0, 800, 300, 4 * 800, WL_SHM_FORMAT_XBGR16161616F}},
		{"YUYV, one byte for each pixel",
			{0, 800, 300, 800, WL_SHM_FORMAT_YUYV}},
		{"YUYV, half a block too few",
			{0, 801, 300, 2 * 801, WL_SHM_FORMAT_YUYV}},
		{"X0L2, a block for each four pixels of a row",
			{0, 800, 300, 800, WL_SHM_FORMAT_X0L2}},
		{"C8, one byte too few", {0, 800, 300, 799, WL_SHM_FORMAT_C8}},
	};
	const struct claim *claim = &cases[number].claim;
	client_label(client, "%s", cases[number].label);
	if (!client_has_format(client, claim->format)) {
		client_skip(client, "no such format is offered");
		return;
	}
	present_at_pool_end(client, claim, claim_bytes(claim));
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
		{"NV24", WL_SHM_FORMAT_NV24, 1},
		{"NV61", WL_SHM_FORMAT_NV61, 1},
		{"P012", WL_SHM_FORMAT_P012, 2},
		{"P016", WL_SHM_FORMAT_P016, 2},
		{"P210", WL_SHM_FORMAT_P210, 2},
		{"Q410", WL_SHM_FORMAT_Q410, 2},
		{"YUV410", WL_SHM_FORMAT_YUV410, 1},
		{"YUV411", WL_SHM_FORMAT_YUV411, 1},
		{"YUV422", WL_SHM_FORMAT_YUV422, 1},
		{"XRGB8888_A8", WL_SHM_FORMAT_XRGB8888_A8, 4},
		{"RGB565_A8", WL_SHM_FORMAT_RGB565_A8, 2},
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
	present_at_pool_end(client, &claim, claim_bytes(&claim));
}

#define FORMATS_NOT_OFFERED 21

/* The sizes are good for any of them. */
static void
format_not_offered(struct client *client, unsigned int number)
{
	static const uint32_t formats[] = {
		WL_SHM_FORMAT_C8, WL_SHM_FORMAT_R8, WL_SHM_FORMAT_RGB888,
		WL_SHM_FORMAT_ABGR16161616F, WL_SHM_FORMAT_YUYV,
		WL_SHM_FORMAT_AYUV, WL_SHM_FORMAT_Y210, WL_SHM_FORMAT_X0L2,
		WL_SHM_FORMAT_Y0L0, WL_SHM_FORMAT_VUY101010,
		WL_SHM_FORMAT_YUV420_8BIT, WL_SHM_FORMAT_NV12,
		WL_SHM_FORMAT_NV15, WL_SHM_FORMAT_P010, WL_SHM_FORMAT_YUV420,
		WL_SHM_FORMAT_YUV444, WL_SHM_FORMAT_XRGB8888_A8,
		/* No format, and ARGB8888 and XRGB8888 as others number them. */
		2, UINT32_MAX, 0x34325241, 0x34325258,
	};
	_Static_assert(ARRAY_LENGTH(formats) == FORMATS_NOT_OFFERED,
		"a case for each");
	const uint32_t format = formats[number];
	client_label(client, "0x%08x", format);
	if (client_has_format(client, format)) {
		client_skip(client, "it is offered");
		return;
	}

	const struct claim claim = {
		.width = 16,
		.height = 16,
		.stride = 16 * 8,
		.format = format,
	};
	int fd = file_create(PICTURE_BYTES, 0, HOSTILE_PIXEL);
	struct wl_shm_pool *pool = pool_create(client, fd, PICTURE_BYTES);
	window_present(client, pool_buffer(pool, &claim), PRESENTED);
	close(fd);
}

const struct attack layout_attacks[] = {
	{
		.name = "stride-in-pixels",
		.about = "claims rows that are longer than the stride",
		.expected = "refuses the buffer with invalid_stride",
		.rule = "wl_shm error invalid_stride; F2",
		.accepted = OUTCOME_TOLD,
		.cases = 12,
		.run = stride_in_pixels,
	},
	{
		.name = "first-plane-only",
		.about = "claims a planar format in a pool for its first plane",
		.expected = "refuses the buffer with invalid_stride",
		.rule = "wl_shm error invalid_stride; F3",
		.accepted = OUTCOME_TOLD,
		.cases = 18,
		.run = first_plane_only,
	},
	{
		.name = "format-not-offered",
		.about = "claims formats that the compositor does not offer",
		.expected = "refuses each one with invalid_format",
		.rule = "wl_shm error invalid_format",
		.accepted = OUTCOME_TOLD,
		.cases = FORMATS_NOT_OFFERED,
		.run = format_not_offered,
	},
	{0},
};
