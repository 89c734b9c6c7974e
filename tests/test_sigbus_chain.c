/* SPDX-License-Identifier: MIT */

/* A SIGBUS that is not ours behaves as if we were not there (I4). */

#include "harness.h"

#include "sigbus_trap.h"
#include "trapped_memory.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <shmguard/map.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- The host and its memory ---- */

/* A page of the host's own that faults. */
static volatile char *
make_faulty_page(void)
{
	int fd = harness_memfd(0, 0, 0);
	void *page = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE),
		PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(page, MAP_FAILED);
	close(fd);
	return page;
}

/* What a handler of the host saw. */
static volatile sig_atomic_t calls;
static siginfo_t seen_info;
static sigset_t seen_mask;
static struct sigaction seen_action;

static void
look(void)
{
	calls++;
	pthread_sigmask(SIG_SETMASK, NULL, &seen_mask);
	sigaction(SIGBUS, NULL, &seen_action);
}

/* Puts a page of fives where the fault was. */
static void
repair_sigaction(int signal, siginfo_t *info, void *context)
{
	if (signal != SIGBUS || context == NULL)
		abort();
	look();
	seen_info = *info;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	if (info->si_code <= 0)
		return;
	char *bytes = mmap((char *)((uintptr_t)info->si_addr & ~(page - 1)), page,
		PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS,
		-1, 0);
	bytes[0] = 5;
}

static void
count_handler(int signal)
{
	if (signal != SIGBUS)
		abort();
	look();
	errno = EDOM;
}

static struct sigaction
action_with_info(int flags)
{
	struct sigaction action = {
		.sa_sigaction = repair_sigaction,
		.sa_flags = SA_SIGINFO | flags,
	};
	return action;
}

static struct sigaction
action_with_handler(void (*handler)(int), int flags)
{
	return (struct sigaction){.sa_handler = handler, .sa_flags = flags};
}

/* The host came first. */
static void
install_over(struct sigaction action)
{
	ck_assert_int_eq(sigaction(SIGBUS, &action, NULL), 0);
	ck_assert_int_eq(sigbus_trap_ref(), 0);
}

/* Of either style. */
static bool
handler_is(const void *handler)
{
	struct sigaction action;
	ck_assert_int_eq(sigaction(SIGBUS, NULL, &action), 0);
	return (const void *)action.sa_handler == handler;
}

static struct trapped_memory memory;

/* Our own memory still works. */
static void
check_protection(void)
{
	trapped_memory_init(&memory, 4, PROT_READ, -1);
	trapped_memory_truncate(&memory, 2);
	trapped_memory_check(&memory, 2);
	ck_assert_uint_eq(memory.range->faults, 1);
	trapped_memory_finish(&memory);
}

static void
send_memory_error(int code)
{
	siginfo_t info = {.si_signo = SIGBUS, .si_code = code};
	info.si_addr = (void *)&calls;
	ck_assert_int_eq(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGBUS,
		&info), 0);
}

/* ---- SIG_DFL ---- */

TEST_DIES(I4_default_action_kills_for_a_fault, SIGBUS)
{
	install_over(action_with_handler(SIG_DFL, 0));
	make_faulty_page()[0] = 1;
}

TEST_DIES(I4_default_action_kills_for_a_sent_signal, SIGBUS)
{
	install_over(action_with_handler(SIG_DFL, 0));
	kill(getpid(), SIGBUS);
}

TEST_DIES(I4_default_action_kills_for_a_memory_error, SIGBUS)
{
	install_over(action_with_handler(SIG_DFL, 0));
	send_memory_error(BUS_MCEERR_AO);
}

static void *
fault_on_thread(void *page)
{
	*(volatile char *)page = 1;
	return NULL;
}

TEST_DIES(F8_default_action_kills_for_a_fault_of_any_thread, SIGBUS)
{
	pthread_t thread;
	install_over(action_with_handler(SIG_DFL, 0));
	ck_assert_int_eq(pthread_create(&thread, NULL, fault_on_thread,
		(void *)make_faulty_page()), 0);
	pthread_join(thread, NULL);
}

/* What a debugger and a core dump show of a process's end. */
struct last_words {
	siginfo_t first, last;
	uintptr_t first_pc, last_pc;
};

