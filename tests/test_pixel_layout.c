/* SPDX-License-Identifier: MIT */
#include "harness.h"
#include "pixel_layout.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define FOURCC(a, b, c, d) ((uint32_t)(a) | (uint32_t)(b) << 8 | \
	(uint32_t)(c) << 16 | (uint32_t)(d) << 24)
#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *name;
	uint32_t code;
} formats[] = {
#define FORMAT(name, a, b, c, d, ...) {#name, FOURCC(a, b, c, d)},
#define UNSUPPORTED(name, a, b, c, d, reason)
#include "pixel_formats.inc"
#undef FORMAT
#undef UNSUPPORTED
};

static const struct pixel_layout *
layout_named(const char *name)
{
	for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
		if (strcmp(formats[i].name, name) == 0)
			return pixel_layout_find(formats[i].code);
	}
	ck_abort_msg("no format %s", name);
}

/* -1 for a geometry that is refused. */
static int64_t
span_of(const char *name, int32_t width, int32_t height, int32_t stride)
{
	struct pixel_span span = pixel_layout_span(layout_named(name),
		width, height, stride);
	return span.problem != NULL ? -1 : (int64_t)span.bytes;
}

static uint64_t
random_bits(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/*
 * The reference: counts instead of calculating, and puts every pixel of every
 * plane somewhere.
 */

#define MAX_MAP (1 << 16)

static int
slow_min_stride(const struct pixel_plane *plane, int width)
{
	int last = 0;
	for (int x = 0; x < width; x++)
		last = x / plane->hsub / plane->block_width;

	int stride = 0;
	while (stride * plane->block_height < (last + 1) * plane->bytes_per_block)
		stride++;
	return stride;
}

static int
slow_further_stride(const struct pixel_layout *layout, int i, int width,
	int stride)
{
	const struct pixel_plane *first = &layout->plane[0];
	const struct pixel_plane *plane = &layout->plane[i];

	/* Whole samples, or bytes where samples share them. */
	int step = plane->block_width == 1 ? plane->bytes_per_block : 1;
	int bytes = 0;
	while (bytes * first->bytes_per_block * plane->block_width *
			plane->hsub <
			stride * plane->bytes_per_block * first->block_width)
		bytes += step;
	int needed = slow_min_stride(plane, width);
	return bytes > needed ? bytes : needed;
}

/* Marks the bytes of each block with its number, from `base`. Returns the end of
 * the plane, or -1 if blocks share bytes. Asserts cost a system call each, so
 * there are none in the loops. */
static int
mark_plane(const struct pixel_plane *plane, int number, int width, int height,
	int stride, int base, int *map)
{
	int end = base;
	for (int y = 0; y < height; y++) {
		int row = y / plane->vsub / plane->block_height;
		int row_start = base + row * plane->block_height * stride;
		int row_end = row_start + plane->block_height * stride;
		for (int x = 0; x < width; x++) {
			int column = x / plane->hsub / plane->block_width;
			int byte = row_start + column * plane->bytes_per_block;
			int id = number << 24 | (row + 1) << 12 | column;
			for (int i = 0; i < plane->bytes_per_block; i++) {
				if (byte + i >= row_end || byte + i >= MAX_MAP)
					return -1;
				if (map[byte + i] != 0 && map[byte + i] != id)
					return -1;
				map[byte + i] = id;
			}
		}
		end = row_end;
	}
	return end;
}

static void
compare_with_marked(const char *name, const struct pixel_layout *layout,
	int width, int height, int stride)
{
	static int map[MAX_MAP];

	int end = 0;
	for (int i = 0; i < layout->planes && end >= 0; i++) {
		int plane_stride = i == 0 ? stride :
			slow_further_stride(layout, i, width, stride);
		end = mark_plane(&layout->plane[i], i + 1, width, height,
			plane_stride, end, map);
	}

	struct pixel_span span = pixel_layout_span(layout, width, height, stride);
	if (end < 0 || span.problem != NULL || span.bytes != (uint64_t)end)
		ck_abort_msg("%s %dx%d stride %d: %" PRIu64 " bytes (%s), "
			"expected %d", name, width, height, stride, span.bytes,
			span.problem != NULL ? span.problem : "accepted", end);
	memset(map, 0, (size_t)end * sizeof(map[0]));
}

TEST(F3_all_planes_within_span)
{
	static const int widths[] = {1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33};
	static const int heights[] = {1, 2, 3, 4, 5, 8, 9};

	for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
		const struct pixel_layout *layout =
			pixel_layout_find(formats[i].code);
		for (size_t w = 0; w < ARRAY_LENGTH(widths); w++) {
			int least = slow_min_stride(&layout->plane[0], widths[w]);
			for (size_t h = 0; h < ARRAY_LENGTH(heights); h++) {
				for (int extra = 0; extra < 12; extra++)
					compare_with_marked(formats[i].name,
						layout, widths[w], heights[h],
						least + extra);
			}
		}
	}
}

