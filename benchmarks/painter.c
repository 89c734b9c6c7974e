/* SPDX-License-Identifier: MIT */

/*
 * painter sealed|unsealed FROM TO: a client that repaints a window of 1920x1080
 * pixels as often as the compositor wants it, from two buffers of one pool. Prints
 * the frames between two times of CLOCK_MONOTONIC in seconds, and the longest gap
 * between two of them in milliseconds.
 */

#include "clock.h"
#include "pool.h"
#include "window.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE 10000
#define WIDTH 1920
#define HEIGHT 1080
#define STRIDE (4 * WIDTH)
#define BYTES (STRIDE * HEIGHT)
#define SHEETS 2

struct sheet {
	struct wl_buffer *buffer;
	char *pixels;
};

static void
sheets_create(struct sheet *sheets, struct client *client, bool sealed)
{
	int fd = file_create(SHEETS * BYTES, sealed ? MFD_ALLOW_SEALING : 0, 0);
	if (sealed)
		file_seal(fd, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	char *pixels = mmap(NULL, SHEETS * BYTES, PROT_READ | PROT_WRITE,
		MAP_SHARED, fd, 0);
	if (pixels == MAP_FAILED)
		fail("mmap");
	struct wl_shm_pool *pool = pool_create(client, fd, SHEETS * BYTES);
	for (int i = 0; i < SHEETS; i++) {
		/* Alpha, so that no window hides those behind it. */
		const struct claim claim = {
			.offset = i * BYTES,
			.width = WIDTH,
			.height = HEIGHT,
			.stride = STRIDE,
			.format = WL_SHM_FORMAT_ARGB8888,
		};
		sheets[i].buffer = pool_buffer(pool, &claim);
		sheets[i].pixels = pixels + i * BYTES;
	}
	wl_shm_pool_destroy(pool);
	close(fd);
}

struct tally {
	double from, to, last, gap; /* seconds */
	long frames;
};

static void
tally_frame(struct tally *tally, double now)
{
	if (now >= tally->from && now <= tally->to) {
		tally->frames++;
		if (tally->last > 0 && now - tally->last > tally->gap)
			tally->gap = now - tally->last;
	}
	tally->last = now;
}

int
main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: %s sealed|unsealed FROM TO\n", argv[0]);
		return 2;
	}
	struct tally tally = {
		.from = strtod(argv[2], NULL),
		.to = strtod(argv[3], NULL),
	};
	static struct client client;
	if (!client_connect(&client, PATIENCE) || !window_map(&client, "painter"))
		return 1;
	struct sheet sheets[SHEETS];
	sheets_create(sheets, &client, strcmp(argv[1], "sealed") == 0);

	double now = 0;
	for (unsigned int n = 0; now < tally.to; n++) {
		struct sheet *sheet = &sheets[n % SHEETS];
		memset(sheet->pixels, (int)(n % 128), BYTES);
		if (!window_present(&client, sheet->buffer, 1))
			return 1;
		now = (double)clock_now() / 1e9;
		tally_frame(&tally, now);
	}
	printf("%ld %.3f\n", tally.frames, tally.gap * 1e3);
	client_disconnect(&client);
	return 0;
}
