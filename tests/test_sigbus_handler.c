/* SPDX-License-Identifier: MIT */

/* Where the handler runs, whom it wakes, and what it can do without. */

#include "harness.h"
#include "sanitizers.h"

#include "memory_look.h"
#include "sigbus_trap.h"
#include "spare_mappings.h"
#include "trapped_memory.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static struct trapped_memory memory;

static void
set_up(void)
{
	ck_assert_int_eq(sigbus_trap_ref(), 0);
	spare_mappings_fill();
	trapped_memory_init(&memory, 4, PROT_READ, -1);
}

static void
tear_down(void)
{
	trapped_memory_finish(&memory);
	sigbus_trap_unref();
}

/* ---- Where and how the handler runs (I2) ---- */

static void *
read_lost_page(void *result)
{
	*(int *)result = trapped_memory_read(&memory, 3);
	return NULL;
}

TEST(I2_fault_on_a_thread_that_never_began_anything)
{
	int result = -1;
	pthread_t thread;
	set_up();
	trapped_memory_truncate(&memory, 2);
	ck_assert_int_eq(pthread_create(&thread, NULL, read_lost_page, &result), 0);
	pthread_join(thread, NULL);
	ck_assert_int_eq(result, 0);
	tear_down();
}

static void *
read_lost_page_on_small_stack(void *result)
{
	/* What the kernel itself needs for a signal, and not much more. */
	size_t size = (size_t)sysconf(_SC_MINSIGSTKSZ) + 2048;
#ifdef SANITIZED
	size += 65536;
#endif
	unsigned char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = size}, NULL);
	read_lost_page(result);
	sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);

	bool used = false;
	for (size_t i = 0; i < size; i++)
		used |= stack[i] != 0;
	if (!used)
		*(int *)result = -2;
	munmap(stack, size);
	return NULL;
}

TEST(I2_runs_on_a_small_alternate_stack)
{
	int result = -1;
	pthread_t thread;
	set_up();
	trapped_memory_truncate(&memory, 2);
	ck_assert_int_eq(pthread_create(&thread, NULL,
		read_lost_page_on_small_stack, &result), 0);
	pthread_join(thread, NULL);
	ck_assert_int_eq(result, 0);
	tear_down();
}

TEST(I2_keeps_errno)
{
	set_up();
	trapped_memory_truncate(&memory, 2);
	errno = EXDEV;
	int byte = trapped_memory_read(&memory, 2);
	int error = errno;
	ck_assert_int_eq(error, EXDEV);
	ck_assert_int_eq(byte, 0);
	tear_down();
}

TEST(I2_blocks_every_other_signal)
{
	struct sigaction action;
	ck_assert_int_eq(sigbus_trap_ref(), 0);
	ck_assert_int_eq(sigaction(SIGBUS, NULL, &action), 0);
	for (int signal = 1; signal < SIGRTMIN; signal++) {
		bool fixed = signal == SIGKILL || signal == SIGSTOP ||
			signal >= 32; /* libc's own */
		ck_assert(fixed || sigismember(&action.sa_mask, signal) == 1);
	}
	ck_assert(action.sa_flags & SA_ONSTACK);
	sigbus_trap_unref();
}

static void *
touch_lost_page(void *owner)
{
	ck_assert_int_eq(trapped_memory_read(owner, 3), 0);
	return owner;
}

TEST(I2_takes_no_lock_of_the_registry)
{
	int fd = harness_eventfd();
	ck_assert_int_eq(sigbus_trap_ref(), 0);
	trapped_memory_init(&memory, 4, PROT_READ, fd);
	trapped_memory_truncate(&memory, 2);
	range_mark_faulted(memory.range);
	ck_assert_ptr_eq(range_next_faulted(fd, touch_lost_page), &memory);
	tear_down();
	close(fd);
}

static _Atomic int cancel_step;

static void *
be_cancelled_in_a_fault(void *unused)
{
	(void)unused;
	while (cancel_step == 0)
		sched_yield();
	/* A request is pending now, and acts in the next call that may wait. */
	if (trapped_memory_read(&memory, 3) == 0)
		cancel_step = 2;
	pthread_testcancel();
	return NULL;
}

