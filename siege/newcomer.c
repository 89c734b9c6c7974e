/* SPDX-License-Identifier: MIT */
#include "newcomer.h"

#include "bystanders.h"
#include "client.h"
#include "pool.h"
#include "window.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define PAUSE 50 /* milliseconds between two */
#define GLANCE 4 /* the same while there should be none */

/* Too small to hide what others show. */
static const struct claim stamp = {
	.width = 32,
	.height = 32,
	.stride = 128,
	.format = WL_SHM_FORMAT_XRGB8888,
};
#define STAMP_PIXEL 0xff50a050

/* Windows change what is on the screen: one in front of the attacker's, or in
 * tiles beside it, may keep that from being read. Without one, a surface that is
 * nothing yet has to do.
 *
 * A frame callback is asked for and not waited for: a compositor need not draw a
 * window that is behind a fullscreen one. */
static bool
visit(struct client *client, int patience, bool window)
{
	if (!client_connect(client, patience) ||
			(window && !window_map(client, "newcomer")))
		return false;
	int fd = file_create(PICTURE_BYTES, MFD_ALLOW_SEALING, STAMP_PIXEL);
	file_seal(fd, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	struct wl_buffer *buffer = buffer_create(client, fd, &stamp);
	close(fd);
	if (window)
		window_commit(client, buffer);
	else
		surface_commit(wl_compositor_create_surface(
			client->compositor), buffer);
	if (!client_sync(client))
		return false;
	return client_sync(client);
}

static void
note_refusal(const struct client *client, struct bystanders *bystanders)
{
	char *problem = bystanders->newcomer_problem;
	size_t size = sizeof(bystanders->newcomer_problem);
	if (client->stalled)
		snprintf(problem, size, "not answered for %d s",
			client->patience / 1000);
	else if (client->display == NULL)
		snprintf(problem, size, "cannot connect");
	else if (!client_was_told(client, problem, size))
		snprintf(problem, size, "the connection was closed");
	bystanders->refused++;
}

void
newcomers_visit(int patience, struct bystanders *bystanders)
{
	while (!client_is_interrupted()) {
		/* First, so that whoever sees it knows that we saw the pause. */
		bystanders->resting = bystanders->paused;
		if (bystanders->resting) {
			poll(NULL, 0, GLANCE);
			continue;
		}
		struct client client;
		bystanders->tried++;
		if (visit(&client, patience, bystanders->windows))
			bystanders->served++;
		else if (!client_is_interrupted())
			note_refusal(&client, bystanders);
		client_disconnect(&client);
		poll(NULL, 0, PAUSE);
	}
}
