/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

void
guard_log(const struct shmguard_policy *policy, enum shmguard_log_level level,
	const char *format, ...)
{
	if ((policy == NULL || policy->log == NULL) && level != SHMGUARD_LOG_ERROR)
		return;

	int saved_errno = errno;
	char line[512];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);

	if (policy != NULL && policy->log != NULL)
		policy->log(level, line, policy->log_data);
	else
		fprintf(stderr, "shmguard: %s\n", line);
	errno = saved_errno;
}
