/* SPDX-License-Identifier: MIT */

/*
 * tinywl_client TEST: one test of a running tinywl-safe, which WAYLAND_DISPLAY
 * names. Without an argument it lists the tests.
 */

#include "virtual_user.h"

#include <linux/input-event-codes.h>
#include <string.h>

#define PATIENCE 30 /* seconds for a whole test */

static void
test_keys_go_to_the_focus(void)
{
	struct window window;
	window_open(&window, 100, 100);
	keyboard_open();
	AWAIT(user.typed_into == window.surface);
	keyboard_type(KEY_A);
	AWAIT(user.last_key == KEY_A);
}

static void
test_click_raises_and_focuses(void)
{
	struct window below, above;
	window_open(&below, 200, 200);
	window_open(&above, 200, 200);
	keyboard_open();
	AWAIT(user.typed_into == above.surface && !below.activated);
	mouse_find(&below, 5, 5);
	mouse_button(BTN_LEFT, true);
	mouse_button(BTN_LEFT, false);
	AWAIT(user.typed_into == below.surface && below.activated);
	CHECK(!above.activated);
	/* Where they overlap there is now the other one. */
	mouse_move(140, 140);
	AWAIT(user.x == 145);
	CHECK(user.pointed_at == below.surface);
}

static void
test_alt_f1_cycles(void)
{
	struct window first, second;
	window_open(&first, 100, 100);
	window_open(&second, 100, 100);
	keyboard_open();
	AWAIT(user.typed_into == second.surface);
	keyboard_hold_alt(true);
	keyboard_type(KEY_F1);
	keyboard_hold_alt(false);
	AWAIT(user.typed_into == first.surface);
}

static void
test_client_moves_window(void)
{
	struct window window;
	window_open(&window, 100, 100);
	mouse_find(&window, 10, 10);
	mouse_button(BTN_LEFT, true);
	xdg_toplevel_move(window.toplevel, user.seat, user.button_serial);
	AWAIT(user.pointed_at == NULL);
	mouse_move(150, 90);
	mouse_button(BTN_LEFT, false);
	AWAIT(user.pointed_at == window.surface);
	CHECK(user.x == 10 && user.y == 10);
	CHECK(user.presses == 1 && user.releases == 0);
}

static void
test_nobody_moves_without_a_press(void)
{
	struct window window;
	window_open(&window, 100, 100);
	mouse_find(&window, 10, 10);
	mouse_button(BTN_LEFT, true);
	mouse_button(BTN_LEFT, false);
	xdg_toplevel_move(window.toplevel, user.seat, user.button_serial);
	mouse_move(20, 20);
	AWAIT(user.x == 30);
	CHECK(user.pointed_at == window.surface);
}

static void
test_held_button_keeps_the_pointer(void)
{
	struct window window;
	window_open(&window, 100, 100);
	mouse_find(&window, 10, 10);
	mouse_button(BTN_LEFT, true);
	mouse_move(300, 0);
	AWAIT(user.x == 310);
	CHECK(user.pointed_at == window.surface);
	mouse_button(BTN_LEFT, false);
	AWAIT(user.pointed_at == NULL);
}

static void
test_client_resizes_window(void)
{
	struct window window;
	window_open(&window, 100, 100);
	mouse_find(&window, 90, 90);
	mouse_button(BTN_LEFT, true);
	xdg_toplevel_resize(window.toplevel, user.seat, user.button_serial,
		XDG_TOPLEVEL_RESIZE_EDGE_BOTTOM_RIGHT);
	mouse_move(60, 30);
	AWAIT(window.resizing && window.width == 160 &&
		window.height == 130);
	window_paint(&window, 160, 130);
	mouse_button(BTN_LEFT, false);
	AWAIT(!window.resizing && user.pointed_at == window.surface);
	CHECK(user.x == 150 && user.y == 120);
}

static void
test_far_corner_stays_put(void)
{
	struct window window;
	window_open(&window, 100, 100);
	mouse_find(&window, 10, 10);
	mouse_button(BTN_LEFT, true);
	xdg_toplevel_resize(window.toplevel, user.seat, user.button_serial,
		XDG_TOPLEVEL_RESIZE_EDGE_TOP_LEFT);
	mouse_move(-20, -30);
	AWAIT(window.width == 120 && window.height == 130);
	window_paint(&window, 121, 135); /* clients may round */
	mouse_button(BTN_LEFT, false);
	AWAIT(user.pointed_at == window.surface);
	CHECK(user.x == 11 && user.y == 15);
}

static void
test_size_limits_are_kept(void)
{
	struct window window;
	window_open(&window, 100, 100);
	xdg_toplevel_set_min_size(window.toplevel, 80, 0);
	xdg_toplevel_set_max_size(window.toplevel, 0, 110);
	wl_surface_commit(window.surface);
	mouse_find(&window, 90, 90);
	mouse_button(BTN_LEFT, true);
	xdg_toplevel_resize(window.toplevel, user.seat, user.button_serial,
		XDG_TOPLEVEL_RESIZE_EDGE_BOTTOM_RIGHT);
	mouse_move(-60, 200);
	AWAIT(window.width == 80 && window.height == 110);
	mouse_move(0, -500);
	AWAIT(window.height == 1);
	mouse_button(BTN_LEFT, false);
}

static void
test_window_comes_back(void)
{
	struct window window;
	window_open(&window, 100, 100);
	window_hide(&window);
	window_show(&window, 200, 100);
	mouse_find(&window, 190, 10);
}

static void
test_role_is_taken_again(void)
{
	struct window window;
	window_open(&window, 100, 100);
	window_hide(&window);
	xdg_toplevel_destroy(window.toplevel);
	window_get_role(&window);
	window_show(&window, 200, 100);
	mouse_find(&window, 190, 10);
}

