/* SPDX-License-Identifier: MIT */

/*
 * Descriptors that wlroots looks into, by way of a library that does the same.
 * The functions under test are this program's, so they stand before the C
 * library's as those of a preloaded library do.
 */

#include "fake_ffi.h"
#include "fake_wlroots.h"
#include "fuse_file.h"
#include "harness.h"
#include "memory_look.h"
#include "needs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Far longer than anything here takes that does not wait for a server. */
#define WATCHDOG_SECONDS 10

#define NOBODY 65534

#ifdef SYS_setresuid32
#define SYS_setresuid_used SYS_setresuid32
#else
#define SYS_setresuid_used SYS_setresuid
#endif

static void
must_be_keymap(int fd, size_t size, size_t length)
{
	ssize_t got = fake_wlroots_keymap(fd, size);
	ck_assert_msg(got == (ssize_t)length, "%zd instead of %zu: %s", got, length,
		strerror(errno));
}

static void
must_be_no_keymap(int fd, size_t size, int error)
{
	ck_assert_int_eq(fake_wlroots_keymap(fd, size), -1);
	ck_assert_int_eq(errno, error);
}

/* ---- Keymaps ---- */

TEST(F24_keymap_is_read)
{
	int fd = harness_memfd(0, 0, -1);
	ck_assert_int_eq(write(fd, "keymap", 7), 7);
	must_be_keymap(fd, 7, 6);
	must_be_keymap(fd, 6, 6);
	must_be_keymap(fd, 3, 3);
	int reader = reopen_fd(fd, O_RDONLY);
	must_be_keymap(reader, 7, 6);
	close(reader);
	close(fd);
}

TEST(F24_keymap_file_is_too_short)
{
	int fd = harness_memfd(100, 'x', -1);
	must_be_keymap(fd, 64 << 10, 100);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	must_be_keymap(fd, 64 << 10, 0);
	close(fd);
}

TEST(F24_keymap_shrinks_after_it_was_mapped)
{
	size_t size = 8 * page_size();
	int fd = harness_memfd(size, 'x', -1);
	char *text = fake_wlroots_mmap(size + 1, PROT_READ, MAP_PRIVATE, fd, 0);
	ck_assert_ptr_ne(text, MAP_FAILED);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_uint_eq(strlen(text), size);
	ck_assert_str_eq(permissions_at(text), "r--p");
	munmap(text, size + 1);
	close(fd);
}

/* A mapping would show what the file has behind them, and more pages follow. */
TEST(F24_bytes_behind_the_keymap_are_not_seen)
{
	int fd = harness_memfd(page_size(), 'x', -1);
	must_be_keymap(fd, 10, 10);
	must_be_keymap(fd, page_size() - 1, page_size() - 1);
	close(fd);
}

TEST(F24_keymap_that_fills_its_pages_has_an_end)
{
	size_t page = page_size();
	int fd = harness_memfd(2 * page, 'x', -1);
	must_be_keymap(fd, page, page);
	must_be_keymap(fd, 2 * page, 2 * page);
	ck_assert_int_eq(pwrite(fd, "", 1, (off_t)(2 * page) - 1), 1);
	must_be_keymap(fd, 2 * page, 2 * page - 1);
	must_be_keymap(fd, page, page);
	close(fd);
}

/* There is one place to remember that a page more has to be unmapped. */
TEST(F24_second_keymap_at_a_time)
{
	size_t page = page_size();
	int fd = harness_memfd(2 * page, 'x', -1);
	char *first = fake_wlroots_mmap(page, PROT_READ, MAP_PRIVATE, fd, 0);
	ck_assert_ptr_ne(first, MAP_FAILED);
	must_be_no_keymap(fd, page, ENOMEM);
	must_be_keymap(fd, page - 1, page - 1);
	must_be_keymap(fd, 3 * page, 2 * page);
	ck_assert_uint_eq(strlen(first), page);
	munmap(first, page);
	/* A sanitizer's runtime may have put something of its own there since. */
	ck_assert(!is_mapped(first + page) ||
		strcmp(permissions_at(first + page), "r--p") != 0);
	must_be_keymap(fd, page, page);
	close(fd);
}

TEST(F24_sizes_that_make_no_sense_are_refused)
{
	int fd = harness_memfd(100, 'x', -1);
	must_be_no_keymap(fd, 0, EINVAL);
	must_be_no_keymap(fd, UINT32_MAX, ENOMEM);
	close(fd);
}

