/* SPDX-License-Identifier: MIT */
#include "attack.h"

#include "capture.h"
#include "pool.h"
#include "window.h"

#include <fcntl.h>
#include <unistd.h>

/*
 * Files that the compositor writes to, or is not allowed to.
 */

static bool
begin(struct client *client)
{
	if (!capture_is_offered(client)) {
		client_skip(client, "no wlr-screencopy");
		return false;
	}
	return capture_begin(client);
}

/* The screen goes where no file is any more. */
static void
capture_lost(struct client *client, unsigned int number)
{
	(void)number;
	if (!begin(client))
		return;
	int fd = file_create(capture_bytes(client), 0, 0);
	struct wl_buffer *buffer = capture_buffer(client, fd);
	client_sync(client);
	file_resize(fd, page_size());
	capture_copy(client, buffer);
	close(fd);
}

/* Nobody can write to such a file. That is a failed capture and no crime. A
 * compositor whose wl_shm does not tell it so may believe that it succeeded. */
static void
capture_unwritable(struct client *client, unsigned int number)
{
	client_label(client, number == 0 ? "write-sealed" : "read-only");
	if (!begin(client))
		return;
	int fd = file_create(capture_bytes(client), MFD_ALLOW_SEALING, 0);
	if (number == 0) {
		file_seal(fd, F_SEAL_SHRINK | F_SEAL_WRITE);
	} else {
		int read_only = file_reopen(fd, O_RDONLY);
		close(fd);
		fd = read_only;
	}
	capture_copy(client, capture_buffer(client, fd));
	close(fd);
}

const struct attack capture_attacks[] = {
	{
		.name = "capture-lost",
		.about = "takes a screenshot into a buffer whose file is cut",
		.expected = "writes what fits, posts invalid_fd",
		.rule = "wl_shm error invalid_fd; I7",
		.accepted = OUTCOME_TOLD,
		.run = capture_lost,
	},
	{
		.name = "capture-unwritable",
		.about = "takes a screenshot into a file nobody may write to",
		.expected = "fails the capture, or writes where nobody sees it",
		.rule = "F22",
		.accepted = OUTCOME_ANY_SAFE,
		.cases = 2,
		.run = capture_unwritable,
	},
	{0},
};