static uintptr_t
program_counter(pid_t child)
{
	struct user_regs_struct registers;
	if (ptrace(PTRACE_GETREGS, child, NULL, &registers) != 0)
		return 0;
#if defined(__x86_64__)
	return registers.rip;
#elif defined(__i386__)
	return (uintptr_t)registers.eip;
#else
	return 1;
#endif
}

/* Passes on whatever signals the child gets until it dies of one. A file that is
 * given gets its page back when it is missed. */
static int
watch_it_die(pid_t child, int file, struct last_words *words)
{
	int status;
	memset(words, 0, sizeof(*words));
	for (;;) {
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		if (!WIFSTOPPED(status))
			return status;
		int signal = WSTOPSIG(status);
		if (signal == SIGSTOP)
			signal = 0;
		if (signal == SIGBUS) {
			ptrace(PTRACE_GETSIGINFO, child, NULL, &words->last);
			words->last_pc = program_counter(child);
			if (words->first_pc == 0) {
				words->first = words->last;
				words->first_pc = words->last_pc;
			}
			if (file >= 0)
				ck_assert_int_eq(ftruncate(file, 1), 0);
		}
		ptrace(PTRACE_CONT, child, NULL, (void *)(intptr_t)signal);
	}
}

static pid_t
fork_traced(void)
{
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0 && ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(77);
	return child;
}

TEST(I4_default_action_shows_the_original_fault)
{
	struct last_words words;
	install_over(action_with_handler(SIG_DFL, 0));
	volatile char *page = make_faulty_page();
	pid_t child = fork_traced();
	if (child == 0) {
		page[17] = 1;
		_exit(1);
	}
	int status = watch_it_die(child, -1, &words);
	sigbus_trap_unref();
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		SKIP("no ptrace here");
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGBUS);
	ck_assert_int_eq(words.last.si_code, BUS_ADRERR);
	ck_assert_ptr_eq(words.last.si_addr, (void *)(page + 17));
	ck_assert_uint_eq(words.last_pc, words.first_pc);
}

TEST(I4_default_action_kills_even_if_the_page_comes_back)
{
	struct last_words words;
	install_over(action_with_handler(SIG_DFL, 0));
	int fd = harness_memfd(0, 0, 0);
	volatile char *page = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ,
		MAP_SHARED, fd, 0);
	pid_t child = fork_traced();
	if (child == 0)
		_exit(page[17] == 0 ? 1 : 2);
	int status = watch_it_die(child, fd, &words);
	sigbus_trap_unref();
	close(fd);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		SKIP("no ptrace here");
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGBUS);
	ck_assert_ptr_eq(words.last.si_addr, (void *)(page + 17));
}

TEST(I4_default_action_shows_the_sender)
{
	struct last_words words;
	install_over(action_with_handler(SIG_DFL, 0));
	pid_t child = fork_traced();
	if (child == 0) {
		raise(SIGSTOP);
		_exit(1);
	}
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	if (WIFSTOPPED(status)) {
		sigqueue(child, SIGBUS, (union sigval){.sival_int = 4711});
		ptrace(PTRACE_CONT, child, NULL, NULL);
		status = watch_it_die(child, -1, &words);
	}
	sigbus_trap_unref();
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		SKIP("no ptrace here");
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGBUS);
	ck_assert_int_eq(words.last.si_code, SI_QUEUE);
	ck_assert_int_eq(words.last.si_pid, getpid());
	ck_assert_int_eq(words.last.si_value.sival_int, 4711);
}

/* ---- SIG_IGN ---- */

TEST(I4_ignored_signal_that_was_sent_is_ignored)
{
	install_over(action_with_handler(SIG_IGN, 0));
	kill(getpid(), SIGBUS);
	raise(SIGBUS);
	send_memory_error(BUS_MCEERR_AO);
	check_protection();
	sigbus_trap_unref();
	ck_assert(handler_is(SIG_IGN));
}

TEST_DIES(I4_ignoring_does_not_help_against_a_fault, SIGBUS)
{
	install_over(action_with_handler(SIG_IGN, 0));
	make_faulty_page()[0] = 1;
}

/* ---- Handlers ---- */