static void
test_requests_are_answered(void)
{
	struct window window;
	window_open(&window, 100, 100);
	window.configured = false;
	xdg_toplevel_set_maximized(window.toplevel);
	AWAIT(window.configured);
	window.configured = false;
	xdg_toplevel_set_fullscreen(window.toplevel, NULL);
	AWAIT(window.configured);
}

static void
test_alt_drag_moves(void)
{
	struct window window;
	window_open(&window, 100, 100);
	keyboard_open();
	mouse_find(&window, 20, 20);
	keyboard_hold_alt(true);
	mouse_button(BTN_LEFT, true);
	mouse_move(200, 100);
	mouse_button(BTN_LEFT, false);
	keyboard_hold_alt(false);
	AWAIT(user.pointed_at == window.surface);
	CHECK(user.x == 20 && user.y == 20);
	CHECK(user.presses == 0 && user.releases == 0);
}

static void
test_popup_stays_on_screen(void)
{
	struct window window, popup;
	window_open(&window, 200, 200);
	popup_open(&popup, &window, -5000, 150);
	AWAIT(popup.configured);
	CHECK(popup.x > -5000 && popup.x < 0 && popup.y == 150);
	window_paint(&popup, 100, 100);
	mouse_find(&window, 1, 1);
	mouse_move(popup.x, popup.y);
	AWAIT(user.pointed_at == popup.surface);
	CHECK(user.x == 1 && user.y == 1);
}

static void
test_orphan_popup_ends_its_client(void)
{
	struct window popup;
	popup_open(&popup, NULL, 0, 0);
	user_check_thrown_out();
}

static void
test_popup_of_a_ghost(void)
{
	/* The parent was a toplevel once and has nothing to show any more. */
	struct window window, popup;
	window_open(&window, 100, 100);
	xdg_toplevel_destroy(window.toplevel);
	popup_open(&popup, &window, 0, 0);
	wl_display_roundtrip(user.display);
	CHECK(wl_display_roundtrip(user.display) >= 0);
}

static void
test_popup_outlives_its_parent(void)
{
	struct window window, popup, menu;
	window_open(&window, 200, 200);
	popup_open(&popup, &window, 10, 10);
	AWAIT(popup.configured);
	window_paint(&popup, 100, 100);
	mouse_find(&window, 5, 5);
	xdg_toplevel_destroy(window.toplevel);
	window_paint(&popup, 50, 50);
	popup_open(&menu, &popup, 10, 10);
	mouse_move(10, 10);
	/* Whether its client does is another matter. */
	wl_display_roundtrip(user.display);
}

static void
test_popup_of_an_orphan(void)
{
	struct window orphan, popup;
	popup_open(&orphan, NULL, 0, 0);
	popup_open(&popup, &orphan, 0, 0);
	user_check_thrown_out();
}

static void
test_two_kinds_of_scrolling(void)
{
	struct window window;
	window_open(&window, 100, 100);
	mouse_find(&window, 20, 20);
	mouse_scroll_by_wheel_and_finger();
	CHECK(wl_display_roundtrip(user.display) >= 0);
}

static void
test_F24_keymap_file_is_too_short(void)
{
	char *text = keyboard_usual_keymap();
	keyboard_set_keymap(text, 100, strlen(text) + 1);
	user_check_thrown_out();
	free(text);
}

static void
test_F24_keymap_file_is_empty(void)
{
	keyboard_set_keymap("", 0, 4096);
	user_check_thrown_out();
}

static void
test_F24_keymap_is_said_to_be_huge(void)
{
	keyboard_set_keymap("xkb_keymap {", 4096, UINT32_MAX);
	user_check_thrown_out();
}

static void
test_keymap_is_nonsense(void)
{
	keyboard_set_keymap("nonsense", 4096, 4096);
	user_check_thrown_out();
}

static void
test_key_without_keymap(void)
{
	keyboard_type(KEY_A);
	user_check_thrown_out();
}

/* Last, for obvious reasons. */
static void
test_alt_escape_quits(void)
{
	keyboard_open();
	keyboard_hold_alt(true);
	keyboard_type(KEY_ESC);
	while (wl_display_roundtrip(user.display) >= 0)
		continue;
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
#define LISTED(name) {#name, test_##name}
	LISTED(keys_go_to_the_focus),
	LISTED(click_raises_and_focuses),
	LISTED(alt_f1_cycles),
	LISTED(client_moves_window),
	LISTED(nobody_moves_without_a_press),
	LISTED(held_button_keeps_the_pointer),
	LISTED(client_resizes_window),
	LISTED(far_corner_stays_put),
	LISTED(size_limits_are_kept),
	LISTED(window_comes_back),
	LISTED(role_is_taken_again),
	LISTED(requests_are_answered),
	LISTED(alt_drag_moves),
	LISTED(popup_stays_on_screen),
	LISTED(orphan_popup_ends_its_client),
	LISTED(popup_of_a_ghost),
	LISTED(popup_outlives_its_parent),
	LISTED(popup_of_an_orphan),
	LISTED(two_kinds_of_scrolling),
	LISTED(F24_keymap_file_is_too_short),
	LISTED(F24_keymap_file_is_empty),
	LISTED(F24_keymap_is_said_to_be_huge),
	LISTED(keymap_is_nonsense),
	LISTED(key_without_keymap),
	LISTED(alt_escape_quits),
};

int
main(int argc, char *argv[])
{
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		if (argc < 2) {
			puts(tests[i].name);
		} else if (strcmp(argv[1], tests[i].name) == 0) {
			user_connect(PATIENCE);
			tests[i].run();
			return EXIT_SUCCESS;
		}
	}
	return argc < 2 ? EXIT_SUCCESS : EXIT_FAILURE;
}
