/* SPDX-License-Identifier: MIT */
#include "harness.h"
#include "pixel_layout.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if __has_include(<pixman.h>)
#include <pixman.h>
#endif

/* The build gives the paths DRM_FOURCC_H, WAYLAND_PROTOCOL_H and FORMATS_MD. */
#ifndef DRM_FOURCC_H
#define DRM_FOURCC_H NULL
#endif
#ifndef WAYLAND_PROTOCOL_H
#define WAYLAND_PROTOCOL_H NULL
#endif
#ifndef FORMATS_MD
#define FORMATS_MD NULL
#endif

#define FOURCC(a, b, c, d) ((uint32_t)(a) | (uint32_t)(b) << 8 | \
	(uint32_t)(c) << 16 | (uint32_t)(d) << 24)
#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

struct format {
	const char *name;
	uint32_t code;
	const char *unsupported; /* why, or NULL */
};

static const struct format formats[] = {
#define FORMAT(name, a, b, c, d, ...) {#name, FOURCC(a, b, c, d), NULL},
#define UNSUPPORTED(name, a, b, c, d, reason) \
	{#name, FOURCC(a, b, c, d), reason},
#include "pixel_formats.inc"
#undef FORMAT
#undef UNSUPPORTED
};

/* NULL if there is none. */
static const struct format *
format_named(const char *name)
{
	for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	}
	return NULL;
}

TEST(table_is_consistent)
{
	for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
		for (size_t j = 0; j < i; j++) {
			ck_assert_str_ne(formats[i].name, formats[j].name);
			ck_assert_uint_ne(formats[i].code, formats[j].code);
		}
		const struct pixel_layout *layout =
			pixel_layout_find(formats[i].code);
		ck_assert_int_eq(layout == NULL, formats[i].unsupported != NULL);
		if (layout == NULL)
			continue;

		ck_assert_uint_eq(layout->drm_format, formats[i].code);
		ck_assert_int_ge(layout->planes, 1);
		ck_assert_int_le(layout->planes, PIXEL_LAYOUT_MAX_PLANES);
		ck_assert_int_eq(layout->plane[0].hsub, 1);
		ck_assert_int_eq(layout->plane[0].vsub, 1);
		for (int p = 0; p < PIXEL_LAYOUT_MAX_PLANES; p++) {
			const struct pixel_plane *plane = &layout->plane[p];
			bool used = p < layout->planes;
			ck_assert_int_eq(plane->bytes_per_block > 0, used);
			ck_assert_int_eq(plane->block_width > 0, used);
			ck_assert_int_eq(plane->block_height > 0, used);
			ck_assert_int_eq(plane->hsub > 0, used);
			ck_assert_int_eq(plane->vsub > 0, used);
		}
	}
}

TEST(wl_shm_codes_0_and_1_are_drm_formats)
{
	uint32_t argb = FOURCC('A', 'R', '2', '4');
	uint32_t xrgb = FOURCC('X', 'R', '2', '4');

	ck_assert_uint_eq(pixel_layout_drm_format(0), argb);
	ck_assert_uint_eq(pixel_layout_drm_format(1), xrgb);
	ck_assert_uint_eq(pixel_layout_drm_format(argb), argb);
	ck_assert_uint_eq(pixel_layout_drm_format(2), 2);
	ck_assert_ptr_eq(pixel_layout_find(0), pixel_layout_find(argb));
	ck_assert_ptr_eq(pixel_layout_find(1), pixel_layout_find(xrgb));
}

TEST(unknown_formats_have_no_layout)
{
	static const uint32_t codes[] = {2, 255, UINT32_MAX,
		FOURCC('Z', 'Z', '9', '9'), FOURCC('a', 'r', '2', '4'),
		/* DRM_FORMAT_BIG_ENDIAN. */
		FOURCC('A', 'R', '2', '4') | UINT32_C(1) << 31};

	for (size_t i = 0; i < ARRAY_LENGTH(codes); i++)
		ck_assert_ptr_null(pixel_layout_find(codes[i]));
}

