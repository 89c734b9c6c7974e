/* SPDX-License-Identifier: MIT */
#include "stage.h"

#include BENCH_BACKEND
#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* A message holds 28 descriptors, and requests have to fit the socket. */
#define REQUESTS_AT_A_TIME 16
/* What one client may hold by default while there are 45,000 mappings. */
#define POOLS_EACH 500
#define BUFFERS_EACH 50000

struct wl_display *
stage_open(void)
{
	struct wl_display *server = wl_display_create();
	if (server == NULL)
		die("wl_display_create");
	backend_start(server);
	return server;
}

static void
handle_connection_destroy(struct wl_listener *listener, void *data)
{
	(void)data;
	struct actor *actor =
		wl_container_of(listener, actor, connection_destroy);
	wl_list_remove(&actor->connection_destroy.link);
	actor->connection = NULL;
}

static void
handle_global(void *data, struct wl_registry *registry, uint32_t name,
	const char *interface, uint32_t version)
{
	struct actor *actor = data;
	(void)version;
	if (strcmp(interface, wl_shm_interface.name) == 0)
		actor->shm = wl_registry_bind(registry, name,
			&wl_shm_interface, 1);
}

static void
handle_global_remove(void *data, struct wl_registry *registry, uint32_t name)
{
	(void)data;
	(void)registry;
	(void)name;
}

static const struct wl_registry_listener registry_listener = {
	.global = handle_global,
	.global_remove = handle_global_remove,
};

void
actor_connect(struct actor *actor, struct wl_display *server)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		die("socketpair");
	*actor = (struct actor){.server = server};
	actor->connection = wl_client_create(server, ends[0]);
	actor->display = wl_display_connect_to_fd(ends[1]);
	if (actor->connection == NULL || actor->display == NULL)
		die("connection");
	actor->connection_destroy.notify = handle_connection_destroy;
	wl_client_add_destroy_listener(actor->connection,
		&actor->connection_destroy);

	actor->registry = wl_display_get_registry(actor->display);
	wl_registry_add_listener(actor->registry, &registry_listener, actor);
	actor_settle(actor);
	if (actor->shm == NULL)
		die("wl_shm");
	actor_settle(actor);
}

void
actor_disconnect(struct actor *actor)
{
	if (actor->connection != NULL)
		wl_client_destroy(actor->connection);
	wl_shm_destroy(actor->shm);
	wl_registry_destroy(actor->registry);
	wl_display_disconnect(actor->display);
}

void
actor_flush(struct actor *actor)
{
	wl_display_flush(actor->display);
}

uint64_t
stage_serve(struct wl_display *server)
{
	struct wl_event_loop *loop = wl_display_get_event_loop(server);
	uint64_t start = clock_now();
	wl_event_loop_dispatch(loop, 0);
	return clock_now() - start;
}

void
actor_receive(struct actor *actor)
{
	wl_display_flush_clients(actor->server);
	while (wl_display_prepare_read(actor->display) < 0) {
		if (wl_display_dispatch_pending(actor->display) < 0)
			return;
	}
	struct pollfd readable = {
		.fd = wl_display_get_fd(actor->display),
		.events = POLLIN,
	};
	if (poll(&readable, 1, 0) > 0)
		wl_display_read_events(actor->display);
	else
		wl_display_cancel_read(actor->display);
	wl_display_dispatch_pending(actor->display);
}

void
actor_settle(struct actor *actor)
{
	for (int i = 0; i < 3; i++) {
		actor_flush(actor);
		stage_serve(actor->server);
		actor_receive(actor);
	}
}

struct wl_resource *
actor_resource(struct actor *actor, void *proxy)
{
	struct wl_resource *resource = NULL;
	if (actor->connection != NULL)
		resource = wl_client_get_object(actor->connection,
			wl_proxy_get_id(proxy));
	if (resource == NULL) {
		errno = ENOENT;
		die("the compositor does not have the buffer");
	}
	return resource;
}

int
stage_memfd(size_t size, bool sealed)
{
	int fd = memfd_create("bench", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0 ||
			(sealed && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0))
		die("memfd_create");
	return fd;
}

int
stage_drawn_memfd(size_t size, bool sealed)
{
	int fd = stage_memfd(size, sealed);
	void *drawing = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		0);
	if (drawing == MAP_FAILED)
		die("mmap");
	memset(drawing, 0x5a, size);
	munmap(drawing, size);
	return fd;
}

struct wl_buffer *
actor_buffer(struct actor *actor, int fd, int32_t width, int32_t height)
{
	struct wl_shm_pool *pool = wl_shm_create_pool(actor->shm, fd,
		width * height * 4);
	struct wl_buffer *buffer = wl_shm_pool_create_buffer(pool, 0, width,
		height, width * 4, WL_SHM_FORMAT_XRGB8888);
	wl_shm_pool_destroy(pool);
	return buffer;
}

bool
stage_has_room(size_t pools)
{
	struct rlimit files;
	if (pools > BACKEND_POOLS_MAX)
		return false;
	return !BACKEND_KEEPS_DESCRIPTORS ||
		(getrlimit(RLIMIT_NOFILE, &files) == 0 &&
			pools < files.rlim_cur - 1000);
}

static void
fill_seats(struct actor *actor, int fd, size_t pools, size_t buffers,
	void (*each)(struct actor *actor, struct wl_buffer *buffer))
{
	for (size_t i = 0; i < pools; i++) {
		struct wl_shm_pool *pool =
			wl_shm_create_pool(actor->shm, fd, 4096);
		for (size_t j = 0; j < buffers; j++) {
			struct wl_buffer *buffer = wl_shm_pool_create_buffer(
				pool, 0, 32, 32, 128, WL_SHM_FORMAT_XRGB8888);
			if ((i + j) % REQUESTS_AT_A_TIME != 0 && each == NULL)
				continue;
			actor_settle(actor);
			if (each != NULL)
				each(actor, buffer);
		}
	}
	actor_settle(actor);
	if (actor->connection == NULL) {
		errno = EDQUOT;
		die("a client of the crowd was disconnected");
	}
}

void
stage_crowd(struct wl_display *server, size_t pools, size_t buffers,
	void (*each)(struct actor *actor, struct wl_buffer *buffer))
{
	int fd = stage_memfd(4096, false);
	size_t pools_each = buffers > BUFFERS_EACH / POOLS_EACH ?
		BUFFERS_EACH / buffers : POOLS_EACH;
	while (pools > 0) {
		size_t seats = pools < pools_each ? pools : pools_each;
		/* Stays until the process ends. */
		struct actor *actor = malloc(sizeof(*actor));
		if (actor == NULL)
			die("malloc");
		actor_connect(actor, server);
		fill_seats(actor, fd, seats, buffers, each);
		pools -= seats;
	}
	close(fd);
}
