/* SPDX-License-Identifier: MIT */
#include "worker.h"

#include "assault.h"
#include "backtrace.h"
#include "directory.h"
#include "process.h"
#include "result.h"

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A stall that is not there each time was somebody else's. */
#define STALL_TRIES 3

#define ORPHANS_PATIENCE 2000 /* milliseconds for them to end */

struct worker {
	const struct options *options;
	const char *directory;
	unsigned int stages; /* opened so far */
	struct stage warm;   /* kept from attack to attack */
	bool is_warm;
	bool fit; /* a stage was opened once */
	const struct attack *traced; /* the last one with a backtrace */
};

static void
handle_signal(int signal)
{
	(void)signal;
	client_interrupt();
}

static void
catch_signals(void)
{
	const struct sigaction action = {.sa_handler = handle_signal};
	const int signals[] = {SIGHUP, SIGINT, SIGTERM, SIGALRM};
	sigset_t none;
	for (size_t i = 0; i < ARRAY_LENGTH(signals); i++)
		sigaction(signals[i], &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool
open_stage(struct worker *worker, struct stage *stage, char *problem,
	size_t size)
{
	char directory[PATH_MAX];
	snprintf(directory, sizeof(directory), "%s/%u", worker->directory,
		worker->stages++);
	bool opened = stage_open(stage, &worker->options->target, directory,
		problem, size);
	worker->fit = worker->fit || opened;
	return opened;
}

static void
fill(struct result *result, struct stage *stage, bool strict)
{
	result->verdict = judge(&result->evidence, result->word,
		sizeof(result->word), result->text, sizeof(result->text));
	if (verdict_is_failure(result->verdict, strict))
		compositor_log_tail(&stage->compositor, result->log,
			sizeof(result->log));
}

static void
fill_error(struct worker *worker, struct result *result, const char *problem)
{
	result->verdict = VERDICT_ERROR;
	result->unfit = !worker->fit;
	snprintf(result->word, sizeof(result->word), "%s",
		verdict_word(VERDICT_ERROR));
	snprintf(result->text, sizeof(result->text), "%s", problem);
}

static struct attack_options
attack_options(const struct options *options)
{
	return (struct attack_options){
		.patience = options->target.patience,
		.seed = options->seed,
	};
}

static void
attack_stage(struct worker *worker, struct stage *stage,
	struct result *result)
{
	const struct options *options = worker->options;
	const struct attack_options how = attack_options(options);
	assault(stage, attack_at(result->attack), &how, &result->evidence);
	fill(result, stage, options->strict);
}

static void
close_stage(struct stage *stage, struct result *result)
{
	pid_t pid = stage->compositor.pid;
	if (!stage_close(stage, result->verdict == VERDICT_HANG))
		warnx("process %d cannot be ended", (int)pid);
}

static void
attack_cold(struct worker *worker, struct result *result)
{
	char problem[256];
	struct stage stage;
	if (open_stage(worker, &stage, problem, sizeof(problem)))
		attack_stage(worker, &stage, result);
	else
		fill_error(worker, result, problem);
	close_stage(&stage, result);
}

/* Whoever was hurt by the last attack would be blamed on the next one. */
static bool
can_go_on(enum verdict verdict)
{
	return verdict < VERDICT_LEAK;
}

static void
attack_warm(struct worker *worker, struct result *result)
{
	char problem[256] = "the compositor does not serve an unsealed file";
	if (!worker->is_warm) {
		worker->is_warm = open_stage(worker, &worker->warm, problem,
			sizeof(problem)) && (result->state == STATE_RUNNING ||
			assault_warm_up(&worker->warm));
	}
	if (worker->is_warm)
		attack_stage(worker, &worker->warm, result);
	else
		fill_error(worker, result, problem);
	if (!worker->is_warm || !can_go_on(result->verdict)) {
		close_stage(&worker->warm, result);
		worker->is_warm = false;
	}
}

static void
make_run(struct worker *worker, struct result *result)
{
	struct result before = *result;
	for (int i = 0; i < STALL_TRIES && !client_is_interrupted(); i++) {
		*result = before;
		int64_t start = now_us();
		if (result->state == STATE_COLD)
			attack_cold(worker, result);
		else
			attack_warm(worker, result);
		result->seconds = (double)(now_us() - start) / 1e6;
		if (result->verdict != VERDICT_STALL)
			break;
	}
}

/* One for each attack will do. */
static void
trace(struct worker *worker, struct result *result)
{
	const struct attack *attack = attack_at(result->attack);
	const struct attack_options how = attack_options(worker->options);
	char problem[256];
	struct stage stage;
	if (result->verdict != VERDICT_CRASH || worker->traced == attack ||
			worker->options->target.command == NULL)
		return;
	worker->traced = attack;
	if (open_stage(worker, &stage, problem, sizeof(problem)))
		backtrace_take(&stage, attack, &how, result->backtrace,
			sizeof(result->backtrace));
	stage_close(&stage, true);
}

static void
make_job(struct worker *worker, const struct job *job, int socket)
{
	bool ours = worker->options->target.command != NULL;
	enum state first = ours ? STATE_COLD : STATE_RUNNING;
	enum state last = ours ? STATE_WARM : STATE_RUNNING;
	for (enum state state = first; state <= last; state++) {
		struct result result = {
			.attack = job->attack,
			.state = state,
			.repeat = job->repeat,
			.last = state == last,
		};
		make_run(worker, &result);
		trace(worker, &result);
		if (client_is_interrupted() || send(socket, &result,
				sizeof(result), MSG_NOSIGNAL) < 0)
			return;
	}
}

/* Sleeps until there is one, or a signal. */
static bool
next_job(int socket, struct job *job)
{
	struct pollfd pollfd = {.fd = socket, .events = POLLIN};
	while (!client_is_interrupted()) {
		/* Not for ever: a signal may come just before. */
		if (poll(&pollfd, 1, 100) == 1)
			return recv(socket, job, sizeof(*job), 0) == sizeof(*job);
	}
	return false;
}

/* What a compositor's session left to us. */
static void
end_orphans(void)
{
	process_kill_descendants(getpid());
	int64_t deadline = now_us() + 1000 * (int64_t)ORPHANS_PATIENCE;
	while (waitpid(-1, NULL, WNOHANG) >= 0 && now_us() < deadline)
		poll(NULL, 0, 5);
}

void
worker_run(const struct options *options, int socket, const char *directory)
{
	struct worker worker = {
		.options = options,
		.directory = directory,
		.warm.compositor.pidfd = -1,
	};
	struct job job;
	catch_signals();
	/* Orphans of a compositor come to us, who end them. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	while (next_job(socket, &job))
		make_job(&worker, &job, socket);
	if (worker.is_warm)
		stage_close(&worker.warm, false);
	end_orphans();
	directory_remove(directory);
	/* The runner's, if it was killed and we are the last to end. */
	char parent[PATH_MAX];
	snprintf(parent, sizeof(parent), "%.*s",
		(int)(strrchr(directory, '/') - directory), directory);
	rmdir(parent);
}
