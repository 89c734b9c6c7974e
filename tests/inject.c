/* SPDX-License-Identifier: MIT */
#include "inject.h"

#include "harness.h"
#include "heap_count.h"
#include "inject_calls.h"
#include "inject_files.h"
#include "inject_memory.h"
#include "memory_look.h"
#include "reaper.h"

#include <shmguard/map.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Threads that nobody waits for may still be at work when a scenario ends. */
#define SETTLE_TRIES 20000
#define SETTLE_NANOSECONDS (500 * 1000)

/* Of one trial, which takes milliseconds. */
#define TRIAL_SECONDS 20

/* Of pairs in the long run. Calls that are made because another has failed follow
 * soon. */
#define PAIR_DISTANCE 24

#define CALLERS_MAX 256

/* What a process holds. */
struct resources {
	long heap_blocks;
	long mapped_bytes; /* by the library */
	int descriptors;
	int client_files; /* mappings of them */
	struct shmguard_usage usage;
};

/* Shared with the process that it runs in. */
struct trial {
	struct inject_plan plan;
	struct inject_outcome outcome;
	struct resources left;
};

static struct trial *trial;

/* Of this run of the scenario. */
static struct inject_outcome *current;

static bool makes_uncharged;

/* What is left where nothing fails. */
static struct resources expected;

void
inject_begin(void)
{
	inject_arm(true);
}

void
inject_end(void)
{
	inject_arm(false);
}

void
inject_may_be_uncharged(void)
{
	makes_uncharged = true;
}

bool
inject_happened(void)
{
	return current->failures > 0;
}

/* ---- In the trial's process ---- */

static void
look_at_resources(struct resources *resources)
{
	resources->descriptors = harness_open_fds();
	resources->client_files = count_mappings(INJECT_MEMFD) +
		count_mappings(INJECT_FILE);
	shmguard_total_usage(&resources->usage);
	resources->mapped_bytes = inject_memory_bytes();
	resources->heap_blocks = heap_count_live();
}

static void
wait_for_threads(void)
{
	for (int i = 0; i < SETTLE_TRIES && !harness_is_alone(); i++)
		nanosleep(&(struct timespec){0, SETTLE_NANOSECONDS}, NULL);
	ck_assert(harness_is_alone());
}

static void
expect_resources(const struct resources *wanted)
{
	struct resources left;
	look_at_resources(&left);
	ck_assert_int_eq(left.descriptors, wanted->descriptors);
	ck_assert_int_eq(left.client_files, wanted->client_files);
	ck_assert_uint_eq(left.usage.pools, wanted->usage.pools);
	ck_assert_uint_eq(left.usage.buffers, wanted->usage.buffers);
	ck_assert_uint_eq(left.usage.mappings, wanted->usage.mappings);
	ck_assert_uint_eq(left.usage.bytes, wanted->usage.bytes);
	ck_assert_uint_eq(left.usage.descriptors, wanted->usage.descriptors);
	ck_assert_uint_eq(left.usage.holes, wanted->usage.holes);
	ck_assert_int_eq(left.mapped_bytes, wanted->mapped_bytes);
	ck_assert_int_eq(left.heap_blocks, wanted->heap_blocks);
}

/* What could not be unmapped still counts, as long as the process lives: but for what
 * never became a map's. */
static void
check_refused(struct resources *wanted)
{
	struct resources left;
	wait_for_threads();
	look_at_resources(&left);
	size_t count, bytes = inject_memory_of_clients(&count);
	if (!makes_uncharged) {
		ck_assert_uint_le(left.usage.bytes, bytes);
		ck_assert_uint_le(left.usage.mappings, count);
	}
	if (trial->outcome.failures == 1 && !makes_uncharged)
		ck_assert_uint_eq(left.usage.mappings, count);
	wanted->usage.bytes = left.usage.bytes;
	wanted->usage.mappings = left.usage.mappings;
	inject_memory_unmap_refused();
}

static void
run_first(void (*scenario)(void), struct resources *wanted)
{
	current = &trial->outcome;
	inject_set_plan(&trial->plan, current);
	scenario();
	if (inject_memory_has_refused())
		check_refused(wanted);
}

