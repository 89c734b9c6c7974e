/* SPDX-License-Identifier: MIT */

/*
 * tinywl-safe for wlcs, the Wayland conformance suite: its runner loads this
 * module and starts and stops a server for each test, in its own process.
 *
 * The hooks below are called by the runner's thread and the server has a thread
 * of its own, on which they have it do things. wlcs can do that for us, if the
 * server is started with start_on_this_thread: but not for touch.
 */

/* The sample as it is, with everything that is static in it. */
#define main tinywl_safe_main
#include "tinywl-safe.c" /* NOLINT(bugprone-suspicious-include) */
#undef main

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <wlcs/display_server.h>
#include <wlcs/pointer.h>
#include <wlcs/touch.h>
#include "fake_input.h"

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

struct conformance {
	WlcsDisplayServer hooks;
	struct server server;
	struct fake_input *input;
	int finger_count; /* so far */
	pthread_t thread;
	bool running;
	int calls[2]; /* a pipe of struct call * */
	struct wl_list clients;
};

struct client {
	struct wl_list link;
	int fd; /* the runner's end; its number outlives the descriptor */
	struct wl_client *wl;
	struct wl_listener destroy;
};

/* --- The server's thread --- */

struct call {
	void (*function)(struct conformance *self, void *data);
	void *data;
	sem_t done;
};

static int
serve_call(int fd, uint32_t mask, void *data)
{
	struct call *call;
	if (read(fd, &call, sizeof(call)) != sizeof(call))
		err(EXIT_FAILURE, "cannot read calls");
	call->function(data, call->data);
	sem_post(&call->done);
	return 0;
}

/* Returns when the server's thread has done it, or at once if there is none. */
static void
call(struct conformance *self,
	void (*function)(struct conformance *self, void *data), void *data)
{
	struct call request = {.function = function, .data = data};
	struct call *address = &request;
	if (!self->running)
		return;
	sem_init(&request.done, 0, 0);
	if (write(self->calls[1], &address, sizeof(address)) != sizeof(address))
		err(EXIT_FAILURE, "cannot write a call");
	while (sem_wait(&request.done) < 0 && errno == EINTR)
		continue;
	sem_destroy(&request.done);
}

#if WLCS_SHOWS_WINDOWS_EARLY
/* Clients of this wlcs give every window its first buffer before they are told
 * of a configuration. wlroots disconnects them, rightly, and no test of a window
 * would get to its point. */
static void
commit_early(struct wl_listener *listener, void *data)
{
	struct window *window = wl_container_of(listener, window, on.commit);
	window_commit_notify(listener, data);
	window->toplevel->base->configured = true;
}

static void
new_early_toplevel(struct wl_listener *listener, void *data)
{
	struct wlr_xdg_toplevel *toplevel = data;
	server_new_toplevel_notify(listener, data);
	struct wlr_scene_tree *tree = toplevel->base->data;
	if (tree != NULL)
		window_from_node(&tree->node)->on.commit.notify = commit_early;
}
#endif

static void *
serve(void *data)
{
	struct conformance *self = data;
	struct server *server = &self->server;
	if (!server_init(server))
		exit(EXIT_FAILURE);
	struct wl_event_source *calls = wl_event_loop_add_fd(
		wl_display_get_event_loop(server->display), self->calls[0],
		WL_EVENT_READABLE, serve_call, self);
#if WLCS_SHOWS_WINDOWS_EARLY
	server->on.new_toplevel.notify = new_early_toplevel;
#endif
	self->input = fake_input_create(server->backend);
	if (calls == NULL || self->input == NULL ||
			!wlr_backend_start(server->backend))
		errx(EXIT_FAILURE, "cannot start the server");
	/* Where no test has a window: to them the pointer is nowhere until they
	 * have moved it. */
	struct wlr_box layout;
	wlr_output_layout_get_box(server->layout, NULL, &layout);
	wlr_cursor_warp_closest(server->cursor, NULL,
		layout.x + layout.width, layout.y + layout.height);

	wl_display_run(server->display);

	wl_event_source_remove(calls);
	fake_input_destroy(self->input);
	server_finish(server);
	return NULL;
}

