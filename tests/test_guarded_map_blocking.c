/* SPDX-License-Identifier: MIT */

/* Maps of files whose server does not do what it should (I10). */

#include "fake_kernel.h"
#include "fuse_file.h"
#include "harness.h"

#include "memory_look.h"
#include "nosigbus_map.h"
#include "range_registry.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <shmguard/map.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Far longer than anything here takes that does not wait for the server. */
#define WATCHDOG_SECONDS 10

enum { PAGES = 8 };

static const struct shmguard_policy allow_policy = {
	.blocking = SHMGUARD_BLOCKING_ALLOW,
};
static const struct shmguard_policy allow_copy_policy = {
	.blocking = SHMGUARD_BLOCKING_ALLOW,
	.unsealed = SHMGUARD_UNSEALED_COPY,
};

/* What a thread does while the server is watched. */
struct job {
	int fd;
	size_t size;
	const struct shmguard_policy *policy;
	struct shmguard_map *map;
	enum shmguard_reason reason;
	int error;
};

static void *
open_map(void *data)
{
	struct job *job = data;
	job->map = shmguard_map_open(job->fd, job->size, job->policy,
		&job->reason);
	job->error = errno;
	return NULL;
}

static void *
close_map(void *data)
{
	struct job *job = data;
	shmguard_map_close(job->map);
	return NULL;
}

/* Stops the server if the job waits for it, or else later. */
static bool
done_in_time(struct fuse_file *file, void *(*func)(void *), struct job *job)
{
	struct timespec deadline;
	pthread_t thread;
	ck_assert_int_eq(pthread_create(&thread, NULL, func, job), 0);
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += WATCHDOG_SECONDS;
	bool in_time = pthread_timedjoin_np(thread, NULL, &deadline) == 0;
	if (!in_time) {
		fuse_file_stop(file);
		pthread_join(thread, NULL);
	}
	return in_time;
}

static bool
gets_closed(int fd)
{
	for (int i = 0; i < 500 && fcntl(fd, F_GETFD) >= 0; i++)
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	return fcntl(fd, F_GETFD) < 0;
}

static void
must_do(struct fuse_file *file, void *(*func)(void *), struct job *job)
{
	ck_assert_msg(done_in_time(file, func, job), "it waited for the server");
}

TEST(F17_silent_server_is_refused_at_once)
{
	static const struct shmguard_policy policies[] = {
		{0},
		{.unsealed = SHMGUARD_UNSEALED_COPY},
		{.unsealed = SHMGUARD_UNSEALED_REJECT},
		{.adopt_seals = true},
		{.handler = SHMGUARD_HANDLER_NONE},
		{.writable = true},
	};
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		struct fuse_file *file =
			fuse_file_start(PAGES * page_size(), FUSE_FILE_SILENT);
		if (file == NULL)
			SKIP("no FUSE: %s", fuse_file_problem());
		struct job job = {
			.fd = fuse_file_open(file, O_RDWR),
			.size = PAGES * page_size(),
			.policy = &policies[i],
		};
		must_do(file, open_map, &job);
		fuse_file_stop(file);
		ck_assert_ptr_null(job.map);
		ck_assert_int_eq(job.error, EPERM);
		ck_assert_int_eq(job.reason, SHMGUARD_REASON_MAY_BLOCK);
		ck_assert(gets_closed(job.fd));
	}
}

/* Whatever it is refused for, closing it may block. */
TEST(F17_silent_server_is_refused_for_other_reasons)
{
	static const struct {
		int access;
		size_t size;
		enum shmguard_reason reason;
		const struct shmguard_policy *policy;
	} cases[] = {
		{O_WRONLY, 1, SHMGUARD_REASON_WRITE_ONLY, NULL},
		{O_PATH, 1, SHMGUARD_REASON_PATH_ONLY, NULL},
		{O_RDWR, 0, SHMGUARD_REASON_MAY_BLOCK, NULL},
		{O_RDWR, 0, SHMGUARD_REASON_TOO_LARGE, &allow_policy},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fuse_file *file = fuse_file_start(1, FUSE_FILE_SILENT);
		if (file == NULL)
			SKIP("no FUSE: %s", fuse_file_problem());
		struct job job = {
			.fd = fuse_file_open(file, cases[i].access),
			.size = cases[i].size,
			.policy = cases[i].policy,
		};
		must_do(file, open_map, &job);
		fuse_file_stop(file);
		ck_assert_ptr_null(job.map);
		ck_assert_int_eq(job.reason, cases[i].reason);
		ck_assert(gets_closed(job.fd));
	}
}

