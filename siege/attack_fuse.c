/* SPDX-License-Identifier: MIT */
#include "attack.h"

#include "fuse_file.h"
#include "pool.h"
#include "window.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Files that a process of the client's serves. Whoever asks for more than that
 * process cares to answer waits, in the kernel, beyond the reach of signals.
 */

#define PRESENTED 3

/* Kept up until the compositor has been judged. */
static struct fuse_file *server;
static int server_file = -1;

static bool
serve(struct client *client, enum fuse_file_mode mode)
{
	server = fuse_file_start(PICTURE_BYTES, mode);
	if (server == NULL) {
		client_skip(client, "FUSE is not available (%s)",
			fuse_file_problem());
		return false;
	}
	server_file = fuse_file_open(server, O_RDWR);
	if (server_file < 0)
		fail("file on FUSE");
	return true;
}

static void
stop_serving(void)
{
	fuse_file_stop(server);
	server = NULL;
	if (server_file >= 0)
		close(server_file);
	server_file = -1;
}

/* Bad from the start, or as soon as the pool is made. */
static void
present_from(struct client *client, bool from_the_start,
	enum fuse_file_mode mode)
{
	client_label(client, "%s", from_the_start ? "from the start" :
		"once the pool is made");
	if (!serve(client, from_the_start ? mode : FUSE_FILE_NORMAL))
		return;

	struct wl_shm_pool *pool =
		pool_create_unclosed(client, server_file, PICTURE_BYTES);
	if (!from_the_start) {
		client_sync(client);
		if (fuse_file_set_mode(server, mode) < 0)
			fail("FUSE server");
	}
	window_present(client, pool_buffer(pool, &picture), PRESENTED);
}

static void
fuse_silent(struct client *client, unsigned int number)
{
	present_from(client, number == 0, FUSE_FILE_SILENT);
}

static void
fuse_slow(struct client *client, unsigned int number)
{
	present_from(client, number == 0, FUSE_FILE_SLOW);
}

static void
fuse_error(struct client *client, unsigned int number)
{
	present_from(client, number == 0, FUSE_FILE_ERROR);
}

/* No truncate anywhere: the file shrinks by an answer that is too short. */
static void
fuse_short(struct client *client, unsigned int number)
{
	(void)number;
	if (!serve(client, FUSE_FILE_SHORT))
		return;
	struct wl_buffer *buffer = buffer_create(client, server_file, &picture);
	window_present(client, buffer, PRESENTED);
}

static void
attach_to_sync(struct client *client, int fd)
{
	struct wl_proxy *display = (struct wl_proxy *)client->display;
	struct wl_proxy *callback =
		wl_proxy_create(display, &wl_callback_interface);
	if (callback == NULL)
		fail("wl_proxy_create");
	const uint32_t request[3] = {
		wl_proxy_get_id(display),
		sizeof(request) << 16 | WL_DISPLAY_SYNC,
		wl_proxy_get_id(callback),
	};
	request_send_unclosed(client, request, sizeof(request), fd);
}

/* Any message can carry descriptors. Nobody takes these, so that they are closed
 * when the connection is. */
static void
stray_silent(struct client *client, unsigned int number)
{
	const unsigned int counts[] = {1, 40};
	client_label(client, "%u of them", counts[number]);
	if (!serve(client, FUSE_FILE_SILENT))
		return;
	for (unsigned int i = 0; i < counts[number]; i++)
		attach_to_sync(client, server_file);
	client_sync(client);
	shutdown(wl_display_get_fd(client->display), SHUT_RDWR);
}

const struct attack fuse_attacks[] = {
	{
		.name = "fuse-silent",
		.about = "makes a pool of a file whose FUSE server never answers",
		.expected = "does not wait for it; refuses it with invalid_fd",
		.rule = "F17; I10",
		.accepted = OUTCOME_TOLD,
		.cases = 2,
		.run = fuse_silent,
		.finish = stop_serving,
	},
	{
		.name = "fuse-slow",
		.about = "makes a pool of a file whose FUSE server is slow",
		.expected = "lets nobody wait for it; refuses it with invalid_fd",
		.rule = "F17; I10",
		.accepted = OUTCOME_ANY_SAFE,
		.cases = 2,
		.run = fuse_slow,
		.finish = stop_serving,
	},
	{
		.name = "fuse-error",
		.about = "makes a pool of a file that cannot be read (EIO)",
		.expected = "refuses the pool, or posts invalid_fd when read",
		.rule = "mmap(2), SIGBUS; wl_shm error invalid_fd; I7",
		.accepted = OUTCOME_TOLD,
		.reads = true,
		.cases = 2,
		.run = fuse_error,
		.finish = stop_serving,
	},
	{
		.name = "fuse-short",
		.about = "makes a pool of a file that shrinks when it is read",
		.expected = "refuses the pool, or posts invalid_fd when read",
		.rule = "wl_shm error invalid_fd; I7",
		.accepted = OUTCOME_TOLD,
		.reads = true,
		.run = fuse_short,
		.finish = stop_serving,
	},
	{
		.name = "stray-silent",
		.about = "sends silent FUSE files with wl_display.sync, and leaves",
		.expected = "does not wait for their closing",
		.rule = "I10",
		.accepted = OUTCOME_ANY_SAFE,
		.cases = 2,
		.run = stray_silent,
		.finish = stop_serving,
	},
	{0},
};
