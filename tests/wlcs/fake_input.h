/* SPDX-License-Identifier: MIT */
#ifndef FAKE_INPUT_H
#define FAKE_INPUT_H

/*
 * A mouse and a touch screen that only this process moves: to wlroots they are
 * like those of any backend. All of this on the display's thread.
 */

#include <stdint.h>
#include "wlr_compat.h"

struct fake_input;

/* Announces both to who listens to the backend's new_input. Must be destroyed
 * before the backend and the cursor. NULL: out of memory. */
struct fake_input *fake_input_create(struct wlr_backend *backend);
void fake_input_destroy(struct fake_input *input);

/* In pixels of the layout. */
void fake_mouse_move(struct fake_input *input, double dx, double dy);
void fake_mouse_button(struct fake_input *input, uint32_t button, bool pressed);
/* To a point of the layout, whose size this takes. */
void fake_finger_down(struct fake_input *input, int32_t id, double x, double y,
	const struct wlr_box *layout);
void fake_finger_move(struct fake_input *input, int32_t id, double x, double y,
	const struct wlr_box *layout);
void fake_finger_up(struct fake_input *input, int32_t id);

#endif