TEST(I2_thread_is_not_cancelled_in_the_handler)
{
	pthread_t thread;
	void *result;
	int fd = harness_eventfd();
	ck_assert_int_eq(sigbus_trap_ref(), 0);
	trapped_memory_init(&memory, 4, PROT_READ, fd);
	trapped_memory_truncate(&memory, 2);
	ck_assert_int_eq(pthread_create(&thread, NULL, be_cancelled_in_a_fault,
		NULL), 0);
	ck_assert_int_eq(pthread_cancel(thread), 0);
	cancel_step = 1;
	ck_assert_int_eq(pthread_join(thread, &result), 0);
	ck_assert_ptr_eq(result, PTHREAD_CANCELED);
	ck_assert_int_eq(cancel_step, 2);
	tear_down();
	close(fd);
}

TEST(I5_fault_wakes_whoever_waits)
{
	int fd = harness_eventfd();
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	ck_assert_int_eq(sigbus_trap_ref(), 0);
	trapped_memory_init(&memory, 4, PROT_READ, fd);
	ck_assert_int_eq(poll(&poll_fd, 1, 0), 0);
	trapped_memory_truncate(&memory, 2);
	ck_assert_int_eq(trapped_memory_read(&memory, 2), 0);
	ck_assert_int_eq(poll(&poll_fd, 1, 0), 1);

	/* A counter that is full must not stop the handler. */
	ck_assert_int_eq(eventfd_write(fd, UINT64_MAX - 2), 0);
	trapped_memory_truncate(&memory, 0);
	ck_assert_int_eq(trapped_memory_read(&memory, 0), 0);
	tear_down();
	close(fd);
}

/* ---- I13 ---- */

static void *
read_lost_page_with_all_blocked(void *result)
{
	sigset_t all, now;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	errno = EXDEV;
	sigbus_trap_prepare_thread();
	int error = errno;
	read_lost_page(result);
	pthread_sigmask(SIG_SETMASK, NULL, &now);
	if (error != EXDEV || sigismember(&now, SIGBUS) != 0 ||
			sigismember(&now, SIGUSR1) != 1)
		*(int *)result = -2;
	return NULL;
}

TEST(I13_thread_that_blocks_sigbus_survives)
{
	int result = -1;
	pthread_t thread;
	set_up();
	trapped_memory_truncate(&memory, 2);
	ck_assert_int_eq(pthread_create(&thread, NULL,
		read_lost_page_with_all_blocked, &result), 0);
	pthread_join(thread, NULL);
	ck_assert_int_eq(result, 0);
	tear_down();
}

/* What it is good for: without, the kernel kills in spite of the handler. */
TEST_DIES(I13_blocked_sigbus_kills_unprepared_thread, SIGBUS)
{
	sigset_t set;
	set_up();
	trapped_memory_truncate(&memory, 2);
	sigemptyset(&set);
	sigaddset(&set, SIGBUS);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	trapped_memory_read(&memory, 3);
}

/* ---- Limits ---- */

/* Uses up the mappings that a process may have. */
struct filler {
	char *split, *rest[64];
	size_t page, split_length;
	int rest_count;
};

