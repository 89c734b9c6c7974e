/* SPDX-License-Identifier: MIT */
#include "sigbus_trap.h"

#include "fork_lock.h"
#include "page_probe.h"
#include "range_registry.h"
#include "spare_mappings.h"

#include <errno.h>
#include <pthread.h>
#include <shmguard/map.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/* A file that keeps losing pages is repaired page by page this often. Then its
 * mapping is given up as a whole, so that no client can make us take a signal
 * for each of its pages. */
#define MAX_PRECISE_REPAIRS 8

static struct fork_lock lock = FORK_LOCK_INITIALIZER(NULL);
static unsigned int references;
static bool warned;

/* Written before the handler can run, and not again while it can. */
static bool installed;
static struct sigaction previous;
/* SA_RESETHAND of the previous action has been used up. */
static _Atomic bool previous_was_reset;
static _Atomic bool host_asks_us;

/* ---- Repair: async-signal-safe from here ---- */

static enum page_backing
probe_block(uintptr_t address, size_t block_size)
{
	return page_probe((void *)address, block_size);
}

/* The first block that a truncated file has lost, given one that it has. */
static uintptr_t
first_lost_block(uintptr_t start, uintptr_t lost, size_t block_size)
{
	size_t low = 0, high = (lost - start) / block_size;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (probe_block(start + middle * block_size, block_size) ==
				PAGE_BACKED)
			low = middle + 1;
		else
			high = middle;
	}
	return start + low * block_size;
}

struct span {
	uintptr_t start, end;
};

/* The block that faulted, and those next to it that cannot be had either. */
static struct span
lost_blocks_around(uintptr_t block, struct span all, size_t block_size)
{
	struct span lost = {block, block + block_size};
	while (lost.start > all.start &&
			probe_block(lost.start - block_size, block_size) == PAGE_LOST)
		lost.start -= block_size;
	while (lost.end < all.end && probe_block(lost.end, block_size) == PAGE_LOST)
		lost.end += block_size;
	return lost;
}

/* Where the mapping shows no more of the file: earlier truncations may have left
 * zeros there. */
static uintptr_t
end_of_file_pages(const struct trap_range *range, struct span all,
	uintptr_t address)
{
	uintptr_t zeros = atomic_load(&range->zeros_from);
	return zeros > address && zeros < all.end ? zeros : all.end;
}

/* What to replace (I7): as little as the cause allows. */
static struct span
choose_span(const struct trap_range *range, struct span all, uintptr_t address,
	const siginfo_t *info)
{
	size_t block_size = range->block_size;
	uintptr_t block = all.start +
		(address - all.start) / block_size * block_size;
	struct span one = {block, block + block_size};

	/* The less a repair splits, the longer the reserve lasts. */
	if (range->faults >= MAX_PRECISE_REPAIRS || !spare_mappings_are_complete())
		return all;

#ifdef BUS_MCEERR_AR
	if (info->si_code == BUS_MCEERR_AR || info->si_code == BUS_MCEERR_AO)
		return one;
#else
	(void)info;
#endif
	if (range->has_holes)
		return lost_blocks_around(block, all, block_size);

	/* Everybody who unregisters waits for handlers. */
	uintptr_t end = end_of_file_pages(range, all, address);
	if (range->can_block)
		return (struct span){block, end};

	switch (probe_block(end - block_size, block_size)) {
	case PAGE_BACKED:
		/* A hole that cannot be filled: no space, or a bad disk. */
		return one;
	case PAGE_LOST:
		return (struct span){
			first_lost_block(all.start, block, block_size), end};
	case PAGE_UNKNOWN:
		break;
	}
	return (struct span){block, end};
}

static bool
place_zeros(struct span span, int prot)
{
	/* Without MAP_NORESERVE there must be memory for all of it. */
	return mmap((void *)span.start, span.end - span.start, prot,
		MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) !=
		MAP_FAILED;
}

/* With vm.overcommit_memory=2 memory that can be written must be promised, and there may
 * be none left; memory that is read need not. At once: kernels before Linux 6.12 have
 * unmapped what was there when they find that out. */
static bool
place_zeros_to_read_at_least(struct span span, int prot)
{
	return place_zeros(span, prot) ||
		((prot & PROT_WRITE) != 0 && place_zeros(span, PROT_READ));
}

