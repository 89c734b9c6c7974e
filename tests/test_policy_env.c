/* SPDX-License-Identifier: MIT */

/*
 * The policy in the environment. Each scene is a process of its own, as the
 * environment and the log belong to a process.
 */

#include "harness.h"
#include "policy_env.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a process says that has one variable in its environment. */
struct scene {
	struct shmguard_policy policy;
	char said[1024];
};

static struct scene *scene;

static void
play(const char *name, const char *value)
{
	setenv(name, value, 1);
	policy_from_environment(&scene->policy);
	/* Another display of the same process. */
	struct shmguard_policy other = {0};
	unsetenv(name);
	policy_from_environment(&other);
	scene->policy.log(SHMGUARD_LOG_ERROR, "an error", NULL);
	other.log(SHMGUARD_LOG_INFO, "a note", NULL);
	other.log(SHMGUARD_LOG_DEBUG, "a detail", NULL);
}

/* `before` is the policy without the variable. */
static void
run_scene(const char *name, const char *value, struct shmguard_policy before)
{
	if (scene == NULL)
		scene = mmap(NULL, sizeof(*scene), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(scene, MAP_FAILED);
	memset(scene, 0, sizeof(*scene));
	scene->policy = before;

	int said = harness_memfd(0, 0, -1);
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		dup2(said, STDERR_FILENO);
		play(name, value);
		_exit(0);
	}
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_int_ge(pread(said, scene->said, sizeof(scene->said) - 1, 0), 0);
	close(said);
}

#define ERROR_LINE "shmguard: an error\n"
#define INFO_LINE "shmguard: a note\n"
#define DEBUG_LINE "shmguard: a detail\n"
/* What is said by default. */
#define LINES ERROR_LINE INFO_LINE

static const struct shmguard_policy none = {0};

/* One line, and as if it had not been there. */
static void
check_ignored(const char *name, const char *value, const char *values)
{
	struct shmguard_policy before = {
		.unsealed = SHMGUARD_UNSEALED_COPY,
		.adopt_seals = true,
		.writable = true,
	};
	char expected[256];
	snprintf(expected, sizeof(expected),
		"shmguard: %s=%s is ignored, it is not %s\n" LINES,
		name, value, values);
	run_scene(name, value, before);
	ck_assert_str_eq(scene->said, expected);
	ck_assert_int_eq(scene->policy.unsealed, SHMGUARD_UNSEALED_COPY);
	ck_assert(scene->policy.adopt_seals);
	ck_assert(scene->policy.writable);
}

TEST(unsealed_takes_each_word)
{
	run_scene("SHMGUARD_UNSEALED", "trap", (struct shmguard_policy){
		.unsealed = SHMGUARD_UNSEALED_REJECT});
	ck_assert_int_eq(scene->policy.unsealed, SHMGUARD_UNSEALED_TRAP);
	ck_assert_str_eq(scene->said, LINES);
	run_scene("SHMGUARD_UNSEALED", "copy", none);
	ck_assert_int_eq(scene->policy.unsealed, SHMGUARD_UNSEALED_COPY);
	run_scene("SHMGUARD_UNSEALED", "reject", none);
	ck_assert_int_eq(scene->policy.unsealed, SHMGUARD_UNSEALED_REJECT);
}

TEST(I10_blocking_takes_each_word)
{
	run_scene("SHMGUARD_BLOCKING", "reject", (struct shmguard_policy){
		.blocking = SHMGUARD_BLOCKING_COPY});
	ck_assert_int_eq(scene->policy.blocking, SHMGUARD_BLOCKING_REJECT);
	run_scene("SHMGUARD_BLOCKING", "allow", none);
	ck_assert_int_eq(scene->policy.blocking, SHMGUARD_BLOCKING_ALLOW);
	run_scene("SHMGUARD_BLOCKING", "copy", none);
	ck_assert_int_eq(scene->policy.blocking, SHMGUARD_BLOCKING_COPY);
	ck_assert_uint_eq(scene->policy.blocking_deadline, 0);
	run_scene("SHMGUARD_BLOCKING_DEADLINE", "25", none);
	ck_assert_uint_eq(scene->policy.blocking_deadline, 25);
	check_ignored("SHMGUARD_BLOCKING", "trap", "reject|allow|copy");
	check_ignored("SHMGUARD_BLOCKING_DEADLINE", "0",
		"a number, or one with K, M or G");
}