TEST(F24_descriptors_that_are_no_files_are_refused)
{
	needs_statx();
	int ends[2], fd = harness_memfd(100, 'x', -1);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	must_be_no_keymap(ends[0], 100, EINVAL);
	must_be_no_keymap(-1, 100, EBADF);
	int writer = reopen_fd(fd, O_WRONLY);
	must_be_no_keymap(writer, 100, EACCES);
	close(writer);
	close(ends[0]);
	close(ends[1]);
	close(fd);
}

TEST(F24_no_memory_is_left_behind)
{
	int fd = harness_memfd(64 << 10, 'x', -1);
	must_be_keymap(fd, 10, 10);
	long before = number_in_status("VmSize");
	for (int i = 0; i < 1000; i++) {
		must_be_keymap(fd, 10, 10);
		must_be_keymap(fd, 100 << 10, 64 << 10);
		must_be_keymap(fd, 64 << 10, 64 << 10);
	}
	for (int i = 0; i < 50; i++)
		must_be_no_keymap(-1, 64 << 10, EBADF);
	/* KiB: less than a page for each good one, or all of each bad one. */
	ck_assert_int_lt(number_in_status("VmSize"), before + 2000);
	close(fd);
}

TEST(offset_is_honoured)
{
	size_t page = page_size();
	int fd = numbered_memfd(3);
	unsigned char *bytes = fake_wlroots_mmap(page + 1, PROT_READ,
		MAP_PRIVATE, fd, (int64_t)page);
	ck_assert_ptr_ne(bytes, MAP_FAILED);
	ck_assert_int_eq(bytes[0], page_byte(1));
	ck_assert_int_eq(bytes[page], page_byte(2));
	munmap(bytes, page + 1);
	close(fd);
}

/* ---- What passes ---- */

static bool
shows_changes(const char *bytes, int fd)
{
	ck_assert_int_eq(pwrite(fd, "y", 1, 0), 1);
	bool changed = *(volatile const char *)bytes == 'y';
	ck_assert_int_eq(pwrite(fd, "x", 1, 0), 1);
	return changed;
}

TEST(other_mappings_are_the_kernels)
{
	size_t page = page_size();
	static const struct {
		int protection, flags;
	} kinds[] = {
		{PROT_READ, MAP_SHARED},
		{PROT_READ | PROT_WRITE, MAP_SHARED},
		{PROT_READ | PROT_WRITE, MAP_PRIVATE},
	};
	int fd = harness_memfd(page, 'x', -1);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char *bytes = fake_wlroots_mmap(page, kinds[i].protection,
			kinds[i].flags, fd, 0);
		ck_assert_ptr_ne(bytes, MAP_FAILED);
		ck_assert(shows_changes(bytes, fd));
		munmap(bytes, page);
	}
	char *bytes = fake_wlroots_mmap(page, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(bytes, MAP_FAILED);
	bytes[0] = 'x';
	munmap(bytes, page);

	/* Private and to be read, but not asked for by wlroots. */
	bytes = mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, 0);
	ck_assert_ptr_ne(bytes, MAP_FAILED);
	ck_assert(shows_changes(bytes, fd));
	munmap(bytes, page);
	close(fd);
}

static void
must_pass(int fd, int64_t size)
{
	char byte;
	ck_assert_int_eq(fake_wlroots_fstat(fd), 0);
	ck_assert_int_eq(fake_wlroots_seek_end(fd), size);
	ck_assert_int_eq(fake_wlroots_pread(fd, &byte, 1, size - 1), 1);
	ck_assert_int_eq(byte, 'x');
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ck_assert_int_eq(fake_wlroots_read(fd, &byte, 1), 1);
	ck_assert_int_eq(byte, 'x');
	ck_assert_int_eq(fake_wlroots_close(fd), 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
}

TEST(files_that_cannot_block_are_the_kernels)
{
	needs_statx();
	must_pass(harness_memfd(100, 'x', -1), 100);
	must_pass(harness_memfd(100, 'x', 0), 100);

	char path[] = "/tmp/test-fds-XXXXXX";
	int fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	unlink(path);
	ck_assert_int_eq(write(fd, "xxx", 3), 3);
	must_pass(fd, 3);
}

TEST(what_is_no_file_is_the_kernels)
{
	char byte;
	int ends[2];
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
		ends), 0);
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	ck_assert_int_eq(fake_wlroots_read(ends[0], &byte, 1), 1);
	ck_assert_int_eq(fake_wlroots_fstat(ends[0]), 0);
	ck_assert_int_eq(fake_wlroots_seek_end(ends[0]), -1);
	ck_assert_int_eq(errno, ESPIPE);
	ck_assert_int_eq(fake_wlroots_close(ends[0]), 0);
	ck_assert_int_eq(fake_wlroots_close(ends[1]), 0);
	ck_assert_int_eq(fcntl(ends[0], F_GETFD), -1);
	ck_assert_int_eq(fake_wlroots_close(-1), -1);
	ck_assert_int_eq(errno, EBADF);
}