static void
start(WlcsDisplayServer *hooks)
{
	struct conformance *self = wl_container_of(hooks, self, hooks);
	errno = pthread_create(&self->thread, NULL, serve, self);
	if (errno != 0)
		err(EXIT_FAILURE, "cannot start a thread");
	self->running = true;
}

static void
terminate(struct conformance *self, void *data)
{
	wl_display_terminate(self->server.display);
}

static void
stop(WlcsDisplayServer *hooks)
{
	struct conformance *self = wl_container_of(hooks, self, hooks);
	if (!self->running)
		return;
	call(self, terminate, NULL);
	pthread_join(self->thread, NULL);
	self->running = false;
}

/* --- Clients and their windows --- */

static void
forget_client(struct wl_listener *listener, void *data)
{
	struct client *client = wl_container_of(listener, client, destroy);
	wl_list_remove(&client->link);
	wl_list_remove(&client->destroy.link);
	free(client);
}

static void
add_client(struct conformance *self, void *data)
{
	int *fd = data, ends[2];
	struct client *client = calloc(1, sizeof(*client));
	*fd = -1;
	if (client == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
			ends) < 0)
		goto failed_pair;
	client->wl = wl_client_create(self->server.display, ends[0]);
	if (client->wl == NULL)
		goto failed_client;
	*fd = client->fd = ends[1];
	client->destroy.notify = forget_client;
	wl_client_add_destroy_listener(client->wl, &client->destroy);
	/* In front of those of clients that are gone and not yet noticed. */
	wl_list_insert(&self->clients, &client->link);
	return;

failed_client:
	close(ends[0]);
	close(ends[1]);
failed_pair:
	free(client);
}

static int
create_client_socket(WlcsDisplayServer *hooks)
{
	struct conformance *self = wl_container_of(hooks, self, hooks);
	int fd = -1;
	call(self, add_client, &fd);
	return fd;
}

struct placement {
	int client_fd;
	uint32_t surface_id;
	int x, y;
};

static struct window *
find_window(struct conformance *self, const struct placement *placement)
{
	struct client *client;
	struct wl_resource *surface = NULL;
	wl_list_for_each(client, &self->clients, link) {
		if (client->fd == placement->client_fd) {
			surface = wl_client_get_object(client->wl,
				placement->surface_id);
			break;
		}
	}
	struct wlr_xdg_surface *xdg = surface == NULL ? NULL :
		wlr_xdg_surface_try_from_wlr_surface(
			wlr_surface_from_resource(surface));
	struct wlr_scene_tree *tree = xdg == NULL ? NULL : xdg->data;
	return tree == NULL ? NULL : window_from_node(&tree->node);
}

static void
place_window(struct conformance *self, void *data)
{
	struct placement *placement = data;
	struct window *window = find_window(self, placement);
	if (window == NULL) {
		warnx("a surface to be moved is no window");
		return;
	}
	wlr_scene_node_set_position(&window->tree->node, placement->x,
		placement->y);
	pointer_update(&self->server, now_msec());
}

static void
position_window_absolute(WlcsDisplayServer *hooks, struct wl_display *client,
	struct wl_surface *surface, int x, int y)
{
	struct conformance *self = wl_container_of(hooks, self, hooks);
	struct placement placement = {
		.client_fd = wl_display_get_fd(client),
		.surface_id = wl_proxy_get_id((struct wl_proxy *)surface),
		.x = x,
		.y = y,
	};
	call(self, place_window, &placement);
}

/* --- Pointers: all move the one mouse --- */

struct pointer {
	WlcsPointer hooks;
	struct conformance *owner;
};

struct motion {
	bool relative;
	double x, y;
};

