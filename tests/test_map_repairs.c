/* SPDX-License-Identifier: MIT */

/* Memory that goes missing under a map, and what those who touch it find there. */

#include "harness.h"

#include "fake_kernel.h"
#include "map_faults_fixture.h"
#include "memory_look.h"
#include "needs.h"
#include "range_registry.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct shmguard_map *
must_open(int client, const struct shmguard_policy *policy)
{
	struct shmguard_map *map = shmguard_map_open(
		fcntl(client, F_DUPFD_CLOEXEC, 0), PAGES * page, policy, NULL);
	ck_assert_msg(map != NULL, "%s", strerror(errno));
	return map;
}

TEST(I7_what_the_file_still_has_stays_visible)
{
	int client = numbered_memfd(PAGES), other_client = numbered_memfd(PAGES);
	struct shmguard_map *map = must_open(client, NULL);
	struct shmguard_map *other = must_open(other_client, NULL);
	struct shmguard_view view = must_read(map), other_view = must_read(other);
	check_bytes(&view, PAGES);
	truncate_to(client, 3);
	ck_assert(!shmguard_map_lost(map));
	check_bytes(&view, 3);
	ck_assert_uint_eq(view.range->faults, 1);
	check_bytes(&other_view, PAGES);

	ck_assert(shmguard_map_lost(map));
	ck_assert(!shmguard_map_lost(other));
	end_with(view, -1);
	end_with(other_view, 0);
	/* From now on every access tells. */
	view = must_read(map);
	check_bytes(&view, 3);
	end_with(view, -1);
	shmguard_map_close(map);
	shmguard_map_close(other);
	close(client);
	close(other_client);
}

TEST(I7_stores_meet_missing_pages)
{
	int client = numbered_memfd(PAGES);
	struct shmguard_map *map = must_open(client, NULL);
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_map_begin_write(map, 0, PAGES * page, &view), 0);
	truncate_to(client, 3);
	memset(view.data, 9, PAGES * page);
	ck_assert_int_eq(((volatile char *)view.data)[PAGES * page - 1], 9);
	end_with(view, -1);
	ck_assert_int_eq(byte_in_file(client, 3 * page - 1), 9);
	ck_assert_int_eq(byte_in_file(client, 3 * page), -1);
	shmguard_map_close(map);
	close(client);
}

TEST(I7_reading_comes_first_then_a_store)
{
	int client = numbered_memfd(PAGES);
	struct shmguard_map *map = must_open(client, NULL);
	struct shmguard_view reading = must_read(map), writing;
	truncate_to(client, 3);
	check_bytes(&reading, 3);
	ck_assert_int_eq(shmguard_map_begin_write(map, 0, PAGES * page, &writing),
		0);
	memset(writing.data, 9, PAGES * page);
	end_with(reading, -1);
	end_with(writing, -1);
	shmguard_map_close(map);
	close(client);
}

#ifdef SYS_mmap2
#define SYS_mmap_used SYS_mmap2
#else
#define SYS_mmap_used SYS_mmap
#endif

/* A thread whose mmap calls wait until the main thread lets them go on. */
struct supervised {
	struct shmguard_view view;
	int listener; /* -1: there is no supervision here */
	int told;     /* a pipe that says so */
	int byte;
};

static void *
fault_under_supervision(void *data)
{
	struct supervised *self = data;
	struct sock_filter supervise_mmap[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap_used, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {4, supervise_mmap};
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	self->listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	(void)!write(self->told, "", 1);
	if (self->listener >= 0)
		self->byte = *(volatile unsigned char *)self->view.data;
	return NULL;
}

/* Waits for an mmap call for a moment; without a listener there is none. Returns
 * whether there was one, at the address that is wanted. All of them go on, but `func`
 * is called before. */
static bool
supervise_mmap(int listener, const void *wanted, void (*func)(void *),
	void *data)
{
	struct pollfd poll_fd = {.fd = listener, .events = POLLIN};
	if (poll(&poll_fd, 1, 10) != 1 || !(poll_fd.revents & POLLIN))
		return false;
	struct seccomp_notif request = {0};
	ck_assert_int_eq(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request), 0);
	bool is_wanted = request.data.args[0] == (uintptr_t)wanted;
	if (is_wanted)
		func(data);
	struct seccomp_notif_resp response = {
		.id = request.id,
		.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE,
	};
	ck_assert_int_eq(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response), 0);
	return is_wanted;
}

struct late_writer {
	struct shmguard_map *map;
	pthread_t thread;
	bool started;
	_Atomic bool begun;
};

static void *
write_late(void *data)
{
	struct late_writer *writer = data;
	struct shmguard_view view;
	if (shmguard_map_begin_write(writer->map, 0, PAGES * page, &view) != 0)
		return "begin_write failed";
	writer->begun = true;
	memset(view.data, 9, PAGES * page);
	shmguard_view_end(&view);
	return NULL;
}

static void
start_late_writer(void *data)
{
	struct late_writer *writer = data;
	if (!writer->started)
		ck_assert_int_eq(pthread_create(&writer->thread, NULL, write_late,
			writer), 0);
	writer->started = true;
	/* It has to wait for the handler, or its stores would meet what that
	 * places. */
	nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
	ck_assert(!writer->begun);
}

/* The handler of one thread is about to place zeros that can only be read when
 * another thread wants to make the mapping writable, and store there. */