TEST(I4_handler_gets_the_siginfo)
{
	install_over(action_with_info(0));
	volatile char *page = make_faulty_page();
	page[17] = 1;
	ck_assert_int_eq(page[0], 5);
	ck_assert_int_eq(calls, 1);
	ck_assert_int_eq(seen_info.si_signo, SIGBUS);
	ck_assert_int_eq(seen_info.si_code, BUS_ADRERR);
	ck_assert_ptr_eq(seen_info.si_addr, (void *)(page + 17));

	sigqueue(getpid(), SIGBUS, (union sigval){.sival_int = 4711});
	ck_assert_int_eq(calls, 2);
	ck_assert_int_eq(seen_info.si_code, SI_QUEUE);
	ck_assert_int_eq(seen_info.si_pid, getpid());
	ck_assert_int_eq(seen_info.si_value.sival_int, 4711);
	sigbus_trap_unref();
}

TEST(I4_handler_without_siginfo)
{
	install_over(action_with_handler(count_handler, 0));
	kill(getpid(), SIGBUS);
	ck_assert_int_eq(calls, 1);
	sigbus_trap_unref();
	ck_assert(handler_is(count_handler));
	kill(getpid(), SIGBUS);
	ck_assert_int_eq(calls, 2);
}

TEST(F7_protection_outlives_foreign_faults)
{
	install_over(action_with_info(0));
	for (int i = 1; i <= 5; i++) {
		volatile char *page = make_faulty_page();
		ck_assert_int_eq(page[0], 5);
		ck_assert_int_eq(calls, i);
		ck_assert_ptr_eq(seen_info.si_addr, (void *)page);
		check_protection();
		ck_assert_int_eq(calls, i);
	}
	sigbus_trap_unref();
}

TEST(I4_handler_runs_with_its_mask)
{
	sigset_t mask, after;
	struct sigaction action = action_with_info(0);
	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGUSR1);
	sigaddset(&action.sa_mask, SIGRTMIN + 3);
	install_over(action);

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &mask, NULL);
	make_faulty_page()[0] = 1;
	ck_assert_int_eq(calls, 1);
	ck_assert(sigismember(&seen_mask, SIGUSR1));
	ck_assert(sigismember(&seen_mask, SIGRTMIN + 3));
	ck_assert(sigismember(&seen_mask, SIGTERM));
	ck_assert(sigismember(&seen_mask, SIGBUS));
	ck_assert(!sigismember(&seen_mask, SIGUSR2));
	ck_assert(!sigismember(&seen_mask, SIGRTMIN + 4));

	pthread_sigmask(SIG_SETMASK, NULL, &after);
	ck_assert(sigismember(&after, SIGTERM));
	ck_assert(!sigismember(&after, SIGUSR1));
	ck_assert(!sigismember(&after, SIGBUS));
	sigbus_trap_unref();
}

TEST(I4_nodefer)
{
	install_over(action_with_info(SA_NODEFER));
	make_faulty_page()[0] = 1;
	ck_assert_int_eq(calls, 1);
	ck_assert(!sigismember(&seen_mask, SIGBUS));
	sigbus_trap_unref();
}

static void
read_handler(int signal)
{
	(void)signal;
	calls += trapped_memory_read(&memory, 2) == 0;
}

TEST(I4_handler_may_touch_guarded_memory)
{
	install_over(action_with_handler(read_handler, SA_NODEFER));
	trapped_memory_init(&memory, 4, PROT_READ, -1);
	trapped_memory_truncate(&memory, 2);
	kill(getpid(), SIGBUS);
	ck_assert_int_eq(calls, 1);
	ck_assert(memory.lost);
	trapped_memory_finish(&memory);
	sigbus_trap_unref();
}

TEST(I4_resethand_runs_once)
{
	install_over(action_with_handler(count_handler, (int)SA_RESETHAND));
	check_protection();
	kill(getpid(), SIGBUS);
	ck_assert_int_eq(calls, 1);
	check_protection();
	sigbus_trap_unref();
	ck_assert(handler_is(SIG_DFL));
	ck_assert_int_eq(sigbus_trap_ref(), 0);
	check_protection();
	sigbus_trap_unref();
	ck_assert(handler_is(SIG_DFL));
}

TEST(I4_resethand_unused_is_put_back)
{
	install_over(action_with_handler(count_handler, (int)SA_RESETHAND));
	check_protection();
	sigbus_trap_unref();
	ck_assert(handler_is(count_handler));
	kill(getpid(), SIGBUS);
	ck_assert_int_eq(calls, 1);
	ck_assert(handler_is(SIG_DFL));
}

TEST_DIES(I4_resethand_dies_the_second_time, SIGBUS)
{
	install_over(action_with_handler(count_handler, (int)SA_RESETHAND));
	kill(getpid(), SIGBUS);
	if (calls == 1)
		kill(getpid(), SIGBUS);
}

