/* SPDX-License-Identifier: MIT */
#include "assault.h"

#include "pool.h"
#include "process.h"
#include "window.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define GLANCE 10         /* milliseconds */
#define CLIENT_GRACE 5000 /* the same, for a client to undo what it did */
#define SETTLE 1500       /* and for the compositor to give things back */
#define DEATH_THROES 1000 /* and for a process to come to its end */
#define CALM_WINDOWS 3
#define CALM_FRAMES 5

/* Neither is an attack, and neither is in the list. */
static void
show_sealed(struct client *client, unsigned int number)
{
	(void)number;
	window_present(client, client->window.buffer, CALM_FRAMES);
}

static void
show_unsealed(struct client *client, unsigned int number)
{
	(void)number;
	int fd = file_create(PICTURE_BYTES, 0, 0xff405060);
	window_present(client, buffer_create(client, fd, &picture),
		CALM_FRAMES);
	close(fd);
}

static const struct attack calm_client = {
	.name = "calm",
	.accepted = OUTCOME_SERVED,
	.run = show_sealed,
};

static const struct attack warm_client = {
	.name = "warm",
	.accepted = OUTCOME_SERVED,
	.run = show_unsealed,
};

/* The first line of what a client complained of, without its name. */
static void
read_complaint(int errors, char *text, size_t size)
{
	ssize_t length = pread(errors, text, size - 1, 0);
	text[length > 0 ? length : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	const char *name = strstr(text, ": ");
	if (name != NULL)
		memmove(text, name + 2, strlen(name + 2) + 1);
}

/* Sleeps, and notes by how much too long. */
static void
watch(struct stage *stage, struct evidence *evidence)
{
	int64_t start = now_us();
	poll(NULL, 0, GLANCE);
	int late = (int)((now_us() - start) / 1000) - GLANCE;
	if (late > evidence->late)
		evidence->late = late;
	compositor_log_trim(&stage->compositor);
}

/* Until the client has ended. */
static void
await_client(struct stage *stage, pid_t client, int errors,
	struct evidence *evidence)
{
	int status = 0;
	int64_t deadline = now_us() + 1000 * (int64_t)ASSAULT_LIMIT;
	bool ended;
	while (!(ended = process_has_ended(client, &status))) {
		if (client_is_interrupted() || now_us() > deadline)
			break;
		watch(stage, evidence);
	}
	if (!ended) {
		process_end(client, &status, CLIENT_GRACE);
		snprintf(evidence->problem, sizeof(evidence->problem),
			client_is_interrupted() ? "interrupted" :
			"not over after %d s", ASSAULT_LIMIT / 1000);
	} else if (WIFSIGNALED(status)) {
		snprintf(evidence->problem, sizeof(evidence->problem),
			"the client died of SIG%s", sigabbrev_np(WTERMSIG(status)));
	} else if (WEXITSTATUS(status) != 0) {
		read_complaint(errors, evidence->problem,
			sizeof(evidence->problem));
	} else {
		evidence->reported = true;
		evidence->report = stage->shared->report;
	}
}

static void
run_client(struct stage *stage, const struct attack *attack,
	const struct attack_options *options, struct evidence *evidence)
{
	int errors = memfd_create("siege-errors", MFD_CLOEXEC);
	if (errors < 0)
		fail("memfd_create");
	pid_t client = stage_attack(stage, attack, options, errors);
	await_client(stage, client, errors, evidence);
	/* Its bystanders, which it does not wait for. */
	kill(-client, SIGKILL);
	while (waitpid(-client, NULL, WNOHANG) > 0)
		continue;
	close(errors);
}

bool
assault_warm_up(struct stage *stage)
{
	const struct attack_options options = {.patience = stage->patience};
	struct evidence evidence = {0};
	run_client(stage, &warm_client, &options, &evidence);
	return evidence.reported && evidence.report.accepted;
}

/* How long the canary waits while another client comes, is shown and goes. */
static void
measure_calm(struct stage *stage, bool covers, struct evidence *evidence)
{
	const struct attack_options options = {.patience = stage->patience};
	struct bystanders *seen = &stage->shared->bystanders;
	int frames_wait = 0, answers_wait = 0;
	stage->in_sight = true;
	for (int i = 0; i < CALM_WINDOWS; i++) {
		struct evidence ignored = {0};
		uint64_t frames = seen->frames.count;
		beat_reset(&seen->frames);
		beat_reset(&seen->answers);
		run_client(stage, &calm_client, &options, &ignored);
		int wait = (int)(beat_longest(&seen->frames) / 1000);
		if (wait > frames_wait)
			frames_wait = wait;
		wait = (int)(beat_longest(&seen->answers) / 1000);
		if (wait > answers_wait)
			answers_wait = wait;
		/* A window in front may keep it from being drawn at all. */
		if (seen->frames.count < frames + CALM_FRAMES / 2)
			stage->in_sight = false;
	}
	evidence->by_frames = stage->in_sight && !covers;
	evidence->calm_wait = evidence->by_frames ? frames_wait : answers_wait;
}

/* Counts again until there is no more than before those attacks, but not for
 * ever. */
static bool
settle(struct stage *stage, const struct holdings *before, long attacks,
	struct holdings *holdings)
{
	if (!stage_pause_newcomers(stage))
		return false;
	bool known = false;
	for (int waited = 0; waited < SETTLE; waited += 10 * GLANCE) {
		known = holdings_look(stage->compositor.pid, holdings);
		if (!known || (before != NULL && !holdings_have_grown(before,
				holdings, attacks)))
			break;
		/* What is compared with later is a look when all is quiet. */
		if (before == NULL && waited >= 10 * GLANCE)
			break;
		poll(NULL, 0, 10 * GLANCE);
	}
	stage_resume_newcomers(stage);
	return known;
}

static bool
attack_again(struct stage *stage, const struct attack *attack,
	const struct attack_options *options, const struct holdings *before,
	struct holdings *after)
{
	for (int i = 0; i < LEAK_ROUNDS; i++) {
		struct evidence again = {0};
		run_client(stage, attack, options, &again);
		if (!again.reported || !stage_await_service(stage))
			return false;
	}
	return settle(stage, before, LEAK_ROUNDS, after);
}

/* Lets ordinary clients come and go, for as long as it was since `start`. */
static bool
rest(struct stage *stage, int64_t start, const struct holdings *before,
	struct holdings *after)
{
	const struct attack_options options = {.patience = stage->patience};
	int64_t now = now_us(), end = now + (now - start);
	do {
		struct evidence ignored = {0};
		run_client(stage, &calm_client, &options, &ignored);
		if (!stage_await_service(stage))
			return false;
	} while (now_us() < end);
	return settle(stage, before, 1, after);
}

/* What is left behind once may be a cache; what is left each time, and not by
 * others, is not. `start`: of the attack. */
static void
look_for_leaks(struct stage *stage, const struct attack *attack,
	const struct attack_options *options, int64_t start,
	struct evidence *evidence)
{
	const struct holdings *before = &evidence->before;
	evidence->counted = evidence->counted &&
		settle(stage, before, 1, &evidence->after);
	if (!evidence->counted ||
			!holdings_have_grown(before, &evidence->after, 1) ||
			!rest(stage, start, &evidence->after, &evidence->rest) ||
			!holdings_of_attacks(before, &evidence->after,
				&evidence->rest, 1))
		return;
	start = now_us();
	evidence->repeated = attack_again(stage, attack, options,
			&evidence->rest, &evidence->again) &&
		rest(stage, start, &evidence->again, &evidence->rest_again);
}

static void
take_down(struct stage *stage, struct evidence *evidence)
{
	const struct bystanders *seen = &stage->shared->bystanders;
	/* Its clients may know before the kernel says so. */
	for (int waited = 0; waited < DEATH_THROES && !evidence->served &&
			!compositor_is_gone(&stage->compositor); waited += GLANCE)
		poll(NULL, 0, GLANCE);
	evidence->gone = compositor_is_gone(&stage->compositor);
	evidence->killed = stage->compositor.child_ended;
	evidence->status = stage->compositor.status;
	evidence->canary_lost = seen->canary_lost;
	evidence->canary_stalled = seen->canary_stalled;
	memcpy(evidence->canary_problem, seen->canary_problem,
		sizeof(evidence->canary_problem));
	memcpy(evidence->newcomer_problem, seen->newcomer_problem,
		sizeof(evidence->newcomer_problem));
}

void
assault(struct stage *stage, const struct attack *attack,
	const struct attack_options *options, struct evidence *evidence)
{
	struct bystanders *seen = &stage->shared->bystanders;
	pid_t pid = stage->compositor.pid;
	*evidence = (struct evidence){0};
	measure_calm(stage, attack->covers, evidence);
	evidence->counted = settle(stage, NULL, 0, &evidence->before);

	unsigned int tried = seen->tried, refused = seen->refused;
	long faults = minor_faults(pid);
	struct beat *beat = evidence->by_frames ? &seen->frames : &seen->answers;
	beat_reset(beat);
	int64_t start = now_us();
	run_client(stage, attack, options, evidence);
	evidence->served = stage_await_service(stage);
	evidence->wait = (int)(beat_longest(beat) / 1000);
	evidence->newcomers = seen->tried - tried;
	evidence->refused = seen->refused - refused;
	evidence->minor_faults = faults >= 0 ? minor_faults(pid) - faults : -1;

	if (evidence->served && evidence->reported)
		look_for_leaks(stage, attack, options, start, evidence);
	take_down(stage, evidence);
}
