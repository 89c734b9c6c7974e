/* SPDX-License-Identifier: MIT */

/*
 * An environment, one variable a line: what policy it makes, and what is left of it
 * when a preloaded library has taken itself out. The first line is the path of that
 * library.
 */

#include "fuzz.h"
#include "limit_defaults.h"
#include "lines.h"
#include "preload_env.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a person is told is counted here. */
static int complaints;

__attribute__((format(printf, 2, 3)))
static int
complain(FILE *file, const char *format, ...)
{
	char text[256];
	va_list args;
	(void)file;
	va_start(args, format);
	int length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	complaints++;
	return length;
}

#define fprintf complain
#include "policy_env.c"
#undef fprintf

#define VARIABLES_MAX 64

/* ---- In place of the log, which would write to files ---- */

static const char *log_path;

void
log_sink_open(enum shmguard_log_level level, const char *path)
{
	FUZZ_CHECK(level <= SHMGUARD_LOG_DEBUG, "level %d", level);
	log_path = path;
}

void
log_sink_write(enum shmguard_log_level level, const char *line, void *data)
{
	(void)level;
	(void)line;
	(void)data;
}

/* ---- The policy ---- */

/* The amount that `text` means, or 0: another way to read it. */
static unsigned long long
read_amount(const char *text, unsigned long long most)
{
	unsigned _BitInt(128) amount = 0;
	const char *c = text;
	for (; *c >= '0' && *c <= '9'; c++) {
		if (amount >> 64 == 0)
			amount = 10 * amount + (unsigned)(*c - '0');
	}
	if (c == text)
		return 0;
	if (*c == 'K')
		amount <<= 10;
	else if (*c == 'M')
		amount <<= 20;
	else if (*c == 'G')
		amount <<= 30;
	if (*c == 'K' || *c == 'M' || *c == 'G')
		c++;
	return *c == '\0' && amount <= most ? (unsigned long long)amount : 0;
}

static void
check_amount(const char *name, unsigned long long most,
	unsigned long long found)
{
	const char *text = getenv(name);
	unsigned long long wanted = text != NULL ? read_amount(text, most) : 0;
	FUZZ_CHECK(found == wanted, "%s=%s is %llu", name,
		text != NULL ? text : "", found);
}

static void
check_limits(struct shmguard_limits limits)
{
	const struct process_means means = {
		.mappings = limits.client.pools,
		.addresses = limits.client.bytes,
		.descriptors = limits.client.descriptors,
	};
	struct shmguard_limits resolved = limits;
	limits_resolve_for(&resolved, &means);
	const size_t *before = (const size_t *)&limits.client;
	const size_t *after = (const size_t *)&resolved.client;
	for (size_t i = 0; i < sizeof(limits.client) / sizeof(size_t); i++)
		FUZZ_CHECK(before[i] != 0 ? after[i] == before[i] : after[i] > 0,
			"limit %zu is %zu and was %zu", i, after[i], before[i]);
	FUZZ_CHECK(resolved.width > 0 && resolved.height > 0 &&
		resolved.stride > 0 && resolved.total.bytes > 0 &&
		resolved.total.mappings > 0 && resolved.total.descriptors > 0 &&
		resolved.total.holes > 0, "no limit");
}

