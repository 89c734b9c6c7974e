/* SPDX-License-Identifier: MIT */
#ifndef INJECT_CALLS_H
#define INJECT_CALLS_H

/*
 * The calls of the library that can fail, and what they fail with. In programs
 * that are linked with its renamed objects (make_injected.sh) its calls of NAME
 * come here as inject_NAME(); nobody else's do. They count, and fail on request.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A name and its errnos, of which the first is one that can last: whoever tries
 * again for ever is to blame for it. */
#define INJECT_CALLS(X) \
	X(malloc, ENOMEM) \
	X(calloc, ENOMEM) \
	X(mmap, ENOMEM, EACCES, ENODEV, EAGAIN) \
	X(mremap, ENOMEM, EFAULT, EAGAIN) \
	X(mprotect, ENOMEM, EACCES) \
	X(munmap, ENOMEM) \
	X(madvise, ENOMEM, EINVAL, EAGAIN, EPERM) \
	X(mincore, ENOMEM, EAGAIN, EPERM) \
	X(process_vm_readv, EPERM, ENOMEM) \
	X(fcntl, EACCES, ENOMEM) \
	X(fstat, EACCES, ENOMEM, EIO) \
	X(fstatfs, EACCES, ENOMEM, EINTR) \
	X(stat, EACCES, ENOMEM) \
	X(statfs, EACCES, ENOMEM, EINTR) \
	X(statx, EPERM, ENOSYS, ENOMEM, EACCES) \
	X(memfd_secret, ENOSYS, EPERM, EMFILE) \
	X(memfd_create, ENOSYS, EPERM, EMFILE, ENFILE) \
	X(ftruncate, ENOSPC, EINTR) \
	X(pipe2, EMFILE, ENFILE) \
	X(eventfd, EMFILE, ENFILE, ENOMEM) \
	X(open, EMFILE, ENFILE, EACCES, ENOMEM) \
	X(fopen, EMFILE, ENFILE, EACCES) \
	X(opendir, EMFILE, ENOMEM) \
	X(readlink, ENOMEM, EACCES) \
	X(read, EIO, EINTR) \
	X(pread, EIO, EINTR, EAGAIN, ENOMEM) \
	X(pwrite, ENOSPC, EINTR, EIO) \
	X(write, EIO, EINTR, EAGAIN) \
	X(close, EIO, EINTR) \
	X(getrlimit, EPERM) \
	X(sysinfo, EPERM) \
	X(sigaction, EPERM) \
	X(pthread_create, EAGAIN, EPERM) \
	X(pthread_attr_init, ENOMEM) \
	X(pthread_atfork, ENOMEM) \
	X(pthread_setname_np, EPERM) \
	X(sched_setscheduler, EPERM) \
	X(wl_array_add, ENOMEM) \
	X(wl_resource_create, ENOMEM) \
	X(wl_global_create, ENOMEM) \
	X(wl_event_loop_add_fd, ENOMEM, ENOSPC)

enum inject_call {
#define X(name, ...) INJECT_##name,
	INJECT_CALLS(X)
#undef X
	INJECT_CALL_COUNT
};

/* Which calls fail, counted from 1 over all kinds and threads. */
struct inject_plan {
	unsigned int first;  /* 0: none */
	unsigned int second; /* one more, later; 0: none */
	/* And all after the first: of every kind, or of its own. */
	bool all_after, same_after;
	unsigned int error; /* which of its errnos the first gets, from 0 */
};

/* What came of it. */
struct inject_outcome {
	_Atomic unsigned int calls; /* that were counted */
	_Atomic unsigned int failures;
	/* The first of them: an enum inject_call, and whose. */
	_Atomic unsigned int failed;
	const void *_Atomic caller;
};

/* Starts to count anew; not armed. `outcome` is kept up to date. */
void inject_set_plan(const struct inject_plan *plan,
	struct inject_outcome *outcome);
/* While it is armed calls count. */
void inject_arm(bool arm);

/* For the calls: counts one, and sets errno if it has to fail. */
#define inject_fails(call) \
	inject_fails_at(call, __builtin_return_address(0))
bool inject_fails_at(enum inject_call call, const void *caller);

/* Calls about mappings that do not fail go to another kernel than this. */
struct map_syscalls;
void inject_use_kernel(const struct map_syscalls *kernel);

const char *inject_call_name(enum inject_call call);
/* How many errnos it has, and which. */
unsigned int inject_error_count(enum inject_call call);
int inject_error(enum inject_call call, unsigned int number);

#endif
