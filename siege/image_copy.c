/* SPDX-License-Identifier: MIT */
#include "image_copy.h"

#include "image-copy-client-protocol.h"

static void
session_handle_buffer_size(void *data,
	struct ext_image_copy_capture_session_v1 *session, uint32_t width,
	uint32_t height)
{
	struct capture *capture = data;
	(void)session;
	capture->width = width;
	capture->height = height;
	capture->stride = 4 * width;
}

/* Of those with four bytes a pixel any will do. */
static void
session_handle_shm_format(void *data,
	struct ext_image_copy_capture_session_v1 *session, uint32_t format)
{
	struct capture *capture = data;
	(void)session;
	if (format == WL_SHM_FORMAT_ARGB8888 ||
			format == WL_SHM_FORMAT_XRGB8888)
		capture->format = format;
}

static void
session_handle_dmabuf_device(void *data,
	struct ext_image_copy_capture_session_v1 *session,
	struct wl_array *device)
{
	(void)data, (void)session, (void)device;
}

static void
session_handle_dmabuf_format(void *data,
	struct ext_image_copy_capture_session_v1 *session, uint32_t format,
	struct wl_array *modifiers)
{
	(void)data, (void)session, (void)format, (void)modifiers;
}

static void
session_handle_done(void *data,
	struct ext_image_copy_capture_session_v1 *session)
{
	struct capture *capture = data;
	(void)session;
	capture->offered++;
}

static void
session_handle_stopped(void *data,
	struct ext_image_copy_capture_session_v1 *session)
{
	(void)data, (void)session;
}

static const struct ext_image_copy_capture_session_v1_listener
session_listener = {
	.buffer_size = session_handle_buffer_size,
	.shm_format = session_handle_shm_format,
	.dmabuf_device = session_handle_dmabuf_device,
	.dmabuf_format = session_handle_dmabuf_format,
	.done = session_handle_done,
	.stopped = session_handle_stopped,
};

static void
frame_handle_transform(void *data,
	struct ext_image_copy_capture_frame_v1 *frame, uint32_t transform)
{
	(void)data, (void)frame, (void)transform;
}

static void
frame_handle_damage(void *data, struct ext_image_copy_capture_frame_v1 *frame,
	int32_t x, int32_t y, int32_t width, int32_t height)
{
	(void)data, (void)frame, (void)x, (void)y, (void)width, (void)height;
}

static void
frame_handle_presentation_time(void *data,
	struct ext_image_copy_capture_frame_v1 *frame, uint32_t seconds_high,
	uint32_t seconds_low, uint32_t nanoseconds)
{
	(void)data, (void)frame, (void)seconds_high, (void)seconds_low,
		(void)nanoseconds;
}

static void
frame_handle_ready(void *data, struct ext_image_copy_capture_frame_v1 *frame)
{
	struct capture *capture = data;
	(void)frame;
	capture->ready++;
	capture->finished++;
}

static void
frame_handle_failed(void *data, struct ext_image_copy_capture_frame_v1 *frame,
	uint32_t reason)
{
	struct capture *capture = data;
	(void)frame, (void)reason;
	capture->finished++;
}

static const struct ext_image_copy_capture_frame_v1_listener frame_listener = {
	.transform = frame_handle_transform,
	.damage = frame_handle_damage,
	.presentation_time = frame_handle_presentation_time,
	.ready = frame_handle_ready,
	.failed = frame_handle_failed,
};

bool
image_copy_is_offered(const struct client *client)
{
	return client->image_copy != NULL && client->output_sources != NULL &&
		client->output != NULL;
}

bool
image_copy_begin(struct client *client)
{
	struct capture *capture = &client->capture;
	capture->session = ext_image_copy_capture_manager_v1_create_session(
		client->image_copy,
		ext_output_image_capture_source_manager_v1_create_source(
			client->output_sources, client->output), 0);
	ext_image_copy_capture_session_v1_add_listener(capture->session,
		&session_listener, capture);
	return client_wait(client, &capture->offered, capture->offered + 1);
}

void
image_copy_request(struct client *client, struct wl_buffer *buffer)
{
	struct capture *capture = &client->capture;
	struct ext_image_copy_capture_frame_v1 *frame =
		ext_image_copy_capture_session_v1_create_frame(
			capture->session);
	ext_image_copy_capture_frame_v1_add_listener(frame, &frame_listener,
		capture);
	ext_image_copy_capture_frame_v1_attach_buffer(frame, buffer);
	ext_image_copy_capture_frame_v1_damage_buffer(frame, 0, 0,
		(int32_t)capture->width, (int32_t)capture->height);
	ext_image_copy_capture_frame_v1_capture(frame);
}