static sigjmp_buf jump_target;

static void
jump_handler(int signal)
{
	(void)signal;
	calls++;
	siglongjmp(jump_target, 1);
}

TEST(I4_handler_may_jump_out)
{
	sigset_t mask;
	install_over(action_with_handler(jump_handler, 0));
	for (int i = 1; i <= 3; i++) {
		if (sigsetjmp(jump_target, 1) == 0) {
			make_faulty_page()[0] = 1;
			ck_abort_msg("the fault was survived");
		}
		ck_assert_int_eq(calls, i);
		pthread_sigmask(SIG_SETMASK, NULL, &mask);
		ck_assert(!sigismember(&mask, SIGBUS));
		ck_assert(!sigismember(&mask, SIGUSR1));
		/* Unregisters, for which no handler may seem to run. */
		check_protection();
	}
	sigbus_trap_unref();
}

TEST(I4_errno_survives_the_handler)
{
	install_over(action_with_handler(count_handler, 0));
	errno = EXDEV;
	raise(SIGBUS);
	int error = errno;
	ck_assert_int_eq(calls, 1);
	ck_assert_int_eq(error, EXDEV);
	sigbus_trap_unref();
}

/* ---- System calls that the signal interrupts ---- */

static pid_t
send_later(void)
{
	pid_t parent = getpid(), child = fork();
	ck_assert_int_ge(child, 0);
	if (child != 0)
		return child;
	for (int i = 0; i < 20; i++) {
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
		kill(parent, SIGBUS);
	}
	_exit(0);
}

/* read(2) of a pipe that gets a byte after the signals, or none. */
static bool
signal_interrupts_read(struct sigaction action)
{
	int fds[2];
	char byte;
	install_over(action);
	ck_assert_int_eq(pipe(fds), 0);
	pid_t sender = send_later();
	close(fds[1]);
	ssize_t got = read(fds[0], &byte, 1);
	bool interrupted = got < 0 && errno == EINTR;
	ck_assert(interrupted || got == 0);
	while (waitpid(sender, NULL, 0) < 0)
		ck_assert_int_eq(errno, EINTR);
	close(fds[0]);
	sigbus_trap_unref();
	return interrupted;
}

TEST(I4_interrupts_what_it_would_have)
{
	ck_assert(signal_interrupts_read(action_with_handler(count_handler, 0)));
	ck_assert_int_gt(calls, 0);
}

TEST(I4_restarts_what_it_would_have)
{
	ck_assert(!signal_interrupts_read(
		action_with_handler(count_handler, SA_RESTART)));
	ck_assert_int_gt(calls, 0);
	ck_assert(!signal_interrupts_read(action_with_handler(SIG_IGN, 0)));
}

/* ---- Coming and going ---- */

TEST(I4_previous_action_comes_back)
{
	struct sigaction before = action_with_info(SA_ONSTACK), after;
	sigemptyset(&before.sa_mask);
	sigaddset(&before.sa_mask, SIGUSR1);
	install_over(before);
	ck_assert_int_eq(sigbus_trap_ref(), 0);
	ck_assert(!handler_is(repair_sigaction));
	sigbus_trap_unref();
	ck_assert(!handler_is(repair_sigaction));
	sigbus_trap_unref();

	ck_assert_int_eq(sigaction(SIGBUS, NULL, &after), 0);
	ck_assert_ptr_eq(after.sa_sigaction, before.sa_sigaction);
	ck_assert_int_eq(after.sa_flags & ~0x04000000, before.sa_flags);
	ck_assert(sigismember(&after.sa_mask, SIGUSR1));
	ck_assert(!sigismember(&after.sa_mask, SIGUSR2));
}

/* Of a host that came after us. */
static struct sigaction before_host;

static void
chaining_sigaction(int signal, siginfo_t *info, void *context)
{
	if (shmguard_handle_sigbus(info))
		return;
	look();
	if (before_host.sa_flags & SA_SIGINFO)
		before_host.sa_sigaction(signal, info, context);
}

static void
install_host(void)
{
	struct sigaction action = {
		.sa_sigaction = chaining_sigaction,
		.sa_flags = SA_SIGINFO,
	};
	ck_assert_int_eq(sigaction(SIGBUS, &action, &before_host), 0);
}

