/* SPDX-License-Identifier: MIT */

/* Opening a map: which tier a file gets, or why it is refused. */

#include "harness.h"

#include "fake_kernel.h"
#include "memory_look.h"
#include "needs.h"
#include "range_registry.h"

#include <errno.h>
#include <fcntl.h>
#include <shmguard/map.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define TMPFS_FILE_SYSTEM 0x01021994

enum { PAGES = 4 };

/* On kernels with no-SIGBUS mappings too, unless a test asks for them. */
__attribute__((constructor))
static void
use_plain_kernel(void)
{
	fake_kernel_use();
}

/* ---- Files ---- */

enum file_kind {
	SEALED_FILE,
	SEALED_READ_ONLY,
	WRITE_SEALED,
	SHORT_FILE, /* sealed */
	SEALABLE_FILE,
	SEALABLE_READ_ONLY,
	UNSEALABLE_FILE,
	TMPFS_FILE,
	LOCAL_FILE,
	SECRET_FILE,
	DIRECTORY,
	DEVICE,
	PIPE,
	PATH_ONLY,
	WRITE_ONLY,
	CLOSED,
};

static const char *const kind_names[] = {
	"sealed", "sealed, O_RDONLY", "write-sealed", "sealed but short",
	"sealable", "sealable, O_RDONLY", "unsealable", "tmpfs", "local",
	"secret", "directory", "device", "pipe", "O_PATH", "O_WRONLY", "closed",
};

static int
replace_by_reopened(int fd, int flags)
{
	int again = reopen_fd(fd, flags);
	close(fd);
	return again;
}

/* An unnamed file on another kind of file system than tmpfs, or on one. */
static int
open_unnamed_file(bool tmpfs)
{
	static const char *const directories[] = {
		"/dev/shm", "/var/tmp", ".", "/root",
	};
	struct statfs file_system;
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		if (statfs(directories[i], &file_system) != 0 ||
				(file_system.f_type == TMPFS_FILE_SYSTEM) != tmpfs)
			continue;
		int fd = open(directories[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		if (fd >= 0)
			return fd;
	}
	return -1;
}

static int
open_pipe(void)
{
	int fds[2];
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	close(fds[1]);
	return fds[0];
}

/* -1 if this machine does not have such files. */
static int
open_kind(enum file_kind kind)
{
	size_t size = PAGES * page_size();
	int fd;
	switch (kind) {
	case SEALED_FILE:
		return harness_memfd(size, 1, F_SEAL_SHRINK);
	case SEALED_READ_ONLY:
		return replace_by_reopened(harness_memfd(size, 1, F_SEAL_SHRINK),
			O_RDONLY);
	case WRITE_SEALED:
		return harness_memfd(size, 1, F_SEAL_SHRINK | F_SEAL_WRITE);
	case SHORT_FILE:
		return harness_memfd(size - 1, 1, F_SEAL_SHRINK);
	case SEALABLE_FILE:
		return harness_memfd(size, 1, 0);
	case SEALABLE_READ_ONLY:
		return replace_by_reopened(harness_memfd(size, 1, 0), O_RDONLY);
	case UNSEALABLE_FILE:
		return harness_memfd(size, 1, -1);
	case TMPFS_FILE:
	case LOCAL_FILE:
		fd = open_unnamed_file(kind == TMPFS_FILE);
		if (fd >= 0)
			ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
		return fd;
	case SECRET_FILE:
#ifdef SYS_memfd_secret
		return (int)syscall(SYS_memfd_secret, O_CLOEXEC);
#else
		return -1;
#endif
	case DIRECTORY:
		return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	case DEVICE:
		return open("/dev/zero", O_RDWR | O_CLOEXEC);
	case PIPE:
		return open_pipe();
	case PATH_ONLY:
		return open("/", O_PATH | O_CLOEXEC);
	case WRITE_ONLY:
		return replace_by_reopened(harness_memfd(size, 1, F_SEAL_SHRINK),
			O_WRONLY);
	case CLOSED:
		return 4711;
	}
	return -1;
}

/* ---- The table ---- */

enum policy_kind {
	DEFAULT_POLICY,
	COPY,
	REJECT,
	ADOPT,
	ADOPT_REJECT,
	WRITABLE,
	NO_HANDLER,
	HOST_HANDLER,
	POLICIES,
};

static const struct shmguard_policy policies[POLICIES] = {
	[COPY] = {.unsealed = SHMGUARD_UNSEALED_COPY},
	[REJECT] = {.unsealed = SHMGUARD_UNSEALED_REJECT},
	[ADOPT] = {.adopt_seals = true},
	[ADOPT_REJECT] = {
		.adopt_seals = true, .unsealed = SHMGUARD_UNSEALED_REJECT,
	},
	[WRITABLE] = {.writable = true},
	[NO_HANDLER] = {.handler = SHMGUARD_HANDLER_NONE},
	[HOST_HANDLER] = {.handler = SHMGUARD_HANDLER_HOST},
};

#define EVERY_TIER(letter) {letter, letter, letter, letter, letter, letter, \
	letter, letter}
