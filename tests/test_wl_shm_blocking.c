/* SPDX-License-Identifier: MIT */

/* What clients whose files can block cost the display's thread (I10, F17). The
 * longest time that each request took is printed. */

#include "fake_kernel.h"
#include "fuse_file.h"
#include "guard_fixture.h"
#include "harness.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Only to tell waiting for a silent server from not waiting. */
#define NOT_BLOCKED_MS 10000

enum { WIDTH = 64, HEIGHT = 64, POOL_SIZE = WIDTH * HEIGHT * 4 };

static const char *const mode_names[] = {
	[FUSE_FILE_NORMAL] = "normal",
	[FUSE_FILE_SILENT] = "silent",
	[FUSE_FILE_SLOW] = "slow",
	[FUSE_FILE_ERROR] = "EIO",
	[FUSE_FILE_SHORT] = "short",
};

static double
milliseconds(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static void
note_time(const char *what, double start)
{
	double took = milliseconds() - start;
	fprintf(stderr, "#   %-13s %7.3f ms\n", what, took);
	ck_assert_msg(took < NOT_BLOCKED_MS, "%s took %f ms", what, took);
}

/* The server misbehaves only once the client's library has closed its copies of
 * the descriptor: it is the compositor that is tested. */
static void
serve(struct guard_fixture *fixture, struct fuse_file *file,
	enum fuse_file_mode mode, const char *what)
{
	fuse_file_set_mode(file, FUSE_FILE_NORMAL);
	shm_client_flush(&fixture->client);
	fuse_file_set_mode(file, mode);
	double start = milliseconds();
	shm_client_serve(&fixture->client);
	note_time(what, start);
}

struct scene {
	struct guard_fixture fixture;
	struct fuse_file *file;
	int fd;
	enum fuse_file_mode mode;
	struct wl_shm_pool *pool;
	struct wl_buffer *buffer; /* may be NULL */
};

/* A client that makes a pool. False if there is no FUSE. */
static bool
scene_init(struct scene *scene, enum fuse_file_mode mode,
	const struct shmguard_policy *policy)
{
	*scene = (struct scene){.mode = mode};
	scene->file = fuse_file_start(POOL_SIZE, FUSE_FILE_NORMAL);
	if (scene->file == NULL)
		return false;
	guard_fixture_init(&scene->fixture, policy);
	fprintf(stderr, "# server: %s\n", mode_names[mode]);
	scene->fd = fuse_file_open(scene->file, O_RDWR);
	scene->pool = wl_shm_create_pool(scene->fixture.client.shm, scene->fd,
		POOL_SIZE);
	serve(&scene->fixture, scene->file, mode, "create_pool");
	return true;
}

static void
scene_finish(struct scene *scene)
{
	if (scene->buffer != NULL)
		wl_buffer_destroy(scene->buffer);
	if (scene->pool != NULL)
		wl_shm_pool_destroy(scene->pool);
	double start = milliseconds();
	guard_fixture_finish(&scene->fixture);
	note_time("disconnect", start);
	fuse_file_stop(scene->file);
	close(scene->fd);
}

static void
expect_error(struct scene *scene, const char *interface)
{
	ck_assert(!shm_client_roundtrip(&scene->fixture.client));
	shm_client_expect_error(&scene->fixture.client, interface,
		WL_SHM_ERROR_INVALID_FD);
}

TEST(F17_refused_files_hold_nobody)
{
	static const enum fuse_file_mode modes[] = {
		FUSE_FILE_NORMAL, FUSE_FILE_SILENT, FUSE_FILE_SLOW,
		FUSE_FILE_ERROR,
	};
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct scene scene;
		if (!scene_init(&scene, modes[i], NULL))
			SKIP("no FUSE: %s", fuse_file_problem());
		expect_error(&scene, "wl_shm");
		scene_finish(&scene);
	}
}