/* The same arithmetic with every step checked for overflow. */

static uint64_t
add(uint64_t a, uint64_t b)
{
	uint64_t sum;
	if (__builtin_add_overflow(a, b, &sum))
		ck_abort_msg("%" PRIu64 " + %" PRIu64 " overflows", a, b);
	return sum;
}

static uint64_t
multiply(uint64_t a, uint64_t b)
{
	uint64_t product;
	if (__builtin_mul_overflow(a, b, &product))
		ck_abort_msg("%" PRIu64 " * %" PRIu64 " overflows", a, b);
	return product;
}

static uint64_t
divide_up(uint64_t a, uint64_t b)
{
	return add(a / b, a % b != 0);
}

static uint64_t
divide_down(uint64_t a, uint64_t b)
{
	return a / b;
}

static uint64_t
checked_min_stride(const struct pixel_plane *plane, uint64_t width)
{
	uint64_t blocks = divide_up(width, plane->hsub * plane->block_width);
	return divide_up(multiply(blocks, plane->bytes_per_block),
		plane->block_height);
}

static uint64_t
checked_further_stride(const struct pixel_plane *first,
	const struct pixel_plane *plane, uint64_t width, uint64_t stride)
{
	uint64_t step = plane->block_width == 1 ? plane->bytes_per_block : 1;
	uint64_t share = multiply(stride,
		plane->bytes_per_block * first->block_width);
	share = multiply(step, divide_up(share, step * plane->hsub *
		first->bytes_per_block * plane->block_width));
	uint64_t needed = checked_min_stride(plane, width);
	return share > needed ? share : needed;
}

static uint64_t
checked_span(const struct pixel_layout *layout, uint64_t width,
	uint64_t height, uint64_t stride)
{
	uint64_t bytes = 0;
	for (int i = 0; i < layout->planes; i++) {
		const struct pixel_plane *plane = &layout->plane[i];
		uint64_t plane_stride = i == 0 ? stride :
			checked_further_stride(&layout->plane[0], plane, width,
				stride);
		uint64_t rows = multiply(plane->block_height,
			divide_up(height, plane->vsub * plane->block_height));
		bytes = add(bytes, multiply(plane_stride, rows));
	}
	return bytes;
}

static void
compare_with_checked(const char *name, const struct pixel_layout *layout,
	int32_t width, int32_t height, int32_t stride)
{
	bool fits = (uint64_t)stride >=
		checked_min_stride(&layout->plane[0], (uint64_t)width);
	uint64_t expected = fits ? checked_span(layout, (uint64_t)width,
		(uint64_t)height, (uint64_t)stride) : 0;

	struct pixel_span span = pixel_layout_span(layout, width, height, stride);
	if ((span.problem == NULL) != fits || span.bytes != expected)
		ck_abort_msg("%s %dx%d stride %d: %" PRIu64 " bytes (%s), "
			"expected %" PRIu64, name, width, height, stride,
			span.bytes, span.problem != NULL ? span.problem :
			"accepted", expected);
}