#define REASON(name) SHMGUARD_REASON_##name

/* Tiers in the order of policies: S sealed, T trapped, C copied, R rejected for
 * being unsealed, X refused for the reason given. t is trapped, but nosigbus
 * where the kernel has that; c likewise copied. */
static const struct row {
	enum file_kind kind;
	enum shmguard_reason reason;
	int error;
	char tiers[POLICIES];
	bool adoptable;
} rows[] = {
	{SEALED_FILE, REASON(SEALED), 0, EVERY_TIER('S'), false},
	{SEALED_READ_ONLY, REASON(SEALED), 0, EVERY_TIER('S'), false},
	{WRITE_SEALED, REASON(SEALED), 0, EVERY_TIER('S'), false},
	{SHORT_FILE, REASON(SHORT), 0,
		{'t', 'C', 'R', 't', 'R', 'T', 'c', 't'}, false},
	{SEALABLE_FILE, REASON(SEALABLE), 0,
		{'t', 'C', 'R', 'S', 'S', 'T', 'c', 't'}, true},
	{SEALABLE_READ_ONLY, REASON(SEALABLE), 0,
		{'t', 'C', 'R', 't', 'R', 'T', 'c', 't'}, false},
	{UNSEALABLE_FILE, REASON(UNSEALABLE), 0,
		{'t', 'C', 'R', 't', 'R', 'T', 'c', 't'}, false},
	{TMPFS_FILE, REASON(UNSEALABLE), 0,
		{'t', 'C', 'R', 't', 'R', 'T', 'c', 't'}, false},
	{LOCAL_FILE, REASON(LOCAL_FILE), 0,
		{'t', 'C', 'R', 't', 'R', 'T', 'c', 't'}, false},
	{SECRET_FILE, REASON(SECRET), EINVAL, EVERY_TIER('X'), false},
	{DIRECTORY, REASON(NOT_REGULAR), EINVAL, EVERY_TIER('X'), false},
	{DEVICE, REASON(NOT_REGULAR), EINVAL, EVERY_TIER('X'), false},
	{PIPE, REASON(NOT_REGULAR), EINVAL, EVERY_TIER('X'), false},
	{PATH_ONLY, REASON(PATH_ONLY), EBADF, EVERY_TIER('X'), false},
	{WRITE_ONLY, REASON(WRITE_ONLY), EACCES, EVERY_TIER('X'), false},
	{CLOSED, REASON(BAD_FD), EBADF, EVERY_TIER('X'), false},
};

/* Some descriptors are closed by another thread. */
static bool
gets_closed(int fd)
{
	for (int i = 0; i < 500 && fcntl(fd, F_GETFD) >= 0; i++)
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	return fcntl(fd, F_GETFD) < 0;
}

