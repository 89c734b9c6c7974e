/* SPDX-License-Identifier: MIT */

/* The lines that a policy with log_debug gets, which shmguard-census reads. */

#include "fuse_file.h"
#include "guard_fixture.h"
#include "harness.h"
#include "memory_look.h"
#include "pool_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { WIDTH = 64, HEIGHT = 64, POOL_SIZE = WIDTH * HEIGHT * 4 };

static const struct shmguard_policy debug = {.log_debug = true};

/* ---- What is read out of a line ---- */

/* The line of the last event of that name, up to and without the newline. */
static const char *
last_line(const char *event)
{
	static char line[512];
	const char *at = guard_fixture_log(), *found = NULL, *next;
	for (; *at != '\0'; at = next + 1) {
		next = strchr(at, '\n');
		ck_assert_ptr_nonnull(next);
		if (strncmp(at, event, strlen(event)) == 0)
			found = at;
	}
	ck_assert_msg(found != NULL, "no %s in: %s", event,
		guard_fixture_log());
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(found, "\n"), found);
	return line;
}

static void
expect_word(const char *event, const char *word)
{
	char line[520], wanted[256];
	snprintf(line, sizeof(line), "%s ", last_line(event));
	snprintf(wanted, sizeof(wanted), " %s ", word);
	ck_assert_msg(strstr(line, wanted) != NULL, "no %s in: %s", word, line);
}

static int
count_lines(const char *text)
{
	int count = 0;
	for (; *text != '\0'; text++)
		count += *text == '\n';
	return count;
}

/* Takes `fd`; a pool is made of it and goes again with its client. */
static void
show_pool(int fd, const struct shmguard_policy *policy)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, policy);
	struct wl_shm_pool *pool = wl_shm_create_pool(fixture.client.shm, fd,
		POOL_SIZE);
	shm_client_roundtrip(&fixture.client);
	wl_shm_pool_destroy(pool);
	shm_client_roundtrip(&fixture.client);
	guard_fixture_finish(&fixture);
	close(fd);
}

/* ---- The life of a pool ---- */

TEST(nothing_is_looked_at_or_said_unless_asked_for)
{
	static const struct shmguard_policy plain = {0};
	show_pool(harness_memfd(POOL_SIZE, 0, 0), &plain);
	ck_assert_str_eq(guard_fixture_log(), "");

	struct file_look look;
	file_look_at(&look, &plain, STDERR_FILENO);
	ck_assert_ptr_null(look.kind);
	/* Nor where nobody would hear of it. */
	file_look_at(&look, &debug, STDERR_FILENO);
	ck_assert_ptr_null(look.kind);
}

TEST(create_resize_and_destroy_are_said)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, &debug);
	expect_word("client event=bind", "event=bind");
	int fd = harness_memfd(2 * POOL_SIZE, 1, F_SEAL_SHRINK);
	struct wl_shm_pool *pool = wl_shm_create_pool(fixture.client.shm, fd,
		POOL_SIZE);
	shm_client_roundtrip(&fixture.client);
	char pid[32];
	snprintf(pid, sizeof(pid), "pid=%d", getpid());
	static const char *const created[] = {
		"id=1", "size=16384", "tier=sealed", "reason=sealed",
		"kind=memfd", "seals=0x2", "access=rw", "file_size=32768",
		"resident=32768",
	};
	expect_word("pool event=create", pid);
	for (size_t i = 0; i < sizeof(created) / sizeof(*created); i++)
		expect_word("pool event=create", created[i]);

	wl_shm_pool_resize(pool, 2 * POOL_SIZE);
	shm_client_roundtrip(&fixture.client);
	expect_word("pool event=resize", "id=1");
	expect_word("pool event=resize", "size=32768");
	wl_shm_pool_destroy(pool);
	shm_client_roundtrip(&fixture.client);
	expect_word("pool event=destroy", "id=1");
	expect_word("pool event=destroy", "size=32768");
	expect_word("pool event=destroy", "resident=32768");
	ck_assert_int_eq(count_lines(guard_fixture_log()), 4);
	guard_fixture_finish(&fixture);
	close(fd);
}

TEST(holes_are_not_resident)
{
	int fd = memfd_create("sparse", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, POOL_SIZE), 0);
	ck_assert_int_eq(pwrite(fd, "x", 1, 0), 1);
	show_pool(fd, &debug);
	char word[64];
	snprintf(word, sizeof(word), "resident=%zu", page_size());
	expect_word("pool event=create", word);
	expect_word("pool event=destroy", word);
}

/* ---- Files ---- */

