/* SPDX-License-Identifier: MIT */

/* Injected failures of what the process has one of: the signal's action, the
 * reaper, children; and of single reads. */

#include "harness.h"
#include "inject.h"
#include "inject_files.h"
#include "memory_look.h"
#include "reaper.h"
#include "sigbus_host.h"
#include "sigbus_trap.h"

#include <shmguard/map.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE ((size_t)64 << 10)
#define LARGE ((size_t)5 << 20) /* worth a trip to the reaper */

/* ---- The trap ---- */

/* A SIGBUS that is not ours reaches the host, once. */
static void
check_host(void)
{
	host_calls = 0;
	raise(SIGBUS);
	ck_assert_int_eq(host_calls, 1);
}

INJECT_TEST(I4_failures_while_the_trap_comes_and_goes)
{
	struct sigaction host = host_action(host_count, SA_RESTART);
	ck_assert_int_eq(sigaction(SIGBUS, &host, NULL), 0);
	for (int i = 0; i < 2; i++) {
		inject_begin();
		bool installed = inject_works(sigbus_trap_ref() == 0);
		inject_end();
		check_host();
		if (!installed)
			continue;
		host_check_protection();
		inject_begin();
		inject_works(!sigbus_trap_was_replaced());
		sigbus_trap_unref();
		inject_end();
		check_host();
	}
	ck_assert_int_eq(sigbus_trap_ref(), 0);
	host_check_protection();
	sigbus_trap_unref();
	check_host();
	/* Who could not be removed then was now. */
	inject_works(host_handler_is(host_count));
}

INJECT_TEST(I4_failures_while_a_foreign_signal_kills)
{
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		alarm(10);
		signal(SIGBUS, SIG_DFL);
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		ck_assert_int_eq(sigbus_trap_ref(), 0);
		inject_begin();
		raise(SIGBUS);
		_exit(EXIT_SUCCESS);
	}
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_ne(WTERMSIG(status), SIGALRM);
	inject_works(WTERMSIG(status) == SIGBUS);
}

/* ---- The reaper ---- */

INJECT_TEST(I11_failures_of_the_reaper)
{
	struct shmguard_map *maps[3];
	int fd = harness_memfd(LARGE, 'x', 0);
	for (size_t i = 0; i < 3; i++) {
		maps[i] = shmguard_map_open(dup(fd), LARGE, NULL, NULL);
		ck_assert_ptr_nonnull(maps[i]);
	}
	inject_begin();
	reaper_ref();
	for (size_t i = 0; i < 3; i++)
		shmguard_map_close(maps[i]);
	reaper_close_last(dup(fd), false);
	reaper_close_blocking(dup(fd));
	reaper_unref();
	inject_end();
	close(fd);
}

/* ---- A child ---- */

static void
be_child(struct shmguard_map *map, struct shmguard_view *view)
{
	alarm(10);
	/* What it puts there is its own. */
	char *own = mmap(view->data, SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	ck_assert_ptr_ne(own, MAP_FAILED);
	inject_begin();
	shmguard_view_end(view);
	shmguard_map_close(map);
	inject_end();
	ck_assert(is_mapped(own));
	int fd = harness_memfd(SIZE, 'x', 0);
	map = shmguard_map_open(dup(fd), SIZE, NULL, NULL);
	ck_assert_ptr_nonnull(map);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(shmguard_map_begin_read(map, 0, SIZE, view), 0);
	ck_assert_int_eq(*(volatile char *)view->data, 0);
	_exit(EXIT_SUCCESS);
}

INJECT_TEST(I12_failures_before_and_in_a_child)
{
	int fd = harness_memfd(SIZE, 'x', 0);
	struct shmguard_view view;
	bool open = false;
	inject_begin();
	struct shmguard_map *map = shmguard_map_open(dup(fd), SIZE, NULL, NULL);
	if (inject_works(map != NULL))
		open = inject_works(shmguard_map_begin_read(map, 0, SIZE, &view)
			== 0);
	inject_end();
	if (open) {
		pid_t pid = fork();
		ck_assert_int_ge(pid, 0);
		if (pid == 0)
			be_child(map, &view);
		int status;
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, 0);
		shmguard_view_end(&view);
	}
	shmguard_map_close(map);
	close(fd);
}

/* ---- Reads ---- */

static void
read_file(int fd, size_t size)
{
	enum shmguard_reason reason;
	errno = 0;
	inject_begin();
	char *bytes = shmguard_read_fd(fd, 1, size - 1, SIZE, NULL, &reason);
	inject_end();
	if (inject_works(bytes != NULL)) {
		ck_assert_int_eq(bytes[0], 'x');
		ck_assert_int_eq(bytes[size - 2], 'x');
		ck_assert_int_eq(bytes[size - 1], '\0');
	} else {
		ck_assert_int_ne(errno, 0);
		ck_assert_ptr_nonnull(shmguard_reason_text(reason));
	}
	free(bytes);
}

INJECT_TEST(F24_failures_while_a_file_is_read)
{
	read_file(harness_memfd(SIZE, 'x', 0), SIZE);
	read_file(harness_memfd(LARGE, 'x', -1), 100);
	read_file(inject_local_file(4, 'x'), 4);
}

INJECT_TEST(F24_failures_while_a_file_is_not_read)
{
	enum shmguard_reason reason;
	int ends[2];
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	int files[] = {ends[0], open("/tmp", O_RDONLY | O_CLOEXEC),
		harness_memfd(10, 'x', 0), open("/proc/self/maps", O_RDONLY)};
	inject_begin();
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		ck_assert_ptr_null(shmguard_read_fd(files[i], 0, SIZE, SIZE,
			NULL, &reason));
	inject_end();
	close(ends[1]);
}
