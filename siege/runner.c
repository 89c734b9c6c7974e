/* SPDX-License-Identifier: MIT */

/*
 * shmguard-siege: every hostile client against one compositor, with a verdict on
 * each. See shmguard-siege(1).
 *
 * This process gives out the attacks and reports. Workers make them.
 */

#include "attack_run.h"
#include "bystanders.h"
#include "directory.h"
#include "process.h"
#include "report.h"
#include "worker.h"

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* For a worker to undo everything after a signal: a client that was started and
 * a compositor that does not want to end. Milliseconds. */
#define WORKER_GRACE 30000

struct hand {
	pid_t pid;
	int socket;
	bool busy;
	unsigned int attack; /* which it makes, or made last */
};

struct runner {
	struct siege siege;
	struct hand *hands;
	unsigned int jobs_total, jobs_given, jobs_done;
	unsigned int *rounds_done; /* of each attack, by its place */
	char directory[PATH_MAX];
	int signals;  /* signalfd */
	int signal;   /* that ended it; or 0 */
	char unfit[512]; /* why nothing can be attacked; or empty */
};

/* As in attack.h for the client's program. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
	return "leak:libwayland-client";
}

static void
catch_signals(struct runner *runner)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	runner->signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (runner->signals < 0)
		err(EXIT_NOT_MADE, "signalfd");
	signal(SIGPIPE, SIG_IGN);
}

/* What is below belongs to the compositor's user, who has to get there. */
static void
let_in(const struct options *options, const char *directory)
{
	if (options->target.user != NULL && chmod(directory, 0711) < 0)
		err(EXIT_NOT_MADE, "%s", directory);
}

static void
make_directory(struct runner *runner)
{
	const char *parent = getenv("TMPDIR");
	snprintf(runner->directory, sizeof(runner->directory),
		"%s/shmguard-siege.XXXXXX", parent != NULL ? parent : "/tmp");
	if (mkdtemp(runner->directory) == NULL)
		err(EXIT_NOT_MADE, "%s", runner->directory);
	let_in(runner->siege.options, runner->directory);
}