static void
fill_mappings(struct filler *filler)
{
	filler->page = page_size();
	filler->rest_count = 0;
	filler->split_length = (size_t)1 << 30;
	filler->split = mmap(NULL, filler->split_length, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	for (size_t i = 0; i < filler->split_length; i += 2 * filler->page) {
		if (mprotect(filler->split + i, filler->page, PROT_READ) != 0)
			break;
	}
	while (filler->rest_count < 64) {
		/* Shared ones never merge with their neighbours. */
		char *one = mmap(NULL, filler->page, PROT_NONE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (one == MAP_FAILED)
			break;
		filler->rest[filler->rest_count++] = one;
	}
}

static void
free_mappings(struct filler *filler)
{
	while (filler->rest_count > 0)
		munmap(filler->rest[--filler->rest_count], filler->page);
	munmap(filler->split, filler->split_length);
}

static long
max_map_count(void)
{
	long count = 0;
	FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
	if (file != NULL && fscanf(file, "%ld", &count) != 1)
		count = 0;
	if (file != NULL)
		fclose(file);
	return count;
}

TEST(I9_faults_with_no_mapping_left)
{
	enum { MAPS = 100, PAGES = 4 };
	static struct trapped_memory memories[MAPS];
	static int bytes[MAPS][PAGES];
	struct filler filler;
	long limit = max_map_count();
	if (limit == 0 || limit > 100000)
		SKIP("vm.max_map_count is %ld", limit);

	ck_assert_int_eq(sigbus_trap_ref(), 0);
	spare_mappings_fill();
	for (int i = 0; i < MAPS; i++)
		trapped_memory_init(&memories[i], PAGES, PROT_READ, -1);
	fill_mappings(&filler);
	bool full = filler.rest_count < 64;
	for (int i = 0; i < MAPS; i++) {
		trapped_memory_truncate(&memories[i], 2);
		for (int page = 0; page < PAGES; page++)
			bytes[i][page] = trapped_memory_read(&memories[i],
				(size_t)page);
		/* Others take what became free meanwhile. */
		if (i % 10 == 0 && filler.rest_count < 64) {
			char *one = mmap(NULL, filler.page, PROT_NONE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
			if (one != MAP_FAILED)
				filler.rest[filler.rest_count++] = one;
		}
	}
	free_mappings(&filler);

	ck_assert(full);
	for (int i = 0; i < MAPS; i++) {
		/* The rest may have had to go with what was lost. */
		ck_assert_int_eq(bytes[i][2], 0);
		ck_assert_int_eq(bytes[i][3], 0);
		ck_assert(memories[i].lost);
		trapped_memory_finish(&memories[i]);
	}
	sigbus_trap_unref();
}

TEST(fault_among_60000_maps)
{
	enum { MAPS = 60000, FAULTS = 100 };
	size_t page = page_size();
	_Atomic bool lost = false;
	struct timespec start, end;
	int fd = harness_memfd(page, 1, 0);
	int empty = harness_memfd(0, 0, 0);
	struct trap_range **ranges = calloc(MAPS, sizeof(*ranges));
	ck_assert_ptr_nonnull(ranges);
	ck_assert_int_eq(sigbus_trap_ref(), 0);

	int maps = 0;
	for (; maps < MAPS; maps++) {
		bool faulty = maps % (MAPS / FAULTS) == 0;
		void *addr = mmap(NULL, page, PROT_READ, MAP_SHARED,
			faulty ? empty : fd, 0);
		if (addr == MAP_FAILED)
			break;
		ranges[maps] = range_register(addr, page, &(struct range_config){
			.block_size = page, .prot = PROT_READ, .notify_fd = -1,
			.lost = &lost,
		});
		ck_assert_ptr_nonnull(ranges[maps]);
	}
	if (maps < MAPS)
		harness_skip("no room for %d mappings, only %d", MAPS, maps);

	long worst = 0, sum = 0;
	for (int i = 0; i < maps; i += MAPS / FAULTS) {
		volatile char *byte = ranges[i]->addr;
		clock_gettime(CLOCK_MONOTONIC, &start);
		ck_assert_int_eq(*byte, 0);
		clock_gettime(CLOCK_MONOTONIC, &end);
		long ns = (end.tv_sec - start.tv_sec) * 1000000000 +
			end.tv_nsec - start.tv_nsec;
		sum += ns;
		worst = ns > worst ? ns : worst;
	}
	fprintf(stderr,
		"# fault among %d maps: %.1f us on average, %.1f at worst\n",
		maps, (double)sum / (FAULTS * 1e3), (double)worst / 1e3);

	for (int i = 0; i < maps; i++) {
		void *addr = ranges[i]->addr;
		ck_assert(range_unregister(ranges[i]));
		munmap(addr, page);
	}
	sigbus_trap_unref();
	free(ranges);
	close(empty);
	close(fd);
}
