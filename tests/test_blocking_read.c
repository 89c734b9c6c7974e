/* SPDX-License-Identifier: MIT */

/* Files that can block, copied by threads that nobody waits for (I10). */

#include "fuse_file.h"
#include "harness.h"

#include "blocking_read.h"
#include "memory_look.h"
#include "reaper_watch.h"
#include "sanitizers.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <shmguard/map.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Far more than all waiting here, far less than a server is silent. */
#define NOT_BLOCKED_SECONDS 20

enum { SIZE = 64 << 10 };

static const struct shmguard_policy copy_policy = {
	.blocking = SHMGUARD_BLOCKING_COPY,
};
/* For servers that do answer, on machines that are busy. */
static const struct shmguard_policy patient_policy = {
	.blocking = SHMGUARD_BLOCKING_COPY,
	.blocking_deadline = NOT_BLOCKED_SECONDS * 1000,
};

static bool
gets_closed(int fd)
{
	for (int i = 0; i < PATIENCE_SECONDS * 100; i++) {
		if (fcntl(fd, F_GETFD) < 0)
			return true;
		usleep(10 * 1000);
	}
	return false;
}

static struct shmguard_map *
must_open(const struct fuse_file *file, const struct shmguard_policy *policy,
	int *fd)
{
	enum shmguard_reason reason;
	*fd = fuse_file_open(file, O_RDWR);
	ck_assert_int_ge(*fd, 0);
	struct shmguard_map *map = shmguard_map_open(*fd, SIZE, policy, &reason);
	ck_assert_msg(map != NULL, "%s", strerror(errno));
	ck_assert_int_eq(shmguard_map_tier(map), SHMGUARD_TIER_COPIED);
	ck_assert_int_eq(reason, SHMGUARD_REASON_MAY_BLOCK);
	return map;
}

static bool
is_full_of(const void *data, size_t size, int byte)
{
	const unsigned char *bytes = data;
	return bytes[0] == byte && memcmp(bytes, bytes + 1, size - 1) == 0;
}

/* All of it reads as zeros and is known to be lost. */
static void
must_read_zeros(struct shmguard_map *map)
{
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_map_begin_read(map, 0, SIZE, &view), 0);
	bool zeros = is_full_of(view.data, SIZE, 0);
	ck_assert_int_eq(shmguard_view_end(&view), -1);
	ck_assert_int_eq(errno, EFAULT);
	ck_assert(zeros);
	ck_assert(shmguard_map_lost(map));
}

static void
must_not_take_long(time_t since)
{
	ck_assert_int_lt(time(NULL) - since, NOT_BLOCKED_SECONDS);
}

TEST(server_that_does_its_work_is_read)
{
	struct fuse_file *file = fuse_file_start(SIZE, FUSE_FILE_NORMAL);
	if (file == NULL)
		SKIP("no FUSE: %s", fuse_file_problem());
	int fd;
	struct shmguard_map *map = must_open(file, &patient_policy, &fd);
	struct shmguard_view view;
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(shmguard_map_begin_read(map, 100, SIZE - 100,
			&view), 0);
		bool good = is_full_of(view.data, SIZE - 100, FUSE_FILE_BYTE);
		ck_assert_int_eq(shmguard_view_end(&view), 0);
		ck_assert(good);
	}
	ck_assert(!shmguard_map_lost(map));
	ck_assert_int_eq(shmguard_map_resize(map, 2 * SIZE), 0);
	shmguard_map_close(map);
	ck_assert(gets_closed(fd));
	fuse_file_stop(file);
}

TEST(I10_silent_server_is_waited_for_no_longer_than_the_deadline)
{
	struct fuse_file *file = fuse_file_start(SIZE, FUSE_FILE_SILENT);
	if (file == NULL)
		SKIP("no FUSE: %s", fuse_file_problem());
	int fd;
	time_t start = time(NULL);
	struct shmguard_map *map = must_open(file, &copy_policy, &fd);
	for (int i = 0; i < 100; i++)
		must_read_zeros(map);
	ck_assert_int_eq(shmguard_map_resize(map, 2 * SIZE), 0);
	shmguard_map_close(map);
	must_not_take_long(start);
	/* The reader has it still. */
	ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
	fuse_file_stop(file);
	ck_assert(gets_closed(fd));
	must_have_reaper_threads(0);
}

