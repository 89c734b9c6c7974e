/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static char heard[1024];
static enum shmguard_log_level heard_level;

static void
hear(enum shmguard_log_level level, const char *line, void *data)
{
	ck_assert_ptr_eq(data, heard);
	heard_level = level;
	strcpy(heard, line);
	errno = EIO;
}

static const struct shmguard_policy hearing = {.log = hear, .log_data = heard};

/* What the function writes to stderr, of which it is told. */
static const char *
written_to_stderr(void (*func)(void))
{
	static char text[1024];
	int ends[2], old = dup(STDERR_FILENO);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	dup2(ends[1], STDERR_FILENO);
	func();
	dup2(old, STDERR_FILENO);
	close(old);
	close(ends[1]);
	ssize_t length = read(ends[0], text, sizeof(text) - 1);
	close(ends[0]);
	ck_assert_int_ge(length, 0);
	text[length] = '\0';
	return text;
}

static void
log_to_nobody(void)
{
	static const struct shmguard_policy deaf = {0};
	guard_log(NULL, SHMGUARD_LOG_ERROR, "first %d", 1);
	guard_log(&deaf, SHMGUARD_LOG_ERROR, "second");
	guard_log(NULL, SHMGUARD_LOG_INFO, "not said");
	guard_log(&deaf, SHMGUARD_LOG_DEBUG, "not said");
}

TEST(errors_are_said_even_if_nobody_listens)
{
	ck_assert_str_eq(written_to_stderr(log_to_nobody),
		"shmguard: first 1\nshmguard: second\n");
}

static void
log_to_us(void)
{
	errno = ENOENT;
	guard_log(&hearing, SHMGUARD_LOG_INFO, "%s %d", "number", 7);
	ck_assert_int_eq(errno, ENOENT);
}

TEST(who_listens_hears_all_and_errno_stays)
{
	ck_assert_str_eq(written_to_stderr(log_to_us), "");
	ck_assert_str_eq(heard, "number 7");
	ck_assert_int_eq(heard_level, SHMGUARD_LOG_INFO);
}

TEST(long_lines_are_cut)
{
	guard_log(&hearing, SHMGUARD_LOG_ERROR, "%2000s", "x");
	ck_assert_uint_eq(strlen(heard), 511);
}
