/* SPDX-License-Identifier: MIT */

/* The handler comes and goes, and is not alone (I4). */

#include "harness.h"

#include "sigbus_host.h"
#include "sigbus_trap.h"
#include "trapped_memory.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <shmguard/map.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- System calls that the signal interrupts ---- */

/* One every 20 ms, until it has sent so many or is killed. */
static pid_t
send_signals(int count)
{
	pid_t parent = getpid(), child = fork();
	ck_assert_int_ge(child, 0);
	if (child != 0)
		return child;
	for (int i = 0; i < count; i++) {
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
		kill(parent, SIGBUS);
	}
	_exit(0);
}

/* read(2) of a pipe that ends after the signals. */
static bool
signal_interrupts_read(struct sigaction action, int signals)
{
	int fds[2];
	char byte;
	host_install_then_trap(action);
	ck_assert_int_eq(pipe(fds), 0);
	pid_t sender = send_signals(signals);
	close(fds[1]);
	ssize_t got = read(fds[0], &byte, 1);
	bool interrupted = got < 0 && errno == EINTR;
	ck_assert(interrupted || got == 0);
	kill(sender, SIGKILL);
	while (waitpid(sender, NULL, 0) < 0)
		ck_assert_int_eq(errno, EINTR);
	close(fds[0]);
	sigbus_trap_unref();
	return interrupted;
}

TEST(I4_interrupts_what_it_would_have)
{
	/* As many as it takes until we are waiting. */
	ck_assert(signal_interrupts_read(host_action(host_count, 0), 1000));
	ck_assert_int_gt(host_calls, 0);
}

TEST(I4_restarts_what_it_would_have)
{
	ck_assert(!signal_interrupts_read(
		host_action(host_count, SA_RESTART), 20));
	ck_assert_int_gt(host_calls, 0);
	ck_assert(!signal_interrupts_read(host_action(SIG_IGN, 0), 20));
}

/* ---- Coming and going ---- */

TEST(I4_previous_action_comes_back)
{
	struct sigaction before = host_repair_action(SA_ONSTACK), after;
	sigemptyset(&before.sa_mask);
	sigaddset(&before.sa_mask, SIGUSR1);
	host_install_then_trap(before);
	ck_assert_int_eq(sigbus_trap_ref(), 0);
	ck_assert(!host_handler_is(host_repair));
	sigbus_trap_unref();
	ck_assert(!host_handler_is(host_repair));
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
	host_calls++;
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
	host_install_then_trap(host_action(SIG_DFL, 0));
	install_host();
	host_check_protection();
	ck_assert_int_eq(host_calls, 0);
	ck_assert(!sigbus_trap_was_replaced());
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	ck_assert(!sigismember(&mask, SIGUSR1));
	sigbus_trap_unref();
	ck_assert(host_handler_is(chaining_sigaction));
}

static sigjmp_buf jump_target;

static void
jump_on_alarm(int signal)
{
	(void)signal;
	siglongjmp(jump_target, 1);
}

/* The host's handler runs with all other signals allowed. */
TEST(I3_alarm_that_jumps_out_of_the_handler)
{
	static struct trapped_memory memory;
	signal(SIGALRM, jump_on_alarm);
	host_install_then_trap(host_action(SIG_DFL, 0));
	install_host();
	volatile int jumps = 0;
	for (volatile int i = 0; i < 3000; i++) {
		struct itimerval never = {0};
		struct itimerval soon = {.it_value.tv_usec = 1 + i % 40};
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
	host_check_protection();
	ck_assert_int_eq(host_calls, 0);
	ck_assert(host_handler_is(chaining_sigaction));
	siginfo_t info = {.si_signo = SIGBUS, .si_code = BUS_ADRERR};
	info.si_addr = &info;
	errno = EXDEV;
	ck_assert(!shmguard_handle_sigbus(&info));
	int error = errno;
	ck_assert_int_eq(error, EXDEV);
}

/* A handler that calls ours as the previous one goes on working after our
 * last reference, and we do not call in circles when we come back. */
TEST(I4_host_that_chains_to_us)
{
	host_install_then_trap(host_repair_action(0));
	install_host();
	sigbus_trap_unref();
	ck_assert_int_eq(host_faulty_page()[0], 5);
	ck_assert_int_eq(host_calls, 2);

	ck_assert_int_eq(sigbus_trap_ref(), 0);
	ck_assert(host_handler_is(chaining_sigaction));
	ck_assert_int_eq(host_faulty_page()[0], 5);
	ck_assert_int_eq(host_calls, 4);
	host_check_protection();
	sigbus_trap_unref();

	/* The host leaves as it should. */
	ck_assert_int_eq(sigaction(SIGBUS, &before_host, NULL), 0);
	host_check_protection();
	ck_assert_int_eq(sigbus_trap_ref(), 0);
	sigbus_trap_unref();
	ck_assert(host_handler_is(host_repair));
}

TEST(I4_replacement_is_news_once)
{
	struct sigaction ours;
	host_install_then_trap(host_action(SIG_DFL, 0));
	ck_assert(!sigbus_trap_was_replaced());
	ck_assert_int_eq(sigaction(SIGBUS, NULL, &ours), 0);

	for (int i = 0; i < 2; i++) {
		signal(SIGBUS, host_count);
		ck_assert(sigbus_trap_was_replaced());
		ck_assert(!sigbus_trap_was_replaced());
		ck_assert_int_eq(sigaction(SIGBUS, &ours, NULL), 0);
		ck_assert(!sigbus_trap_was_replaced());
	}
	sigbus_trap_unref();
	ck_assert(host_handler_is(SIG_DFL));
	signal(SIGBUS, host_count);
	ck_assert(!sigbus_trap_was_replaced());
}

TEST(I4_comes_back_after_the_host_left_without_a_trace)
{
	host_install_then_trap(host_action(SIG_DFL, 0));
	signal(SIGBUS, host_count);
	sigbus_trap_unref();
	ck_assert(host_handler_is(host_count));

	signal(SIGBUS, SIG_DFL);
	ck_assert_int_eq(sigbus_trap_ref(), 0);
	host_check_protection();
	sigbus_trap_unref();
	ck_assert(host_handler_is(SIG_DFL));
}