/* Whoever makes many files makes nobody wait longer. */
TEST(I10_many_silent_files_cost_no_more_than_one)
{
	enum { FILES = 40 };
	struct shmguard_map *maps[FILES];
	int fds[FILES];
	enum { DEADLINE_SECONDS = 3 };
	static const struct shmguard_policy three_seconds = {
		.blocking = SHMGUARD_BLOCKING_COPY,
		.blocking_deadline = DEADLINE_SECONDS * 1000,
	};
	struct fuse_file *file = fuse_file_start(SIZE, FUSE_FILE_SILENT);
	if (file == NULL)
		SKIP("no FUSE: %s", fuse_file_problem());
	for (int i = 0; i < FILES; i++)
		maps[i] = must_open(file, &three_seconds, &fds[i]);

	time_t start = time(NULL);
	for (int i = 0; i < FILES; i++)
		must_read_zeros(maps[i]);
	/* Were it for each file, as many as there are readers would wait. */
	ck_assert_int_lt(time(NULL) - start,
		DEADLINE_SECONDS * (BLOCKING_READERS_MAX - 1));
	must_have_reaper_threads(BLOCKING_READERS_MAX);

	for (int i = 0; i < FILES; i++)
		shmguard_map_close(maps[i]);
	must_not_take_long(start);
	fuse_file_stop(file);
	for (int i = 0; i < FILES; i++)
		ck_assert(gets_closed(fds[i]));
	must_have_reaper_threads(0);
}

/* What arrives too late belongs to nobody. */
TEST(I10_answer_after_the_deadline_is_dropped)
{
	struct fuse_file *file = fuse_file_start(SIZE, FUSE_FILE_SLOW);
	if (file == NULL)
		SKIP("no FUSE: %s", fuse_file_problem());
	int fd;
	struct shmguard_policy hasty = copy_policy;
	hasty.blocking_deadline = 1;
	struct shmguard_map *map = must_open(file, &hasty, &fd);
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_map_begin_read(map, 0, SIZE, &view), 0);
	ck_assert(shmguard_map_lost(map));
	must_have_reaper_threads(0);
	bool zeros = is_full_of(view.data, SIZE, 0);
	ck_assert_int_eq(shmguard_view_end(&view), -1);
	ck_assert(zeros);

	/* The client has been told; nor is its server asked again. */
	ck_assert_int_eq(fuse_file_set_mode(file, FUSE_FILE_NORMAL), 0);
	must_read_zeros(map);
	shmguard_map_close(map);
	ck_assert(gets_closed(fd));
	fuse_file_stop(file);
}

TEST(I10_slow_server_within_the_deadline_is_read)
{
	struct fuse_file *file = fuse_file_start(SIZE, FUSE_FILE_SLOW);
	if (file == NULL)
		SKIP("no FUSE: %s", fuse_file_problem());
	int fd;
	struct shmguard_map *map = must_open(file, &patient_policy, &fd);
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_map_begin_read(map, 0, SIZE, &view), 0);
	bool good = is_full_of(view.data, SIZE, FUSE_FILE_BYTE);
	ck_assert_int_eq(shmguard_view_end(&view), 0);
	ck_assert(good);
	shmguard_map_close(map);
	ck_assert(gets_closed(fd));
	fuse_file_stop(file);
}

static void
check_missing_bytes(enum fuse_file_mode mode, size_t there)
{
	struct fuse_file *file = fuse_file_start(SIZE, mode);
	if (file == NULL)
		SKIP("no FUSE: %s", fuse_file_problem());
	int fd;
	struct shmguard_map *map = must_open(file, &patient_policy, &fd);
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_map_begin_read(map, 0, SIZE, &view), 0);
	const char *data = view.data;
	bool good = there == 0 || is_full_of(data, there, FUSE_FILE_BYTE);
	bool zeros = is_full_of(data + there, SIZE - there, 0);
	ck_assert_int_eq(shmguard_view_end(&view), -1);
	ck_assert(good);
	ck_assert(zeros);
	ck_assert(shmguard_map_lost(map));
	shmguard_map_close(map);
	ck_assert(gets_closed(fd));
	fuse_file_stop(file);
}

TEST(I7_server_that_reads_short)
{
	check_missing_bytes(FUSE_FILE_SHORT, SIZE / 2);
}

TEST(I7_server_that_fails)
{
	check_missing_bytes(FUSE_FILE_ERROR, 0);
}

