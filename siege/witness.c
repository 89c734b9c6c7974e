/* SPDX-License-Identifier: MIT */
#include "witness.h"

#include "pool.h"
#include "window.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Every other piece of the file is a hole, so that it matters little which part
 * of the surface is in sight. */
#define PIECE ((size_t)64 << 10)

#define WITNESS_PIXEL 0xff405060
#define PRESENTED 2
#define TRIES 20 /* of two frames each */

static blkcnt_t
blocks(int fd)
{
	struct stat stat;
	if (fstat(fd, &stat) < 0)
		fail("fstat");
	return stat.st_blocks;
}

static int
create_file(void)
{
	int fd = file_create(0, MFD_ALLOW_SEALING, 0);
	file_resize(fd, PICTURE_BYTES);
	for (size_t i = 0; i < PICTURE_BYTES; i += 2 * PIECE)
		file_paint(fd, i, PIECE, WITNESS_PIXEL);
	file_seal(fd, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	return fd;
}

void
witness_await(struct client *client)
{
	bool read = false;
	for (int i = 0; i < TRIES && !read && client_is_alive(client); i++) {
		int fd = create_file();
		blkcnt_t unread = blocks(fd);
		struct wl_buffer *buffer = buffer_create(client, fd, &picture);
		window_present(client, buffer, 1);
		/* Some say that a frame is due before they draw it. */
		window_present(client, client->window.buffer, 1);
		read = blocks(fd) > unread;
		wl_buffer_destroy(buffer);
		close(fd);
	}
}

void
witness_show(struct client *client, struct wl_surface *surface)
{
	if (!client_is_alive(client))
		return;
	int fd = create_file();
	blkcnt_t unread = blocks(fd);
	struct wl_buffer *buffer = buffer_create(client, fd, &picture);
	surface_commit(surface, buffer);
	if (window_present(client, surface == client->window.surface ? buffer :
			client->window.buffer, PRESENTED))
		client->witness = blocks(fd) > unread ? WITNESS_READ :
			WITNESS_UNREAD;
	close(fd);
}
