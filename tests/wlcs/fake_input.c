/* SPDX-License-Identifier: MIT */
#include "fake_input.h"

#include <math.h>
#include <time.h>
#include <wlr/interfaces/wlr_pointer.h>
#include <wlr/interfaces/wlr_touch.h>

#define NAME "wlcs"

#if COMPAT_WLR_0_15

/* A device and what it does are two objects. */
struct fake_input {
	struct wlr_input_device mouse_device, screen_device;
	struct wlr_pointer mouse;
	struct wlr_touch screen;
};

#define SENT_BY(input, part) .device = &(input)->part##_device
#define MOUSE_DEVICE(input) (&(input)->mouse_device)
#define SCREEN_DEVICE(input) (&(input)->screen_device)

static void
keep_device(struct wlr_input_device *device)
{
	(void)device; /* part of the fake_input */
}

static void
keep_pointer(struct wlr_pointer *pointer)
{
	(void)pointer;
}

static void
keep_touch(struct wlr_touch *touch)
{
	(void)touch;
}

static void
init_devices(struct fake_input *input)
{
	static const struct wlr_input_device_impl device = {keep_device};
	static const struct wlr_pointer_impl pointer = {keep_pointer};
	static const struct wlr_touch_impl touch = {keep_touch};

	wlr_input_device_init(&input->mouse_device, WLR_INPUT_DEVICE_POINTER,
		&device, NAME, 0, 0);
	wlr_pointer_init(&input->mouse, &pointer);
	input->mouse_device.pointer = &input->mouse;

	wlr_input_device_init(&input->screen_device, WLR_INPUT_DEVICE_TOUCH,
		&device, NAME, 0, 0);
	wlr_touch_init(&input->screen, &touch);
	input->screen_device.touch = &input->screen;
}

static void
finish_devices(struct fake_input *input)
{
	wlr_input_device_destroy(&input->mouse_device);
	wlr_input_device_destroy(&input->screen_device);
}

#else

struct fake_input {
	struct wlr_pointer mouse;
	struct wlr_touch screen;
};

#define SENT_BY(input, part) SENT_BY_##part(input)
#define SENT_BY_mouse(input) .pointer = &(input)->mouse
#define SENT_BY_screen(input) .touch = &(input)->screen
#define MOUSE_DEVICE(input) (&(input)->mouse.base)
#define SCREEN_DEVICE(input) (&(input)->screen.base)

static void
init_devices(struct fake_input *input)
{
	static const struct wlr_pointer_impl pointer = {.name = NAME};
	static const struct wlr_touch_impl touch = {.name = NAME};
	wlr_pointer_init(&input->mouse, &pointer, NAME);
	wlr_touch_init(&input->screen, &touch, NAME);
}

static void
finish_devices(struct fake_input *input)
{
	wlr_pointer_finish(&input->mouse);
	wlr_touch_finish(&input->screen);
}

#endif

struct fake_input *
fake_input_create(struct wlr_backend *backend)
{
	struct fake_input *input = calloc(1, sizeof(*input));
	if (input == NULL)
		return NULL;
	init_devices(input);
	wl_signal_emit(&backend->events.new_input, MOUSE_DEVICE(input));
	wl_signal_emit(&backend->events.new_input, SCREEN_DEVICE(input));
	return input;
}

void
fake_input_destroy(struct fake_input *input)
{
	finish_devices(input);
	free(input);
}

static uint32_t
now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint32_t)(time.tv_sec * 1000 + time.tv_nsec / 1000000);
}

void
fake_mouse_move(struct fake_input *input, double dx, double dy)
{
	struct wlr_pointer_motion_event event = {
		SENT_BY(input, mouse),
		.time_msec = now(),
		.delta_x = dx,
		.delta_y = dy,
		.unaccel_dx = dx,
		.unaccel_dy = dy,
	};
	wl_signal_emit(&input->mouse.events.motion, &event);
	wl_signal_emit(&input->mouse.events.frame, &input->mouse);
}

void
fake_mouse_button(struct fake_input *input, uint32_t button, bool pressed)
{
	struct wlr_pointer_button_event event = {
		SENT_BY(input, mouse),
		.time_msec = now(),
		.button = button,
		/* The values that every version has, by whatever names. */
		.state = pressed,
	};
	wl_signal_emit(&input->mouse.events.button, &event);
	wl_signal_emit(&input->mouse.events.frame, &input->mouse);
}

/* Rounding must not put a finger before the pixel that it is to touch. */
static double
fraction(double pixel, int first, int count)
{
	double part = (pixel - first) / count;
	while (part * count < pixel - first)
		part = nextafter(part, INFINITY);
	return part;
}

void
fake_finger_down(struct fake_input *input, int32_t id, double x, double y,
	const struct wlr_box *layout)
{
	struct wlr_touch_down_event event = {
		SENT_BY(input, screen),
		.time_msec = now(),
		.touch_id = id,
		.x = fraction(x, layout->x, layout->width),
		.y = fraction(y, layout->y, layout->height),
	};
	wl_signal_emit(&input->screen.events.down, &event);
	wl_signal_emit(&input->screen.events.frame, NULL);
}

void
fake_finger_move(struct fake_input *input, int32_t id, double x, double y,
	const struct wlr_box *layout)
{
	struct wlr_touch_motion_event event = {
		SENT_BY(input, screen),
		.time_msec = now(),
		.touch_id = id,
		.x = fraction(x, layout->x, layout->width),
		.y = fraction(y, layout->y, layout->height),
	};
	wl_signal_emit(&input->screen.events.motion, &event);
	wl_signal_emit(&input->screen.events.frame, NULL);
}

void
fake_finger_up(struct fake_input *input, int32_t id)
{
	struct wlr_touch_up_event event = {
		SENT_BY(input, screen),
		.time_msec = now(),
		.touch_id = id,
	};
	wl_signal_emit(&input->screen.events.up, &event);
	wl_signal_emit(&input->screen.events.frame, NULL);
}