TEST(flags_are_0_or_1)
{
	run_scene("SHMGUARD_ADOPT_SEALS", "1", none);
	ck_assert(scene->policy.adopt_seals);
	run_scene("SHMGUARD_ADOPT_SEALS", "0", (struct shmguard_policy){
		.adopt_seals = true});
	ck_assert(!scene->policy.adopt_seals);
	run_scene("SHMGUARD_FEEDBACK", "1", none);
	ck_assert(scene->policy.feedback);
	ck_assert(!scene->policy.adopt_seals);
}

TEST(read_only_takes_writing_away_and_never_gives_it)
{
	static const struct shmguard_policy writable = {.writable = true};
	run_scene("SHMGUARD_READ_ONLY", "1", writable);
	ck_assert(!scene->policy.writable);
	run_scene("SHMGUARD_READ_ONLY", "0", writable);
	ck_assert(scene->policy.writable);
	run_scene("SHMGUARD_READ_ONLY", "0", none);
	ck_assert(!scene->policy.writable);
}

TEST(what_the_environment_does_not_name_stays)
{
	struct shmguard_policy before = {
		.unsealed = SHMGUARD_UNSEALED_COPY,
		.blocking = SHMGUARD_BLOCKING_ALLOW,
		.handler = SHMGUARD_HANDLER_HOST,
		.writable = true,
		.dump_client_memory = true,
	};
	run_scene("SHMGUARD_ADOPT_SEALS", "1", before);
	ck_assert_int_eq(scene->policy.unsealed, SHMGUARD_UNSEALED_COPY);
	ck_assert_int_eq(scene->policy.blocking, SHMGUARD_BLOCKING_ALLOW);
	ck_assert_int_eq(scene->policy.handler, SHMGUARD_HANDLER_HOST);
	ck_assert(scene->policy.writable);
	ck_assert(scene->policy.dump_client_memory);
}

TEST(unknown_values_get_a_line_and_change_nothing)
{
	static const char *const bad[] = {
		"trapp", "tra", "Trap", " trap", "trap|copy", "0", "|",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		check_ignored("SHMGUARD_UNSEALED", bad[i], "trap|copy|reject");
	check_ignored("SHMGUARD_ADOPT_SEALS", "2", "0|1");
	check_ignored("SHMGUARD_ADOPT_SEALS", "yes", "0|1");
	check_ignored("SHMGUARD_READ_ONLY", "01", "0|1");
	check_ignored("SHMGUARD_LOG", "loud", "error|info|debug[:FILE]");
	check_ignored("SHMGUARD_LOG", "debug[:FILE]", "error|info|debug[:FILE]");
	check_ignored("SHMGUARD_LOG", ":/tmp", "error|info|debug[:FILE]");
	check_ignored("SHMGUARD_LOG", "debug:", "error|info|debug[:FILE]");
}

TEST(I9_limits_are_numbers)
{
	static const struct {
		const char *name, *value;
		size_t offset, expected;
	} limits[] = {
#define LIMIT(member) offsetof(struct shmguard_limits, client.member)
		{"SHMGUARD_MAX_POOLS", "1", LIMIT(pools), 1},
		{"SHMGUARD_MAX_BUFFERS", "0012", LIMIT(buffers), 12},
		{"SHMGUARD_MAX_MAPPINGS", "3K", LIMIT(mappings), 3 << 10},
		{"SHMGUARD_MAX_BYTES", "2047M", LIMIT(bytes), 2047u << 20},
		{"SHMGUARD_MAX_BYTES", "3G", LIMIT(bytes), 3u << 30},
		{"SHMGUARD_MAX_DESCRIPTORS", "99", LIMIT(descriptors), 99},
		{"SHMGUARD_MAX_HOLES", "64M", LIMIT(holes), 64 << 20},
	};
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		struct shmguard_limits expected;
		memset(&expected, 0, sizeof(expected));
		*(size_t *)((char *)&expected + limits[i].offset) =
			limits[i].expected;
		run_scene(limits[i].name, limits[i].value, none);
		ck_assert_str_eq(scene->said, LINES);
		ck_assert_mem_eq(&scene->policy.limits, &expected,
			sizeof(expected));
	}

	run_scene("SHMGUARD_MAX_WIDTH", "2147483647", none);
	ck_assert_int_eq(scene->policy.limits.width, INT32_MAX);
	run_scene("SHMGUARD_MAX_HEIGHT", "16K", none);
	ck_assert_int_eq(scene->policy.limits.height, 16384);
	run_scene("SHMGUARD_MAX_STRIDE", "4", none);
	ck_assert_int_eq(scene->policy.limits.stride, 4);
}