static void
access_twice(struct shmguard_buffer *buffer, int expected)
{
	static const char *const names[] = {"first access", "later access"};
	for (int i = 0; i < 2; i++) {
		struct shmguard_view view;
		double start = milliseconds();
		ck_assert_int_eq(shmguard_buffer_begin_read(buffer, &view), 0);
		int result = shmguard_view_end(&view);
		note_time(names[i], start);
		ck_assert_int_eq(result, expected);
	}
}

static void
run_copied(struct scene *scene, bool told)
{
	struct guard_fixture *fixture = &scene->fixture;
	struct fuse_file *file = scene->file;

	scene->buffer = wl_shm_pool_create_buffer(scene->pool, 0, WIDTH, HEIGHT,
		WIDTH * 4, WL_SHM_FORMAT_ARGB8888);
	serve(fixture, file, scene->mode, "create_buffer");
	struct shmguard_buffer *buffer =
		guard_fixture_buffer(fixture, scene->buffer);
	ck_assert_int_eq(shmguard_buffer_tier(buffer), SHMGUARD_TIER_COPIED);
	wl_shm_pool_resize(scene->pool, 2 * POOL_SIZE);
	serve(fixture, file, scene->mode, "resize");

	access_twice(buffer, told ? -1 : 0);
	if (told) {
		expect_error(scene, "wl_buffer");
		return;
	}
	wl_buffer_destroy(scene->buffer);
	scene->buffer = NULL;
	wl_shm_pool_destroy(scene->pool);
	scene->pool = NULL;
	serve(fixture, file, scene->mode, "destroy");
	ck_assert(shm_client_roundtrip(&fixture->client));
}

TEST(F17_copied_files_hold_nobody)
{
	static const struct {
		enum fuse_file_mode mode;
		unsigned int deadline;
		bool told;
	} cases[] = {
		/* Time enough for a server on a busy machine. */
		{FUSE_FILE_NORMAL, NOT_BLOCKED_MS / 2, false},
		{FUSE_FILE_SILENT, 0, true},
		{FUSE_FILE_SLOW, 0, true},
		{FUSE_FILE_ERROR, 0, true},
		{FUSE_FILE_SHORT, 0, true},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct shmguard_policy policy = {
			.blocking = SHMGUARD_BLOCKING_COPY,
			.blocking_deadline = cases[i].deadline,
		};
		struct scene scene;
		if (!scene_init(&scene, cases[i].mode, &policy))
			SKIP("no FUSE: %s", fuse_file_problem());
		run_copied(&scene, cases[i].told);
		scene_finish(&scene);
	}
}

/* A server can take a file's end away without anybody truncating it. */
TEST(I7_allowed_server_that_reads_short_is_told)
{
	static const struct shmguard_policy policy = {
		.blocking = SHMGUARD_BLOCKING_ALLOW,
	};
	struct scene scene;
	fake_kernel_use(); /* one whose mappings fault */
	if (!scene_init(&scene, FUSE_FILE_SHORT, &policy))
		SKIP("no FUSE: %s", fuse_file_problem());
	scene.buffer = wl_shm_pool_create_buffer(scene.pool, 0, WIDTH, HEIGHT,
		WIDTH * 4, WL_SHM_FORMAT_ARGB8888);
	ck_assert(shm_client_roundtrip(&scene.fixture.client));
	struct shmguard_buffer *buffer =
		guard_fixture_buffer(&scene.fixture, scene.buffer);
	ck_assert_int_eq(shmguard_buffer_tier(buffer), SHMGUARD_TIER_TRAPPED);

	struct shmguard_view view;
	ck_assert_int_eq(shmguard_buffer_begin_read(buffer, &view), 0);
	const volatile unsigned char *bytes = view.data;
	int first = bytes[0], last = bytes[POOL_SIZE - 1];
	ck_assert_int_eq(shmguard_view_end(&view), -1);
	ck_assert(first == FUSE_FILE_BYTE || first == 0);
	ck_assert_int_eq(last, 0);
	expect_error(&scene, "wl_buffer");
	scene_finish(&scene);
}
