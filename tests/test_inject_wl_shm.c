/* SPDX-License-Identifier: MIT */

/* Injected failures in a compositor: pools and buffers, in each tier. */

#include "harness.h"
#include "inject.h"
#include "inject_files.h"
#include "inject_scene.h"
#include "memory_look.h"

#include <shmguard/server.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Worth a trip to the reaper. */
#define GROWN (5 << 20)

static struct shmguard_buffer *
guarded(struct shm_client *client, struct wl_buffer *buffer)
{
	struct wl_resource *resource = shm_client_resource(client, buffer);
	return resource != NULL ? shmguard_buffer_from_resource(resource) : NULL;
}

static int
byte_of(const struct shmguard_view *view, size_t offset)
{
	return ((const volatile unsigned char *)view->data)[offset];
}

/* What compositors do at each frame. */
static void
show(struct shmguard_buffer *buffer)
{
	struct shmguard_view view;
	if (inject_works(shmguard_buffer_begin_read(buffer, &view) == 0)) {
		int first = byte_of(&view, 0);
		int last = byte_of(&view, view.size - 1);
		if (inject_works(shmguard_buffer_end(buffer, &view) == 0))
			ck_assert(first == SCENE_BYTE && last == SCENE_BYTE);
	}
	unsigned char row[SCENE_STRIDE];
	if (inject_works(shmguard_buffer_copy(buffer, 1, 1, row,
			sizeof(row)) == 0))
		ck_assert_int_eq(row[sizeof(row) - 1], SCENE_BYTE);
}

static void
capture(struct shmguard_buffer *buffer)
{
	struct shmguard_view view;
	if (shmguard_buffer_begin_write(buffer, &view) < 0) {
		ck_assert(errno == EACCES || errno == EPERM ||
			inject_happened());
		return;
	}
	((volatile unsigned char *)view.data)[0] = SCENE_BYTE;
	inject_works(shmguard_buffer_end(buffer, &view) == 0);
}

/* Zeros, and nobody dies of it. */
static void
read_lost(struct shmguard_buffer *buffer)
{
	struct shmguard_view view;
	if (!inject_works(shmguard_buffer_begin_read(buffer, &view) == 0))
		return;
	for (size_t i = 0; i < view.size; i += 4096)
		ck_assert_int_eq(byte_of(&view, i), 0);
	ck_assert_int_eq(byte_of(&view, view.size - 1), 0);
	ck_assert_int_eq(shmguard_buffer_end(buffer, &view), -1);
}

/* The pool was made, whatever failed: nothing may come of what its client does to
 * the file. */
static void
lose_bytes(struct inject_scene *scene, struct wl_buffer *proxy, int fd)
{
	struct shmguard_buffer *buffer = guarded(&scene->client, proxy);
	if (ftruncate(fd, 0) < 0)
		return; /* sealed: nothing gets lost */
	read_lost(buffer);
	/* It is told. */
	ck_assert(!shm_client_roundtrip(&scene->client));
	shm_client_expect_error(&scene->client, "wl_buffer",
		WL_SHM_ERROR_INVALID_FD);
}

static void
live(int fd, const struct shmguard_policy *policy)
{
	struct wl_display *server = shm_server_create();
	ck_assert_ptr_nonnull(shmguard_create(server, policy));
	struct inject_scene scene;
	inject_scene_init(&scene, server);
	struct wl_shm_pool *pool = wl_shm_create_pool(scene.client.shm, fd,
		SCENE_POOL_SIZE);
	struct wl_buffer *proxy = wl_shm_pool_create_buffer(pool, 0, SCENE_WIDTH,
		SCENE_ROWS, SCENE_STRIDE, WL_SHM_FORMAT_ARGB8888);

	inject_begin();
	bool connected = inject_scene_serve(&scene);
	if (connected) {
		show(guarded(&scene.client, proxy));
		connected = inject_scene_serve(&scene);
	}
	if (connected) {
		capture(guarded(&scene.client, proxy));
		ck_assert_int_eq(ftruncate(fd, GROWN), 0);
		wl_shm_pool_resize(pool, GROWN);
		connected = inject_scene_serve(&scene);
	}
	if (connected) {
		show(guarded(&scene.client, proxy));
		connected = inject_scene_serve(&scene);
	}
	inject_end();
	if (connected)
		lose_bytes(&scene, proxy, fd);

	wl_buffer_destroy(proxy);
	wl_shm_pool_destroy(pool);
	inject_begin();
	shm_client_roundtrip(&scene.client);
	inject_end();
	inject_scene_finish(&scene);
	close(fd);
}

/* The other way round: the file shrinks first, then calls fail in the handler and
 * while the client is told. */
static void
fault(const struct shmguard_policy *policy, off_t kept)
{
	struct wl_display *server = shm_server_create();
	ck_assert_ptr_nonnull(shmguard_create(server, policy));
	struct inject_scene scene;
	inject_scene_init(&scene, server);
	int fd = harness_memfd(SCENE_POOL_SIZE, 0, 0);
	struct wl_buffer *proxy = shm_client_buffer(&scene.client, fd,
		SCENE_POOL_SIZE, SCENE_WIDTH, SCENE_ROWS);
	ck_assert_int_eq(ftruncate(fd, kept), 0);

	inject_begin();
	read_lost(guarded(&scene.client, proxy));
	bool connected = shm_client_roundtrip(&scene.client);
	inject_end();
	inject_works(!connected);
	wl_buffer_destroy(proxy);
	inject_scene_finish(&scene);
	close(fd);
}

INJECT_TEST(I7_failures_in_the_handler)
{
	fault(&(struct shmguard_policy){.writable = false}, 0);
}

INJECT_TEST(I7_failures_in_the_handler_that_keeps_pages)
{
	fault(&(struct shmguard_policy){.writable = true}, 8192);
}

INJECT_TEST(I7_failures_of_a_copy_that_lost_bytes)
{
	fault(&(struct shmguard_policy){.unsealed = SHMGUARD_UNSEALED_COPY}, 0);
}

#define LIFE_TEST(name, fd, ...) \
	INJECT_TEST(name) \
	{ \
		struct shmguard_policy policy = {__VA_ARGS__}; \
		live(fd, &policy); \
	}

static int
memfd(int seals)
{
	return harness_memfd(SCENE_POOL_SIZE, SCENE_BYTE, seals);
}

static void
drop_line(enum shmguard_log_level level, const char *line, void *data)
{
	(void)level;
	(void)line;
	(void)data;
}

LIFE_TEST(I1_failures_sealed_pool, memfd(F_SEAL_SHRINK), .unsealed = 0)
LIFE_TEST(I1_failures_trapped_pool, memfd(0), .unsealed = 0)
LIFE_TEST(I1_failures_writable_pool, memfd(0), .writable = true)
LIFE_TEST(I1_failures_copied_pool, memfd(0), .unsealed = SHMGUARD_UNSEALED_COPY)
LIFE_TEST(I1_failures_pool_of_a_local_file,
	inject_local_file(SCENE_POOL_SIZE, SCENE_BYTE), .writable = true)
LIFE_TEST(I1_failures_logged_pool, memfd(0), .log_debug = true, .log = drop_line)
