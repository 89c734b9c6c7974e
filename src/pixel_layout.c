/* SPDX-License-Identifier: MIT */
#include "pixel_layout.h"

#include <stddef.h>

#define FOURCC(a, b, c, d) ((uint32_t)(a) | (uint32_t)(b) << 8 | \
	(uint32_t)(c) << 16 | (uint32_t)(d) << 24)

/* wl_shm's names for the two formats that it numbered before DRM. */
#define SHM_FORMAT_ARGB8888 0
#define SHM_FORMAT_XRGB8888 1

/* Shapes: number of planes, and each plane's bytes_per_block, block_width,
 * block_height, hsub, vsub. */
#define PACKED(bytes) BLOCKS(bytes, 1, 1)
#define BLOCKS(bytes, across, down) 1, {{bytes, across, down, 1, 1}}
#define RGB_A8(bytes) 2, {{bytes, 1, 1, 1, 1}, {1, 1, 1, 1, 1}}
#define Y_UV(bytes, hsub, vsub) \
	2, {{bytes, 1, 1, 1, 1}, {2 * (bytes), 1, 1, hsub, vsub}}
#define Y_UV_4_IN_5(hsub, vsub) \
	2, {{5, 4, 1, 1, 1}, {5, 2, 1, hsub, vsub}}
#define Y_UV_3_IN_4(hsub, vsub) \
	2, {{4, 3, 1, 1, 1}, {8, 3, 1, hsub, vsub}}
#define Y_U_V(bytes, hsub, vsub) \
	3, {{bytes, 1, 1, 1, 1}, {bytes, 1, 1, hsub, vsub}, \
	{bytes, 1, 1, hsub, vsub}}
#define Y_U_V_3_IN_4(hsub, vsub) \
	3, {{4, 3, 1, 1, 1}, {4, 3, 1, hsub, vsub}, {4, 3, 1, hsub, vsub}}

static const struct pixel_layout layouts[] = {
#define FORMAT(name, a, b, c, d, ...) {FOURCC(a, b, c, d), __VA_ARGS__},
#define UNSUPPORTED(name, a, b, c, d, reason)
#include "pixel_formats.inc"
#undef FORMAT
#undef UNSUPPORTED
};

uint32_t
pixel_layout_drm_format(uint32_t shm_format)
{
	switch (shm_format) {
	case SHM_FORMAT_ARGB8888:
		return FOURCC('A', 'R', '2', '4');
	case SHM_FORMAT_XRGB8888:
		return FOURCC('X', 'R', '2', '4');
	default:
		return shm_format;
	}
}

const struct pixel_layout *
pixel_layout_find(uint32_t shm_format)
{
	uint32_t drm_format = pixel_layout_drm_format(shm_format);

	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
		if (layouts[i].drm_format == drm_format)
			return &layouts[i];
	}
	return NULL;
}

static uint64_t
div_round_up(uint64_t value, uint64_t divisor)
{
	return (value + divisor - 1) / divisor;
}

static uint64_t
round_up(uint64_t value, uint64_t multiple)
{
	return div_round_up(value, multiple) * multiple;
}

/* Bytes from one row of pixels to the next that `width` pixels need at least. A
 * row of blocks is as many rows of pixels as the blocks are high. */
static uint64_t
min_stride(const struct pixel_plane *plane, uint64_t width)
{
	uint64_t samples = div_round_up(width, plane->hsub);
	uint64_t blocks = div_round_up(samples, plane->block_width);
	return div_round_up(blocks * plane->bytes_per_block,
		plane->block_height);
}

/* The stride of a further plane: for each byte of the first plane's as many as
 * its own samples have there, and never less than a row of it needs. Rounded up
 * to whole samples, so that readers that do so stay inside the span too; packed
 * samples share bytes, and their stride stays in exact proportion. */
static uint64_t
further_stride(const struct pixel_plane *first, const struct pixel_plane *plane,
	uint64_t width, uint64_t stride)
{
	uint64_t share = div_round_up(
		stride * plane->bytes_per_block * first->block_width,
		(uint64_t)first->bytes_per_block * plane->block_width *
			plane->hsub);
	if (plane->block_width == 1)
		share = round_up(share, plane->bytes_per_block);
	uint64_t needed = min_stride(plane, width);
	return share > needed ? share : needed;
}

size_t
pixel_layout_row(const struct pixel_layout *layout, int32_t width)
{
	const struct pixel_plane *first = &layout->plane[0];
	return first->block_height > 1 ? 0 :
		(size_t)min_stride(first, (uint64_t)width);
}

struct pixel_span
pixel_layout_span(const struct pixel_layout *layout,
	int32_t width, int32_t height, int32_t stride)
{
	if (width <= 0 || height <= 0 || stride <= 0)
		return (struct pixel_span){0,
			"width, height and stride must be positive"};

	const struct pixel_plane *first = &layout->plane[0];
	if ((uint64_t)stride < min_stride(first, (uint64_t)width))
		return (struct pixel_span){0, "stride is shorter than a row"};

	/* At most 2^62 bytes for plane 0, and 2^63 for the others together (NV24:
	 * one plane with twice the stride). */
	uint64_t bytes = 0;
	for (int i = 0; i < layout->planes; i++) {
		const struct pixel_plane *plane = &layout->plane[i];
		uint64_t plane_stride = i == 0 ? (uint64_t)stride :
			further_stride(first, plane, (uint64_t)width,
				(uint64_t)stride);
		uint64_t rows = round_up(
			div_round_up((uint64_t)height, plane->vsub),
			plane->block_height);
		bytes += plane_stride * rows;
	}
	return (struct pixel_span){bytes, NULL};
}