TEST(formats_without_linear_layout_are_refused)
{
	static const char *const names[] = {"VUY101010", "YUV420_8BIT",
		"YUV420_10BIT"};

	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		const struct format *format = format_named(names[i]);
		ck_assert_ptr_nonnull(format->unsupported);
		ck_assert_ptr_null(pixel_layout_find(format->code));
	}
}

/*
 * The lists that the table must cover, read from the installed headers.
 */

struct header_format {
	char name[64];
	uint32_t code;
	const char *comment; /* the rest of the line */
	/* Bits of a block of each plane, from comments above; 0: unknown. */
	int plane_bits[PIXEL_LAYOUT_MAX_PLANES];
};

/* Formats with several planes share a comment: "index 1 = Cr:Cb plane, [15:0]". */
static void
parse_plane_comment(const char *line, struct header_format *format)
{
	int plane, top_bit = -1;
	if (sscanf(line, " * index %d", &plane) != 1 ||
			plane < 0 || plane >= PIXEL_LAYOUT_MAX_PLANES)
		return;

	if (plane == 0)
		memset(format->plane_bits, 0, sizeof(format->plane_bits));
	const char *bits = strchr(line, '[');
	if (bits != NULL)
		sscanf(bits, "[%d:0]", &top_bit);
	format->plane_bits[plane] = top_bit + 1;
}

static bool
parse_drm_line(const char *line, struct header_format *format)
{
	char c[4];
	int end = 0;
	if (sscanf(line, " # define DRM_FORMAT_%63[A-Za-z0-9_] "
			"fourcc_code ( '%c' , '%c' , '%c' , '%c' )%n", format->name,
			&c[0], &c[1], &c[2], &c[3], &end) < 5 || end == 0)
		return false;

	format->code = FOURCC(c[0], c[1], c[2], c[3]);
	format->comment = line + end;
	return true;
}

static bool
parse_wl_shm_line(const char *line, struct header_format *format)
{
	char code[16];
	if (sscanf(line, " WL_SHM_FORMAT_%63[A-Za-z0-9_] = %15[0-9xa-fA-F]",
			format->name, code) != 2)
		return false;

	format->code = pixel_layout_drm_format(
		(uint32_t)strtoul(code, NULL, 0));
	format->comment = "";
	return true;
}

/* Calls `check` for each format of a header. Returns how many there are, or -1
 * if there is no such header. */
static int
for_each_format(const char *path,
	bool (*parse)(const char *line, struct header_format *format),
	void (*check)(const struct header_format *format, FILE *problems),
	FILE *problems)
{
	FILE *header = path != NULL ? fopen(path, "re") : NULL;
	if (header == NULL)
		return -1;

	int count = 0;
	struct header_format format = {0};
	char *line = NULL;
	size_t size = 0;
	while (getline(&line, &size, header) >= 0) {
		parse_plane_comment(line, &format);
		if (!parse(line, &format))
			continue;
		count++;
		check(&format, problems);
	}
	free(line);
	fclose(header);
	return count;
}

static void
check_listed(const struct header_format *format, FILE *problems)
{
	const struct format *ours = format_named(format->name);
	if (ours == NULL)
		fprintf(problems, "%s is missing; ", format->name);
	else if (ours->code != format->code)
		fprintf(problems, "%s is %#" PRIx32 "; ", format->name,
			format->code);
}

/* Headers since 2022 have at least this many. */
#define LEAST_FORMATS 100

static void
check_header(const char *path,
	bool (*parse)(const char *line, struct header_format *format),
	void (*check)(const struct header_format *format, FILE *problems))
{
	char *message = NULL;
	size_t size = 0;
	FILE *problems = open_memstream(&message, &size);
	int count = for_each_format(path, parse, check, problems);
	fclose(problems);

	if (size > 0)
		ck_abort_msg("src/pixel_formats.inc disagrees with %s: %s",
			path, message);
	free(message);
	if (count < 0)
		SKIP("no header %s", path != NULL ? path : "was given");
	ck_assert_msg(count >= LEAST_FORMATS, "%s: only %d formats found",
		path, count);
}

TEST(every_drm_format_is_listed)
{
	check_header(DRM_FOURCC_H, parse_drm_line, check_listed);
}

TEST(every_wl_shm_format_is_listed)
{
	check_header(WAYLAND_PROTOCOL_H, parse_wl_shm_line, check_listed);
}

