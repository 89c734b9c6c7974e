/* SPDX-License-Identifier: MIT */
#ifndef LOG_H
#define LOG_H

#include <shmguard/map.h>

/* Formats one line for the policy's log function. Keeps errno, so that it can
 * stand between a failed call and the code that reports it. Not for use in a
 * signal handler. `policy` may be NULL. */
__attribute__((format(printf, 3, 4)))
void guard_log(const struct shmguard_policy *policy,
	enum shmguard_log_level level, const char *format, ...);

#endif