struct click {
	uint32_t button;
	bool pressed;
};

static void
do_motion(struct conformance *self, void *data)
{
	struct motion *motion = data;
	struct wlr_cursor *cursor = self->server.cursor;
	fake_mouse_move(self->input,
		motion->relative ? motion->x : motion->x - cursor->x,
		motion->relative ? motion->y : motion->y - cursor->y);
}

static void
move_absolute(WlcsPointer *hooks, wl_fixed_t x, wl_fixed_t y)
{
	struct pointer *pointer = wl_container_of(hooks, pointer, hooks);
	call(pointer->owner, do_motion, &(struct motion){
		.x = wl_fixed_to_double(x),
		.y = wl_fixed_to_double(y),
	});
}

static void
move_relative(WlcsPointer *hooks, wl_fixed_t dx, wl_fixed_t dy)
{
	struct pointer *pointer = wl_container_of(hooks, pointer, hooks);
	call(pointer->owner, do_motion, &(struct motion){
		.relative = true,
		.x = wl_fixed_to_double(dx),
		.y = wl_fixed_to_double(dy),
	});
}

static void
do_click(struct conformance *self, void *data)
{
	struct click *click = data;
	fake_mouse_button(self->input, click->button, click->pressed);
}

static void
button_up(WlcsPointer *hooks, int button)
{
	struct pointer *pointer = wl_container_of(hooks, pointer, hooks);
	call(pointer->owner, do_click, &(struct click){
		.button = (uint32_t)button,
	});
}

static void
button_down(WlcsPointer *hooks, int button)
{
	struct pointer *pointer = wl_container_of(hooks, pointer, hooks);
	call(pointer->owner, do_click, &(struct click){
		.button = (uint32_t)button,
		.pressed = true,
	});
}

static void
destroy_pointer(WlcsPointer *hooks)
{
	struct pointer *pointer = wl_container_of(hooks, pointer, hooks);
	free(pointer);
}

static WlcsPointer *
create_pointer(WlcsDisplayServer *hooks)
{
	struct conformance *self = wl_container_of(hooks, self, hooks);
	struct pointer *pointer = calloc(1, sizeof(*pointer));
	if (pointer == NULL)
		err(EXIT_FAILURE, "cannot create a pointer");
	*pointer = (struct pointer){
		.hooks = {
			.version = WLCS_POINTER_VERSION,
			.move_absolute = move_absolute,
			.move_relative = move_relative,
			.button_up = button_up,
			.button_down = button_down,
			.destroy = destroy_pointer,
		},
		.owner = self,
	};
	return &pointer->hooks;
}

/* --- Touch: each is a finger on the one screen --- */

struct finger {
	WlcsTouch hooks;
	struct conformance *owner;
	int32_t id;
};

struct touch {
	void (*touch)(struct fake_input *input, int32_t id, double x, double y,
		const struct wlr_box *layout);
	int32_t id;
	int x, y;
};

static void
do_touch(struct conformance *self, void *data)
{
	struct touch *touch = data;
	struct wlr_box layout;
	wlr_output_layout_get_box(self->server.layout, NULL, &layout);
	touch->touch(self->input, touch->id, touch->x, touch->y, &layout);
}

/* wlcs says wl_fixed_t here, but it means whole pixels. */
static void
touch_down(WlcsTouch *hooks, wl_fixed_t x, wl_fixed_t y)
{
	struct finger *finger = wl_container_of(hooks, finger, hooks);
	call(finger->owner, do_touch, &(struct touch){
		.touch = fake_finger_down,
		.id = finger->id,
		.x = x,
		.y = y,
	});
}

static void
touch_move(WlcsTouch *hooks, wl_fixed_t x, wl_fixed_t y)
{
	struct finger *finger = wl_container_of(hooks, finger, hooks);
	call(finger->owner, do_touch, &(struct touch){
		.touch = fake_finger_move,
		.id = finger->id,
		.x = x,
		.y = y,
	});
}