/* Writing back would have to wait as well. */
TEST(I10_files_that_can_block_are_not_written)
{
	struct fuse_file *file = fuse_file_start(SIZE, FUSE_FILE_NORMAL);
	if (file == NULL)
		SKIP("no FUSE: %s", fuse_file_problem());
	int fd;
	struct shmguard_map *map = must_open(file, &copy_policy, &fd);
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_map_begin_write(map, 0, SIZE, &view), -1);
	ck_assert_int_eq(errno, EACCES);
	shmguard_map_close(map);
	ck_assert(gets_closed(fd));
	fuse_file_stop(file);
}

TEST(I6_view_outlives_the_map)
{
	struct fuse_file *file = fuse_file_start(SIZE, FUSE_FILE_NORMAL);
	if (file == NULL)
		SKIP("no FUSE: %s", fuse_file_problem());
	int fd;
	struct shmguard_map *map = must_open(file, &patient_policy, &fd);
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_map_begin_read(map, 0, SIZE, &view), 0);
	shmguard_map_close(map);
	bool good = is_full_of(view.data, SIZE, FUSE_FILE_BYTE);
	ck_assert_int_eq(shmguard_view_end(&view), 0);
	ck_assert(good);
	ck_assert(gets_closed(fd));
	fuse_file_stop(file);
}

/* The policy for other files still counts. */
TEST(only_files_that_can_block_are_copied)
{
	struct shmguard_map *map = shmguard_map_open(
		harness_memfd(page_size(), 1, 0), page_size(), &copy_policy, NULL);
	ck_assert_ptr_nonnull(map);
	ck_assert_int_ne(shmguard_map_tier(map), SHMGUARD_TIER_COPIED);
	shmguard_map_close(map);

	struct fuse_file *file = fuse_file_start(SIZE, FUSE_FILE_NORMAL);
	if (file == NULL)
		SKIP("no FUSE: %s", fuse_file_problem());
	struct shmguard_policy strict = copy_policy;
	strict.unsealed = SHMGUARD_UNSEALED_REJECT;
	int fd = fuse_file_open(file, O_RDWR);
	ck_assert_ptr_null(shmguard_map_open(fd, SIZE, &strict, NULL));
	ck_assert(gets_closed(fd));
	fuse_file_stop(file);
}

static void
note_release(void *owner)
{
	atomic_store((atomic_bool *)owner, true);
}

TEST(read_that_there_is_no_memory_for_lets_go_of_the_file)
{
	atomic_bool released = false;
	const struct blocking_source source = {
		.fd = -1,
		.deadline = 1,
		.owner = &released,
		.released = note_release,
	};
	errno = 0;
	ck_assert_ptr_null(blocking_read(&source, 0, SIZE_MAX / 2));
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert(released);
}

/* TSan does not allow threads in the child of a process with threads. */
#ifndef HAVE_TSAN

/* Whether a file that does not block is read in a child. */
static bool
reads_in_child(void)
{
	atomic_bool released = false;
	const struct blocking_source source = {
		.fd = harness_memfd(SIZE, 'x', 0),
		.deadline = NOT_BLOCKED_SECONDS * 1000,
		.owner = &released,
		.released = note_release,
	};
	struct view_copy *copy = blocking_read(&source, 0, SIZE);
	return copy != NULL && !view_copy_is_lost(copy) &&
		is_full_of(view_copy_data(copy), SIZE, 'x');
}

/* The child has the descriptor as well: it ends once the server has. */
TEST(I12_child_has_readers_of_its_own)
{
	struct fuse_file *file = fuse_file_start(SIZE, FUSE_FILE_SILENT);
	if (file == NULL)
		SKIP("no FUSE: %s", fuse_file_problem());
	int fds[BLOCKING_READERS_MAX];
	for (int i = 0; i < BLOCKING_READERS_MAX; i++) {
		struct shmguard_map *map = must_open(file, &copy_policy, &fds[i]);
		must_read_zeros(map);
		shmguard_map_close(map);
	}
	must_have_reaper_threads(BLOCKING_READERS_MAX);
	int news = harness_eventfd();
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		eventfd_write(news, reads_in_child() ? 1 : 2);
		_exit(EXIT_SUCCESS);
	}
	ck_assert_int_eq(poll(&(struct pollfd){.fd = news, .events = POLLIN}, 1,
		NOT_BLOCKED_SECONDS * 1000), 1);
	eventfd_t read_well;
	ck_assert_int_eq(eventfd_read(news, &read_well), 0);
	fuse_file_stop(file);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_uint_eq(read_well, 1);
	for (int i = 0; i < BLOCKING_READERS_MAX; i++)
		ck_assert(gets_closed(fds[i]));
	close(news);
	must_have_reaper_threads(0);
}

#endif