TEST(allowed_server_that_does_its_work)
{
	static const struct shmguard_policy *const policies[] = {
		&allow_policy, &allow_copy_policy,
	};
	for (int i = 0; i < 2; i++) {
		struct fuse_file *file =
			fuse_file_start(PAGES * page_size(), FUSE_FILE_NORMAL);
		if (file == NULL)
			SKIP("no FUSE: %s", fuse_file_problem());
		int fd = fuse_file_open(file, O_RDWR);
		struct shmguard_map *map = shmguard_map_open(fd,
			PAGES * page_size(), policies[i], NULL);
		ck_assert_msg(map != NULL, "%s", strerror(errno));
		ck_assert_int_eq(shmguard_map_tier(map),
			i == 1 ? SHMGUARD_TIER_COPIED : nosigbus_flag() != 0 ?
			SHMGUARD_TIER_NOSIGBUS : SHMGUARD_TIER_TRAPPED);
		ck_assert_int_eq(shmguard_map_reason(map),
			SHMGUARD_REASON_MAY_BLOCK);
		struct shmguard_view view;
		ck_assert_int_eq(shmguard_map_begin_read(map, 0,
			PAGES * page_size(), &view), 0);
		for (size_t at = 0; at < PAGES * page_size(); at += 1000)
			ck_assert_int_eq(((volatile char *)view.data)[at],
				FUSE_FILE_BYTE);
		ck_assert_int_eq(shmguard_view_end(&view), 0);
		shmguard_map_close(map);
		ck_assert(gets_closed(fd));
		fuse_file_stop(file);
	}
}

/* A server can take a file's end away without anybody truncating it. */
static void
check_missing_pages(enum fuse_file_mode mode,
	const struct shmguard_policy *policy)
{
	size_t size = PAGES * page_size();
	struct fuse_file *file = fuse_file_start(size, mode);
	if (file == NULL)
		SKIP("no FUSE: %s", fuse_file_problem());
	int fd = fuse_file_open(file, O_RDWR);
	struct shmguard_map *map = shmguard_map_open(fd, size, policy, NULL);
	ck_assert_msg(map != NULL, "%s", strerror(errno));
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_map_begin_read(map, 0, size, &view), 0);
	const volatile unsigned char *data = view.data;
	int last = data[size - 1], first = data[0];
	/* Where the kernel shows the zeros nobody learns. */
	bool told = shmguard_map_tier(map) != SHMGUARD_TIER_NOSIGBUS;
	ck_assert_int_eq(shmguard_view_end(&view), told ? -1 : 0);
	ck_assert_int_eq(shmguard_map_lost(map), told);
	shmguard_map_close(map);
	fuse_file_stop(file);
	ck_assert(gets_closed(fd));
	ck_assert_int_eq(last, 0);
	ck_assert(first == 0 || first == FUSE_FILE_BYTE);
}

TEST(I7_server_that_reads_short)
{
	check_missing_pages(FUSE_FILE_SHORT, &allow_policy);
}

TEST(I7_server_that_fails)
{
	check_missing_pages(FUSE_FILE_ERROR, &allow_policy);
}

/* The handler must not ask the server: who unregisters waits for handlers. It
 * then knows no better than to replace what follows the fault. */
TEST(I3_handler_does_not_ask_the_server)
{
	size_t size = PAGES * page_size();
	struct fuse_file *file = fuse_file_start(size, FUSE_FILE_ERROR);
	if (file == NULL)
		SKIP("no FUSE: %s", fuse_file_problem());
	fake_kernel_use(); /* one whose mappings fault */
	int fd = fuse_file_open(file, O_RDWR);
	struct shmguard_map *map =
		shmguard_map_open(fd, size, &allow_policy, NULL);
	ck_assert_ptr_nonnull(map);
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_map_begin_read(map, 0, size, &view), 0);
	const volatile unsigned char *data = view.data;
	int middle = data[size / 2], faults = (int)view.range->faults;
	int last = data[size - 1], faults_after = (int)view.range->faults;
	int first = data[0], faults_at_end = (int)view.range->faults;
	ck_assert_int_eq(shmguard_view_end(&view), -1);
	shmguard_map_close(map);
	fuse_file_stop(file);
	ck_assert(gets_closed(fd));
	ck_assert_int_eq(middle + last + first, 0);
	ck_assert_int_eq(faults, 1);
	ck_assert_int_eq(faults_after, 1);
	ck_assert_int_eq(faults_at_end, 2);
}

TEST(copies_from_a_server_that_reads_short)
{
	check_missing_pages(FUSE_FILE_SHORT, &allow_copy_policy);
}

TEST(copies_from_a_server_that_fails)
{
	check_missing_pages(FUSE_FILE_ERROR, &allow_copy_policy);
}

TEST(I11_server_that_falls_silent_does_not_hold_up_the_close)
{
	static const struct shmguard_policy *const policies[] = {
		&allow_policy, &allow_copy_policy,
	};
	for (int i = 0; i < 2; i++) {
		struct fuse_file *file =
			fuse_file_start(PAGES * page_size(), FUSE_FILE_NORMAL);
		if (file == NULL)
			SKIP("no FUSE: %s", fuse_file_problem());
		struct job job = {
			.fd = fuse_file_open(file, O_RDWR),
			.size = PAGES * page_size(),
			.policy = policies[i],
		};
		struct shmguard_view view;
		open_map(&job);
		ck_assert_ptr_nonnull(job.map);
		ck_assert_int_eq(shmguard_map_begin_write(job.map, 0, page_size(),
			&view), 0);
		*(volatile char *)view.data = 1;
		ck_assert_int_eq(shmguard_view_end(&view), 0);
		ck_assert_int_eq(fuse_file_set_mode(file, FUSE_FILE_SILENT), 0);
		must_do(file, close_map, &job);
		fuse_file_stop(file);
		ck_assert(gets_closed(job.fd));
	}
}
