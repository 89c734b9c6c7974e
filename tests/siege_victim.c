/* SPDX-License-Identifier: MIT */

/*
 * siege_victim FAULT: a compositor without a screen that has one fault at will,
 * so that each verdict of shmguard-siege can be seen. Clients are shown by
 * reading what they commit; the fault comes when some of that is missing.
 *
 * Memory is read with process_vm_readv: what is missing makes it return early,
 * and nothing that the siege does can end this process but the fault.
 */

#include "xdg-shell-server-protocol.h"

#include <err.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>
#include <wayland-server.h>

/* Listeners and requests rarely need all that they are given. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

#define FRAME_TIME 16 /* milliseconds */
/* Longer than a busy machine is likely to hold a process up, and not as long as
 * clients wait. */
#define STALL_TIME 3000
#define STARVED_FRAMES 120
#define LEAK_FILES 3
#define LEAK_BYTES (1 << 20)

enum fault {
	FAULT_NONE,
	FAULT_CRASH,
	FAULT_EXIT,
	FAULT_HANG,
	FAULT_STALL,
	FAULT_LEAK,   /* descriptors and mappings */
	FAULT_STARVE, /* newcomers, for a while */
	FAULT_HURT,   /* the canary */
	FAULT_MUTE,   /* reads, and never tells anybody */
	FAULT_BLIND,  /* does not even read */
	FAULT_LEARN,  /* none: it keeps the code that it compiled for the case */
};

static const char *const fault_names[] = {
	"none", "crash", "exit", "hang", "stall", "leak", "starve", "hurt",
	"mute", "blind", "learn",
};

struct surface {
	struct wl_list link;
	struct wl_resource *resource;
	struct wl_resource *xdg_surface;
	struct wl_resource *pending, *buffer; /* may be NULL */
	struct wl_listener pending_destroy, buffer_destroy;
	struct wl_list frames, pending_frames;
	bool faulty; /* it had its fault */
	bool canary, configured;
};

static enum fault fault;
static struct wl_list surfaces;
static struct wl_event_source *timer;
static char copy[1 << 16];
static int starved; /* for so many frames more */

/* ---- The faults ---- */

static void
leak(void)
{
	for (int i = 0; i < LEAK_FILES; i++) {
		if (dup(STDERR_FILENO) < 0 || mmap(NULL, LEAK_BYTES,
				i % 2 == 0 ? PROT_READ : PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
			err(EXIT_FAILURE, "leak");
	}
}

static void
compile(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *code = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (code == MAP_FAILED || mprotect(code, page, PROT_READ) < 0 ||
			mprotect(code + page, page, PROT_READ | PROT_EXEC) < 0)
		err(EXIT_FAILURE, "compile");
}

static void
hurt_canary(void)
{
	struct surface *surface;
	wl_list_for_each(surface, &surfaces, link) {
		if (surface->canary)
			wl_client_post_implementation_error(
				wl_resource_get_client(surface->resource),
				"this was somebody else's fault");
	}
}

static void
be_faulty(void)
{
	switch (fault) {
	case FAULT_CRASH:
		abort();
	case FAULT_EXIT:
		exit(3);
	case FAULT_HANG:
		for (;;)
			pause();
	case FAULT_STALL:
		usleep(STALL_TIME * 1000);
		break;
	case FAULT_LEAK:
		leak();
		break;
	case FAULT_LEARN:
		compile();
		break;
	case FAULT_STARVE:
		starved = STARVED_FRAMES;
		break;
	case FAULT_HURT:
		hurt_canary();
		break;
	default:
		break;
	}
}

/* ---- Showing what clients commit ---- */

/* Whether all of it is there. */
static bool
read_memory(const char *from, size_t size)
{
	while (size > 0) {
		size_t part = size < sizeof(copy) ? size : sizeof(copy);
		const struct iovec local = {copy, part};
		const struct iovec remote = {(void *)from, part};
		if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) !=
				(ssize_t)part)
			return false;
		from += part;
		size -= part;
	}
	return true;
}

static void
show(struct surface *surface)
{
	struct wl_shm_buffer *buffer = surface->buffer != NULL ?
		wl_shm_buffer_get(surface->buffer) : NULL;
	if (buffer == NULL || fault == FAULT_BLIND)
		return;
	size_t size = (size_t)wl_shm_buffer_get_stride(buffer) *
		(size_t)wl_shm_buffer_get_height(buffer);
	if (read_memory(wl_shm_buffer_get_data(buffer), size))
		return;
	if (fault != FAULT_MUTE && fault != FAULT_STARVE)
		wl_resource_post_error(surface->buffer,
			WL_SHM_ERROR_INVALID_FD, "pages are missing");
	if (!surface->faulty)
		be_faulty();
	surface->faulty = true;
}