static void
do_touch_up(struct conformance *self, void *data)
{
	int32_t *id = data;
	fake_finger_up(self->input, *id);
}

static void
touch_up(WlcsTouch *hooks)
{
	struct finger *finger = wl_container_of(hooks, finger, hooks);
	call(finger->owner, do_touch_up, &finger->id);
}

static void
destroy_touch(WlcsTouch *hooks)
{
	struct finger *finger = wl_container_of(hooks, finger, hooks);
	free(finger);
}

static WlcsTouch *
create_touch(WlcsDisplayServer *hooks)
{
	struct conformance *self = wl_container_of(hooks, self, hooks);
	struct finger *finger = calloc(1, sizeof(*finger));
	if (finger == NULL)
		err(EXIT_FAILURE, "cannot create a finger");
	*finger = (struct finger){
		.hooks = {
			.version = WLCS_TOUCH_VERSION,
			.touch_down = touch_down,
			.touch_move = touch_move,
			.touch_up = touch_up,
			.destroy = destroy_touch,
		},
		.owner = self,
		.id = self->finger_count++,
	};
	return &finger->hooks;
}

/* --- The module --- */

/* wlcs skips the tests of what is missing here. */
static const WlcsIntegrationDescriptor *
get_descriptor(const WlcsDisplayServer *hooks)
{
	static const WlcsExtensionDescriptor extensions[] = {
		{"wl_compositor", COMPAT_WLR_0_15 ? 4 : 6},
		{"wl_subcompositor", 1},
		{"wl_shm", COMPAT_WLR_0_15 ? 1 : 2},
		{"wl_seat", COMPAT_WLR_0_15 ? 7 : 9},
		{"wl_output", COMPAT_WLR_0_15 ? 3 : 4},
		{"wl_data_device_manager", 3},
		{"xdg_wm_base", 2},
		{"wp_viewporter", 1},
		{"zxdg_output_manager_v1", 3},
		{"zwlr_screencopy_manager_v1", 3},
		{"zwlr_virtual_pointer_manager_v1", 2},
		{"zwp_virtual_keyboard_manager_v1", 1},
	};
	static const WlcsIntegrationDescriptor descriptor = {
		.version = WLCS_INTEGRATION_DESCRIPTOR_VERSION,
		.num_extensions = ARRAY_LENGTH(extensions),
		.supported_extensions = extensions,
	};
	return &descriptor;
}

static WlcsDisplayServer *
create_server(int argc, const char **argv)
{
	struct conformance *self = calloc(1, sizeof(*self));
	if (self == NULL || pipe2(self->calls, O_CLOEXEC) < 0)
		err(EXIT_FAILURE, "cannot create a server");
	setenv("WLR_BACKENDS", "headless", true);
	setenv("WLR_RENDERER", "pixman", true);
	wlr_log_init(WLR_ERROR, NULL);
	if (!shm_is_guarded())
		exit(EXIT_FAILURE);
	wl_list_init(&self->clients);
	self->hooks = (WlcsDisplayServer){
		.version = WLCS_DISPLAY_SERVER_VERSION,
		.start = start,
		.stop = stop,
		.create_client_socket = create_client_socket,
		.position_window_absolute = position_window_absolute,
		.create_pointer = create_pointer,
		.create_touch = create_touch,
		.get_descriptor = get_descriptor,
	};
	return &self->hooks;
}

static void
destroy_server(WlcsDisplayServer *hooks)
{
	struct conformance *self = wl_container_of(hooks, self, hooks);
	stop(hooks);
	close(self->calls[0]);
	close(self->calls[1]);
	free(self);
}

__attribute__((visibility("default")))
const WlcsServerIntegration wlcs_server_integration = {
	.version = WLCS_SERVER_INTEGRATION_VERSION,
	.create_server = create_server,
	.destroy_server = destroy_server,
};
