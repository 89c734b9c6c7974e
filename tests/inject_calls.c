/* SPDX-License-Identifier: MIT */
#include "inject_calls.h"

#include "inject_memory.h"
#include "nosigbus_map.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <unistd.h>

#define ERRORS_MAX 5

static const struct {
	const char *name;
	int errors[ERRORS_MAX];
} calls[] = {
#define X(name, ...) {#name, {__VA_ARGS__}},
	INJECT_CALLS(X)
#undef X
};

/* ---- Which call fails ---- */

static struct inject_plan plan;
static struct inject_outcome *outcome;
static _Atomic bool armed;

void
inject_set_plan(const struct inject_plan *wanted,
	struct inject_outcome *result)
{
	armed = false;
	plan = *wanted;
	*result = (struct inject_outcome){.failed = INJECT_CALL_COUNT};
	outcome = result;
}

void
inject_arm(bool arm)
{
	armed = arm;
}

const char *
inject_call_name(enum inject_call call)
{
	return calls[call].name;
}

unsigned int
inject_error_count(enum inject_call call)
{
	unsigned int count = 0;
	while (count < ERRORS_MAX && calls[call].errors[count] != 0)
		count++;
	return count;
}

int
inject_error(enum inject_call call, unsigned int number)
{
	return calls[call].errors[number];
}

static bool
is_planned(enum inject_call call, unsigned int number)
{
	if (plan.first == 0 || number < plan.first)
		return false;
	return number == plan.first || number == plan.second ||
		plan.all_after || (plan.same_after && call == outcome->failed);
}

/* 0, or the errno. Also in the signal handler. */
static int
error_of(enum inject_call call, const void *caller)
{
	if (!armed)
		return 0;
	unsigned int number = atomic_fetch_add(&outcome->calls, 1) + 1;
	if (!is_planned(call, number))
		return 0;
	atomic_fetch_add(&outcome->failures, 1);
	if (number != plan.first)
		return calls[call].errors[0];
	outcome->failed = call;
	outcome->caller = caller;
	return calls[call].errors[plan.error];
}

bool
inject_fails_at(enum inject_call call, const void *caller)
{
	int error = error_of(call, caller);
	if (error == 0)
		return false;
	errno = error;
	return true;
}

/* ---- Mappings ---- */

static void *
this_mremap(void *old, size_t old_length, size_t length, int flags, void *fixed)
{
	return mremap(old, old_length, length, flags, fixed);
}

static const struct map_syscalls this_kernel = {
	.mmap = mmap,
	.munmap = munmap,
	.mremap = this_mremap,
	.mprotect = mprotect,
	.madvise = madvise,
};

static const struct map_syscalls *kernel = &this_kernel;

void
inject_use_kernel(const struct map_syscalls *other)
{
	kernel = other;
}

void *inject_mmap(void *address, size_t length, int protection, int flags,
	int fd, off_t offset);
int inject_munmap(void *address, size_t length);
void *inject_mremap(void *old, size_t old_length, size_t length, int flags,
	...);
int inject_mprotect(void *address, size_t length, int protection);
int inject_madvise(void *address, size_t length, int advice);
int inject_mincore(void *address, size_t length, unsigned char *pages);

/* Where nothing can be mapped for good nobody can put pages in the place of others. Of
 * the handler's three tries, before the last of which it gives something up, one
 * works. */
static bool
repair_fails(const void *caller)
{
	static _Atomic unsigned int tries;
	if (tries < 2 && inject_fails_at(INJECT_mmap, caller)) {
		tries++;
		return true;
	}
	tries = 0;
	return false;
}

void *
inject_mmap(void *address, size_t length, int protection, int flags, int fd,
	off_t offset)
{
	if (flags & MAP_FIXED ? repair_fails(__builtin_return_address(0)) :
			inject_fails(INJECT_mmap))
		return MAP_FAILED;
	void *result = kernel->mmap(address, length, protection, flags, fd, offset);
	if (result != MAP_FAILED && !(flags & MAP_FIXED))
		inject_memory_add(result, length, fd);
	return result;
}

int
inject_munmap(void *address, size_t length)
{
	if (inject_fails(INJECT_munmap)) {
		inject_memory_refuse(address);
		return -1;
	}
	/* First: then these addresses can be somebody else's. */
	inject_memory_remove(address, length);
	return kernel->munmap(address, length);
}

void *
inject_mremap(void *old, size_t old_length, size_t length, int flags, ...)
{
	if (inject_fails(INJECT_mremap))
		return MAP_FAILED;
	va_list args;
	va_start(args, flags);
	void *fixed = va_arg(args, void *); /* is passed always */
	va_end(args);
	void *result = kernel->mremap(old, old_length, length, flags, fixed);
	if (result != MAP_FAILED)
		inject_memory_move(old, old_length, result, length);
	return result;
}

int
inject_mprotect(void *address, size_t length, int protection)
{
	return inject_fails(INJECT_mprotect) ? -1 :
		kernel->mprotect(address, length, protection);
}

int
inject_madvise(void *address, size_t length, int advice)
{
	return inject_fails(INJECT_madvise) ? -1 :
		kernel->madvise(address, length, advice);
}

int
inject_mincore(void *address, size_t length, unsigned char *pages)
{
	return inject_fails(INJECT_mincore) ? -1 : mincore(address, length, pages);
}

/* ---- Calls that take several arguments ---- */

int inject_fcntl(int fd, int command, ...);
int inject_open(const char *path, int flags, ...);
long inject_syscall(long number, ...);

/* Only seals are set. */
int
inject_fcntl(int fd, int command, ...)
{
	int argument = 0;
	if (command == F_ADD_SEALS) {
		va_list args;
		va_start(args, command);
		argument = va_arg(args, int);
		va_end(args);
	}
	return inject_fails(INJECT_fcntl) ? -1 : fcntl(fd, command, argument);
}