TEST(I7_mapping_becomes_writable_during_a_repair)
{
	int pipe_fds[2];
	char byte;
	int client = numbered_memfd(PAGES), repairs = 0;
	struct shmguard_map *map = must_open(client, NULL);
	ck_assert_int_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
	struct supervised supervised = {
		.view = must_read(map), .told = pipe_fds[1], .byte = -1,
	};
	truncate_to(client, 0);
	pthread_t thread;
	ck_assert_int_eq(pthread_create(&thread, NULL, fault_under_supervision,
		&supervised), 0);
	ck_assert_int_eq(read(pipe_fds[0], &byte, 1), 1);
	close(pipe_fds[0]);
	close(pipe_fds[1]);

	struct late_writer writer = {.map = map};
	int listener = supervised.listener;
	/* Longer than the fault: threads map things at their end. */
	while (pthread_tryjoin_np(thread, NULL) == EBUSY)
		repairs += supervise_mmap(listener, supervised.view.data,
			start_late_writer, &writer);
	void *problem = NULL;
	if (writer.started)
		ck_assert_int_eq(pthread_join(writer.thread, &problem), 0);
	ck_assert_msg(problem == NULL, "%s", (const char *)problem);
	shmguard_view_end(&supervised.view);
	shmguard_map_close(map);
	close(client);
	if (listener < 0)
		SKIP("no supervision of system calls");
	close(listener);
	/* What was placed, or what the writer has stored there since. */
	ck_assert(supervised.byte == 0 || supervised.byte == 9);
	ck_assert(writer.begun);
	ck_assert_int_eq(repairs, 1);
}

TEST(map_of_a_file_that_grows_later)
{
	int client = harness_memfd(0, 0, 0);
	struct shmguard_map *map = must_open(client, NULL);
	struct shmguard_view view = must_read(map);
	truncate_to(client, PAGES);
	ck_assert_int_eq(pwrite(client, "\5", 1, (off_t)page), 1);
	ck_assert_int_eq(((volatile char *)view.data)[page], 5);
	end_with(view, 0);
	shmguard_map_close(map);
	close(client);
}

TEST(F14_memory_is_guarded_outside_of_accesses)
{
	int client = numbered_memfd(PAGES);
	struct shmguard_map *map = must_open(client, NULL);
	struct shmguard_view view = must_read(map);
	const volatile char *data = view.data;
	end_with(view, 0);
	truncate_to(client, 0);
	ck_assert_int_eq(data[page], 0);
	ck_assert(shmguard_map_lost(map));
	shmguard_map_close(map);
	close(client);
}

TEST(nosigbus_map_that_shrinks_after_all)
{
	needs_memfd();
	int client = numbered_memfd(PAGES);
	fake_kernel.has_nosigbus = true;
	struct shmguard_map *map = must_open(client, NULL);
	ck_assert_int_eq(shmguard_map_tier(map), SHMGUARD_TIER_NOSIGBUS);
	struct shmguard_view reading = must_read(map), writing;
	ck_assert_int_eq(shmguard_map_begin_write(map, 0, PAGES * page, &writing),
		0);
	truncate_to(client, 3);
	memset(writing.data, 9, PAGES * page);
	end_with(writing, -1);
	ck_assert_int_eq(byte_in_file(client, 3 * page), -1);
	end_with(reading, -1);
	shmguard_map_close(map);
	close(client);
}

/* ---- Threads that block SIGBUS (I13) ---- */

static void *
read_with_all_blocked(void *map)
{
	sigset_t all, now;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	struct shmguard_view view;
	if (shmguard_map_begin_read(map, 0, PAGES * page, &view) != 0)
		return "begin_read";
	if (((volatile char *)view.data)[PAGES * page - 1] != 0)
		return "not zero";
	if (shmguard_view_end(&view) != -1)
		return "not lost";
	pthread_sigmask(SIG_SETMASK, NULL, &now);
	return sigismember(&now, SIGTERM) == 1 ? NULL : "mask";
}

static void *
write_with_all_blocked(void *map)
{
	sigset_t all;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	struct shmguard_view view;
	if (shmguard_map_begin_write(map, 0, PAGES * page, &view) != 0)
		return "begin_write";
	memset(view.data, 7, PAGES * page);
	return shmguard_view_end(&view) == -1 ? NULL : "not lost";
}

TEST(F21_threads_that_block_sigbus)
{
	void *(*const functions[])(void *) = {
		read_with_all_blocked, write_with_all_blocked,
	};
	for (int i = 0; i < 2; i++) {
		pthread_t thread;
		void *problem;
		int client = numbered_memfd(PAGES);
		struct shmguard_map *map = must_open(client, NULL);
		truncate_to(client, 1);
		ck_assert_int_eq(pthread_create(&thread, NULL, functions[i],
			map), 0);
		ck_assert_int_eq(pthread_join(thread, &problem), 0);
		ck_assert_msg(problem == NULL, "%s", (const char *)problem);
		shmguard_map_close(map);
		close(client);
	}
}

/* ---- Hosts with a handler of their own ---- */

static volatile sig_atomic_t foreign;

static void
host_sigaction(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	if (!shmguard_handle_sigbus(info)) {
		foreign++;
		_exit(1);
	}
}

TEST(I4_host_owns_the_handler)
{
	static const struct shmguard_policy host = {
		.handler = SHMGUARD_HANDLER_HOST,
	};
	struct sigaction action = {
		.sa_sigaction = host_sigaction,
		.sa_flags = SA_SIGINFO,
	};
	ck_assert_int_eq(sigaction(SIGBUS, &action, NULL), 0);
	int client = numbered_memfd(PAGES);
	struct shmguard_map *map = must_open(client, &host);
	struct shmguard_view view = must_read(map);
	truncate_to(client, 3);
	check_bytes(&view, 3);
	end_with(view, -1);
	shmguard_map_close(map);
	close(client);
	ck_assert_int_eq(sigaction(SIGBUS, NULL, &action), 0);
	ck_assert_ptr_eq((void *)action.sa_sigaction, (void *)host_sigaction);
}