TEST(I4_host_that_asks_us_first)
{
	sigset_t mask;
	install_over(action_with_handler(SIG_DFL, 0));
	install_host();
	check_protection();
	ck_assert_int_eq(calls, 0);
	ck_assert(!sigbus_trap_was_replaced());
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	ck_assert(!sigismember(&mask, SIGUSR1));
	sigbus_trap_unref();
	ck_assert(handler_is(chaining_sigaction));
}

static void
jump_on_alarm(int signal)
{
	(void)signal;
	siglongjmp(jump_target, 1);
}

/* The host's handler runs with all other signals allowed. */
TEST(I3_alarm_that_jumps_out_of_the_handler)
{
	signal(SIGALRM, jump_on_alarm);
	install_over(action_with_handler(SIG_DFL, 0));
	install_host();
	volatile int jumps = 0;
	for (volatile int i = 0; i < 3000; i++) {
		struct itimerval soon = {.it_value.tv_usec = 1 + i % 40}, never = {0};
		trapped_memory_init(&memory, 2, PROT_READ, -1);
		trapped_memory_truncate(&memory, 0);
		if (sigsetjmp(jump_target, 1) == 0) {
			setitimer(ITIMER_REAL, &soon, NULL);
			for (size_t page = 0; page < 2; page++)
				trapped_memory_read(&memory, page);
			setitimer(ITIMER_REAL, &never, NULL);
		} else {
			jumps++;
		}
		trapped_memory_finish(&memory);
	}
	ck_assert_int_gt(jumps, 0);
	sigbus_trap_unref();
}

TEST(I4_host_without_a_handler_of_ours)
{
	install_host();
	errno = EXDEV;
	check_protection();
	ck_assert_int_eq(calls, 0);
	ck_assert(handler_is(chaining_sigaction));
	siginfo_t info = {.si_signo = SIGBUS, .si_code = BUS_ADRERR};
	info.si_addr = &info;
	errno = EXDEV;
	ck_assert(!shmguard_handle_sigbus(&info));
	int error = errno;
	ck_assert_int_eq(error, EXDEV);
}

/* A handler that calls ours as the previous one goes on working after our last
 * reference, and we do not call in circles when we come back. */
TEST(I4_host_that_chains_to_us)
{
	install_over(action_with_info(0));
	install_host();
	sigbus_trap_unref();
	ck_assert_int_eq(make_faulty_page()[0], 5);
	ck_assert_int_eq(calls, 2);

	ck_assert_int_eq(sigbus_trap_ref(), 0);
	ck_assert(handler_is(chaining_sigaction));
	ck_assert_int_eq(make_faulty_page()[0], 5);
	ck_assert_int_eq(calls, 4);
	check_protection();
	sigbus_trap_unref();

	/* The host leaves as it should. */
	ck_assert_int_eq(sigaction(SIGBUS, &before_host, NULL), 0);
	check_protection();
	ck_assert_int_eq(sigbus_trap_ref(), 0);
	sigbus_trap_unref();
	ck_assert(handler_is(repair_sigaction));
}

TEST(I4_replacement_is_news_once)
{
	struct sigaction ours;
	install_over(action_with_handler(SIG_DFL, 0));
	ck_assert(!sigbus_trap_was_replaced());
	ck_assert_int_eq(sigaction(SIGBUS, NULL, &ours), 0);

	for (int i = 0; i < 2; i++) {
		signal(SIGBUS, count_handler);
		ck_assert(sigbus_trap_was_replaced());
		ck_assert(!sigbus_trap_was_replaced());
		ck_assert_int_eq(sigaction(SIGBUS, &ours, NULL), 0);
		ck_assert(!sigbus_trap_was_replaced());
	}
	sigbus_trap_unref();
	ck_assert(handler_is(SIG_DFL));
	signal(SIGBUS, count_handler);
	ck_assert(!sigbus_trap_was_replaced());
}

TEST(I4_comes_back_after_the_host_left_without_a_trace)
{
	install_over(action_with_handler(SIG_DFL, 0));
	signal(SIGBUS, count_handler);
	sigbus_trap_unref();
	ck_assert(handler_is(count_handler));

	signal(SIGBUS, SIG_DFL);
	ck_assert_int_eq(sigbus_trap_ref(), 0);
	check_protection();
	sigbus_trap_unref();
	ck_assert(handler_is(SIG_DFL));
}