int
inject_open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	if (flags & O_CREAT) {
		va_list args;
		va_start(args, flags);
		mode = va_arg(args, mode_t);
		va_end(args);
	}
	return inject_fails(INJECT_open) ? -1 : open(path, flags, mode);
}

static size_t
count_arguments(long number)
{
	switch (number) {
	case SYS_gettid:
		return 0;
#ifdef SYS_memfd_secret
	case SYS_memfd_secret:
		return 1;
#endif
	case SYS_write:
		return 3;
	case SYS_rt_tgsigqueueinfo:
		return 4;
	case SYS_statx:
		return 5;
	default:
		abort(); /* a new one: can it fail? */
	}
}

/* The handler's write(2) fails only where the eventfd is full. */
static bool
syscall_fails(long number, const void *caller)
{
	if (number == SYS_statx)
		return inject_fails_at(INJECT_statx, caller);
#ifdef SYS_memfd_secret
	if (number == SYS_memfd_secret)
		return inject_fails_at(INJECT_memfd_secret, caller);
#endif
	return false;
}

long
inject_syscall(long number, ...)
{
	long arguments[5] = {0};
	size_t count = count_arguments(number);
	va_list args;
	va_start(args, number);
	for (size_t i = 0; i < count; i++)
		arguments[i] = va_arg(args, long);
	va_end(args);
	if (syscall_fails(number, __builtin_return_address(0)))
		return -1;
	return syscall(number, arguments[0], arguments[1], arguments[2],
		arguments[3], arguments[4]);
}

/* ---- The rest ---- */

#define CALL(type, name, parameters, arguments, failure) \
	type inject_##name parameters; \
	type inject_##name parameters \
	{ return inject_fails(INJECT_##name) ? (failure) : name arguments; }

/* Those that return the error. */
#define THREAD_CALL(name, parameters, arguments) \
	int inject_##name parameters; \
	int inject_##name parameters \
	{ \
		int error = error_of(INJECT_##name, \
			__builtin_return_address(0)); \
		return error != 0 ? error : name arguments; \
	}

CALL(void *, malloc, (size_t size), (size), NULL)
CALL(void *, calloc, (size_t count, size_t size), (count, size), NULL)
CALL(ssize_t, process_vm_readv, (pid_t pid, const struct iovec *here,
	unsigned long here_count, const struct iovec *there,
	unsigned long there_count, unsigned long flags),
	(pid, here, here_count, there, there_count, flags), -1)
CALL(int, fstat, (int fd, struct stat *file), (fd, file), -1)
CALL(int, fstatfs, (int fd, struct statfs *filesystem), (fd, filesystem), -1)
CALL(int, stat, (const char *path, struct stat *file), (path, file), -1)
CALL(int, statfs, (const char *path, struct statfs *filesystem),
	(path, filesystem), -1)
CALL(int, memfd_create, (const char *name, unsigned int flags), (name, flags),
	-1)
CALL(int, ftruncate, (int fd, off_t length), (fd, length), -1)
CALL(int, pipe2, (int ends[2], int flags), (ends, flags), -1)
CALL(int, eventfd, (unsigned int value, int flags), (value, flags), -1)
CALL(FILE *, fopen, (const char *path, const char *mode), (path, mode), NULL)
CALL(DIR *, opendir, (const char *path), (path), NULL)
CALL(ssize_t, readlink, (const char *path, char *target, size_t size),
	(path, target, size), -1)
CALL(ssize_t, pread, (int fd, void *bytes, size_t size, off_t offset),
	(fd, bytes, size, offset), -1)
CALL(ssize_t, pwrite, (int fd, const void *bytes, size_t size, off_t offset),
	(fd, bytes, size, offset), -1)
CALL(int, getrlimit, (__rlimit_resource_t resource, struct rlimit *limit), (resource, limit),
	-1)
CALL(int, sysinfo, (struct sysinfo *info), (info), -1)
CALL(int, sigaction, (int signal, const struct sigaction *action,
	struct sigaction *old), (signal, action, old), -1)
CALL(int, sched_setscheduler, (pid_t pid, int policy,
	const struct sched_param *parameters), (pid, policy, parameters), -1)
THREAD_CALL(pthread_create, (pthread_t *thread, const pthread_attr_t *attr,
	void *(*func)(void *), void *data), (thread, attr, func, data))
THREAD_CALL(pthread_attr_init, (pthread_attr_t *attr), (attr))
THREAD_CALL(pthread_atfork, (void (*prepare)(void), void (*parent)(void),
	void (*child)(void)), (prepare, parent, child))
THREAD_CALL(pthread_setname_np, (pthread_t thread, const char *name),
	(thread, name))

/* Eventfds, whose values these are, fail only when there is nothing to do. */
static bool
is_for_eventfd(size_t size)
{
	return size == sizeof(eventfd_t);
}

ssize_t inject_read(int fd, void *bytes, size_t size);
ssize_t inject_write(int fd, const void *bytes, size_t size);
int inject_close(int fd);

ssize_t
inject_read(int fd, void *bytes, size_t size)
{
	if (!is_for_eventfd(size) && inject_fails(INJECT_read))
		return -1;
	return read(fd, bytes, size);
}

ssize_t
inject_write(int fd, const void *bytes, size_t size)
{
	if (!is_for_eventfd(size) && inject_fails(INJECT_write))
		return -1;
	return write(fd, bytes, size);
}

/* Linux closes the descriptor whatever it says: who tries again closes somebody
 * else's. */
int
inject_close(int fd)
{
	if (close(fd) < 0 && errno == EBADF)
		abort();
	return inject_fails(INJECT_close) ? -1 : 0;
}
