/* SPDX-License-Identifier: MIT */

/*
 * To be preloaded into test programs: counts the mappings of shared memory that
 * they make, by what protects those who read them. Programs that are forked count
 * together. The harness asks for test_mappings() and shows it.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAP_NOSIGBUS 0x200000

static const char probe[] = "/memfd:shmguard-probe";

enum kind {
	NOSIGBUS,
	SEALED,
	PLAIN,
	WRITABLE,
	KINDS,
};

static atomic_int *counts; /* of each kind */
static void *(*next_mmap)(void *, size_t, int, int, int, off_t);

__attribute__((constructor))
static void
start(void)
{
	/* NULL has no type that C would let be a function. */
	*(void **)&next_mmap = dlsym(RTLD_NEXT, "mmap");
	void *shared = next_mmap(NULL, KINDS * sizeof(*counts),
		PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared != MAP_FAILED)
		counts = shared;
}

static int
is_probe(int fd)
{
	char path[32], target[sizeof(probe)] = "";
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, target, sizeof(target) - 1) > 0 &&
		strcmp(target, probe) == 0;
}

static void
count(int prot, int flags, int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);
	enum kind kind = PLAIN;
	if (flags & MAP_NOSIGBUS && (flags & MAP_TYPE) == MAP_PRIVATE) {
		if (is_probe(fd))
			return;
		kind = NOSIGBUS;
	} else if (seals < 0 || !(prot & PROT_READ)) {
		return;
	} else if (prot & PROT_WRITE) {
		kind = WRITABLE;
	} else if (seals & F_SEAL_SHRINK) {
		kind = SEALED;
	}
	counts[kind]++;
}

void *
mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	if (next_mmap == NULL)
		start();
	void *result = next_mmap(addr, length, prot, flags, fd, offset);
	int saved_errno = errno;
	if (result != MAP_FAILED && counts != NULL && fd >= 0 &&
			!(flags & MAP_ANONYMOUS))
		count(prot, flags, fd);
	errno = saved_errno;
	return result;
}

/* What was counted since it was asked last; NULL: nothing. */
const char *
test_mappings(void)
{
	static char text[128];
	int now[KINDS] = {0}, sum = 0;
	for (int i = 0; i < KINDS && counts != NULL; i++) {
		now[i] = atomic_exchange(&counts[i], 0);
		sum += now[i];
	}
	if (sum == 0)
		return NULL;
	snprintf(text, sizeof(text),
		"nosigbus %d, sealed %d, plain %d, writable %d", now[NOSIGBUS],
		now[SEALED], now[PLAIN], now[WRITABLE]);
	return text;
}