static void
run_again(void (*scenario)(void))
{
	static struct inject_outcome none;
	current = &none;
	inject_set_plan(&(struct inject_plan){0}, current);
	scenario();
	/* Descriptors wait for the next that has to be closed like that. */
	reaper_close_blocking(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

static void
run_trial(void (*scenario)(void))
{
	struct resources wanted = expected;
	alarm(TRIAL_SECONDS);
	if (trial->plan.first == 0)
		look_at_resources(&wanted);
	run_first(scenario, &wanted);
	run_again(scenario);
	wait_for_threads();
	if (trial->plan.first == 0) {
		/* The library keeps some memory for good. */
		look_at_resources(&trial->left);
		wanted.mapped_bytes = trial->left.mapped_bytes;
		wanted.heap_blocks = trial->left.heap_blocks;
	}
	expect_resources(&wanted);
	/* Not _exit(2): at exit leaks are looked for. */
	exit(EXIT_SUCCESS);
}

/* ---- In the test's process ---- */

static void
describe_trial(const char *name)
{
	const struct inject_plan *plan = &trial->plan;
	const struct inject_outcome *outcome = &trial->outcome;
	fprintf(stderr, "%s: calls %u and %u were to fail%s%s; "
		"%u of %u did\n", name, plan->first, plan->second,
		plan->all_after ? ", and all after them" : "",
		plan->same_after ? ", and all like them after" : "",
		outcome->failures, outcome->calls);
	if (outcome->failures > 0)
		fprintf(stderr, "%s: the first was %s: %s\n", name,
			inject_call_name(outcome->failed),
			strerror(inject_error(outcome->failed, plan->error)));
}

/* Returns how many calls failed. */
static unsigned int
try(const char *name, void (*scenario)(void), struct inject_plan plan)
{
	*trial = (struct trial){.plan = plan};
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		run_trial(scenario);

	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (status == 0)
		return trial->outcome.failures;
	describe_trial(name);
	if (WIFSIGNALED(status))
		ck_abort_msg("killed by signal %d, see stderr", WTERMSIG(status));
	ck_abort_msg("exit status %d, see stderr", WEXITSTATUS(status));
}

/* Whether the same code has made the call that failed before; in a short run that
 * is not tried with every errno again. */
static bool
was_tried(const void *callers[], unsigned int *count)
{
	const void *caller = trial->outcome.caller;
	for (unsigned int i = 0; i < *count; i++) {
		if (callers[i] == caller)
			return !harness_long();
	}
	if (*count < CALLERS_MAX)
		callers[(*count)++] = caller;
	return false;
}

/* Each call alone. Returns how many there were. */
static unsigned int
try_single(const char *name, void (*scenario)(void),
	unsigned int counts[INJECT_CALL_COUNT])
{
	const void *callers[CALLERS_MAX];
	unsigned int callers_count = 0;
	struct inject_plan plan = {.first = 1};
	while (try(name, scenario, plan) > 0) {
		enum inject_call call = trial->outcome.failed;
		counts[call]++;
		plan.error++;
		if (plan.error == 1 && was_tried(callers, &callers_count))
			plan.error = inject_error_count(call);
		if (plan.error < inject_error_count(call))
			continue;
		plan.error = 0;
		plan.first++;
	}
	return plan.first - 1;
}

static unsigned int
try_all_after(const char *name, void (*scenario)(void), unsigned int calls,
	bool same)
{
	unsigned int trials = 0;
	for (unsigned int first = 1; first <= calls; first++)
		trials += try(name, scenario, (struct inject_plan){
			.first = first,
			.all_after = !same,
			.same_after = same,
		}) > 0;
	return trials;
}

static unsigned int
try_pairs(const char *name, void (*scenario)(void), unsigned int calls)
{
	unsigned int trials = 0;
	for (unsigned int first = 1; first <= calls; first++) {
		for (unsigned int more = 1; more <= PAIR_DISTANCE; more++)
			trials += try(name, scenario, (struct inject_plan){
				.first = first,
				.second = first + more,
			}) > 1;
	}
	return trials;
}

void
inject_run(const char *name, void (*scenario)(void))
{
	trial = mmap(NULL, sizeof(*trial), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(trial, MAP_FAILED);
	try(name, scenario, (struct inject_plan){0});
	expected = trial->left;

	unsigned int counts[INJECT_CALL_COUNT] = {0};
	unsigned int calls = try_single(name, scenario, counts);
	unsigned int sum = 0;
	fprintf(stderr, "%s: %u calls failed alone:", name, calls);
	for (enum inject_call call = 0; call < INJECT_CALL_COUNT; call++) {
		sum += counts[call];
		if (counts[call] > 0)
			fprintf(stderr, " %s %u", inject_call_name(call),
				counts[call]);
	}
	fprintf(stderr, " (%u times)\n", sum);
	ck_assert_uint_gt(calls, 0);

	fprintf(stderr, "%s: %u times with all after\n", name,
		try_all_after(name, scenario, calls, false));
	if (harness_long()) {
		fprintf(stderr, "%s: %u times with all alike after\n", name,
			try_all_after(name, scenario, calls, true));
		fprintf(stderr, "%s: %u times with another after\n", name,
			try_pairs(name, scenario, calls));
	}
	munmap(trial, sizeof(*trial));
}
