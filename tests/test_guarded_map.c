/* SPDX-License-Identifier: MIT */

/* What a map holds while it is open: descriptors, the handler, memory. */

#include "harness.h"

#include "fake_kernel.h"
#include "memory_look.h"
#include "needs.h"
#include "nosigbus_map.h"
#include "reaper_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <shmguard/map.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGES = 4 };

static const struct shmguard_policy default_policy;
static const struct shmguard_policy copy_policy = {
	.unsealed = SHMGUARD_UNSEALED_COPY,
};
static const struct shmguard_policy adopt_policy = {.adopt_seals = true};
static const struct shmguard_policy writable_policy = {.writable = true};
static const struct shmguard_policy no_handler_policy = {
	.handler = SHMGUARD_HANDLER_NONE,
};
static const struct shmguard_policy host_policy = {
	.handler = SHMGUARD_HANDLER_HOST,
};

/* On kernels with no-SIGBUS mappings too, unless a test asks for them. */
__attribute__((constructor))
static void
use_plain_kernel(void)
{
	fake_kernel_use();
}

static int
sealed_file(void)
{
	return harness_memfd(PAGES * page_size(), 1, F_SEAL_SHRINK);
}

static int
short_file(void)
{
	return harness_memfd(PAGES * page_size() - 1, 1, F_SEAL_SHRINK);
}

static int
sealable_file(void)
{
	return harness_memfd(PAGES * page_size(), 1, 0);
}

static int
unsealable_file(void)
{
	return harness_memfd(PAGES * page_size(), 1, -1);
}

static struct shmguard_map *
must_open(int fd, const struct shmguard_policy *policy)
{
	struct shmguard_map *map =
		shmguard_map_open(fd, PAGES * page_size(), policy, NULL);
	ck_assert_msg(map != NULL, "%s", strerror(errno));
	return map;
}

/* ---- What a map holds ---- */

static void
check_held_fds(const struct shmguard_policy *policy, int client, bool nosigbus,
	int expected)
{
	fake_kernel.has_nosigbus = nosigbus;
	int before = harness_open_fds();
	struct shmguard_map *map =
		must_open(fcntl(client, F_DUPFD_CLOEXEC, 0), policy);
	ck_assert_int_eq(harness_open_fds(), before + expected);

	struct shmguard_view reading, writing;
	ck_assert_int_eq(shmguard_map_begin_read(map, 0, 1, &reading), 0);
	ck_assert_int_eq(shmguard_map_begin_write(map, 0, 1, &writing), 0);
	ck_assert_int_eq(harness_open_fds(), before + expected);
	ck_assert_int_eq(shmguard_view_end(&reading), 0);
	ck_assert_int_eq(shmguard_view_end(&writing), 0);
	ck_assert_int_eq(ftruncate(client, (off_t)(99 * page_size())), 0);
	ck_assert_int_eq(shmguard_map_resize(map, 99 * page_size()), 0);
	ck_assert_int_eq(shmguard_map_begin_write(map, 0, 1, &writing), 0);
	ck_assert_int_eq(shmguard_view_end(&writing), 0);
	ck_assert_int_eq(harness_open_fds(), before + expected);
	shmguard_map_close(map);
	ck_assert_int_eq(harness_open_fds(), before);
	close(client);
}

TEST(I8_maps_hold_no_descriptor)
{
	needs_mremap();
	check_held_fds(&default_policy, sealed_file(), false, 0);
	check_held_fds(&default_policy, sealable_file(), false, 0);
	check_held_fds(&default_policy, short_file(), false, 0);
	check_held_fds(&writable_policy, unsealable_file(), false, 0);
	check_held_fds(&host_policy, unsealable_file(), false, 0);
	check_held_fds(&no_handler_policy, sealed_file(), false, 0);
	check_held_fds(&adopt_policy, sealable_file(), false, 0);
	check_held_fds(&copy_policy, unsealable_file(), false, 1);
	check_held_fds(&no_handler_policy, unsealable_file(), false, 1);
}

TEST(I8_nosigbus_maps_hold_no_descriptor)
{
	needs_mremap();
	check_held_fds(&default_policy, sealable_file(), true, 0);
	check_held_fds(&host_policy, unsealable_file(), true, 0);
	/* Stores are written to the file where nothing traps faults. */
	check_held_fds(&no_handler_policy, unsealable_file(), true, 1);
}