static void
check_refusal(const struct row *row, char expected,
	const struct shmguard_policy *policy, const char *what)
{
	enum shmguard_reason reason = SHMGUARD_REASON_SEALED;
	int fd = open_kind(row->kind);
	errno = 0;
	struct shmguard_map *map =
		shmguard_map_open(fd, PAGES * page_size(), policy, &reason);
	int error = errno;
	ck_assert_msg(map == NULL, "%s: accepted", what);
	bool by_policy = expected == 'R';
	ck_assert_msg(error == (by_policy ? EPERM : row->error), "%s: %s", what,
		strerror(error));
	ck_assert_msg(reason == (by_policy ? SHMGUARD_REASON_POLICY : row->reason),
		"%s: %s", what, shmguard_reason_text(reason));
	ck_assert_msg(gets_closed(fd), "%s: left open", what);
}

static enum shmguard_tier
tier_of_letter(char letter, bool nosigbus)
{
	switch (letter) {
	case 'S':
		return SHMGUARD_TIER_SEALED;
	case 'C':
		return SHMGUARD_TIER_COPIED;
	case 'T':
		return SHMGUARD_TIER_TRAPPED;
	case 'c':
		return nosigbus ? SHMGUARD_TIER_NOSIGBUS : SHMGUARD_TIER_COPIED;
	default:
		return nosigbus ? SHMGUARD_TIER_NOSIGBUS : SHMGUARD_TIER_TRAPPED;
	}
}

static void
check_acceptance(const struct row *row, enum shmguard_tier tier,
	const struct shmguard_policy *policy, const char *what)
{
	enum shmguard_reason reason = SHMGUARD_REASON_BAD_FD;
	int fd = open_kind(row->kind);
	struct shmguard_map *map =
		shmguard_map_open(fd, PAGES * page_size(), policy, &reason);
	ck_assert_msg(map != NULL, "%s: %s, %s", what, strerror(errno),
		shmguard_reason_text(reason));
	ck_assert_msg(shmguard_map_tier(map) == tier, "%s: tier %s", what,
		shmguard_tier_name(shmguard_map_tier(map)));
	bool adopted = policy->adopt_seals && row->adoptable;
	ck_assert_msg(reason == (adopted ? SHMGUARD_REASON_ADOPTED : row->reason),
		"%s: %s", what, shmguard_reason_text(reason));
	ck_assert_int_eq(shmguard_map_reason(map), reason);
	ck_assert_uint_eq(shmguard_map_size(map), PAGES * page_size());

	/* Whatever the tier: it can be read, and the end of a short file too. */
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_map_begin_read(map, 0, PAGES * page_size(),
		&view), 0);
	const volatile unsigned char *data = view.data;
	int first = data[0], last = data[PAGES * page_size() - 1];
	ck_assert_int_eq(shmguard_view_end(&view),
		row->kind == SHORT_FILE && tier == SHMGUARD_TIER_COPIED ? -1 : 0);
	shmguard_map_close(map);
	int byte = row->kind == TMPFS_FILE || row->kind == LOCAL_FILE ? 0 : 1;
	ck_assert_msg(first == byte, "%s: %d", what, first);
	ck_assert_msg(last == (row->kind == SHORT_FILE ? 0 : byte), "%s: %d", what,
		last);
}

static void
check_table(bool nosigbus)
{
	char what[128];
	fake_kernel.has_nosigbus = nosigbus;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		int fd = open_kind(row->kind);
		if (fd < 0)
			fprintf(stderr, "# no file: %s\n", kind_names[row->kind]);
		if (fd < 0 || row->kind != CLOSED)
			close(fd);
		for (int policy = 0; fd >= 0 && policy < POLICIES; policy++) {
			snprintf(what, sizeof(what), "%s, policy %d",
				kind_names[row->kind], policy);
			char letter = row->tiers[policy];
			if (letter == 'R' || letter == 'X')
				check_refusal(row, letter, &policies[policy], what);
			else
				check_acceptance(row,
					tier_of_letter(letter, nosigbus),
					&policies[policy], what);
		}
	}
	ck_assert_int_eq(count_mappings("/memfd:test"), 0);
}

TEST(every_file_gets_its_tier_under_every_policy)
{
	check_table(false);
}

