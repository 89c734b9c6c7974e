/* SPDX-License-Identifier: MIT */

/* A SIGBUS that is not ours behaves as if we were not there (I4). */

#include "harness.h"

#include "sigbus_host.h"
#include "sigbus_trap.h"
#include "trapped_memory.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- SIG_DFL ---- */

TEST_DIES(I4_default_action_kills_for_a_fault, SIGBUS)
{
	host_install_then_trap(host_action(SIG_DFL, 0));
	host_faulty_page()[0] = 1;
}

TEST_DIES(I4_default_action_kills_for_a_sent_signal, SIGBUS)
{
	host_install_then_trap(host_action(SIG_DFL, 0));
	kill(getpid(), SIGBUS);
}

TEST_DIES(I4_default_action_kills_for_a_memory_error, SIGBUS)
{
	host_install_then_trap(host_action(SIG_DFL, 0));
	host_send_memory_error(BUS_MCEERR_AO);
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
	host_install_then_trap(host_action(SIG_DFL, 0));
	ck_assert_int_eq(pthread_create(&thread, NULL, fault_on_thread,
		(void *)host_faulty_page()), 0);
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
	struct last_words words = {0};
	host_install_then_trap(host_action(SIG_DFL, 0));
	volatile char *page = host_faulty_page();
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
	struct last_words words = {0};
	host_install_then_trap(host_action(SIG_DFL, 0));
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
	struct last_words words = {0};
	host_install_then_trap(host_action(SIG_DFL, 0));
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
	host_install_then_trap(host_action(SIG_IGN, 0));
	kill(getpid(), SIGBUS);
	raise(SIGBUS);
	host_send_memory_error(BUS_MCEERR_AO);
	host_check_protection();
	sigbus_trap_unref();
	ck_assert(host_handler_is(SIG_IGN));
}

TEST_DIES(I4_ignoring_does_not_help_against_a_fault, SIGBUS)
{
	host_install_then_trap(host_action(SIG_IGN, 0));
	host_faulty_page()[0] = 1;
}

/* ---- Handlers ---- */

TEST(I4_handler_gets_the_siginfo)
{
	host_install_then_trap(host_repair_action(0));
	volatile char *page = host_faulty_page();
	page[17] = 1;
	ck_assert_int_eq(page[0], 5);
	ck_assert_int_eq(host_calls, 1);
	ck_assert_int_eq(host_info.si_signo, SIGBUS);
	ck_assert_int_eq(host_info.si_code, BUS_ADRERR);
	ck_assert_ptr_eq(host_info.si_addr, (void *)(page + 17));

	sigqueue(getpid(), SIGBUS, (union sigval){.sival_int = 4711});
	ck_assert_int_eq(host_calls, 2);
	ck_assert_int_eq(host_info.si_code, SI_QUEUE);
	ck_assert_int_eq(host_info.si_pid, getpid());
	ck_assert_int_eq(host_info.si_value.sival_int, 4711);
	sigbus_trap_unref();
}

TEST(I4_handler_without_siginfo)
{
	host_install_then_trap(host_action(host_count, 0));
	kill(getpid(), SIGBUS);
	ck_assert_int_eq(host_calls, 1);
	sigbus_trap_unref();
	ck_assert(host_handler_is(host_count));
	kill(getpid(), SIGBUS);
	ck_assert_int_eq(host_calls, 2);
}

TEST(F7_protection_outlives_foreign_faults)
{
	host_install_then_trap(host_repair_action(0));
	for (int i = 1; i <= 5; i++) {
		volatile char *page = host_faulty_page();
		ck_assert_int_eq(page[0], 5);
		ck_assert_int_eq(host_calls, i);
		ck_assert_ptr_eq(host_info.si_addr, (void *)page);
		host_check_protection();
		ck_assert_int_eq(host_calls, i);
	}
	sigbus_trap_unref();
}

TEST(I4_handler_runs_with_its_mask)
{
	sigset_t mask, after;
	struct sigaction action = host_repair_action(0);
	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGUSR1);
	sigaddset(&action.sa_mask, SIGRTMIN + 3);
	host_install_then_trap(action);

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &mask, NULL);
	host_faulty_page()[0] = 1;
	ck_assert_int_eq(host_calls, 1);
	ck_assert(sigismember(&host_mask, SIGUSR1));
	ck_assert(sigismember(&host_mask, SIGRTMIN + 3));
	ck_assert(sigismember(&host_mask, SIGTERM));
	ck_assert(sigismember(&host_mask, SIGBUS));
	ck_assert(!sigismember(&host_mask, SIGUSR2));
	ck_assert(!sigismember(&host_mask, SIGRTMIN + 4));

	pthread_sigmask(SIG_SETMASK, NULL, &after);
	ck_assert(sigismember(&after, SIGTERM));
	ck_assert(!sigismember(&after, SIGUSR1));
	ck_assert(!sigismember(&after, SIGBUS));
	sigbus_trap_unref();
}

