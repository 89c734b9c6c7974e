/* SPDX-License-Identifier: MIT */
#include "policy_env.h"

#include "log_sink.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof(*(array)))

struct settings {
	struct shmguard_policy policy;
	enum shmguard_log_level log_level;
	const char *log_path; /* in the environment; NULL: stderr */
};

struct variable {
	const char *name;
	/* For people, and for those that take a word the words themselves, in
	 * the order of the enum. */
	const char *values;
	/* false: not one of the values, and nothing is changed. */
	bool (*set)(struct settings *settings, const struct variable *variable,
		const char *value);
	size_t offset; /* of what is set, in struct settings */
};

/* The place of the first `length` bytes of `word` among `words`, or -1. */
static int
find_word(const char *words, const char *word, size_t length)
{
	for (int i = 0; ; i++) {
		size_t end = strcspn(words, "|[");
		if (end == length && memcmp(words, word, length) == 0)
			return i;
		if (words[end] != '|')
			return -1;
		words += end + 1;
	}
}

static bool
set_word(struct settings *settings, const struct variable *variable,
	const char *value)
{
	int i = find_word(variable->values, value, strlen(value));
	if (i < 0)
		return false;
	/* C lets an enum have another size than int; these have not. */
	unsigned int word = (unsigned int)i;
	memcpy((char *)settings + variable->offset, &word, sizeof(word));
	return true;
}

static bool
set_flag(struct settings *settings, const struct variable *variable,
	const char *value)
{
	int i = find_word(variable->values, value, strlen(value));
	if (i < 0)
		return false;
	bool flag = i == 1;
	memcpy((char *)settings + variable->offset, &flag, sizeof(flag));
	return true;
}

/* Only takes away: who needs no writable memory does not get it by a 0. */
static bool
set_read_only(struct settings *settings, const struct variable *variable,
	const char *value)
{
	int i = find_word(variable->values, value, strlen(value));
	if (i == 1)
		settings->policy.writable = false;
	return i >= 0;
}

static bool
set_log(struct settings *settings, const struct variable *variable,
	const char *value)
{
	size_t length = strcspn(value, ":");
	int level = find_word(variable->values, value, length);
	if (level < 0 || strcmp(value + length, ":") == 0)
		return false;
	settings->log_level = (enum shmguard_log_level)level;
	settings->log_path = value[length] == ':' ? value + length + 1 : NULL;
	return true;
}

/* Greater than 0, with K, M or G behind it or without. 0 if it is no such number
 * or more than `most`. */
static size_t
parse_amount(const char *value, size_t most)
{
	static const char units[] = "KMG";
	char *end;
	errno = 0;
	unsigned long long amount = strtoull(value, &end, 10);
	/* Signs and blanks are strtoull's idea. */
	if (errno != 0 || *value < '0' || *value > '9')
		return 0;
	const char *unit = *end != '\0' ? strchr(units, *end) : NULL;
	if (unit != NULL) {
		unsigned int shift = 10 * (unsigned int)(unit - units + 1);
		if (amount > ULLONG_MAX >> shift)
			return 0;
		amount <<= shift;
		end++;
	}
	return *end == '\0' && amount <= most ? (size_t)amount : 0;
}

static bool
set_amount(struct settings *settings, const struct variable *variable,
	const char *value)
{
	size_t amount = parse_amount(value, SIZE_MAX);
	if (amount > 0)
		memcpy((char *)settings + variable->offset, &amount,
			sizeof(amount));
	return amount > 0;
}

static bool
set_length(struct settings *settings, const struct variable *variable,
	const char *value)
{
	int32_t length = (int32_t)parse_amount(value, INT32_MAX);
	if (length > 0)
		memcpy((char *)settings + variable->offset, &length,
			sizeof(length));
	return length > 0;
}

static bool
set_milliseconds(struct settings *settings, const struct variable *variable,
	const char *value)
{
	unsigned int time = (unsigned int)parse_amount(value, INT32_MAX);
	if (time > 0)
		memcpy((char *)settings + variable->offset, &time, sizeof(time));
	return time > 0;
}

#define OF(member) offsetof(struct settings, member)

#define OF_CLIENT(member) OF(policy.limits.client.member)
#define AMOUNT "a number, or one with K, M or G"

static const struct variable variables[] = {
	{"SHMGUARD_UNSEALED", "trap|copy|reject", set_word, OF(policy.unsealed)},
	{"SHMGUARD_BLOCKING", "reject|allow|copy", set_word, OF(policy.blocking)},
	{"SHMGUARD_BLOCKING_DEADLINE", AMOUNT, set_milliseconds,
		OF(policy.blocking_deadline)},
	{"SHMGUARD_ADOPT_SEALS", "0|1", set_flag, OF(policy.adopt_seals)},
	{"SHMGUARD_READ_ONLY", "0|1", set_read_only, 0},
	{"SHMGUARD_FEEDBACK", "0|1", set_flag, OF(policy.feedback)},
	{"SHMGUARD_LOG", "error|info|debug[:FILE]", set_log, 0},
	{"SHMGUARD_MAX_POOLS", AMOUNT, set_amount, OF_CLIENT(pools)},
	{"SHMGUARD_MAX_BUFFERS", AMOUNT, set_amount, OF_CLIENT(buffers)},
	{"SHMGUARD_MAX_MAPPINGS", AMOUNT, set_amount, OF_CLIENT(mappings)},
	{"SHMGUARD_MAX_BYTES", AMOUNT, set_amount, OF_CLIENT(bytes)},
	{"SHMGUARD_MAX_DESCRIPTORS", AMOUNT, set_amount,
		OF_CLIENT(descriptors)},
	{"SHMGUARD_MAX_HOLES", AMOUNT, set_amount, OF_CLIENT(holes)},
	{"SHMGUARD_MAX_WIDTH", AMOUNT, set_length, OF(policy.limits.width)},
	{"SHMGUARD_MAX_HEIGHT", AMOUNT, set_length, OF(policy.limits.height)},
	{"SHMGUARD_MAX_STRIDE", AMOUNT, set_length, OF(policy.limits.stride)},
};

_Static_assert(sizeof(enum shmguard_unsealed) == sizeof(unsigned int) &&
	sizeof(enum shmguard_blocking) == sizeof(unsigned int),
	"set_word() stores an int");

/* A program with privileges that its user does not have would use them to write
 * the log file. */
static const char *
value_of(const struct variable *variable)
{
	const char *value = secure_getenv(variable->name);
	return value != NULL && *value != '\0' ? value : NULL;
}

void
policy_from_environment(struct shmguard_policy *policy)
{
	struct settings settings = {
		.policy = *policy,
		.log_level = SHMGUARD_LOG_INFO,
	};
	for (size_t i = 0; i < ARRAY_LENGTH(variables); i++) {
		const struct variable *variable = &variables[i];
		const char *value = value_of(variable);
		if (value != NULL && !variable->set(&settings, variable, value))
			fprintf(stderr, "shmguard: %s=%s is ignored, it is not %s\n",
				variable->name, value, variable->values);
	}
	log_sink_open(settings.log_level, settings.log_path);
	*policy = settings.policy;
	policy->log_debug = settings.log_level == SHMGUARD_LOG_DEBUG;
	policy->log = log_sink_write;
}

const char *
policy_env_find_bad(const char **values)
{
	for (size_t i = 0; i < ARRAY_LENGTH(variables); i++) {
		const struct variable *variable = &variables[i];
		const char *value = value_of(variable);
		struct settings settings = {0};
		if (value != NULL && !variable->set(&settings, variable, value)) {
			*values = variable->values;
			return variable->name;
		}
	}
	return NULL;
}
