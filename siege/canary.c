/* SPDX-License-Identifier: MIT */
#include "canary.h"

#include "bystanders.h"
#include "pool.h"
#include "window.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WIDTH 288
#define HEIGHT 256
#define STRIDE (4 * WIDTH)
/* Of the siege's canary: no window of an attack's picture can hide all of it,
 * wherever the compositor puts them. */
#define TALL (PICTURE_HEIGHT + 64)
#define DOT 10 /* screen pixels in a pixel of the bird */
#define DIGIT_DOT 4

#define QUESTION_PAUSE 4 /* milliseconds */

static const char *const bird[] = {
	"......kkkk......",
	"....kkyyyykk....",
	"...kyyyyyyyyk...",
	"..kyyyyyyyyyyk..",
	"..kyywkyyyyyyk..",
	".ookyykyyyyyyyk.",
	"oooooyyyyyyyyyk.",
	".ookyyyyydddyyyk",
	"..kyyyyydyyydyyk",
	"..kyyyyydyyydyyk",
	"...kyyyyydddyyk.",
	"....kkyyyyyykk..",
	"......kkkkkk....",
	"......o..o......",
};

static const char *const digits[] = {
	"####.##.##.####", ".#.##..#..#.###", "###..#####..###",
	"###..####..####", "#.##.####..#..#", "####..###..####",
	"####..####.####", "###..#..#..#..#", "####.#####.####",
	"####.####..####",
};

struct sheet {
	struct wl_buffer *buffer;
	uint32_t *pixels;
	int height;
	int released;
};

static void
sheet_handle_release(void *data, struct wl_buffer *buffer)
{
	struct sheet *sheet = data;
	(void)buffer;
	sheet->released = 1;
}

static const struct wl_buffer_listener sheet_listener = {
	.release = sheet_handle_release,
};

static void
sheet_create(struct sheet *sheet, struct client *client, int height)
{
	const struct claim claim = {
		.width = WIDTH,
		.height = height,
		.stride = STRIDE,
		.format = WL_SHM_FORMAT_XRGB8888,
	};
	size_t size = claim_bytes(&claim);
	int fd = file_create(size, MFD_ALLOW_SEALING, 0);
	file_seal(fd, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	sheet->pixels = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
		fd, 0);
	if (sheet->pixels == MAP_FAILED)
		fail("mmap");

	struct wl_shm_pool *pool = pool_create(client, fd, (int32_t)size);
	sheet->buffer = pool_buffer(pool, &claim);
	wl_buffer_add_listener(sheet->buffer, &sheet_listener, sheet);
	wl_shm_pool_destroy(pool);
	close(fd);
	sheet->height = height;
	sheet->released = 1;
}

static void
fill(uint32_t *pixels, int x, int y, int width, int height, uint32_t pixel)
{
	for (int row = y; row < y + height; row++) {
		for (int column = x; column < x + width; column++)
			pixels[row * WIDTH + column] = pixel;
	}
}

static uint32_t
bird_pixel(char letter)
{
	switch (letter) {
	case 'y':
		return 0xfff7d038;
	case 'd':
		return 0xffe0a818;
	case 'o':
		return 0xfff08030;
	case 'w':
		return 0xffffffff;
	default:
		return 0xff303840;
	}
}

static void
draw(const struct sheet *sheet, unsigned int frame)
{
	uint32_t *pixels = sheet->pixels;
	int height = sheet->height;
	fill(pixels, 0, 0, WIDTH, height, 0xffbfe3f2);
	fill(pixels, 0, height - 60, WIDTH, 60, 0xff5b7f95);

	/* The bird hops, four screen pixels up and down. */
	static const int hop[] = {0, 3, 5, 6, 6, 5, 3, 0, 0, 0, 0, 0};
	int top = height - 218 - 3 * hop[frame / 4 % 12];
	for (size_t row = 0; row < sizeof(bird) / sizeof(bird[0]); row++) {
		for (int column = 0; bird[row][column] != '\0'; column++) {
			if (bird[row][column] != '.')
				fill(pixels, 64 + column * DOT, top + (int)row * DOT,
					DOT, DOT, bird_pixel(bird[row][column]));
		}
	}

	char number[16];
	snprintf(number, sizeof(number), "%u", frame);
	int x = (WIDTH - (int)strlen(number) * 4 * DIGIT_DOT) / 2;
	for (const char *digit = number; *digit != '\0'; digit++) {
		for (int dot = 0; dot < 15; dot++) {
			if (digits[*digit - '0'][dot] == '#')
				fill(pixels, x + dot % 3 * DIGIT_DOT,
					height - 40 + dot / 3 * DIGIT_DOT,
					DIGIT_DOT, DIGIT_DOT, 0xffffffff);
		}
		x += 4 * DIGIT_DOT;
	}
}

/* Asks while it waits: a compositor that does not show the canary may well be
 * there for it. */
static bool
await(struct client *client, const int *counter, int target,
	struct bystanders *bystanders)
{
	while (*counter < target) {
		if (!client_sync(client))
			return false;
		if (bystanders != NULL)
			beat_note(&bystanders->answers);
		if (*counter < target)
			poll(NULL, 0, QUESTION_PAUSE);
	}
	return true;
}

static void
report_frame(unsigned int frame, struct bystanders *bystanders)
{
	if (bystanders != NULL) {
		beat_note(&bystanders->frames);
	} else {
		printf("%u\n", frame);
		fflush(stdout);
	}
}

static void
report_loss(const struct client *client, struct bystanders *bystanders)
{
	if (bystanders == NULL || client_is_interrupted())
		return;
	char *problem = bystanders->canary_problem;
	size_t size = sizeof(bystanders->canary_problem);
	bystanders->canary_stalled = client->stalled;
	if (client->stalled)
		snprintf(problem, size, "not answered for %d s",
			client->patience / 1000);
	else if (!client_was_told(client, problem, size))
		snprintf(problem, size, "the connection was closed");
	bystanders->canary_lost = true;
}

int
canary_sing(int patience, struct bystanders *bystanders)
{
	struct client client;
	if (!client_connect(&client, patience) ||
			!window_map(&client, "canary"))
		goto lost;

	struct sheet sheets[2];
	for (int i = 0; i < 2; i++)
		sheet_create(&sheets[i], &client,
			bystanders != NULL ? TALL : HEIGHT);
	for (unsigned int frame = 0;; frame++) {
		struct sheet *sheet = &sheets[frame % 2];
		if (!await(&client, &sheet->released, 1, bystanders))
			goto lost;
		sheet->released = 0;
		draw(sheet, frame);
		window_commit(&client, sheet->buffer);
		if (!await(&client, &client.window.frames_done,
				client.window.frames_asked, bystanders))
			goto lost;
		report_frame(frame, bystanders);
	}

lost:
	report_loss(&client, bystanders);
	client_disconnect(&client);
	return client_is_interrupted() ? 0 : 1;
}