static void
finish_frame(struct surface *surface)
{
	struct wl_resource *callback, *next;
	wl_resource_for_each_safe(callback, next, &surface->frames) {
		wl_callback_send_done(callback, 0);
		wl_resource_destroy(callback);
	}
	if (surface->buffer != NULL)
		wl_buffer_send_release(surface->buffer);
}

static int
handle_timer(void *data)
{
	struct surface *surface;
	wl_list_for_each(surface, &surfaces, link) {
		if (!wl_list_empty(&surface->frames)) {
			show(surface);
			finish_frame(surface);
		}
	}
	starved -= starved > 0;
	wl_event_source_timer_update(timer, FRAME_TIME);
	return 0;
}

/* ---- wl_surface ---- */

static void
handle_destroy(struct wl_client *client, struct wl_resource *resource)
{
	wl_resource_destroy(resource);
}

static void
handle_pending_destroyed(struct wl_listener *listener, void *data)
{
	struct surface *surface =
		wl_container_of(listener, surface, pending_destroy);
	surface->pending = NULL;
	wl_list_remove(&listener->link);
	wl_list_init(&listener->link);
}

static void
handle_buffer_destroyed(struct wl_listener *listener, void *data)
{
	struct surface *surface =
		wl_container_of(listener, surface, buffer_destroy);
	surface->buffer = NULL;
	wl_list_remove(&listener->link);
	wl_list_init(&listener->link);
}

static void
watch(struct wl_listener *listener, struct wl_resource *buffer)
{
	wl_list_remove(&listener->link);
	wl_list_init(&listener->link);
	if (buffer != NULL)
		wl_resource_add_destroy_listener(buffer, listener);
}

static void
surface_attach(struct wl_client *client, struct wl_resource *resource,
	struct wl_resource *buffer, int32_t x, int32_t y)
{
	struct surface *surface = wl_resource_get_user_data(resource);
	surface->pending = buffer;
	watch(&surface->pending_destroy, buffer);
}

static void
surface_rectangle(struct wl_client *client, struct wl_resource *resource,
	int32_t x, int32_t y, int32_t width, int32_t height)
{
}

static void
remove_link(struct wl_resource *resource)
{
	wl_list_remove(wl_resource_get_link(resource));
}

static void
surface_frame(struct wl_client *client, struct wl_resource *resource,
	uint32_t id)
{
	struct surface *surface = wl_resource_get_user_data(resource);
	struct wl_resource *callback =
		wl_resource_create(client, &wl_callback_interface, 1, id);
	wl_resource_set_implementation(callback, NULL, NULL, remove_link);
	wl_list_insert(surface->pending_frames.prev,
		wl_resource_get_link(callback));
}

static void
surface_region(struct wl_client *client, struct wl_resource *resource,
	struct wl_resource *region)
{
}

static void
surface_number(struct wl_client *client, struct wl_resource *resource,
	int32_t number)
{
}

static void
surface_commit(struct wl_client *client, struct wl_resource *resource)
{
	struct surface *surface = wl_resource_get_user_data(resource);
	if (!surface->configured && surface->xdg_surface != NULL) {
		xdg_surface_send_configure(surface->xdg_surface, 1);
		surface->configured = true;
	}
	surface->buffer = surface->pending;
	watch(&surface->buffer_destroy, surface->buffer);
	wl_list_insert_list(surface->frames.prev, &surface->pending_frames);
	wl_list_init(&surface->pending_frames);
}

static const struct wl_surface_interface surface_requests = {
	.destroy = handle_destroy,
	.attach = surface_attach,
	.damage = surface_rectangle,
	.frame = surface_frame,
	.set_opaque_region = surface_region,
	.set_input_region = surface_region,
	.commit = surface_commit,
	.set_buffer_transform = surface_number,
	.set_buffer_scale = surface_number,
	.damage_buffer = surface_rectangle,
};

static void
destroy_callbacks(struct wl_list *callbacks)
{
	struct wl_resource *callback, *next;
	wl_resource_for_each_safe(callback, next, callbacks)
		wl_resource_destroy(callback);
}

static void
surface_destroyed(struct wl_resource *resource)
{
	struct surface *surface = wl_resource_get_user_data(resource);
	destroy_callbacks(&surface->frames);
	destroy_callbacks(&surface->pending_frames);
	wl_list_remove(&surface->pending_destroy.link);
	wl_list_remove(&surface->buffer_destroy.link);
	wl_list_remove(&surface->link);
	free(surface);
}

/* ---- wl_compositor ---- */