/* Replacing a part splits the mapping, which fails when the process has as many
 * as it may. Replacing the whole then works, but not if it has one too many. */
static bool
place_zeros_or_all(struct span span, struct span all, int prot)
{
	if (place_zeros_to_read_at_least(span, prot))
		return true;
	if (place_zeros_to_read_at_least(all, prot))
		return true;
	spare_mappings_release();
	return place_zeros_to_read_at_least(all, prot);
}

static void
wake(int fd)
{
	/* Not write(3): a thread that is to be cancelled would end there, and the
	 * handler would count as in flight for ever. Fails only if the counter is
	 * full: then a wake-up is due anyway. */
	syscall(SYS_write, fd, &(uint64_t){1}, sizeof(uint64_t));
}

static bool
is_memory_fault(const siginfo_t *info)
{
	switch (info->si_code) {
	case BUS_ADRERR:
	case BUS_OBJERR:
#ifdef BUS_MCEERR_AR
	case BUS_MCEERR_AR:
	case BUS_MCEERR_AO:
#endif
		return true;
	default:
		return false;
	}
}

static bool
replace(struct trap_range *range, struct span span, struct span all,
	uintptr_t address)
{
	/* First, for whoever finds that the mapping is not what it was. */
	atomic_store(range->lost, true);
	if (!place_zeros_or_all(span, all, atomic_load(&range->prot)))
		return false;
	if (span.end == end_of_file_pages(range, all, address))
		atomic_store(&range->zeros_from, span.start);

	atomic_fetch_add(&range->faults, 1);
	range_mark_faulted(range);
	if (range->notify_fd >= 0)
		wake(range->notify_fd);
	return true;
}

static bool
repair_range(struct trap_range *range, struct span all, uintptr_t address,
	const siginfo_t *info)
{
	return replace(range, choose_span(range, all, address, info), all,
		address);
}

static bool
repair(const siginfo_t *info)
{
	if (!is_memory_fault(info))
		return false;

	uintptr_t address = (uintptr_t)info->si_addr;
	struct span all;
	range_handler_enter();
	struct trap_range *range = range_find(address, &all.start, &all.end);
	bool repaired = range != NULL && repair_range(range, all, address, info);
	range_handler_leave();
	return repaired;
}

bool
sigbus_trap_give_up(struct trap_range *range)
{
	struct span all;
	range_handler_enter();
	uintptr_t address = (uintptr_t)range->addr;
	bool given_up = range_find(address, &all.start, &all.end) == range &&
		replace(range, all, all, address);
	range_handler_leave();
	return given_up;
}

/* ---- Passing on (I4) ---- */

static bool
calls_function(const struct sigaction *action)
{
	return (action->sa_flags & SA_SIGINFO) ||
		(action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN);
}

static void
call_previous(int signal, siginfo_t *info, void *context)
{
	sigset_t mask = ((ucontext_t *)context)->uc_sigmask, ours;
	for (int other = 1; other < NSIG; other++) {
		if (sigismember(&previous.sa_mask, other) == 1)
			sigaddset(&mask, other);
	}
	if (!(previous.sa_flags & SA_NODEFER))
		sigaddset(&mask, signal);

	if ((unsigned int)previous.sa_flags & SA_RESETHAND)
		atomic_store(&previous_was_reset, true);

	pthread_sigmask(SIG_SETMASK, &mask, &ours);
	if (previous.sa_flags & SA_SIGINFO)
		previous.sa_sigaction(signal, info, context);
	else
		previous.sa_handler(signal);
	pthread_sigmask(SIG_SETMASK, &ours, NULL);
}

/* Raised by an access that is repeated when the handler returns. */
static bool
is_synchronous(const siginfo_t *info)
{
#ifdef BUS_MCEERR_AO
	if (info->si_code == BUS_MCEERR_AO)
		return false;
#endif
	return info->si_code > 0;
}

/* The default action must happen where the fault is, so that the core dump shows
 * it. The signal that is sent again waits for the handler's return, because it is
 * blocked now. The access that is repeated then may not fault any more, so that
 * is but second best. */
static void
die_by_default(int signal, siginfo_t *info)
{
	if (sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL)
			< 0)
		kill(getpid(), SIGKILL); /* or we would be called for ever */
