/* SPDX-License-Identifier: MIT */
#include "harness.h"
#include "heap_count.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct outcome {
	int status; /* exit status of the harness */
	char output[4096];
};

/* Runs those tests of harness_samples, which lies next to this program.
 * `environment`: assignments as for a shell. */
static struct outcome
run_samples_in(const char *environment, const char *arguments)
{
	char path[1024] = "";
	if (readlink("/proc/self/exe", path, sizeof(path) - 1) < 0)
		ck_abort_msg("cannot find this program");
	*strrchr(path, '/') = '\0';
	char command[2048];
	snprintf(command, sizeof(command),
		"%s '%s/harness_samples' %s 2>/dev/null",
		environment, path, arguments);

	struct outcome outcome = {0};
	FILE *pipe = popen(command, "r");
	ck_assert_ptr_nonnull(pipe);
	size_t length = fread(outcome.output, 1, sizeof(outcome.output) - 1, pipe);
	outcome.output[length] = '\0';
	outcome.status = WEXITSTATUS(pclose(pipe));
	return outcome;
}

static struct outcome
run_samples(const char *arguments)
{
	return run_samples_in("", arguments);
}

static void
assert_contains(const struct outcome *outcome, const char *text)
{
	ck_assert_msg(strstr(outcome->output, text) != NULL, "no '%s' in:\n%s",
		text, outcome->output);
}

static void
assert_fails(const char *sample, const char *message)
{
	struct outcome outcome = run_samples(sample);
	ck_assert_msg(strncmp(outcome.output, "1..1\nnot ok 1 ", 14) == 0, "%s",
		outcome.output);
	assert_contains(&outcome, message);
	ck_assert_int_eq(outcome.status, 1);
}

TEST(harness_accepts_good_tests)
{
	struct outcome outcome = run_samples("'good_*'");
	ck_assert_msg(strncmp(outcome.output, "1..6\nok 1 ", 10) == 0, "%s",
		outcome.output);
	assert_contains(&outcome, "\nok 6 ");
	ck_assert_ptr_null(strstr(outcome.output, "not ok"));
	ck_assert_int_eq(outcome.status, 0);
}

TEST(harness_keeps_output_of_tests_away_from_tap)
{
	struct outcome outcome = run_samples("good_allocates_and_frees");
	ck_assert_str_eq(outcome.output, "1..1\nok 1 good_allocates_and_frees\n");
}

TEST(harness_reports_skips)
{
	struct outcome outcome = run_samples("'skipped*'");
	ck_assert_str_eq(outcome.output, "1..2\n"
		"ok 1 skipped # SKIP no unicorn here\n"
		"ok 2 skipped_dies # SKIP no dragon here\n");
	ck_assert_int_eq(outcome.status, 0);
}

TEST(harness_selects_and_lists)
{
	struct outcome outcome = run_samples("--list 'good_m*' '*_dies'");
	ck_assert_str_eq(outcome.output, "good_memfd\ngood_dies\nskipped_dies\n");
	outcome = run_samples("no_such_test");
	ck_assert_str_eq(outcome.output, "1..0 # SKIP no test is selected\n");
	ck_assert_int_eq(outcome.status, 0);
}

TEST(harness_fails_assertion)
{
	assert_fails("bad_assertion", "harness_samples.c:");
	assert_fails("bad_assertion", ": two\n# lines\n");
}

TEST(harness_fails_descriptor_left_open)
{
	assert_fails("bad_leaves_descriptor", "(/dev/null) was left open");
}

TEST(harness_fails_leak_of_skipped_test)
{
	assert_fails("bad_skip_leaks", "was left open");
}

TEST(harness_fails_closed_foreign_descriptor)
{
	assert_fails("bad_closes_foreign_descriptor", "descriptor 0 was closed");
}

TEST(harness_fails_heap_left_behind)
{
	long before = heap_count_live();
	void *volatile block = malloc(1);
	bool counted = heap_count_live() == before + 1;
	free(block);
	if (!counted)
		SKIP("the heap belongs to a sanitizer or valgrind");

	assert_fails("bad_leaves_heap", "after the test: +1 heap blocks\n");
}

TEST(harness_fails_child_left_behind)
{
	assert_fails("bad_leaves_child", "a child process was not waited for");
}

TEST(harness_fails_unexpected_signal)
{
	assert_fails("bad_signal", "Received signal 7");
}

TEST(harness_fails_survival)
{
	assert_fails("bad_does_not_die", "Early exit");
}

TEST(harness_fails_other_death)
{
	assert_fails("bad_dies_otherwise", "Received signal 15");
}

TEST(harness_fails_early_exit)
{
	assert_fails("bad_exits", "exited without returning");
}

TEST(harness_fails_hanging_test)
{
	struct outcome outcome = run_samples_in("CK_TIMEOUT_MULTIPLIER=0.1",
		"hangs");
	assert_contains(&outcome, "not ok 1 hangs\n");
	assert_contains(&outcome, "Test timeout expired\n");
	ck_assert_int_eq(outcome.status, 1);
}