TEST(extremes_do_not_overflow)
{
	static const int32_t values[] = {1, 2, 3, 4095, 65535, 65536, 1 << 24,
		INT32_MAX / 4, INT32_MAX / 2, INT32_MAX - 1, INT32_MAX};

	for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
		const struct pixel_layout *layout =
			pixel_layout_find(formats[i].code);
		for (size_t w = 0; w < ARRAY_LENGTH(values); w++) {
			for (size_t h = 0; h < ARRAY_LENGTH(values); h++) {
				for (size_t s = 0; s < ARRAY_LENGTH(values); s++)
					compare_with_checked(formats[i].name,
						layout, values[w], values[h],
						values[s]);
			}
		}
	}

	/* The largest of all: three times 2^31 - 1 squared. */
	ck_assert_uint_eq(pixel_layout_span(layout_named("NV24"), INT32_MAX,
		INT32_MAX, INT32_MAX).bytes,
		UINT64_C(3) * INT32_MAX * INT32_MAX);
	ck_assert_int_eq(span_of("ARGB8888", INT32_MAX, INT32_MAX, INT32_MAX), -1);
}

TEST(random_geometry_agrees_with_checked_arithmetic)
{
	for (int round = 0; round < 100 * 1000; round++) {
		uint64_t i = random_bits() % ARRAY_LENGTH(formats);
		/* All magnitudes alike. */
		int32_t value[3];
		for (int j = 0; j < 3; j++) {
			uint64_t bits = 1 + random_bits() % 31;
			value[j] = (int32_t)(random_bits() &
				((UINT64_C(1) << bits) - 1));
			value[j] += value[j] == 0;
		}
		compare_with_checked(formats[i].name,
			pixel_layout_find(formats[i].code),
			value[0], value[1], value[2]);
	}
}

TEST(not_positive_is_refused)
{
	static const int32_t values[] = {0, -1, -4096, INT32_MIN};

	for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
		const struct pixel_layout *layout =
			pixel_layout_find(formats[i].code);
		for (size_t j = 0; j < ARRAY_LENGTH(values); j++) {
			int32_t bad = values[j];
			ck_assert_ptr_nonnull(
				pixel_layout_span(layout, bad, 8, 64).problem);
			ck_assert_ptr_nonnull(
				pixel_layout_span(layout, 8, bad, 64).problem);
			ck_assert_ptr_nonnull(
				pixel_layout_span(layout, 8, 8, bad).problem);
			ck_assert_uint_eq(
				pixel_layout_span(layout, 8, 8, bad).bytes, 0);
		}
	}
}

TEST(F2_stride_counts_bytes)
{
	ck_assert_int_eq(span_of("ARGB8888", 4096, 1, 4096), -1);
	ck_assert_int_eq(span_of("ARGB8888", 4096, 1, 4096 * 4 - 1), -1);
	ck_assert_int_eq(span_of("ARGB8888", 4096, 1, 4096 * 4), 4096 * 4);

	for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
		const struct pixel_layout *layout =
			pixel_layout_find(formats[i].code);
		for (int width = 1; width < 20; width++) {
			int least = slow_min_stride(&layout->plane[0], width);
			ck_assert_ptr_nonnull(pixel_layout_span(layout,
				width, 7, least - 1).problem);
			ck_assert_ptr_null(pixel_layout_span(layout,
				width, 7, least).problem);
		}
	}
}

TEST(F23_odd_strides_are_legal)
{
	ck_assert_int_eq(span_of("RGB888", 5, 7, 16), 16 * 7);
	ck_assert_int_eq(span_of("RGB888", 5, 7, 17), 17 * 7);
	ck_assert_int_eq(span_of("ARGB8888", 5, 7, 21), 21 * 7);
	ck_assert_int_eq(span_of("NV15", 8, 4, 64), 64 * 4 + 64 * 2);

	for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
		const struct pixel_layout *layout =
			pixel_layout_find(formats[i].code);
		for (int stride = 1000; stride < 1020; stride++)
			ck_assert_ptr_null(pixel_layout_span(layout,
				60, 7, stride).problem);
	}
}

