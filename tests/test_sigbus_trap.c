/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include "memory_look.h"
#include "sigbus_trap.h"
#include "spare_mappings.h"
#include "trapped_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <shmguard/map.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Signals that one mapping may ever cost, however its file changes. */
#define MAX_SIGNALS 9

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif

static struct trapped_memory memory;

static void
set_up(size_t pages)
{
	ck_assert_int_eq(sigbus_trap_ref(), 0);
	spare_mappings_fill();
	trapped_memory_init(&memory, pages, PROT_READ, -1);
}

static void
tear_down(void)
{
	trapped_memory_finish(&memory);
	sigbus_trap_unref();
}

static unsigned int
signals_taken(void)
{
	return memory.range->faults;
}

/* ---- What is repaired, and how often ---- */

TEST(I7_tail_is_lost_prefix_stays)
{
	set_up(64);
	trapped_memory_truncate(&memory, 24);
	ck_assert(!memory.lost);
	ck_assert_int_eq(trapped_memory_read(&memory, 40), 0);
	ck_assert(memory.lost);
	trapped_memory_check(&memory, 24);
	ck_assert_uint_eq(signals_taken(), 1);
	tear_down();
}

TEST(I7_all_of_the_file_is_lost)
{
	set_up(8);
	trapped_memory_truncate(&memory, 0);
	trapped_memory_check(&memory, 0);
	ck_assert_uint_eq(signals_taken(), 1);
	tear_down();
}

TEST(I7_file_ends_within_a_page)
{
	set_up(4);
	size_t end = memory.page + 100;
	ck_assert_int_eq(ftruncate(memory.fd, (off_t)end), 0);
	for (size_t i = 0; i < 4 * memory.page; i++) {
		int expected = i < end ? page_byte(i / memory.page) : 0;
		ck_assert_int_eq(memory.bytes[i], expected);
	}
	ck_assert_uint_eq(signals_taken(), 1);
	tear_down();
}

TEST(I7_order_of_access_does_not_matter)
{
	enum { PAGES = 256, KEPT = 100 };
	for (int order = 0; order < 3; order++) {
		set_up(PAGES);
		trapped_memory_truncate(&memory, KEPT);
		for (size_t i = 0; i < PAGES; i++) {
			size_t page = order == 0 ? i : PAGES - 1 - i;
			if (order == 2)
				page = i * 97 % PAGES;
			ck_assert_int_eq(trapped_memory_read(&memory, page),
				page < KEPT ? page_byte(page) : 0);
		}
		ck_assert_uint_eq(signals_taken(), 1);
		tear_down();
	}
}

TEST(I7_each_truncation_takes_one_signal)
{
	unsigned int truncations = 0;
	set_up(256);
	for (size_t kept = 250; kept > 100; kept -= 40) {
		trapped_memory_truncate(&memory, kept);
		trapped_memory_check(&memory, kept);
		ck_assert_uint_eq(signals_taken(), ++truncations);
	}
	tear_down();
}

TEST(I7_signals_are_bounded_and_then_all_is_zero)
{
	enum { PAGES = 128 };
	set_up(PAGES);
	for (size_t kept = PAGES - 1; kept > 0; kept--) {
		trapped_memory_truncate(&memory, kept);
		ck_assert_int_eq(trapped_memory_read(&memory, kept), 0);
	}
	ck_assert_uint_eq(signals_taken(), MAX_SIGNALS);
	trapped_memory_check(&memory, 0);
	tear_down();
}

TEST(I7_lost_page_stays_zero_when_the_file_grows_again)
{
	set_up(4);
	trapped_memory_truncate(&memory, 2);
	ck_assert_int_eq(trapped_memory_read(&memory, 3), 0);
	ck_assert_int_eq(pwrite(memory.fd, "x", 1, (off_t)(3 * memory.page)), 1);
	trapped_memory_check(&memory, 2);
	tear_down();
}

TEST(I7_page_that_came_back_before_it_was_missed)
{
	set_up(4);
	trapped_memory_truncate(&memory, 2);
	trapped_memory_truncate(&memory, 4);
	trapped_memory_check(&memory, 2);
	ck_assert_uint_eq(signals_taken(), 0);
	ck_assert(!memory.lost);
	tear_down();
}

TEST(I7_lost_memory_takes_stores_where_it_was_writable)
{
	ck_assert_int_eq(sigbus_trap_ref(), 0);
	trapped_memory_init(&memory, 4, PROT_READ | PROT_WRITE, -1);
	trapped_memory_truncate(&memory, 1);
	memory.bytes[2 * memory.page] = 7;
	memory.bytes[3 * memory.page] = 8;
	ck_assert_int_eq(trapped_memory_read(&memory, 1), 0);
	ck_assert_int_eq(trapped_memory_read(&memory, 2), 7);
	ck_assert_int_eq(trapped_memory_read(&memory, 3), 8);
	ck_assert_int_eq(byte_in_file(memory.fd, 2 * memory.page), -1);
	ck_assert_uint_eq(signals_taken(), 1);
	tear_down();
}

/* A pool of gigabytes must not be refused its zeros for want of memory that it
 * will never use. */
TEST(I7_zeros_reserve_no_memory)
{
	ck_assert_int_eq(sigbus_trap_ref(), 0);
	trapped_memory_init(&memory, 4, PROT_READ | PROT_WRITE, -1);
	trapped_memory_truncate(&memory, 1);
	ck_assert_int_eq(trapped_memory_read(&memory, 2), 0);
	ck_assert(has_vm_flag((void *)(memory.bytes + 2 * memory.page), "nr"));
	tear_down();
}