/* What waits to be unmapped must not use up a 32-bit process's addresses. */
TEST(I11_large_maps_come_and_go)
{
	enum { MAPS = 3000 };
	size_t size = (size_t)64 << 20;
	int client = harness_memfd(size, 0, 0);
	for (int i = 0; i < MAPS; i++) {
		struct shmguard_map *map = shmguard_map_open(
			fcntl(client, F_DUPFD_CLOEXEC, 0), size, NULL, NULL);
		ck_assert_msg(map != NULL, "number %d: %s", i, strerror(errno));
		/* One by one: the file is a hole, and what a view has is taken for
		 * filled. */
		for (size_t at = 0; at < size; at += size / 16) {
			struct shmguard_view view;
			ck_assert_int_eq(shmguard_map_begin_read(map, at, 1,
				&view), 0);
			ck_assert_int_eq(*(volatile char *)view.data, 0);
			ck_assert_int_eq(shmguard_view_end(&view), 0);
		}
		shmguard_map_close(map);
	}
	close(client);
}

static bool
has_handler(void)
{
	struct sigaction action;
	ck_assert_int_eq(sigaction(SIGBUS, NULL, &action), 0);
	return action.sa_handler != SIG_DFL;
}

/* Neither copies nor pools of files that only we cannot write may take the
 * descriptors that the rest of the process needs. */
static void
expect_bounded_descriptors(const struct shmguard_policy *policy)
{
	struct rlimit limit;
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = 80;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);

	int client = harness_memfd(4096, 1, 0);
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", client);
	struct shmguard_map *maps[80];
	int count = 0;
	while ((maps[count] = shmguard_map_open(
			open(path, O_RDONLY | O_CLOEXEC), 4096, policy,
			NULL)) != NULL)
		count++;
	ck_assert_int_eq(errno, EDQUOT);
	ck_assert_int_eq(count, 80 / 4);

	shmguard_map_close(maps[--count]);
	maps[count] = shmguard_map_open(open(path, O_RDONLY | O_CLOEXEC), 4096,
		policy, NULL);
	ck_assert_ptr_nonnull(maps[count]);
	while (count >= 0)
		shmguard_map_close(maps[count--]);
	close(client);
}

/* The last descriptor of a large file frees its pages. */
TEST(I11_large_files_are_closed_by_the_reaper)
{
	size_t size = (size_t)16 << 20;
	watch_closes();
	int fd = harness_memfd(size, 1, 0), writer = reopen_fd(fd, O_WRONLY);
	close(fd);
	ck_assert_ptr_null(shmguard_map_open(writer, size, NULL, NULL));
	must_become(&fds_closed, 1);

	struct shmguard_map *map = shmguard_map_open(harness_memfd(size, 1, 0),
		size, &copy_policy, NULL);
	ck_assert_ptr_nonnull(map);
	shmguard_map_close(map);
	must_become(&fds_closed, 2);
	ck_assert_int_eq(fds_closed_here, 0);
	must_have_reaper_threads(0);
}

TEST(I9_kept_descriptors_are_bounded)
{
	expect_bounded_descriptors(&(struct shmguard_policy){.writable = true});
	expect_bounded_descriptors(&(struct shmguard_policy){
		.unsealed = SHMGUARD_UNSEALED_COPY});
}

TEST(I4_handler_is_there_while_it_is_needed)
{
	static const struct shmguard_policy *const without[] = {
		&copy_policy, &no_handler_policy, &host_policy,
	};
	signal(SIGBUS, SIG_DFL);
	struct shmguard_map *first = must_open(sealed_file(), &default_policy);
	ck_assert(has_handler());
	struct shmguard_map *second = must_open(unsealable_file(), &default_policy);
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_map_begin_read(second, 0, 1, &view), 0);
	shmguard_map_close(first);
	shmguard_map_close(second);
	ck_assert(has_handler());
	ck_assert_int_eq(shmguard_view_end(&view), 0);
	ck_assert(!has_handler());

	for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++) {
		struct shmguard_map *map = must_open(unsealable_file(), without[i]);
		ck_assert(!has_handler());
		shmguard_map_close(map);
	}
	ck_assert_ptr_null(shmguard_map_open(-1, 1, NULL, NULL));
	ck_assert(!has_handler());
	fake_kernel.calls_before_failure = 0;
	ck_assert_ptr_null(shmguard_map_open(sealed_file(), 1, NULL, NULL));
	ck_assert(!has_handler());
}

static int log_lines;

static void
count_log_line(enum shmguard_log_level level, const char *line, void *data)
{
	ck_assert_int_eq(level, SHMGUARD_LOG_ERROR);
	ck_assert_ptr_nonnull(strstr(line, "SIGBUS"));
	ck_assert_ptr_null(strchr(line, '\n'));
	ck_assert_ptr_eq(data, &log_lines);
	log_lines++;
}

