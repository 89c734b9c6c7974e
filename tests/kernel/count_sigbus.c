/* SPDX-License-Identifier: MIT */

/*
 * To be preloaded into a compositor: stands before the SIGBUS handler that it
 * installs and counts how often that is called, in the file that
 * SHMGUARD_TEST_SIGBUS names. Compositors that share the file count together.
 */

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static _Atomic unsigned int *delivered;
static struct sigaction installed;
static int (*next_sigaction)(int, const struct sigaction *, struct sigaction *);

static void
start(void)
{
	*(void **)&next_sigaction = dlsym(RTLD_NEXT, "sigaction");
	const char *path = getenv("SHMGUARD_TEST_SIGBUS");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *page = MAP_FAILED;
	if (fd >= 0 && ftruncate(fd, sizeof(*delivered)) == 0)
		page = mmap(NULL, sizeof(*delivered), PROT_READ | PROT_WRITE,
			MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		abort();
	close(fd);
	delivered = page;
}

static void
count(int signal, siginfo_t *info, void *context)
{
	(*delivered)++;
	if (installed.sa_flags & SA_SIGINFO)
		installed.sa_sigaction(signal, info, context);
	else
		installed.sa_handler(signal);
}

static bool
is_ours(const struct sigaction *action)
{
	return action->sa_flags & SA_SIGINFO && action->sa_sigaction == count;
}

int
sigaction(int signal, const struct sigaction *action, struct sigaction *old)
{
	if (next_sigaction == NULL)
		start();
	if (signal != SIGBUS)
		return next_sigaction(signal, action, old);

	struct sigaction before = installed, counting;
	bool handles = action != NULL && action->sa_handler != SIG_DFL &&
		action->sa_handler != SIG_IGN;
	if (handles) {
		counting = *action;
		counting.sa_flags |= SA_SIGINFO;
		counting.sa_sigaction = count;
		installed = *action;
	}
	int result = next_sigaction(signal, handles ? &counting : action, old);
	if (result == 0 && old != NULL && is_ours(old))
		*old = before;
	return result;
}