/* What wl_shm itself asks of a pool, the last row's padding included. */
TEST(single_plane_spans_stride_times_height)
{
	for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
		const struct pixel_layout *layout =
			pixel_layout_find(formats[i].code);
		if (layout->planes != 1)
			continue;
		ck_assert_uint_eq(pixel_layout_span(layout, 30, 20, 513).bytes,
			513 * 20);
	}
}

TEST(families_with_one_plane)
{
	ck_assert_int_eq(span_of("R8", 5, 3, 5), 15);
	ck_assert_int_eq(span_of("Y8", 5, 3, 5), 15);
	ck_assert_int_eq(span_of("RGB565", 5, 3, 10), 30);
	ck_assert_int_eq(span_of("BGR161616", 5, 3, 30), 90);
	ck_assert_int_eq(span_of("BGR323232F", 5, 3, 60), 180);
	ck_assert_int_eq(span_of("ABGR32323232F", 5, 3, 80), 240);
	/* Several pixels to a byte. */
	ck_assert_int_eq(span_of("C1", 8, 3, 1), 3);
	ck_assert_int_eq(span_of("C1", 9, 3, 1), -1);
	ck_assert_int_eq(span_of("R2", 9, 3, 3), 9);
	ck_assert_int_eq(span_of("D4", 9, 3, 5), 15);
	/* Two and three pixels to a block. */
	ck_assert_int_eq(span_of("YUYV", 5, 3, 11), -1);
	ck_assert_int_eq(span_of("YUYV", 5, 3, 12), 36);
	ck_assert_int_eq(span_of("Y210", 5, 3, 24), 72);
	ck_assert_int_eq(span_of("XYYY2101010", 7, 3, 12), 36);
	/* Tiles: the last row of tiles is whole. */
	ck_assert_int_eq(span_of("X0L2", 5, 4, 12), 48);
	ck_assert_int_eq(span_of("X0L2", 5, 3, 12), 48);
	ck_assert_int_eq(span_of("X0L2", 5, 3, 11), -1);
}

TEST(families_with_two_planes)
{
	ck_assert_int_eq(span_of("NV12", 6, 4, 8), 8 * 4 + 8 * 2);
	ck_assert_int_eq(span_of("NV21", 5, 5, 5), 5 * 5 + 6 * 3);
	ck_assert_int_eq(span_of("NV16", 6, 5, 8), 8 * 5 + 8 * 5);
	ck_assert_int_eq(span_of("NV24", 6, 5, 8), 8 * 5 + 16 * 5);
	ck_assert_int_eq(span_of("P010", 6, 4, 16), 16 * 4 + 16 * 2);
	ck_assert_int_eq(span_of("P210", 6, 4, 16), 16 * 4 + 16 * 4);
	/* A row of three pixels has two chroma pairs of 4 bytes. */
	ck_assert_int_eq(span_of("P016", 3, 2, 6), 6 * 2 + 8);
	ck_assert_int_eq(span_of("NV15", 8, 4, 10), 10 * 4 + 10 * 2);
	ck_assert_int_eq(span_of("NV15", 4, 4, 5), 5 * 4 + 5 * 2);
	ck_assert_int_eq(span_of("NV20", 8, 4, 10), 10 * 4 + 10 * 4);
	ck_assert_int_eq(span_of("NV30", 8, 4, 10), 10 * 4 + 20 * 4);
	ck_assert_int_eq(span_of("NV15", 9, 4, 14), -1);
	ck_assert_int_eq(span_of("P030", 6, 4, 8), 8 * 4 + 8 * 2);
	ck_assert_int_eq(span_of("P230", 6, 4, 8), 8 * 4 + 8 * 4);
	ck_assert_int_eq(span_of("XRGB8888_A8", 5, 3, 20), 20 * 3 + 5 * 3);
	ck_assert_int_eq(span_of("RGB888_A8", 5, 3, 16), 16 * 3 + 6 * 3);
	ck_assert_int_eq(span_of("BGR565_A8", 5, 3, 10), 10 * 3 + 5 * 3);
}