static void
create_surface(struct wl_client *client, struct wl_resource *resource,
	uint32_t id)
{
	if (starved > 0) {
		wl_client_post_no_memory(client);
		return;
	}
	struct surface *surface = calloc(1, sizeof(*surface));
	if (surface == NULL)
		err(EXIT_FAILURE, NULL);
	surface->resource = wl_resource_create(client, &wl_surface_interface,
		wl_resource_get_version(resource), id);
	surface->pending_destroy.notify = handle_pending_destroyed;
	surface->buffer_destroy.notify = handle_buffer_destroyed;
	wl_list_init(&surface->pending_destroy.link);
	wl_list_init(&surface->buffer_destroy.link);
	wl_list_init(&surface->frames);
	wl_list_init(&surface->pending_frames);
	wl_list_insert(&surfaces, &surface->link);
	wl_resource_set_implementation(surface->resource, &surface_requests,
		surface, surface_destroyed);
}

static void
create_region(struct wl_client *client, struct wl_resource *resource,
	uint32_t id)
{
	wl_client_post_implementation_error(client, "no regions here");
}

static const struct wl_compositor_interface compositor_requests = {
	.create_surface = create_surface,
	.create_region = create_region,
};

static void
bind_compositor(struct wl_client *client, void *data, uint32_t version,
	uint32_t id)
{
	struct wl_resource *resource = wl_resource_create(client,
		&wl_compositor_interface, (int)version, id);
	wl_resource_set_implementation(resource, &compositor_requests, NULL,
		NULL);
}

/* ---- xdg_wm_base: just enough for a window ---- */

static void
set_title(struct wl_client *client, struct wl_resource *resource,
	const char *title)
{
	struct surface *surface = wl_resource_get_user_data(resource);
	surface->canary = strcmp(title, "canary") == 0;
}

static void
set_text(struct wl_client *client, struct wl_resource *resource,
	const char *text)
{
}

static const struct xdg_toplevel_interface toplevel_requests = {
	.destroy = handle_destroy,
	.set_title = set_title,
	.set_app_id = set_text,
};

static void
get_toplevel(struct wl_client *client, struct wl_resource *resource,
	uint32_t id)
{
	struct wl_resource *toplevel =
		wl_resource_create(client, &xdg_toplevel_interface, 1, id);
	wl_resource_set_implementation(toplevel, &toplevel_requests,
		wl_resource_get_user_data(resource), NULL);
}

static void
ack_configure(struct wl_client *client, struct wl_resource *resource,
	uint32_t serial)
{
}

static const struct xdg_surface_interface xdg_surface_requests = {
	.destroy = handle_destroy,
	.get_toplevel = get_toplevel,
	.ack_configure = ack_configure,
};

static void
get_xdg_surface(struct wl_client *client, struct wl_resource *resource,
	uint32_t id, struct wl_resource *surface_resource)
{
	struct surface *surface = wl_resource_get_user_data(surface_resource);
	surface->xdg_surface =
		wl_resource_create(client, &xdg_surface_interface, 1, id);
	wl_resource_set_implementation(surface->xdg_surface,
		&xdg_surface_requests, surface, NULL);
}

static const struct xdg_wm_base_interface wm_base_requests = {
	.destroy = handle_destroy,
	.get_xdg_surface = get_xdg_surface,
};

static void
bind_wm_base(struct wl_client *client, void *data, uint32_t version,
	uint32_t id)
{
	struct wl_resource *resource =
		wl_resource_create(client, &xdg_wm_base_interface, 1, id);
	wl_resource_set_implementation(resource, &wm_base_requests, NULL, NULL);
}

int
main(int argc, char *argv[])
{
	while (argc > 1 && fault <= FAULT_LEARN &&
			strcmp(argv[1], fault_names[fault]) != 0)
		fault++;
	if (argc != 2 || fault > FAULT_LEARN)
		errx(EXIT_FAILURE, "usage: siege_victim FAULT");
	wl_list_init(&surfaces);
	struct wl_display *display = wl_display_create();
	if (display == NULL || wl_display_init_shm(display) < 0 ||
			wl_display_add_socket_auto(display) == NULL)
		errx(EXIT_FAILURE, "no display");
	wl_global_create(display, &wl_compositor_interface, 4, NULL,
		bind_compositor);
	wl_global_create(display, &xdg_wm_base_interface, 1, NULL,
		bind_wm_base);
	timer = wl_event_loop_add_timer(wl_display_get_event_loop(display),
		handle_timer, NULL);
	wl_event_source_timer_update(timer, FRAME_TIME);
	wl_display_run(display);
	return EXIT_SUCCESS;
}