TEST(I4_nodefer)
{
	host_install_then_trap(host_repair_action(SA_NODEFER));
	host_faulty_page()[0] = 1;
	ck_assert_int_eq(host_calls, 1);
	ck_assert(!sigismember(&host_mask, SIGBUS));
	sigbus_trap_unref();
}

static struct trapped_memory memory;

static void
read_handler(int signal)
{
	(void)signal;
	host_calls += trapped_memory_read(&memory, 2) == 0;
}

TEST(I4_handler_may_touch_guarded_memory)
{
	host_install_then_trap(host_action(read_handler, SA_NODEFER));
	trapped_memory_init(&memory, 4, PROT_READ, -1);
	trapped_memory_truncate(&memory, 2);
	kill(getpid(), SIGBUS);
	ck_assert_int_eq(host_calls, 1);
	ck_assert(memory.lost);
	trapped_memory_finish(&memory);
	sigbus_trap_unref();
}

TEST(I4_resethand_runs_once)
{
	host_install_then_trap(host_action(host_count, (int)SA_RESETHAND));
	host_check_protection();
	kill(getpid(), SIGBUS);
	ck_assert_int_eq(host_calls, 1);
	host_check_protection();
	sigbus_trap_unref();
	ck_assert(host_handler_is(SIG_DFL));
	ck_assert_int_eq(sigbus_trap_ref(), 0);
	host_check_protection();
	sigbus_trap_unref();
	ck_assert(host_handler_is(SIG_DFL));
}

TEST(I4_resethand_unused_is_put_back)
{
	host_install_then_trap(host_action(host_count, (int)SA_RESETHAND));
	host_check_protection();
	sigbus_trap_unref();
	ck_assert(host_handler_is(host_count));
	kill(getpid(), SIGBUS);
	ck_assert_int_eq(host_calls, 1);
	ck_assert(host_handler_is(SIG_DFL));
}

TEST_DIES(I4_resethand_dies_the_second_time, SIGBUS)
{
	host_install_then_trap(host_action(host_count, (int)SA_RESETHAND));
	kill(getpid(), SIGBUS);
	if (host_calls == 1)
		kill(getpid(), SIGBUS);
}

static sigjmp_buf jump_target;

static void
jump_handler(int signal)
{
	(void)signal;
	host_calls++;
	siglongjmp(jump_target, 1);
}

TEST(I4_handler_may_jump_out)
{
	sigset_t mask;
	host_install_then_trap(host_action(jump_handler, 0));
	for (int i = 1; i <= 3; i++) {
		if (sigsetjmp(jump_target, 1) == 0) {
			host_faulty_page()[0] = 1;
			ck_abort_msg("the fault was survived");
		}
		ck_assert_int_eq(host_calls, i);
		pthread_sigmask(SIG_SETMASK, NULL, &mask);
		ck_assert(!sigismember(&mask, SIGBUS));
		ck_assert(!sigismember(&mask, SIGUSR1));
		/* Unregisters, for which no handler may seem to run. */
		host_check_protection();
	}
	sigbus_trap_unref();
}

TEST(I4_errno_survives_the_handler)
{
	host_install_then_trap(host_action(host_count, 0));
	errno = EXDEV;
	raise(SIGBUS);
	int error = errno;
	ck_assert_int_eq(host_calls, 1);
	ck_assert_int_eq(error, EXDEV);
	sigbus_trap_unref();
}

/* ---- Sandboxes ---- */

#ifdef SYS_mmap2
#define SYS_mmap_used SYS_mmap2
#else
#define SYS_mmap_used SYS_mmap
#endif

/* For the rest of the process. */
static bool
forbid_call(uint32_t call)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {4, filter};
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST_DIES(I4_sent_signal_kills_where_it_cannot_be_sent_again, SIGBUS)
{
	ck_assert_int_eq(sigbus_trap_ref(), 0);
	if (!forbid_call(SYS_rt_tgsigqueueinfo))
		SKIP("no seccomp filters: %s", strerror(errno));
	kill(getpid(), SIGBUS);
}

/* What cannot be repaired is as if it were not ours, and no endless loop. */
TEST_DIES(I4_fault_kills_where_nothing_can_be_mapped, SIGBUS)
{
	static struct trapped_memory memory;
	ck_assert_int_eq(sigbus_trap_ref(), 0);
	trapped_memory_init(&memory, 4, PROT_READ, -1);
	trapped_memory_truncate(&memory, 0);
	if (!forbid_call(SYS_mmap_used))
		SKIP("no seccomp filters: %s", strerror(errno));
	trapped_memory_read(&memory, 1);
}