TEST(families_with_three_planes)
{
	ck_assert_int_eq(span_of("YUV420", 6, 4, 8), 8 * 4 + 2 * 4 * 2);
	ck_assert_int_eq(span_of("YVU420", 5, 5, 5), 5 * 5 + 2 * 3 * 3);
	ck_assert_int_eq(span_of("YUV410", 9, 9, 12), 12 * 9 + 2 * 3 * 3);
	ck_assert_int_eq(span_of("YVU411", 9, 9, 12), 12 * 9 + 2 * 3 * 9);
	ck_assert_int_eq(span_of("YUV422", 6, 4, 8), 8 * 4 + 2 * 4 * 4);
	ck_assert_int_eq(span_of("YUV444", 6, 4, 8), 3 * 8 * 4);
	ck_assert_int_eq(span_of("Q410", 6, 4, 12), 3 * 12 * 4);
	ck_assert_int_eq(span_of("S010", 6, 4, 12), 12 * 4 + 2 * 6 * 2);
	ck_assert_int_eq(span_of("S212", 6, 4, 12), 12 * 4 + 2 * 6 * 4);
	ck_assert_int_eq(span_of("T430", 7, 4, 12), 3 * 12 * 4);
}

/*
 * Who puts planes where (docs/formats.md). The formats that they know have one
 * sample, or one pair of samples, to a block.
 */

static bool
is_plain(const struct pixel_layout *layout)
{
	return layout->planes > 1 && layout->plane[0].block_width == 1 &&
		layout->plane[1].bytes_per_block >=
			layout->plane[0].bytes_per_block;
}

/* Where a compositor's reads end that counts in samples. Mutter and Weston round
 * everything down. */
static uint64_t
end_of_reads(const struct pixel_layout *layout, bool up, uint64_t width,
	uint64_t height, uint64_t stride)
{
	uint64_t (*divide)(uint64_t a, uint64_t b) = up ? divide_up : divide_down;
	uint64_t samples = divide(stride, layout->plane[0].bytes_per_block);
	uint64_t offset = 0, end = 0;
	for (int i = 0; i < layout->planes; i++) {
		const struct pixel_plane *plane = &layout->plane[i];
		uint64_t plane_stride = i == 0 ? stride :
			divide(samples, plane->hsub) * plane->bytes_per_block;
		uint64_t rows = divide(height, plane->vsub);
		uint64_t row = divide(width, plane->hsub) *
			plane->bytes_per_block;
		if (rows > 0 && offset + (rows - 1) * plane_stride + row > end)
			end = offset + (rows - 1) * plane_stride + row;
		offset += rows * plane_stride;
	}
	return end;
}

/* Where the planes of GStreamer's Wayland sink end: each component's share of the
 * stride is rounded up. */
static uint64_t
end_of_writes(const struct pixel_layout *layout, uint64_t height,
	uint64_t stride)
{
	uint64_t end = 0;
	for (int i = 0; i < layout->planes; i++) {
		const struct pixel_plane *plane = &layout->plane[i];
		uint64_t components = plane->bytes_per_block /
			layout->plane[0].bytes_per_block;
		end += divide_up(stride, plane->hsub) * components *
			divide_up(height, plane->vsub);
	}
	return end;
}

TEST(F3_span_covers_readers_and_writers_in_use)
{
	for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
		const struct pixel_layout *layout =
			pixel_layout_find(formats[i].code);
		if (!is_plain(layout))
			continue;
		for (int round = 0; round < 500; round++) {
			uint64_t width = 1 + random_bits() % 70;
			uint64_t height = 1 + random_bits() % 70;
			uint64_t stride = random_bits() % 40 +
				width * layout->plane[0].bytes_per_block;
			uint64_t bytes = pixel_layout_span(layout,
				(int32_t)width, (int32_t)height,
				(int32_t)stride).bytes;
			ck_assert_uint_le(end_of_reads(layout, false, width,
				height, stride), bytes);
			ck_assert_uint_le(end_of_reads(layout, true, width,
				height, stride), bytes);
			uint64_t writes = end_of_writes(layout, height, stride);
			ck_assert_uint_le(writes, bytes);
			/* And pools that are just large enough are accepted. */
			if (stride % 4 == 0)
				ck_assert_uint_eq(writes, bytes);
		}
	}
}
