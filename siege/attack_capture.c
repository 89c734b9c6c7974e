/* SPDX-License-Identifier: MIT */
#include "attack.h"

#include "capture.h"
#include "image_copy.h"
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

/* Not at the start of a page. */
#define ODD_OFFSET 1004

struct target {
	const char *label;
	int32_t offset;
	size_t left; /* of the file's pages, from the start; or */
	size_t lost; /* from the end */
};

static const struct target targets[] = {
	{"nothing left", 0, 0, 0},
	{"a page left", 0, 1, 0},
	{"all but the last page left", 0, 0, 1},
	{"all but the last page left, at an odd offset", ODD_OFFSET, 0, 1},
};
#define TARGETS 4

/* A file for what client->capture asks for. */
static struct wl_buffer *
target_create(struct client *client, const struct target *target, int *fd)
{
	size_t size = (size_t)target->offset + capture_bytes(client);
	*fd = file_create(size, 0, 0);
	return capture_buffer_at(client, *fd, target->offset);
}

static void
target_cut(struct client *client, const struct target *target, int fd)
{
	size_t size = (size_t)target->offset + capture_bytes(client);
	file_resize(fd, target->lost > 0 ? size - target->lost * page_size() :
		target->left * page_size());
}

/* The screen goes where no file is any more. */
static void
capture_lost(struct client *client, unsigned int number)
{
	const struct target *target = &targets[number];
	client_label(client, "%s", target->label);
	if (!begin(client))
		return;
	int fd;
	struct wl_buffer *buffer = target_create(client, target, &fd);
	client_sync(client);
	target_cut(client, target, fd);
	capture_copy(client, buffer);
	close(fd);
}

/* It was never there. */
static void
capture_short(struct client *client, unsigned int number)
{
	const struct target *target = &targets[number];
	client_label(client, "%s", target->label);
	if (!begin(client))
		return;
	int fd;
	struct wl_buffer *buffer = target_create(client, target, &fd);
	target_cut(client, target, fd);
	capture_copy(client, buffer);
	close(fd);
}

/* What is on the screen is lost, and where it is to be copied: a compositor may
 * read one while it writes the other. */
static void
capture_both_lost(struct client *client, unsigned int number)
{
	const struct target *target = &targets[number];
	client_label(client, "%s", target->label);
	if (!begin(client))
		return;
	int fd, shown = file_create(PICTURE_BYTES, 0, 0);
	struct wl_buffer *buffer = target_create(client, target, &fd);
	struct wl_buffer *window = buffer_create(client, shown, &picture);
	window_present(client, window, 1);

	window_commit(client, window);
	capture_request(client, buffer);
	file_resize(shown, page_size());
	target_cut(client, target, fd);
	window_await_frames(client);
	client_sync(client);
	close(shown);
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

/* As capture_lost and capture_short, through the other protocol. */
static void
image_copy_lost(struct client *client, unsigned int number)
{
	const struct target *target = &targets[number % TARGETS];
	const bool too_short = number >= TARGETS;
	client_label(client, "%s%s", too_short ? "from the start: " : "",
		target->label);
	if (!image_copy_is_offered(client)) {
		client_skip(client, "no ext-image-copy-capture");
		return;
	}
	if (!image_copy_begin(client))
		return;
	int fd;
	struct wl_buffer *buffer = target_create(client, target, &fd);
	if (!too_short)
		client_sync(client);
	target_cut(client, target, fd);
	image_copy_request(client, buffer);
	/* It may wait for the next frame. */
	window_present(client, client->window.buffer, 2);
	client_wait(client, &client->capture.finished, 1);
	close(fd);
}

const struct attack capture_attacks[] = {
	{
		.name = "capture-lost",
		.about = "takes a screenshot into a buffer whose file is cut",
		.expected = "writes what fits, posts invalid_fd",
		.rule = "wl_shm error invalid_fd; I7",
		.accepted = OUTCOME_TOLD,
		.cases = TARGETS,
		.run = capture_lost,
	},
	{
		.name = "capture-short",
		.about = "takes a screenshot into a file that is too short",
		.expected = "refuses the pool, or posts invalid_fd when written to",
		.rule = "wl_shm error invalid_fd; I7",
		.accepted = OUTCOME_TOLD,
		.cases = TARGETS,
		.run = capture_short,
	},
	{
		.name = "capture-both-lost",
		.about = "takes a screenshot of lost memory into lost memory",
		.expected = "survives two broken pools that are used at once",
		.rule = "F5; I7",
		.accepted = OUTCOME_TOLD,
		.cases = TARGETS,
		.run = capture_both_lost,
	},
	{
		.name = "image-copy-lost",
		.about = "copies the screen into a file that is cut or too short",
		.expected = "writes what fits, posts invalid_fd",
		.rule = "ext-image-copy-capture-v1; wl_shm error invalid_fd; I7",
		.accepted = OUTCOME_TOLD,
		.cases = 2 * TARGETS,
		.run = image_copy_lost,
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
