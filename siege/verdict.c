/* SPDX-License-Identifier: MIT */
#include "attack.h"

#include "pool.h"
#include "window.h"
#include "witness.h"

#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

const char *
outcome_word(enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_SERVED:
		return "served";
	case OUTCOME_TOLD:
		return "told";
	case OUTCOME_DISCONNECTED:
		return "disconnected";
	case OUTCOME_WRONG:
		return "wrong";
	case OUTCOME_HUNG:
		return "hung";
	case OUTCOME_DIED:
		return "died";
	case OUTCOME_SKIPPED:
		return "skipped";
	case OUTCOME_UNREAD:
		return "unread";
	case OUTCOME_STARVED:
		return "starved";
	}
	return "unknown";
}

/* Somebody else comes along and wants a buffer, nothing more. */
static enum outcome
try_buffer(int patience, char *text, size_t size)
{
	struct client bystander;
	char told[128];
	enum outcome outcome = OUTCOME_DIED;
	snprintf(text, size, "the compositor is gone");

	if (client_connect(&bystander, patience)) {
		int fd = file_create(PICTURE_BYTES, MFD_ALLOW_SEALING, 0);
		file_seal(fd, F_SEAL_SHRINK);
		buffer_create(&bystander, fd, &picture);
		close(fd);
		if (client_sync(&bystander))
			outcome = OUTCOME_SERVED;
	}
	if (bystander.stalled) {
		outcome = OUTCOME_HUNG;
		snprintf(text, size, "nobody is answered for %d s",
			patience / 1000);
	} else if (client_was_told(&bystander, told, sizeof(told))) {
		snprintf(text, size, "others are refused: %s", told);
		outcome = OUTCOME_STARVED;
	}
	client_disconnect(&bystander);
	return outcome;
}

struct report {
	enum outcome outcome;
	char text[192];
};

/* A process of its own: compositors may count all that one process does
 * together. */
static enum outcome
judge_compositor(int patience, char *text, size_t size)
{
	int ends[2];
	struct report report = {.outcome = OUTCOME_DIED};
	if (pipe(ends) < 0)
		err(EXIT_UNABLE, "pipe");
	pid_t bystander = fork();
	if (bystander < 0)
		err(EXIT_UNABLE, "fork");
	if (bystander == 0) {
		report.outcome = try_buffer(patience, report.text,
			sizeof(report.text));
		_exit(write(ends[1], &report, sizeof(report)) !=
			sizeof(report));
	}
	close(ends[1]);
	if (read(ends[0], &report, sizeof(report)) != sizeof(report))
		errx(EXIT_UNABLE, "the bystander has not seen anything");
	close(ends[0]);
	/* Its end closes our files, and a file on FUSE whose server is silent
	 * holds it up until that is stopped: init will do the waiting. */
	waitpid(bystander, NULL, WNOHANG);
	snprintf(text, size, "%s", report.text);
	return report.outcome;
}

enum outcome
judge_client(struct client *client, bool reads, char *text, size_t size)
{
	if (client->skipped[0] != '\0') {
		snprintf(text, size, "%s", client->skipped);
		return OUTCOME_SKIPPED;
	}

	/* Whatever the attack did, the first buffer is still a good one. */
	if (client_sync(client))
		window_present(client, client->window.buffer, 1);
	if (reads && client->witness == WITNESS_NONE)
		witness_show(client, client->window.surface);
	enum outcome outcome = judge_compositor(client->patience, text, size);
	if (outcome != OUTCOME_SERVED)
		return outcome;

	if (client_was_told(client, text, size))
		return OUTCOME_TOLD;
	if (client->stalled) {
		snprintf(text, size, "others are served, this client is not");
		return OUTCOME_WRONG;
	}
	if (!client_is_alive(client)) {
		snprintf(text, size, "the connection was closed without a word");
		return OUTCOME_DISCONNECTED;
	}
	if (client->wrong[0] != '\0') {
		snprintf(text, size, "%s", client->wrong);
		return OUTCOME_WRONG;
	}
	if (reads && client->witness != WITNESS_READ) {
		snprintf(text, size, "what is shown there is not read");
		return OUTCOME_UNREAD;
	}
	text[0] = '\0';
	return OUTCOME_SERVED;
}
