/* SPDX-License-Identifier: MIT */

/*
 * How many bytes a buffer needs, against integers that cannot overflow and
 * another way to say it: where the last byte of each plane is (docs/formats.md).
 */

#include "fuzz.h"
#include "pixel_layout.h"
#include "script.h"

#include <stdbool.h>

/* Products of three 32-bit numbers and more. 32-bit compilers can multiply it. */
typedef unsigned _BitInt(128) big;

static const uint32_t formats[] = {
#define FOURCC(a, b, c, d) ((uint32_t)(a) | (uint32_t)(b) << 8 | \
	(uint32_t)(c) << 16 | (uint32_t)(d) << 24)
#define FORMAT(name, a, b, c, d, ...) FOURCC(a, b, c, d),
#define UNSUPPORTED(name, a, b, c, d, reason) FOURCC(a, b, c, d),
#include "pixel_formats.inc"
#undef FORMAT
#undef UNSUPPORTED
	0,
	1,
};

/* The least number whose product with `divisor` is at least `value`: without a
 * division, which is what is tested, and which 32-bit compilers cannot do. */
static big
ceiling(big value, big divisor)
{
	big low = 0, high = value;
	while (low < high) {
		big middle = low + ((high - low) >> 1);
		if (middle * divisor >= value)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

struct reference {
	bool fits;  /* a row in the stride */
	big bytes;
	big needed; /* up to the last byte that anybody looks at */
};

/* Bytes of a row of blocks. */
static big
row_bytes(const struct pixel_plane *plane, big width)
{
	big samples = ceiling(width, plane->hsub);
	return ceiling(samples, plane->block_width) * plane->bytes_per_block;
}

/* For each byte of plane 0 as many as the plane has for the same pixels. */
static big
plane_stride(const struct pixel_layout *layout, int i, big width, big stride)
{
	const struct pixel_plane *first = &layout->plane[0];
	const struct pixel_plane *plane = &layout->plane[i];
	if (i == 0)
		return stride;
	/* Of one row of pixels: a / b bytes in plane 0, c / d in this one. */
	big a = first->bytes_per_block, b = first->block_width;
	big c = plane->bytes_per_block,
		d = (big)plane->block_width * plane->hsub;
	big share = ceiling(stride * c * b, a * d);
	if (plane->block_width == 1)
		share = ceiling(share, c) * c;
	big row = row_bytes(plane, width);
	return share > row ? share : row;
}

static struct reference
refer(const struct pixel_layout *layout, big width, big height, big stride)
{
	const struct pixel_plane *first = &layout->plane[0];
	struct reference reference = {
		.fits = stride * first->block_height >= row_bytes(first, width),
	};
	for (int i = 0; i < layout->planes; i++) {
		const struct pixel_plane *plane = &layout->plane[i];
		big down = plane->block_height;
		big blocks = ceiling(ceiling(height, plane->vsub), down);
		big of_blocks = plane_stride(layout, i, width, stride) * down;
		reference.needed = reference.bytes + (blocks - 1) * of_blocks +
			row_bytes(plane, width);
		reference.bytes += blocks * of_blocks;
	}
	return reference;
}

static void
check_row(const struct pixel_layout *layout, int32_t width)
{
	const struct pixel_plane *first = &layout->plane[0];
	size_t row = pixel_layout_row(layout, width);
	big expected = first->block_height > 1 ? 0 :
		row_bytes(first, (big)width);
	if (expected <= SIZE_MAX) /* no buffer has more: its stride is 32 bits */
		FUZZ_CHECK(row == expected, "%zu for %d pixels", row, width);
}

static void
check_span(uint32_t format, int32_t width, int32_t height, int32_t stride)
{
	const struct pixel_layout *layout = pixel_layout_find(format);
	if (layout == NULL)
		return;
	FUZZ_CHECK(layout->drm_format == pixel_layout_drm_format(format),
		"0x%08x for 0x%08x", layout->drm_format, format);
	struct pixel_span span =
		pixel_layout_span(layout, width, height, stride);
	bool positive = width > 0 && height > 0 && stride > 0;
	struct reference reference = {0};
	if (positive) {
		check_row(layout, width);
		reference = refer(layout, (big)width, (big)height, (big)stride);
	}
	bool valid = positive && reference.fits;
	FUZZ_CHECK((span.problem == NULL) == valid &&
		span.bytes == (valid ? reference.bytes : 0) &&
		(!valid || span.bytes >= reference.needed),
		"%llu bytes for format 0x%08x, %d x %d, stride %d: %s",
		(unsigned long long)span.bytes, format, width, height, stride,
		span.problem != NULL ? span.problem : "accepted");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script script = {data, size};
	while (script.size > 0) {
		size_t which = script_take_byte(&script);
		uint32_t format = which == 0xff ?
			(uint32_t)script_take_number(&script) :
			formats[which % (sizeof(formats) / sizeof(*formats))];
		int32_t width = script_take_number(&script);
		int32_t height = script_take_number(&script);
		check_span(format, width, height, script_take_number(&script));
	}
	return 0;
}