static void
check_bits(const struct header_format *format, int plane, int bits,
	FILE *problems)
{
	const struct pixel_layout *layout = pixel_layout_find(format->code);
	if (bits > 0 && layout->plane[plane].bytes_per_block * 8 != bits)
		fprintf(problems, "%s has %d bits in plane %d; ", format->name,
			bits, plane);
}

/* Comments say, where they can, which bits a block has and how chroma is
 * subsampled: [31:0], 2x1 subsampled, non-subsampled. */
static void
check_comment(const struct header_format *format, FILE *problems)
{
	const struct pixel_layout *layout = pixel_layout_find(format->code);
	if (layout == NULL)
		return;

	int top_bit;
	const char *bits = strchr(format->comment, '[');
	if (layout->planes > 1) {
		for (int p = 0; p < layout->planes; p++)
			check_bits(format, p, format->plane_bits[p], problems);
	} else if (bits != NULL && sscanf(bits, "[%d:0]", &top_bit) == 1) {
		check_bits(format, 0, top_bit + 1, problems);
	}

	int hsub, vsub;
	if (strstr(format->comment, "non-subsampled") != NULL)
		hsub = vsub = 1;
	else if (strstr(format->comment, " subsampled") == NULL ||
			sscanf(format->comment, " /* %dx%d", &hsub, &vsub) != 2)
		return;
	for (int p = 1; p < layout->planes; p++) {
		if (layout->plane[p].hsub != hsub || layout->plane[p].vsub != vsub)
			fprintf(problems, "%s is subsampled %dx%d; ",
				format->name, hsub, vsub);
	}
}

TEST(drm_comments_agree)
{
	check_header(DRM_FOURCC_H, parse_drm_line, check_comment);
}

static double
bits_per_pixel(const struct pixel_layout *layout)
{
	double bits = 0;
	for (int p = 0; p < layout->planes; p++) {
		const struct pixel_plane *plane = &layout->plane[p];
		bits += 8.0 * plane->bytes_per_block /
			(plane->block_width * plane->block_height *
			plane->hsub * plane->vsub);
	}
	return bits;
}

TEST(bits_per_pixel_match_pixman)
{
#ifdef PIXMAN_FORMAT_BPP
	static const struct {
		const char *name;
		pixman_format_code_t pixman;
	} same[] = {
		{"ARGB8888", PIXMAN_a8r8g8b8}, {"XRGB8888", PIXMAN_x8r8g8b8},
		{"ABGR8888", PIXMAN_a8b8g8r8}, {"XBGR8888", PIXMAN_x8b8g8r8},
		{"RGBA8888", PIXMAN_r8g8b8a8}, {"RGBX8888", PIXMAN_r8g8b8x8},
		{"BGRA8888", PIXMAN_b8g8r8a8}, {"BGRX8888", PIXMAN_b8g8r8x8},
		{"ARGB2101010", PIXMAN_a2r10g10b10},
		{"XRGB2101010", PIXMAN_x2r10g10b10},
		{"ABGR2101010", PIXMAN_a2b10g10r10},
		{"XBGR2101010", PIXMAN_x2b10g10r10},
		{"RGB888", PIXMAN_r8g8b8}, {"BGR888", PIXMAN_b8g8r8},
		{"RGB565", PIXMAN_r5g6b5}, {"BGR565", PIXMAN_b5g6r5},
		{"ARGB1555", PIXMAN_a1r5g5b5}, {"XRGB1555", PIXMAN_x1r5g5b5},
		{"ABGR1555", PIXMAN_a1b5g5r5}, {"XBGR1555", PIXMAN_x1b5g5r5},
		{"ARGB4444", PIXMAN_a4r4g4b4}, {"XRGB4444", PIXMAN_x4r4g4b4},
		{"ABGR4444", PIXMAN_a4b4g4r4}, {"XBGR4444", PIXMAN_x4b4g4r4},
		{"RGB332", PIXMAN_r3g3b2}, {"BGR233", PIXMAN_b2g3r3},
		{"C8", PIXMAN_c8}, {"C4", PIXMAN_c4}, {"R8", PIXMAN_g8},
		{"R4", PIXMAN_g4}, {"R1", PIXMAN_g1},
		{"BGR323232F", PIXMAN_rgb_float},
		{"ABGR32323232F", PIXMAN_rgba_float},
		{"YUYV", PIXMAN_yuy2}, {"YVU420", PIXMAN_yv12},
#if PIXMAN_VERSION >= PIXMAN_VERSION_ENCODE(0, 46, 0)
		{"ABGR16161616", PIXMAN_a16b16g16r16},
#endif
	};

	for (size_t i = 0; i < ARRAY_LENGTH(same); i++) {
		double bits = bits_per_pixel(
			pixel_layout_find(format_named(same[i].name)->code));
		ck_assert_msg(bits == PIXMAN_FORMAT_BPP(same[i].pixman),
			"%s: %g bits a pixel", same[i].name, bits);
	}
#else
	SKIP("built without pixman's header");
#endif
}

