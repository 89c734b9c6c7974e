/* SPDX-License-Identifier: MIT */
#ifndef PIXEL_LAYOUT_H
#define PIXEL_LAYOUT_H

/*
 * How many bytes does a buffer of this format need? Leaf module: knows formats,
 * no files and no Wayland objects.
 *
 * wl_shm has one offset and one stride for all planes. Planes lie one after the
 * other in the order of drm_fourcc.h, without gaps; the stride of a further
 * plane is the first plane's in proportion, rounded up to whole samples, and
 * its rows are the first plane's divided by vsub, rounded up (docs/formats.md).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PIXEL_LAYOUT_MAX_PLANES 3

/* A plane is a grid of blocks of block_width x block_height samples, each
 * bytes_per_block bytes. hsub and vsub: pixels per sample (1 for plane 0). A
 * stride is for one row of samples: a row of blocks is block_height strides. */
struct pixel_plane {
	uint8_t bytes_per_block;
	uint8_t block_width, block_height;
	uint8_t hsub, vsub;
};

struct pixel_layout {
	uint32_t drm_format;
	uint8_t planes;
	struct pixel_plane plane[PIXEL_LAYOUT_MAX_PLANES];
};

/* An enum wl_shm_format to a DRM fourcc: they differ for 0 and 1 only. */
uint32_t pixel_layout_drm_format(uint32_t shm_format);

/* NULL for formats that have no linear layout for a CPU, or that are unknown.
 * Static storage. Any thread. */
const struct pixel_layout *pixel_layout_find(uint32_t shm_format);

/* The bytes that a row of plane 0 needs, without padding, or 0 where blocks are
 * higher than a row: its pixels do not lie next to each other then. `width` > 0. */
size_t pixel_layout_row(const struct pixel_layout *layout, int32_t width);

struct pixel_span {
	uint64_t bytes;      /* from row 0 of plane 0 to the end of all planes */
	const char *problem; /* why not, for the error message; NULL: it is fine.
	                      * Static storage. */
};

/* The bytes that a buffer spans, its last row counted with a full stride as
 * wl_shm does. Zero, with a problem, for non-positive values and for strides
 * shorter than a row of whole blocks. No overflow for any 32-bit input. Any
 * thread. */
struct pixel_span pixel_layout_span(const struct pixel_layout *layout,
	int32_t width, int32_t height, int32_t stride);

#endif
