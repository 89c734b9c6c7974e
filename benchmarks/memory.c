/* SPDX-License-Identifier: MIT */

/* What the compositor's process grows by for each pool and buffer. Its client is
 * another process. */

#include "families.h"

#include BENCH_BACKEND
#include "clock.h"
#include "stage.h"

#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Within the limits for one client by default, and as many as fit the tables
 * that grow by doubling. */
enum { COUNT = 4000 };

static void
be_client(int socket, size_t pools, size_t buffers)
{
	struct wl_display *display = wl_display_connect_to_fd(socket);
	struct wl_registry *registry = wl_display_get_registry(display);
	int fd = stage_memfd(4096, true);
	/* The first global, and the first object bound: no events are read. */
	struct wl_shm *shm = wl_registry_bind(registry, 1, &wl_shm_interface, 1);
	for (size_t i = 0; i < pools; i++) {
		struct wl_shm_pool *pool = wl_shm_create_pool(shm, fd, 4096);
		for (size_t j = 0; j < buffers; j++) {
			wl_shm_pool_create_buffer(pool, 0, 32, 32, 128,
				WL_SHM_FORMAT_XRGB8888);
			if (j % 64 == 0)
				wl_display_roundtrip(display);
		}
		/* More at a time do not fit the socket. */
		wl_display_roundtrip(display);
	}
	_exit(wl_display_roundtrip(display) < 0);
}

static unsigned int
count_descriptors(void)
{
	unsigned int count = 0;
	DIR *dir = opendir("/proc/self/fd");
	if (dir == NULL)
		die("/proc/self/fd");
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

/* Bytes of private memory in use, mapped by whomever. */
static double
private_bytes(void)
{
	char line[256];
	unsigned long kilobytes = 0;
	FILE *status = fopen("/proc/self/status", "re");
	if (status == NULL)
		die("/proc/self/status");
	while (fgets(line, sizeof(line), status) != NULL) {
		if (sscanf(line, "RssAnon: %lu kB", &kilobytes) == 1)
			break;
	}
	fclose(status);
	return (double)kilobytes * 1024;
}

static double
heap_bytes(void)
{
	struct mallinfo2 info = mallinfo2();
	return (double)info.uordblks + (double)info.hblkhd;
}

static void
handle_gone(struct wl_listener *listener, void *data)
{
	(void)data;
	wl_list_remove(&listener->link);
	listener->notify = NULL;
}

static void
serve_until_known(struct wl_display *server, int socket, size_t objects)
{
	struct wl_client *connection = wl_client_create(server, socket);
	struct wl_listener gone = {.notify = handle_gone};
	wl_client_add_destroy_listener(connection, &gone);
	/* Display, registry, shm; the last round trip leaves no object. */
	uint32_t last = (uint32_t)(3 + objects);
	while (gone.notify != NULL &&
			wl_client_get_object(connection, last) == NULL) {
		wl_event_loop_dispatch(wl_display_get_event_loop(server), 100);
		wl_display_flush_clients(server);
	}
	if (gone.notify == NULL)
		die("the client was disconnected");
	wl_list_remove(&gone.link);
}

static void
measure_growth(const char *what, size_t pools, size_t buffers, size_t count)
{
	int ends[2];
	struct wl_display *server = stage_open();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		die("socketpair");
	pid_t child = fork();
	if (child == 0) {
		close(ends[0]);
		be_client(ends[1], pools, buffers);
	}
	close(ends[1]);

	double heap = heap_bytes(), private = private_bytes();
	unsigned int descriptors = count_descriptors();
	serve_until_known(server, ends[0], pools + pools * buffers);
	report("bytes", (heap_bytes() - heap) / (double)count,
		"memory/%s/heap", what);
	report("bytes", (private_bytes() - private) / (double)count,
		"memory/%s/private", what);
	report("fds", (count_descriptors() - descriptors - 1.0) / (double)count,
		"memory/%s/descriptors", what);
	wl_display_flush_clients(server);
	wl_display_destroy_clients(server);
	waitpid(child, NULL, 0);
}

void
measure_memory(void)
{
	measure_growth("pool", COUNT, 0, COUNT);
	measure_growth("buffer", 1, 10 * COUNT, 10 * COUNT);
}