/*
 * docs/formats.md lists the table; this keeps it true.
 */

#define BEGIN_MARK "<!-- begin: generated, see above -->\n"
#define END_MARK "<!-- end: generated -->\n"

static void
print_layout(FILE *out, const struct pixel_layout *layout)
{
	fprintf(out, " %.4g |", bits_per_pixel(layout));
	for (int p = 0; p < PIXEL_LAYOUT_MAX_PLANES; p++) {
		const struct pixel_plane *plane = &layout->plane[p];
		if (p < layout->planes)
			fprintf(out, " %d / %dx%d", plane->bytes_per_block,
				plane->block_width * plane->hsub,
				plane->block_height * plane->vsub);
		fputs(" |", out);
	}
	fputc('\n', out);
}

static void
print_tables(FILE *out)
{
	fputs("\n| format | code | value | bits a pixel "
		"| plane 0 | plane 1 | plane 2 |\n"
		"|---|---|---|--:|---|---|---|\n", out);
	for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
		uint32_t code = formats[i].code;
		if (formats[i].unsupported != NULL)
			continue;
		fprintf(out, "| %s | `%c%c%c%c` | 0x%08" PRIx32 " |",
			formats[i].name, code & 0xff, code >> 8 & 0xff,
			code >> 16 & 0xff, code >> 24, code);
		print_layout(out, pixel_layout_find(code));
	}

	fputs("\n| not supported | value | why |\n|---|---|---|\n", out);
	for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
		if (formats[i].unsupported != NULL)
			fprintf(out, "| %s | 0x%08" PRIx32 " | %s |\n",
				formats[i].name, formats[i].code,
				formats[i].unsupported);
	}
	fputc('\n', out);
}

/* The whole file in allocated memory, or NULL. */
static char *
read_file(const char *path)
{
	FILE *file = path != NULL ? fopen(path, "re") : NULL;
	if (file == NULL)
		return NULL;

	char *text = NULL;
	size_t size = 0;
	if (getdelim(&text, &size, '\0', file) < 0)
		ck_abort_msg("cannot read %s", path);
	fclose(file);
	return text;
}

static void
write_file(const char *path, const char *text)
{
	FILE *file = path != NULL ? fopen(path, "we") : NULL;
	ck_assert_msg(file != NULL, "cannot write %s", path);
	fputs(text, file);
	ck_assert_int_eq(fclose(file), 0);
}

TEST(docs_list_every_format)
{
	char *text = read_file(FORMATS_MD);
	if (text == NULL)
		SKIP("the source tree is not there");
	char *begin = strstr(text, BEGIN_MARK);
	char *end = strstr(text, END_MARK);
	ck_assert(begin != NULL && end != NULL);

	char *expected;
	size_t size;
	FILE *out = open_memstream(&expected, &size);
	fwrite(text, 1, (size_t)(begin - text) + strlen(BEGIN_MARK), out);
	print_tables(out);
	fputs(end, out);
	fclose(out);

	if (getenv("SHMGUARD_UPDATE_DOCS") != NULL)
		write_file(FORMATS_MD, expected);
	else if (strcmp(text, expected) != 0)
		ck_abort_msg("docs/formats.md is out of date; "
			"SHMGUARD_UPDATE_DOCS=1 in the environment updates it");
	free(expected);
	free(text);
}