TEST(every_file_gets_its_tier_with_nosigbus_mappings)
{
	check_table(true);
}

TEST(adopted_seal_keeps_the_file)
{
	needs_seals();
	int client = harness_memfd(PAGES * page_size(), 1, 0);
	struct shmguard_map *map = shmguard_map_open(
		fcntl(client, F_DUPFD_CLOEXEC, 0), page_size(), &policies[ADOPT],
		NULL);
	ck_assert_ptr_nonnull(map);
	ck_assert_int_eq(fcntl(client, F_GET_SEALS), F_SEAL_SHRINK);
	ck_assert_int_lt(ftruncate(client, 0), 0);
	shmguard_map_close(map);
	close(client);
}

/* ---- Refusals that are not the file's ---- */

static void
check_open_fails(size_t size, int error, enum shmguard_reason expected)
{
	enum shmguard_reason reason = SHMGUARD_REASON_SEALED;
	int fd = harness_memfd(page_size(), 1, F_SEAL_SHRINK);
	errno = 0;
	ck_assert_ptr_null(shmguard_map_open(fd, size, NULL, &reason));
	ck_assert_int_eq(errno, error);
	ck_assert_int_eq(reason, expected);
	ck_assert_int_lt(fcntl(fd, F_GETFD), 0);
}

TEST(sizes_that_cannot_be_mapped)
{
	check_open_fails(0, EINVAL, SHMGUARD_REASON_TOO_LARGE);
	check_open_fails(SIZE_MAX, EOVERFLOW, SHMGUARD_REASON_TOO_LARGE);
	if (range_max_length() < SIZE_MAX - page_size())
		check_open_fails(range_max_length() + 1, EOVERFLOW,
			SHMGUARD_REASON_TOO_LARGE);
}

TEST(longest_map)
{
	int fd = harness_memfd(page_size(), 1, 0);
	size_t size = range_max_length() - page_size();
	struct shmguard_map *map = shmguard_map_open(fd, size, NULL, NULL);
	if (map == NULL) {
		ck_assert_int_eq(errno, ENOMEM);
		SKIP("no room for it");
	}
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_map_begin_read(map, size - 1, 1, &view), 0);
	ck_assert_int_eq(*(volatile char *)view.data, 0);
	ck_assert_int_eq(shmguard_view_end(&view), -1);
	ck_assert_int_eq(shmguard_map_begin_read(map, 0, 1, &view), 0);
	ck_assert_int_eq(*(volatile char *)view.data, 1);
	ck_assert_int_eq(shmguard_view_end(&view), -1);
	shmguard_map_close(map);
}

TEST(mmap_out_of_memory)
{
	fake_kernel.calls_before_failure = 0;
	check_open_fails(page_size(), ENOMEM, SHMGUARD_REASON_NO_MEMORY);
	ck_assert(fake_kernel.failed);
}

/* A regular file, on a file system that may block, without mmap. */
TEST(file_that_cannot_be_mapped)
{
	struct shmguard_policy policy = {.blocking = SHMGUARD_BLOCKING_ALLOW};
	enum shmguard_reason reason;
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	errno = 0;
	ck_assert_ptr_null(shmguard_map_open(fd, 100, &policy, &reason));
	ck_assert_int_ne(errno, 0);
	ck_assert_int_eq(reason, SHMGUARD_REASON_UNMAPPABLE);

	fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	ck_assert_ptr_null(shmguard_map_open(fd, 100, NULL, &reason));
	ck_assert_int_eq(errno, EPERM);
	ck_assert_int_eq(reason, SHMGUARD_REASON_MAY_BLOCK);
}

TEST(reason_is_optional)
{
	ck_assert_ptr_null(shmguard_map_open(-1, 1, NULL, NULL));
	struct shmguard_map *map = shmguard_map_open(
		harness_memfd(1, 1, F_SEAL_SHRINK), 1, NULL, NULL);
	ck_assert_ptr_nonnull(map);
	shmguard_map_close(map);
	shmguard_map_close(NULL);
}