#ifdef __linux__
	if (syscall(SYS_rt_tgsigqueueinfo, getpid(), (pid_t)syscall(SYS_gettid),
			signal, info) == 0)
		return;
#endif
	if (!is_synchronous(info))
		raise(signal);
}

static void
pass_on(int signal, siginfo_t *info, void *context)
{
	bool is_function = calls_function(&previous);

	if (is_function && !atomic_load(&previous_was_reset))
		call_previous(signal, info, context);
	else if (is_function || previous.sa_handler == SIG_DFL ||
			is_synchronous(info))
		/* The kernel kills for a fault even where SIGBUS is ignored. */
		die_by_default(signal, info);
}

static void
handle_sigbus(int signal, siginfo_t *info, void *context)
{
	int saved_errno = errno;
	if (!repair(info))
		pass_on(signal, info, context);
	errno = saved_errno;
}

bool
shmguard_handle_sigbus(const siginfo_t *info)
{
	int saved_errno = errno;
	sigset_t all, theirs;
	atomic_store(&host_asks_us, true);
	/* As in our handler: nothing may jump out of it. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &theirs);
	bool repaired = repair(info);
	pthread_sigmask(SIG_SETMASK, &theirs, NULL);
	errno = saved_errno;
	return repaired;
}

/* ---- Installation ---- */

static bool
is_ours(const struct sigaction *action)
{
	return (action->sa_flags & SA_SIGINFO) &&
		action->sa_sigaction == handle_sigbus;
}

static int
install(void)
{
	struct sigaction current;
	if (sigaction(SIGBUS, NULL, &current) < 0)
		return -1;
	/* Still in place, or perhaps called by whoever came after us: then calling
	 * them would make a circle. */
	if (installed && calls_function(&current))
		return 0;
	previous = current;

	struct sigaction action = {
		.sa_sigaction = handle_sigbus,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART,
	};
	/* A SIGBUS that is sent must interrupt what it would have interrupted. */
	if (calls_function(&previous) && !(previous.sa_flags & SA_RESTART))
		action.sa_flags &= ~SA_RESTART;
	/* Nothing may jump out of the handler while it counts as in flight. */
	sigfillset(&action.sa_mask);

	atomic_store(&previous_was_reset, false);
	atomic_store(&host_asks_us, false);
	warned = false;
	if (sigaction(SIGBUS, &action, NULL) < 0)
		return -1;
	installed = true;
	return 0;
}

static void
uninstall(void)
{
	struct sigaction current;
	if (sigaction(SIGBUS, NULL, &current) < 0 || !is_ours(&current))
		return; /* somebody may have saved ours, and call it: leave it be */

	/* Where a sandbox forbids it ours stays, and knows whom to pass on to. */
	static const struct sigaction by_default = {.sa_handler = SIG_DFL};
	bool was_reset = atomic_load(&previous_was_reset);
	if (sigaction(SIGBUS, was_reset ? &by_default : &previous, NULL) == 0)
		installed = false;
}

int
sigbus_trap_ref(void)
{
	int result = fork_lock_take(&lock) ? 0 : -1;
	if (result == 0 && references == 0)
		result = install();
	if (result == 0)
		references++;
	fork_lock_give(&lock);
	return result;
}

void
sigbus_trap_unref(void)
{
	fork_lock_take(&lock);
	if (--references == 0)
		uninstall();
	fork_lock_give(&lock);
}

bool
sigbus_trap_was_replaced(void)
{
	struct sigaction current;
	if (sigaction(SIGBUS, NULL, &current) < 0)
		return false;

	fork_lock_take(&lock);
	bool replaced = installed && !is_ours(&current) &&
		!atomic_load(&host_asks_us);
	bool news = replaced && !warned;
	warned = replaced;
	fork_lock_give(&lock);
	return news;
}

_Thread_local bool sigbus_trap_thread_is_prepared
	__attribute__((tls_model("initial-exec")));

void
sigbus_trap_prepare_this_thread(void)
{
	sigset_t mask;
	sigemptyset(&mask);
	sigaddset(&mask, SIGBUS);
	pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
	sigbus_trap_thread_is_prepared = true;
}
