/* SPDX-License-Identifier: MIT */
#include "capture.h"

#include "pool.h"
#include "screencopy-client-protocol.h"

#include <fcntl.h>
#include <unistd.h>

static void
frame_handle_buffer(void *data, struct zwlr_screencopy_frame_v1 *frame,
	uint32_t format, uint32_t width, uint32_t height, uint32_t stride)
{
	struct capture *capture = data;
	(void)frame;
	capture->format = format;
	capture->width = width;
	capture->height = height;
	capture->stride = stride;
	capture->offered++;
}

static void
frame_handle_flags(void *data, struct zwlr_screencopy_frame_v1 *frame,
	uint32_t flags)
{
	(void)data, (void)frame, (void)flags;
}

static void
frame_handle_ready(void *data, struct zwlr_screencopy_frame_v1 *frame,
	uint32_t seconds_high, uint32_t seconds_low, uint32_t nanoseconds)
{
	struct capture *capture = data;
	(void)frame, (void)seconds_high, (void)seconds_low, (void)nanoseconds;
	capture->ready++;
	capture->finished++;
}

static void
frame_handle_failed(void *data, struct zwlr_screencopy_frame_v1 *frame)
{
	struct capture *capture = data;
	(void)frame;
	capture->finished++;
}

static const struct zwlr_screencopy_frame_v1_listener frame_listener = {
	.buffer = frame_handle_buffer,
	.flags = frame_handle_flags,
	.ready = frame_handle_ready,
	.failed = frame_handle_failed,
};

bool
capture_is_offered(const struct client *client)
{
	return client->screencopy != NULL && client->output != NULL;
}

bool
capture_begin(struct client *client)
{
	struct capture *capture = &client->capture;
	if (capture->frame != NULL)
		zwlr_screencopy_frame_v1_destroy(capture->frame);
	capture->frame = zwlr_screencopy_manager_v1_capture_output(
		client->screencopy, 0, client->output);
	zwlr_screencopy_frame_v1_add_listener(capture->frame, &frame_listener,
		capture);
	return client_wait(client, &capture->offered, capture->offered + 1);
}

size_t
capture_bytes(const struct client *client)
{
	return (size_t)client->capture.stride * client->capture.height;
}

struct wl_buffer *
capture_buffer(struct client *client, int fd)
{
	return capture_buffer_at(client, fd, 0);
}

struct wl_buffer *
capture_buffer_at(struct client *client, int fd, int32_t offset)
{
	const struct claim claim = {
		.offset = offset,
		.width = (int32_t)client->capture.width,
		.height = (int32_t)client->capture.height,
		.stride = (int32_t)client->capture.stride,
		.format = client->capture.format,
	};
	return buffer_create(client, fd, &claim);
}

void
capture_request(struct client *client, struct wl_buffer *buffer)
{
	zwlr_screencopy_frame_v1_copy(client->capture.frame, buffer);
}

bool
capture_copy(struct client *client, struct wl_buffer *buffer)
{
	struct capture *capture = &client->capture;
	int ready = capture->ready;
	capture_request(client, buffer);
	client_wait(client, &capture->finished, capture->finished + 1);
	return capture->ready > ready;
}

bool
screenshot_take(struct client *client, struct screenshot *shot)
{
	*shot = (struct screenshot){0};
	if (!capture_is_offered(client) || !capture_begin(client) ||
			client->capture.stride != 4 * client->capture.width)
		return false;

	size_t size = capture_bytes(client);
	int fd = file_create(size, MFD_ALLOW_SEALING, 0);
	file_seal(fd, F_SEAL_SHRINK | F_SEAL_GROW);
	struct wl_buffer *buffer = capture_buffer(client, fd);
	if (capture_copy(client, buffer)) {
		shot->pixels = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
		if (shot->pixels == MAP_FAILED)
			fail("mmap");
		shot->width = client->capture.width;
		shot->height = client->capture.height;
	}
	wl_buffer_destroy(buffer);
	close(fd);
	return shot->pixels != NULL;
}

void
screenshot_free(struct screenshot *shot)
{
	munmap((void *)shot->pixels, sizeof(*shot->pixels) *
		shot->width * shot->height);
}

unsigned int
screenshot_count(const struct screenshot *shot, uint32_t pixel)
{
	unsigned int count = 0;
	for (size_t i = 0; i < (size_t)shot->width * shot->height; i++)
		count += ((shot->pixels[i] ^ pixel) & 0xffffff) == 0;
	return count;
}