TEST(kinds_of_files_are_told_apart)
{
	show_pool(memfd_create("plain", MFD_CLOEXEC), &debug);
	expect_word("pool event=create", "kind=memfd");
	expect_word("pool event=create", "seals=0x1");
	expect_word("pool event=create", "reason=unsealable");

	int fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		SKIP("no /dev/shm");
	ck_assert_int_eq(ftruncate(fd, POOL_SIZE), 0);
	int read_only = reopen_fd(fd, O_RDONLY);
	close(fd);
	show_pool(read_only, &debug);
	expect_word("pool event=create", "kind=tmpfs");
	expect_word("pool event=create", "access=r");
}

TEST(refusals_are_said)
{
	show_pool(open("/", O_RDONLY | O_CLOEXEC), &debug);
	expect_word("pool event=refuse", "id=0");
	expect_word("pool event=refuse", "tier=rejected");
	expect_word("pool event=refuse", "reason=not_regular");
	expect_word("pool event=refuse", "kind=other");
	expect_word("pool event=refuse", "seals=-");
	expect_word("pool event=refuse", "name=/");
}

TEST(a_name_stays_one_word)
{
	int fd = memfd_create("a b\npool event=create id=9 \\\"%\x7f\xff",
		MFD_CLOEXEC);
	ck_assert_int_eq(ftruncate(fd, POOL_SIZE), 0);
	show_pool(fd, &debug);
	expect_word("pool event=create", "name=/memfd:a%20b%0Apool%20event%3D"
		"create%20id%3D9%20%5C%22%25%7F%FF");
	ck_assert_int_eq(count_lines(guard_fixture_log()), 3);
}

TEST(a_long_name_is_cut_and_the_line_is_not)
{
	char name[250];
	memset(name, '\n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	int fd = memfd_create(name, MFD_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, POOL_SIZE), 0);
	show_pool(fd, &debug);
	const char *line = last_line("pool event=create");
	const char *found = strstr(line, "name=/memfd:%0A");
	ck_assert_ptr_nonnull(found);
	ck_assert_str_eq(line + strlen(line) - 3, "%0A");
	ck_assert_uint_eq(strlen(found), strlen("name=/memfd:") +
		3 * (FILE_NAME_LENGTH - strlen("/memfd:")));
}

static void
ignore_line(enum shmguard_log_level level, const char *line, void *data)
{
	(void)level;
	(void)line;
	(void)data;
}

TEST(I10_looking_at_a_silent_file_does_not_block)
{
	struct fuse_file *file = fuse_file_start(POOL_SIZE, FUSE_FILE_SILENT);
	if (file == NULL)
		SKIP("%s", fuse_file_problem());
	int fd = fuse_file_open(file, O_RDWR);
	ck_assert_int_ge(fd, 0);
	struct shmguard_policy policy = debug;
	policy.log = ignore_line;
	time_t start = time(NULL);
	struct file_look look;
	file_look_at(&look, &policy, fd);
	ck_assert_int_lt(time(NULL) - start, 10);
	ck_assert_str_eq(look.kind, "file");
	ck_assert_int_eq(look.seals, -1);
	fuse_file_stop(file);
	close(fd);
}

TEST(descriptors_that_only_write_or_name_a_file_are_said)
{
	char path[64];
	int fd = harness_memfd(POOL_SIZE, 0, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	show_pool(open(path, O_WRONLY | O_CLOEXEC), &debug);
	expect_word("pool event=refuse", "access=w");
	expect_word("pool event=refuse", "reason=write_only");
	show_pool(open(path, O_PATH | O_CLOEXEC), &debug);
	expect_word("pool event=refuse", "access=path");
	expect_word("pool event=refuse", "reason=path_only");
	close(fd);
}

/* Its server would have to be asked which pages there are. */
TEST(I10_pages_of_files_that_are_not_memory_are_not_counted)
{
	char path[] = "/var/tmp/shmguard-test.XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	unlink(path);
	ck_assert_int_eq(ftruncate(fd, POOL_SIZE), 0);
	struct file_look look;
	file_look_at(&look, &(struct shmguard_policy){
		.log_debug = true, .log = ignore_line}, fd);
	show_pool(fd, &debug);
	if (strstr(guard_fixture_log(), "event=refuse") != NULL)
		SKIP("/var/tmp is not on a local file system");
	if (strcmp(look.kind, "tmpfs") == 0)
		SKIP("/var/tmp is in memory");
	expect_word("pool event=destroy", "resident=-");
	if (strcmp(look.kind, "file") == 0)
		expect_word("pool event=create", "kind=file");
}

TEST(huge_pages_are_said)
{
	int fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);
	if (fd < 0)
		SKIP("no huge pages: %s", strerror(errno));
	struct file_look look;
	file_look_at(&look, &(struct shmguard_policy){
		.log_debug = true, .log = ignore_line}, fd);
	ck_assert_str_eq(look.kind, "hugetlb");
	close(fd);
}
