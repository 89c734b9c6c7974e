/* SPDX-License-Identifier: MIT */

/* Injected failures while clients are refused: for what they send, and for what they
 * hold already. */

#include "harness.h"
#include "inject.h"
#include "inject_scene.h"
#include "memory_look.h"

#include <shmguard/server.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* More than any of the limits below. */
#define POOLS 6

/* The descriptor stays the caller's. */
static void
expect_refusal(struct wl_display *server, int fd, int32_t size)
{
	struct inject_scene scene;
	inject_scene_init(&scene, server);
	struct wl_shm_pool *pool = wl_shm_create_pool(scene.client.shm, fd, size);
	inject_begin();
	ck_assert(!shm_client_roundtrip(&scene.client));
	inject_end();
	const struct wl_interface *interface = NULL;
	wl_display_get_protocol_error(scene.client.display, &interface, NULL);
	ck_assert_ptr_nonnull(interface);
	if (strcmp(interface->name, "wl_shm") != 0)
		ck_assert(inject_happened());
	wl_shm_pool_destroy(pool);
	inject_scene_leave(&scene);
}

INJECT_TEST(I10_failures_while_descriptors_are_refused)
{
	struct wl_display *server = shm_server_create();
	ck_assert_ptr_nonnull(shmguard_create(server, NULL));
	int ends[2], fd = harness_memfd(SCENE_POOL_SIZE, 0, 0);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	int files[] = {
		ends[0],
		open("/tmp", O_RDONLY | O_CLOEXEC),
		open("/dev/null", O_RDWR | O_CLOEXEC),
		open("/dev/tty0", O_RDWR | O_CLOEXEC | O_NOCTTY | O_PATH),
		open("/proc/self/maps", O_RDONLY | O_CLOEXEC),
		reopen_fd(fd, O_WRONLY),
		reopen_fd(fd, O_PATH),
	};
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (files[i] < 0)
			continue;
		expect_refusal(server, files[i], SCENE_POOL_SIZE);
		close(files[i]);
	}
	expect_refusal(server, fd, 0);
	close(ends[1]);
	close(fd);
	shm_server_destroy(server);
}

/* What a client may not have is refused it, and what it has given back it may have
 * again, whatever fails in between. */
static void
exceed(const struct shmguard_limits *limits)
{
	struct shmguard_policy policy = {
		.unsealed = SHMGUARD_UNSEALED_COPY,
		.limits = *limits,
	};
	inject_may_be_uncharged();
	struct wl_display *server = shm_server_create();
	ck_assert_ptr_nonnull(shmguard_create(server, &policy));
	struct inject_scene scene;
	inject_scene_init(&scene, server);
	int fd = harness_memfd(SCENE_POOL_SIZE, SCENE_BYTE, F_SEAL_SHRINK);
	int unsealed = harness_memfd(SCENE_POOL_SIZE, SCENE_BYTE, 0);
	struct wl_shm *shm = scene.client.shm;
	struct wl_shm_pool *pools[POOLS];
	struct wl_buffer *buffers[POOLS];
	inject_begin();
	for (size_t i = 0; i < POOLS; i++) {
		pools[i] = wl_shm_create_pool(shm, i % 2 ? unsealed : fd,
			SCENE_POOL_SIZE);
		buffers[i] = wl_shm_pool_create_buffer(pools[i], 0, SCENE_WIDTH,
			SCENE_ROWS, SCENE_STRIDE, WL_SHM_FORMAT_ARGB8888);
		wl_shm_pool_resize(pools[i], 8 * SCENE_POOL_SIZE);
	}
	ck_assert(!shm_client_roundtrip(&scene.client));
	inject_end();
	for (size_t i = 0; i < POOLS; i++) {
		wl_buffer_destroy(buffers[i]);
		wl_shm_pool_destroy(pools[i]);
	}
	inject_scene_leave(&scene);
	shm_server_destroy(server);
	close(fd);
	close(unsealed);
}

#define LIMIT_TEST(name, ...) \
	INJECT_TEST(name) \
	{ \
		struct shmguard_limits limits = {.client = {__VA_ARGS__}}; \
		exceed(&limits); \
	}

LIMIT_TEST(I9_failures_at_the_limit_of_pools, .pools = 2)
LIMIT_TEST(I9_failures_at_the_limit_of_buffers, .buffers = 2)
LIMIT_TEST(I9_failures_at_the_limit_of_mappings, .mappings = 2)
LIMIT_TEST(I9_failures_at_the_limit_of_bytes, .bytes = 2 * SCENE_POOL_SIZE)
LIMIT_TEST(I9_failures_at_the_limit_of_descriptors, .descriptors = 2)
