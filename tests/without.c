/* SPDX-License-Identifier: MIT */

/*
 * without KERNEL PROGRAM [ARGUMENT]...: runs a program as on a kernel, or in a
 * container, that lacks something. It notices by trying, as on the real one.
 */

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_MDWE_REFUSE_EXEC_GAIN (1UL << 0)
#endif

/* A call, or one use of it: that with `value` as argument number `argument`. */
struct missing_call {
	int number;
	int error;
	bool one_use;
	unsigned int argument;
	uint64_t value;
};

#define CALL(name, error) {SCMP_SYS(name), error, false, 0, 0}
#define USE(name, argument, value, error) \
	{SCMP_SYS(name), error, true, argument, value}

#define MAX_CALLS 8

static const struct kernel {
	const char *name;
	struct missing_call calls[MAX_CALLS];
} kernels[] = {
	{"memfd", {CALL(memfd_create, ENOSYS)}},
	{"memfd-eperm", {CALL(memfd_create, EPERM)}},
	{"seals", {
		USE(fcntl, 1, F_GET_SEALS, EINVAL),
		USE(fcntl, 1, F_ADD_SEALS, EINVAL),
		USE(fcntl64, 1, F_GET_SEALS, EINVAL),
		USE(fcntl64, 1, F_ADD_SEALS, EINVAL),
	}},
	/* As Linux is where it was built without MEMFD_CREATE. */
	{"no-memfd", {
		CALL(memfd_create, ENOSYS),
		USE(fcntl, 1, F_GET_SEALS, EINVAL),
		USE(fcntl, 1, F_ADD_SEALS, EINVAL),
		USE(fcntl64, 1, F_GET_SEALS, EINVAL),
		USE(fcntl64, 1, F_ADD_SEALS, EINVAL),
	}},
	{"statx", {CALL(statx, ENOSYS)}},
	{"statx-eperm", {CALL(statx, EPERM)}},
	{"mremap", {CALL(mremap, ENOSYS)}},
	{"mremap-eperm", {CALL(mremap, EPERM)}},
	{"eventfd", {CALL(eventfd, ENOSYS), CALL(eventfd2, ENOSYS)}},
	{"eventfd-eperm", {CALL(eventfd, EPERM), CALL(eventfd2, EPERM)}},
	{"process_vm_readv", {CALL(process_vm_readv, EPERM)}},
	{"populate", {USE(madvise, 2, MADV_POPULATE_READ, EINVAL)}},
	{"populate-eperm", {USE(madvise, 2, MADV_POPULATE_READ, EPERM)}},
	{"probes", {
		USE(madvise, 2, MADV_POPULATE_READ, EINVAL),
		CALL(process_vm_readv, ENOSYS),
	}},
	{"madvise", {CALL(madvise, EPERM)}},
	{"mincore", {CALL(mincore, EPERM)}},
	/* Nothing that was writable becomes executable (Linux 6.3). */
	{"mdwe", {{0}}},
};
#define KERNELS (sizeof(kernels) / sizeof(kernels[0]))

static bool
take_away(scmp_filter_ctx filter, const struct missing_call *call)
{
	struct scmp_arg_cmp use = {
		.arg = call->argument,
		.op = SCMP_CMP_EQ,
		.datum_a = call->value,
	};
	int result = seccomp_rule_add(filter, SCMP_ACT_ERRNO((unsigned)call->error),
		call->number, call->one_use ? 1 : 0, use);
	errno = -result;
	return result == 0 || result == -EDOM;
}

static bool
become(const struct kernel *kernel)
{
	if (strcmp(kernel->name, "mdwe") == 0)
		return prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) == 0;

	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	if (filter == NULL)
		return false;
	bool done = true;
	for (int i = 0; i < MAX_CALLS && kernel->calls[i].error != 0 && done; i++)
		done = take_away(filter, &kernel->calls[i]);
	if (done) {
		int result = seccomp_load(filter);
		errno = -result;
		done = result == 0;
	}
	seccomp_release(filter);
	return done;
}

int
main(int argc, char **argv)
{
	for (size_t i = 0; argc > 2 && i < KERNELS; i++) {
		if (strcmp(argv[1], kernels[i].name) != 0)
			continue;
		if (!become(&kernels[i])) {
			printf("1..0 # SKIP %s: %s\n", argv[1], strerror(errno));
			return EXIT_SUCCESS;
		}
		execv(argv[2], argv + 2);
		perror(argv[2]);
		return EXIT_FAILURE;
	}
	fprintf(stderr, "usage: %s KERNEL PROGRAM [ARGUMENT]..., where KERNEL lacks:",
		argv[0]);
	for (size_t i = 0; i < KERNELS; i++)
		fprintf(stderr, " %s", kernels[i].name);
	fputc('\n', stderr);
	return EXIT_FAILURE;
}
