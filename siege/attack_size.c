/* SPDX-License-Identifier: MIT */
#include "attack.h"

#include "pool.h"
#include "window.h"

#include <unistd.h>

/*
 * Sizes at the edges of their types and of each other.
 */

#define HOSTILE_PIXEL 0xff208040
#define PRESENTED 2

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

/* Everything fits: one argument at a time is then replaced. */
#define EDGE_POOL 8192
static const struct claim edge_claim = {.width = 16, .height = 16, .stride = 64};

static const int32_t edges[] = {
	INT32_MIN, INT32_MIN + 1, -65536, -4096, -1, 0, 1, 3, 4, 63, 65,
	4095, 4096, 4097, EDGE_POOL - 1, EDGE_POOL, EDGE_POOL + 1, 65536,
	1 << 28, 1 << 29, 1 << 30, INT32_MAX - 3, INT32_MAX - 1, INT32_MAX,
};
static const char *const edge_arguments[] = {
	"size", "resize", "offset", "width", "height", "stride",
};
#define EDGE_CASES 144 /* each argument, each edge */

/* Nobody may take that: it has no size, or reads past the pool. The padding of
 * the last row is not read, so that may be missing. */
static bool
is_impossible(int32_t pool, int32_t resized, const struct claim *claim)
{
	if (pool <= 0 || resized < pool || claim->offset < 0 ||
			claim->width <= 0 || claim->height <= 0)
		return true;
	int64_t row = 4 * (int64_t)claim->width;
	return claim->stride < row || claim->offset + row +
		(int64_t)claim->stride * (claim->height - 1) > resized;
}

static void
every_edge(struct client *client, unsigned int number)
{
	_Static_assert(EDGE_CASES == ARRAY_LENGTH(edges) *
		ARRAY_LENGTH(edge_arguments), "a case for each");
	const unsigned int argument = number / ARRAY_LENGTH(edges);
	const int32_t edge = edges[number % ARRAY_LENGTH(edges)];
	client_label(client, "%s %d", edge_arguments[argument], edge);

	struct claim claim = edge_claim;
	int32_t size = EDGE_POOL, resized = EDGE_POOL;
	int32_t *const arguments[] = {
		&size, &resized, &claim.offset, &claim.width, &claim.height,
		&claim.stride,
	};
	*arguments[argument] = edge;
	if (argument == 0)
		resized = size;

	int fd = file_create(EDGE_POOL, 0, HOSTILE_PIXEL);
	struct wl_shm_pool *pool = pool_create(client, fd, size);
	if (argument == 1)
		wl_shm_pool_resize(pool, resized);
	struct wl_buffer *buffer = pool_buffer(pool, &claim);
	if (client_sync(client) && is_impossible(size, resized, &claim))
		client_wrong(client, "%s %d is taken",
			edge_arguments[argument], edge);
	else
		window_present(client, buffer, PRESENTED);
	close(fd);
}

const struct attack size_attacks[] = {
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
	{
		.name = "every-edge",
		.about = "puts every edge of an int in place of each argument",
		.expected = "refuses what is empty, negative or past the pool",
		.rule = "wl_shm errors invalid_stride and invalid_fd; F2, F11",
		.accepted = OUTCOME_ANY_SAFE,
		.cases = EDGE_CASES,
		.run = every_edge,
	},
	{0},
};
