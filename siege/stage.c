/* SPDX-License-Identifier: MIT */
#include "stage.h"

#include "canary.h"
#include "newcomer.h"
#include "pool.h"
#include "process.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define GLANCE 5          /* milliseconds */
#define CLIENT_GRACE 3000 /* the same, for a client to undo what it did */
#define ANSWERS 5

/* What an attack may write to one file: all that wl_shm can address. */
#define FILE_MAX ((rlim_t)4 << 30)

static void
prepare_client(const struct stage *stage)
{
	setenv("WAYLAND_DISPLAY", stage->compositor.display, 1);
	const struct rlimit core = {0, 0}, size = {FILE_MAX, FILE_MAX};
	setrlimit(RLIMIT_CORE, &core);
	setrlimit(RLIMIT_FSIZE, &size);
}

static void
start_bystanders(struct stage *stage)
{
	struct bystanders *bystanders = &stage->shared->bystanders;
	memset(bystanders, 0, sizeof(*bystanders));
	beat_reset(&bystanders->frames);
	beat_reset(&bystanders->answers);
	stage->canary = process_fork();
	if (stage->canary == 0) {
		prepare_client(stage);
		_exit(canary_sing(stage->patience, bystanders));
	}
	stage->newcomers = process_fork();
	if (stage->newcomers == 0) {
		prepare_client(stage);
		newcomers_visit(stage->patience, bystanders);
		_exit(EXIT_SUCCESS);
	}
}

bool
stage_open(struct stage *stage, const struct target *target,
	const char *directory, char *problem, size_t size)
{
	*stage = (struct stage){.patience = target->patience};
	stage->compositor.pidfd = -1;
	stage->shared = mmap(NULL, sizeof(*stage->shared),
		PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (stage->shared == MAP_FAILED)
		fail("mmap");
	if (target->command != NULL ?
			!compositor_start(&stage->compositor, target->command,
				target->user, directory, problem, size) :
			!compositor_adopt(&stage->compositor, target->display,
				target->pid, problem, size))
		return false;
	start_bystanders(stage);
	if (stage_await_service(stage))
		return true;
	const struct bystanders *seen = &stage->shared->bystanders;
	snprintf(problem, size, "an ordinary client is not served: %s",
		seen->canary_lost ? seen->canary_problem :
		seen->refused > 0 ? seen->newcomer_problem :
		client_is_interrupted() ? "interrupted" : "no answer");
	return false;
}

bool
stage_close(struct stage *stage, bool hung)
{
	int status;
	if (stage->canary != 0)
		process_end(stage->canary, &status, CLIENT_GRACE);
	if (stage->newcomers != 0)
		process_end(stage->newcomers, &status, CLIENT_GRACE);
	bool ended = compositor_stop(&stage->compositor, hung);
	if (stage->shared != NULL)
		munmap(stage->shared, sizeof(*stage->shared));
	*stage = (struct stage){.compositor.pidfd = -1};
	return ended;
}

static bool
await_service(struct stage *stage)
{
	struct bystanders *seen = &stage->shared->bystanders;
	uint64_t answers = seen->answers.count + ANSWERS;
	uint64_t frames = seen->frames.count + (stage->in_sight ? ANSWERS : 0);
	/* One may be there already whose luck is not ours. */
	unsigned int served = seen->served + 2, refused = seen->refused + 3;
	int64_t deadline = now_us() + 1000 * (int64_t)stage->patience;

	while (seen->answers.count < answers || seen->frames.count < frames ||
			seen->served < served) {
		if (compositor_is_gone(&stage->compositor) ||
				seen->canary_lost || seen->refused >= refused ||
				client_is_interrupted() || now_us() > deadline)
			return false;
		poll(NULL, 0, GLANCE);
	}
	return true;
}

bool
stage_await_service(struct stage *stage)
{
	stage->shared->bystanders.windows = true;
	bool served = await_service(stage);
	stage->shared->bystanders.windows = false;
	return served;
}

bool
stage_pause_newcomers(struct stage *stage)
{
	struct bystanders *seen = &stage->shared->bystanders;
	int64_t deadline = now_us() + 1000 * (int64_t)stage->patience;
	seen->paused = true;
	while (!seen->resting) {
		if (client_is_interrupted() || now_us() > deadline)
			return false;
		poll(NULL, 0, GLANCE);
	}
	return true;
}

void
stage_resume_newcomers(struct stage *stage)
{
	stage->shared->bystanders.paused = false;
}

pid_t
stage_attack(struct stage *stage, const struct attack *attack,
	const struct attack_options *options, int errors)
{
	pid_t pid = process_fork();
	if (pid == 0) {
		setpgid(0, 0);
		prepare_client(stage);
		dup2(errors, STDERR_FILENO);
		attack_run(attack, options, &stage->shared->report);
		/* What is left behind is meant to be. */
		_exit(EXIT_SUCCESS);
	}
	return pid;
}