TEST(I9_numbers_that_are_none_are_ignored)
{
	static const char *const bad[] = {
		"0", "-1", "+1", " 1", "1 ", "K", "1KK", "1k", "1T", "0x10", "many",
		"18446744073709551616", "18446744073709551615G",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		check_ignored("SHMGUARD_MAX_POOLS", bad[i],
			"a number, or one with K, M or G");
	check_ignored("SHMGUARD_MAX_WIDTH", "2147483648",
		"a number, or one with K, M or G");
	check_ignored("SHMGUARD_MAX_STRIDE", "2G",
		"a number, or one with K, M or G");
}

TEST(empty_values_are_none)
{
	run_scene("SHMGUARD_UNSEALED", "", (struct shmguard_policy){
		.unsealed = SHMGUARD_UNSEALED_COPY});
	ck_assert_int_eq(scene->policy.unsealed, SHMGUARD_UNSEALED_COPY);
	ck_assert_str_eq(scene->said, LINES);
}

TEST(log_has_levels)
{
	run_scene("SHMGUARD_LOG", "error", none);
	ck_assert_str_eq(scene->said, ERROR_LINE);
	run_scene("SHMGUARD_LOG", "info", none);
	ck_assert_str_eq(scene->said, ERROR_LINE INFO_LINE);
	ck_assert(!scene->policy.log_debug);
	run_scene("SHMGUARD_LOG", "debug", none);
	ck_assert_str_eq(scene->said, ERROR_LINE INFO_LINE DEBUG_LINE);
	ck_assert(scene->policy.log_debug);
}

TEST(log_is_appended_to_a_file)
{
	char path[] = "/tmp/shmguard-log-XXXXXX", value[64], text[256] = "";
	int fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	snprintf(value, sizeof(value), "debug:%s", path);
	run_scene("SHMGUARD_LOG", value, none);
	ck_assert_str_eq(scene->said, "");
	run_scene("SHMGUARD_LOG", value, none);
	ck_assert_int_gt(pread(fd, text, sizeof(text) - 1, 0), 0);
	ck_assert_str_eq(text, ERROR_LINE INFO_LINE DEBUG_LINE
		ERROR_LINE INFO_LINE DEBUG_LINE);
	close(fd);
	unlink(path);
}

TEST(log_goes_to_stderr_when_the_file_cannot_be_opened)
{
	run_scene("SHMGUARD_LOG", "info:/nonexistent/log", none);
	ck_assert_str_eq(scene->said, "shmguard: cannot log to "
		"/nonexistent/log: No such file or directory\n" LINES);
}

static void
check_bad(char *setting, const char *name, const char *values)
{
	char *with[] = {"SHMGUARD_UNSEALED=copy", "SHMGUARD_READ_ONLY=",
		"SHMGUARD_LOG=debug:/nonexistent/log", setting, NULL};
	char **before = environ;
	const char *said = NULL;
	environ = with;
	ck_assert_pstr_eq(policy_env_find_bad(&said), name);
	environ = before;
	ck_assert_pstr_eq(said, values);
}

TEST(bad_values_are_found_ahead)
{
	check_bad(NULL, NULL, NULL);
	check_bad("SHMGUARD_ADOPT_SEALS=1", NULL, NULL);
	check_bad("SHMGUARD_ADOPT_SEALS=on", "SHMGUARD_ADOPT_SEALS", "0|1");
}