TEST(I4_replaced_handler_is_logged_once)
{
	needs_madvise();
	struct shmguard_policy policy = {
		.log = count_log_line, .log_data = &log_lines,
	};
	struct shmguard_map *maps[4];
	for (int i = 0; i < 4; i++) {
		if (i == 1)
			signal(SIGBUS, SIG_DFL);
		maps[i] = shmguard_map_open(sealed_file(), 1, &policy, NULL);
		ck_assert_ptr_nonnull(maps[i]);
		ck_assert_int_eq(log_lines, i > 0);
	}
	for (int i = 0; i < 4; i++)
		shmguard_map_close(maps[i]);
}

/* ---- Dumps and children (I12) ---- */

TEST(I12_kept_out_of_core_dumps_and_children)
{
	needs_madvise();
	struct shmguard_policy dump = {.dump_client_memory = true};
	struct shmguard_view view;
	for (int i = 0; i < 3; i++) {
		struct shmguard_map *map = shmguard_map_open(
			i == 1 ? sealed_file() : sealable_file(),
			PAGES * page_size(), i == 2 ? &dump : NULL, NULL);
		ck_assert_ptr_nonnull(map);
		ck_assert_int_eq(shmguard_map_begin_write(map, 0, 1, &view), 0);
		ck_assert(has_vm_flag(view.data, "dc"));
		ck_assert_int_eq(has_vm_flag(view.data, "dd"), i != 2);
		ck_assert_int_eq(shmguard_view_end(&view), 0);
		ck_assert_int_eq(shmguard_map_resize(map, 100 * page_size()), 0);
		ck_assert_int_eq(shmguard_map_begin_read(map, 99 * page_size(), 1,
			&view), 0);
		ck_assert(has_vm_flag(view.data, "dc"));
		ck_assert_int_eq(has_vm_flag(view.data, "dd"), i != 2);
		ck_assert_int_eq(shmguard_view_end(&view), 0);
		shmguard_map_close(map);
	}
}

static int
use_maps_in_child(struct shmguard_map *map, struct shmguard_map *other,
	struct shmguard_view *view)
{
	size_t size = PAGES * page_size();
	if (msync(view->data, size, MS_ASYNC) == 0)
		return 1; /* client memory was inherited */
	/* Something of the child's own, where the client's memory was. */
	char *own = mmap(view->data, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (own != view->data)
		return 2;
	own[size - 1] = 3;
	shmguard_view_end(view);
	shmguard_map_close(map);
	shmguard_map_close(other);
	if (own[size - 1] != 3)
		return 4;

	/* And the library goes on working. */
	struct shmguard_view fresh;
	map = shmguard_map_open(sealable_file(), size, NULL, NULL);
	if (map == NULL || shmguard_map_begin_read(map, 0, size, &fresh) != 0 ||
			((volatile char *)fresh.data)[size - 1] != 1)
		return 5;
	shmguard_view_end(&fresh);
	shmguard_map_close(map);
	return 0;
}

TEST(I3_forked_child_closes_maps_without_harm)
{
	needs_madvise();
	size_t size = PAGES * page_size();
	struct shmguard_map *map = must_open(sealable_file(), &default_policy);
	/* Large enough for the reaper. */
	struct shmguard_map *other = shmguard_map_open(
		harness_memfd(8 << 20, 1, 0), 8 << 20, NULL, NULL);
	ck_assert_ptr_nonnull(other);
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_map_begin_read(map, 0, size, &view), 0);

	int status;
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0)
		_exit(use_maps_in_child(map, other, &view));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);

	ck_assert_int_eq(((volatile char *)view.data)[size - 1], 1);
	ck_assert_int_eq(shmguard_view_end(&view), 0);
	shmguard_map_close(map);
	shmguard_map_close(other);
}

/* ---- A kernel that refuses to unmap a part ---- */

static _Atomic int refused_parts;

static int
unmap_nothing_at_first(void *addr, size_t length)
{
	if (refused_parts++ == 0) {
		errno = ENOMEM;
		return -1;
	}
	return munmap(addr, length);
}

TEST(I11_map_that_does_not_go_in_parts_goes_as_a_whole)
{
	size_t size = (size_t)32 << 20;
	struct map_syscalls syscalls = *map_syscalls;
	syscalls.munmap = unmap_nothing_at_first;
	int fd = harness_memfd(size, 0, F_SEAL_SHRINK);
	struct shmguard_map *map =
		shmguard_map_open(dup(fd), size, &default_policy, NULL);
	ck_assert_ptr_nonnull(map);
	map_syscalls = &syscalls;
	shmguard_map_close(map);

	struct shmguard_usage usage;
	for (int i = 0; i < PATIENCE_SECONDS * 100; i++) {
		shmguard_total_usage(&usage);
		if (usage.mappings == 0)
			break;
		usleep(10 * 1000);
	}
	ck_assert_uint_eq(usage.mappings, 0);
	ck_assert_uint_eq(usage.bytes, 0);
	ck_assert_int_eq(refused_parts, 2);
	close(fd);
}
