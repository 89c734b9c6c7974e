/* SPDX-License-Identifier: MIT */
#include "leftovers.h"

#include "client_files.h"
#include "fuzz.h"

#include <shmguard/map.h>
#include <stdio.h>
#include <time.h>

/* Seconds: others may be using the machine. */
#define PATIENCE 20

static void
handle_sigbus(int signal, siginfo_t *info, void *context)
{
	(void)context;
	/* Otherwise it happens again, and the sanitizer says where. */
	if (!shmguard_handle_sigbus(info))
		sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
}

void
leftovers_begin(struct leftovers *before, int host)
{
	before->descriptors = open_descriptors();
	sigaction(SIGBUS, NULL, &before->action);
	if (host)
		sigaction(SIGBUS, &(struct sigaction){
			.sa_sigaction = handle_sigbus,
			.sa_flags = SA_SIGINFO | SA_ONSTACK,
		}, NULL);
}

/* What is left behind, in words, or false. */
static bool
describe(const struct leftovers *before, char *text, size_t size)
{
	struct shmguard_usage usage;
	shmguard_total_usage(&usage);
	int open = open_descriptors();
	bool mapped = client_files_are_mapped();
	struct sigaction action;
	sigaction(SIGBUS, NULL, &action);
	bool restored = action.sa_sigaction == handle_sigbus ||
		action.sa_sigaction == before->action.sa_sigaction;
	if (usage.pools == 0 && usage.buffers == 0 && usage.mappings == 0 &&
			usage.bytes == 0 && usage.descriptors == 0 &&
			usage.holes == 0 && open == before->descriptors &&
			!mapped && restored)
		return false;
	snprintf(text, size, "%zu pools, %zu buffers, %zu mappings, %zu bytes, "
		"%zu descriptors, %zu holes; %d open descriptors instead of %d; "
		"client memory is %smapped; SIGBUS is %sas before",
		usage.pools, usage.buffers, usage.mappings, usage.bytes,
		usage.descriptors, usage.holes, open, before->descriptors,
		mapped ? "" : "not ", restored ? "" : "not ");
	return true;
}

void
leftovers_check(const struct leftovers *before)
{
	char text[512];
	time_t start = time(NULL);
	while (describe(before, text, sizeof(text))) {
		FUZZ_CHECK(time(NULL) - start < PATIENCE, "%s", text);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	sigaction(SIGBUS, &before->action, NULL);
}