static void
start_worker(struct runner *runner, unsigned int number)
{
	struct hand *hand = &runner->hands[number];
	char directory[PATH_MAX + 16];
	int ends[2];
	snprintf(directory, sizeof(directory), "%s/%u", runner->directory,
		number);
	if (mkdir(directory, 0700) < 0 || socketpair(AF_UNIX,
			SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		err(EXIT_NOT_MADE, "%s", directory);
	let_in(runner->siege.options, directory);
	hand->socket = ends[0];
	hand->pid = process_fork();
	if (hand->pid == 0) {
		for (unsigned int i = 0; i <= number; i++)
			close(runner->hands[i].socket);
		close(runner->signals);
		worker_run(runner->siege.options, ends[1], directory);
		exit(EXIT_SUCCESS);
	}
	close(ends[1]);
}

/* Rounds follow on one another: each attack is made once before any is made
 * again. */
static void
give_job(struct runner *runner, struct hand *hand)
{
	const struct options *options = runner->siege.options;
	hand->busy = false;
	if (runner->jobs_given == runner->jobs_total)
		return;
	const struct job job = {
		.attack = options->attacks[
			runner->jobs_given % options->n_attacks],
		.repeat = runner->jobs_given / options->n_attacks,
	};
	if (send(hand->socket, &job, sizeof(job), MSG_NOSIGNAL) < 0)
		err(EXIT_NOT_MADE, "send");
	hand->busy = true;
	hand->attack = job.attack;
	runner->jobs_given++;
}

static void
say_going_on(const struct runner *runner)
{
	char names[256];
	size_t length = (size_t)snprintf(names, sizeof(names), "%u of %u: ",
		runner->jobs_done, runner->jobs_total);
	for (unsigned int i = 0; i < runner->siege.options->jobs; i++) {
		const struct hand *hand = &runner->hands[i];
		if (hand->busy && length < sizeof(names))
			length += (size_t)snprintf(names + length,
				sizeof(names) - length, "%s ",
				attack_at(hand->attack)->name);
	}
	text_going_on(names);
}

static void
end_round(struct runner *runner, unsigned int attack)
{
	const struct options *options = runner->siege.options;
	runner->jobs_done++;
	for (unsigned int i = 0; i < options->n_attacks; i++) {
		if (options->attacks[i] == attack &&
				++runner->rounds_done[i] == options->repeat &&
				!options->tap)
			text_row(&runner->siege, attack);
	}
}

static void
take_result(struct runner *runner, struct hand *hand)
{
	struct siege *siege = &runner->siege;
	struct result *result = &siege->results[siege->n_results];
	if (recv(hand->socket, result, sizeof(*result), 0) !=
			sizeof(*result)) {
		snprintf(runner->unfit, sizeof(runner->unfit),
			"a worker is gone");
		return;
	}
	if (result->unfit) {
		snprintf(runner->unfit, sizeof(runner->unfit), "%s",
			result->text);
		return;
	}
	siege->n_results++;
	if (siege->options->tap)
		tap_result(siege, result);
	if (result->last) {
		end_round(runner, result->attack);
		give_job(runner, hand);
	}
}

static void
take_signal(struct runner *runner)
{
	struct signalfd_siginfo info;
	if (read(runner->signals, &info, sizeof(info)) == sizeof(info)) {
		runner->signal = (int)info.ssi_signo;
		runner->siege.interrupted = true;
	}
}

/* Until all is done, or no more can be. */
static void
loop(struct runner *runner)
{
	unsigned int jobs = runner->siege.options->jobs;
	struct pollfd *pollfds = calloc(jobs + 1, sizeof(*pollfds));
	if (pollfds == NULL)
		err(EXIT_NOT_MADE, NULL);
	for (unsigned int i = 0; i < jobs; i++) {
		pollfds[i].fd = runner->hands[i].socket;
		pollfds[i].events = POLLIN;
		give_job(runner, &runner->hands[i]);
	}
	pollfds[jobs].fd = runner->signals;
	pollfds[jobs].events = POLLIN;

	while (runner->jobs_done < runner->jobs_total &&
			runner->signal == 0 && runner->unfit[0] == '\0') {
		if (!runner->siege.options->tap)
			say_going_on(runner);
		if (poll(pollfds, jobs + 1, -1) < 0 && errno != EINTR)
			err(EXIT_NOT_MADE, "poll");
		if (pollfds[jobs].revents != 0)
			take_signal(runner);
		for (unsigned int i = 0; i < jobs; i++) {
			if (pollfds[i].revents != 0)
				take_result(runner, &runner->hands[i]);
		}
	}
	free(pollfds);
}

static void
end_workers(struct runner *runner)
{
	unsigned int jobs = runner->siege.options->jobs;
	int status;
	for (unsigned int i = 0; i < jobs; i++)
		kill(runner->hands[i].pid, SIGTERM);
	for (unsigned int i = 0; i < jobs; i++) {
		if (!process_end(runner->hands[i].pid, &status, WORKER_GRACE))
			warnx("process %d cannot be ended",
				(int)runner->hands[i].pid);
		close(runner->hands[i].socket);
	}
	directory_remove(runner->directory);
}

static int
report(const struct runner *runner)
{
	const struct siege *siege = &runner->siege;
	const struct options *options = siege->options;
	if (options->tap)
		tap_end(siege);
	else
		text_end(siege);
	int status = siege_has_failed(siege) ? EXIT_FAILURES : EXIT_SUCCESS;
	if (options->json != NULL && !json_write(siege, options->json)) {
		warn("%s", options->json);
		status = EXIT_FAILURES;
	}
	if (options->report != NULL && !page_write(siege, options->report)) {
		warn("%s", options->report);
		status = EXIT_FAILURES;
	}
	return status;
}

/* As if it had not been caught. */
__attribute__((noreturn))
static void
end_by_signal(int number)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, number);
	fflush(NULL);
	signal(number, SIG_DFL);
	raise(number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	_exit(128 + number);
}

int
main(int argc, char *argv[])
{
	struct options options;
	options_parse(&options, argc, argv);
	struct runner runner = {
		.siege.options = &options,
		.siege.started = time(NULL),
		.jobs_total = options.n_attacks * options.repeat,
	};
	runner.siege.results = calloc((size_t)runner.jobs_total * 2,
		sizeof(*runner.siege.results));
	runner.rounds_done = calloc(options.n_attacks,
		sizeof(*runner.rounds_done));
	runner.hands = calloc(options.jobs, sizeof(*runner.hands));
	if (runner.siege.results == NULL || runner.rounds_done == NULL ||
			runner.hands == NULL)
		err(EXIT_NOT_MADE, NULL);

	int64_t start = now_us();
	catch_signals(&runner);
	make_directory(&runner);
	for (unsigned int i = 0; i < options.jobs; i++)
		start_worker(&runner, i);
	(options.tap ? tap_begin : text_begin)(&runner.siege);
	loop(&runner);
	end_workers(&runner);
	runner.siege.seconds = (double)(now_us() - start) / 1e6;

	int status = EXIT_NOT_MADE;
	if (runner.unfit[0] != '\0')
		warnx("%s", runner.unfit);
	else
		status = report(&runner);
	if (runner.signal != 0)
		end_by_signal(runner.signal);
	free(runner.siege.results);
	free(runner.rounds_done);
	free(runner.hands);
	options_free(&options);
	return status;
}