TEST(I7_read_only_memory_stays_read_only)
{
	set_up(4);
	trapped_memory_truncate(&memory, 2);
	ck_assert_int_eq(trapped_memory_read(&memory, 2), 0);
	ck_assert_str_eq(permissions_at((void *)(memory.bytes + 2 * memory.page)),
		"r--p");
	ck_assert_str_eq(permissions_at((void *)memory.bytes), "r--s");
	tear_down();
}

TEST(I3_neighbours_are_not_touched)
{
	struct trapped_memory other;
	set_up(4);
	trapped_memory_init(&other, 4, PROT_READ, -1);
	trapped_memory_truncate(&memory, 0);
	trapped_memory_check(&memory, 0);
	trapped_memory_check(&other, 4);
	ck_assert(!other.lost);
	trapped_memory_finish(&other);
	tear_down();
}

/* Linux before 5.14 has no MADV_POPULATE_READ, and a sandbox may forbid to look
 * with process_vm_readv(2) instead. */
static bool
forget_how_to_look(bool forbid_reading)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
			forbid_reading ? SYS_process_vm_readv : UINT32_MAX, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MADV_POPULATE_READ, 2, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
	};
	struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(filter[0]),
		.filter = filter,
	};
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST(I7_kernel_without_populate_read)
{
	if (!forget_how_to_look(false))
		SKIP("no seccomp filters: %s", strerror(errno));
	set_up(64);
	trapped_memory_truncate(&memory, 24);
	ck_assert_int_eq(trapped_memory_read(&memory, 50), 0);
	trapped_memory_check(&memory, 24);
	ck_assert_uint_eq(signals_taken(), 1);
	tear_down();
}

TEST(I7_kernel_that_cannot_tell_what_is_there)
{
	if (!forget_how_to_look(true))
		SKIP("no seccomp filters: %s", strerror(errno));
	set_up(64);
	trapped_memory_truncate(&memory, 24);
	/* What lies before the fault may be there: only looking can tell. */
	ck_assert_int_eq(trapped_memory_read(&memory, 50), 0);
	ck_assert_int_eq(trapped_memory_read(&memory, 30), 0);
	ck_assert_int_eq(trapped_memory_read(&memory, 24), 0);
	trapped_memory_check(&memory, 24);
	ck_assert_uint_eq(signals_taken(), 3);
	tear_down();
}

TEST(I7_kernel_that_cannot_tell_takes_few_signals)
{
	if (!forget_how_to_look(true))
		SKIP("no seccomp filters: %s", strerror(errno));
	set_up(256);
	trapped_memory_truncate(&memory, 0);
	for (size_t i = 256; i-- > 0;)
		ck_assert_int_eq(trapped_memory_read(&memory, i), 0);
	ck_assert_uint_le(signals_taken(), MAX_SIGNALS);
	tear_down();
}

/* ---- Memory errors ---- */

/* As the kernel reports a page that the hardware has lost. */
static void
send_memory_error(int code, const volatile void *address)
{
	siginfo_t info = {.si_signo = SIGBUS, .si_code = code};
	info.si_addr = (void *)address;
	ck_assert_int_eq(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGBUS,
		&info), 0);
}

TEST(F20_memory_error_costs_one_page)
{
	static const int codes[] = {BUS_MCEERR_AR, BUS_MCEERR_AO};
	for (int i = 0; i < 2; i++) {
		set_up(8);
		send_memory_error(codes[i], memory.bytes + 5 * memory.page + 123);
		ck_assert(memory.lost);
		for (size_t page = 0; page < 8; page++)
			ck_assert_int_eq(trapped_memory_read(&memory, page),
				page == 5 ? 0 : page_byte(page));
		ck_assert_uint_eq(signals_taken(), 1);
		tear_down();
	}
}

TEST(F20_memory_error_then_truncation)
{
	set_up(64);
	send_memory_error(BUS_MCEERR_AR, memory.bytes + 63 * memory.page);
	trapped_memory_check(&memory, 63);
	trapped_memory_truncate(&memory, 10);
	trapped_memory_check(&memory, 10);
	ck_assert_uint_le(signals_taken(), 3);
	tear_down();
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
	set_up(4);
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
	set_up(4);
	trapped_memory_truncate(&memory, 2);
	ck_assert_int_eq(pthread_create(&thread, NULL,
		read_lost_page_on_small_stack, &result), 0);
	pthread_join(thread, NULL);
	ck_assert_int_eq(result, 0);
	tear_down();
}

TEST(I2_keeps_errno)
{
	set_up(4);
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
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
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
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
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
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
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
	set_up(4);
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
	set_up(4);
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
		volatile char *byte = range_addr(ranges[i]);
		clock_gettime(CLOCK_MONOTONIC, &start);
		ck_assert_int_eq(*byte, 0);
		clock_gettime(CLOCK_MONOTONIC, &end);
		long ns = (end.tv_sec - start.tv_sec) * 1000000000 +
			end.tv_nsec - start.tv_nsec;
		sum += ns;
		worst = ns > worst ? ns : worst;
	}
	fprintf(stderr, "# fault among %d maps: %.1f us on average, %.1f at worst\n",
		maps, sum / (FAULTS * 1e3), worst / 1e3);

	for (int i = 0; i < maps; i++) {
		void *addr = range_addr(ranges[i]);
		ck_assert(range_unregister(ranges[i]));
		munmap(addr, page);
	}
	sigbus_trap_unref();
	free(ranges);
	close(empty);
	close(fd);
}