/* ---- Files that somebody serves ---- */

struct session {
	int fd;
	ssize_t keymap, read, pread;
	int64_t seek;
	int errors[5], stat, close;
	bool as_nobody, ran;
};

static void *
use_it(void *data)
{
	struct session *session = data;
	char bytes[100];
	/* Of this thread only, without the C library's help. */
	if (session->as_nobody)
		ck_assert_int_eq(syscall(SYS_setresuid_used, NOBODY, NOBODY,
			NOBODY), 0);
	session->keymap = fake_wlroots_keymap(session->fd, 100);
	session->errors[0] = errno;
	session->read = fake_wlroots_read(session->fd, bytes, 100);
	session->errors[1] = errno;
	session->pread = fake_wlroots_pread(session->fd, bytes, 100, 0);
	session->errors[2] = errno;
	session->seek = fake_wlroots_seek_end(session->fd);
	session->errors[3] = errno;
	session->stat = fake_wlroots_fstat(session->fd);
	session->errors[4] = errno;
	session->close = fake_wlroots_close(session->fd);
	return NULL;
}

/* Of functions that end with close() only their caller is seen. */
static void *
end_request_with_close(void *data)
{
	struct session *session = data;
	session->close = fake_ffi_call(close, session->fd);
	return NULL;
}

static void
must_not_be_asked(void *(*use)(void *), struct session *session)
{
	struct fuse_file *file = fuse_file_start(100, FUSE_FILE_SILENT);
	if (file == NULL)
		SKIP("no FUSE: %s", fuse_file_problem());
	session->fd = fuse_file_open(file, O_RDWR);
	ck_assert_int_ge(session->fd, 0);

	struct timespec deadline;
	pthread_t thread;
	ck_assert_int_eq(pthread_create(&thread, NULL, use, session), 0);
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += WATCHDOG_SECONDS;
	bool in_time = pthread_timedjoin_np(thread, NULL, &deadline) == 0;
	fuse_file_stop(file);
	if (!in_time)
		pthread_join(thread, NULL);
	ck_assert_msg(in_time, "it waited for the server");

	ck_assert_int_eq(session->close, 0);
	for (int i = 0; i < 1000 && fcntl(session->fd, F_GETFD) >= 0; i++)
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	ck_assert_int_lt(fcntl(session->fd, F_GETFD), 0);
	session->ran = true;
}

static void
must_be_refused(const struct session *session)
{
	if (!session->ran)
		return;
	ck_assert_int_eq(session->keymap, -1);
	ck_assert_int_eq(session->read, -1);
	ck_assert_int_eq(session->pread, -1);
	ck_assert_int_eq(session->seek, -1);
	ck_assert_int_eq(session->stat, -1);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(session->errors[i], EPERM);
}

TEST(I10_silent_server_is_not_asked)
{
	struct session session = {0};
	must_not_be_asked(use_it, &session);
	must_be_refused(&session);
}

/* The kernel then does not even tell what kind of file it is. */
TEST(I10_silent_server_of_another_user_is_not_asked)
{
	if (geteuid() != 0)
		SKIP("only root can become another user");
	struct session session = {.as_nobody = true};
	must_not_be_asked(use_it, &session);
	must_be_refused(&session);
}

TEST(I10_request_may_end_with_close)
{
	struct session session = {0};
	must_not_be_asked(end_request_with_close, &session);
}

/* It has no threads but its own. It cannot end before the server does. */
TEST(I10_child_does_not_wait_either)
{
	struct fuse_file *file = fuse_file_start(100, FUSE_FILE_SILENT);
	if (file == NULL)
		SKIP("no FUSE: %s", fuse_file_problem());
	int fd = fuse_file_open(file, O_RDWR), ends[2];
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		char result = (char)fake_wlroots_close(fd);
		_exit(write(ends[1], &result, 1) != 1 || result != 0);
	}

	struct pollfd answer = {.fd = ends[0], .events = POLLIN};
	int answers = poll(&answer, 1, WATCHDOG_SECONDS * 1000);
	fuse_file_stop(file);
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(answers == 1, "it waited for the server");
	ck_assert_int_eq(status, 0);
	close(ends[0]);
	close(ends[1]);
	close(fd);
}