static void
check_policy(void)
{
	const char *values;
	const char *bad = policy_env_find_bad(&values);
	FUZZ_CHECK(bad == NULL || (getenv(bad) != NULL && values != NULL), "%s",
		bad);
	complaints = 0;
	struct shmguard_policy policy = {.writable = true};
	policy_from_environment(&policy);
	FUZZ_CHECK((bad != NULL) == (complaints > 0), "%d complaints about %s",
		complaints, bad != NULL ? bad : "nothing");
	FUZZ_CHECK(policy.unsealed <= SHMGUARD_UNSEALED_REJECT &&
		policy.blocking <= SHMGUARD_BLOCKING_COPY &&
		policy.log == log_sink_write && policy.handler == 0,
		"unsealed %d, blocking %d", policy.unsealed, policy.blocking);
	FUZZ_CHECK(log_path == NULL || *log_path != '\0', "a log without a name");

	const struct shmguard_limits *limits = &policy.limits;
	check_amount("SHMGUARD_MAX_POOLS", SIZE_MAX, limits->client.pools);
	check_amount("SHMGUARD_MAX_BUFFERS", SIZE_MAX, limits->client.buffers);
	check_amount("SHMGUARD_MAX_MAPPINGS", SIZE_MAX, limits->client.mappings);
	check_amount("SHMGUARD_MAX_BYTES", SIZE_MAX, limits->client.bytes);
	check_amount("SHMGUARD_MAX_DESCRIPTORS", SIZE_MAX,
		limits->client.descriptors);
	check_amount("SHMGUARD_MAX_HOLES", SIZE_MAX, limits->client.holes);
	check_amount("SHMGUARD_MAX_WIDTH", INT32_MAX,
		(unsigned long long)limits->width);
	check_amount("SHMGUARD_MAX_HEIGHT", INT32_MAX,
		(unsigned long long)limits->height);
	check_amount("SHMGUARD_MAX_STRIDE", INT32_MAX,
		(unsigned long long)limits->stride);
	check_amount("SHMGUARD_BLOCKING_DEADLINE", INT32_MAX,
		policy.blocking_deadline);
	check_limits(*limits);
}

/* ---- LD_PRELOAD ---- */

static bool
is_preload(const char *variable)
{
	return strncmp(variable, "LD_PRELOAD=", strlen("LD_PRELOAD=")) == 0;
}

static const char *
file_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash != NULL ? slash + 1 : path;
}

/* Compares the entries that should be left with those that are: the separators
 * between them are free. */
static void
check_list(const char *before, const char *after, const char *library)
{
	char *old = strdup(before), *new = strdup(after);
	char *old_rest, *new_rest;
	char *has = strtok_r(new, ": ", &new_rest);
	for (char *entry = strtok_r(old, ": ", &old_rest); entry != NULL;
			entry = strtok_r(NULL, ": ", &old_rest)) {
		if (strcmp(file_name(entry), file_name(library)) == 0)
			continue;
		FUZZ_CHECK(has != NULL && strcmp(has, entry) == 0,
			"%s without %s is %s", before, library, after);
		has = strtok_r(NULL, ": ", &new_rest);
	}
	FUZZ_CHECK(has == NULL, "%s without %s is %s", before, library, after);
	free(old);
	free(new);
}

static void
check_removal(char **env, size_t count, const char *library)
{
	char *before[VARIABLES_MAX + 1], *own[VARIABLES_MAX + 1];
	for (size_t i = 0; i <= count; i++) {
		own[i] = env[i];
		before[i] = env[i] != NULL ? strdup(env[i]) : NULL;
	}
	preload_env_remove(env, library);

	char **left = env;
	for (size_t i = 0; i < count; i++) {
		if (*left != own[i]) {
			FUZZ_CHECK(is_preload(before[i]), "%s is gone", before[i]);
			check_list(before[i] + strlen("LD_PRELOAD="), "",
				library);
			continue;
		}
		left++;
		if (is_preload(before[i]))
			check_list(before[i] + strlen("LD_PRELOAD="),
				own[i] + strlen("LD_PRELOAD="), library);
		else
			FUZZ_CHECK(strcmp(own[i], before[i]) == 0, "%s was %s",
				own[i], before[i]);
	}
	FUZZ_CHECK(*left == NULL, "%s is new", *left);
	lines_free(before, count);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *lines[VARIABLES_MAX + 1], *own[VARIABLES_MAX + 1];
	size_t count = lines_split(data, size, lines, VARIABLES_MAX);
	memcpy(own, lines, sizeof(own));

	char **saved = environ;
	environ = lines + 1;
	check_policy();
	environ = saved;
	check_removal(lines + 1, count - 1, own[0]);
	lines_free(own, count);
	return 0;
}
