/* SPDX-License-Identifier: MIT */

/* Injected failures behind libwayland's own names. */

#include "harness.h"
#include "inject.h"
#include "inject_scene.h"

#include <stdlib.h>
#include <unistd.h>

static void
start(struct wl_display *server)
{
	inject_begin();
	inject_works(wl_display_add_shm_format(server, WL_SHM_FORMAT_RGB565)
		!= NULL);
	bool started = inject_works(wl_display_init_shm(server) == 0);
	inject_works(wl_display_add_shm_format(server, WL_SHM_FORMAT_ABGR8888)
		!= NULL);
	inject_end();
	if (!started)
		ck_assert_int_eq(wl_display_init_shm(server), 0);
}

static struct wl_shm_buffer *
buffer_of(struct inject_scene *scene, struct wl_buffer *proxy)
{
	return wl_shm_buffer_get(shm_client_resource(&scene->client, proxy));
}

/* The memory is there whatever fails, but may show zeros. */
static void
show(struct wl_shm_buffer *buffer)
{
	wl_shm_buffer_begin_access(buffer);
	const volatile unsigned char *data = wl_shm_buffer_get_data(buffer);
	inject_works(data[0] == SCENE_BYTE);
	inject_works(data[SCENE_POOL_SIZE - 1] == SCENE_BYTE);
	wl_shm_buffer_end_access(buffer);
}

static void
lose_bytes(struct inject_scene *scene, struct wl_shm_buffer *buffer, int fd)
{
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	wl_shm_buffer_begin_access(buffer);
	const volatile unsigned char *data = wl_shm_buffer_get_data(buffer);
	for (size_t i = 0; i < SCENE_POOL_SIZE; i += 4096)
		ck_assert_int_eq(data[i], 0);
	wl_shm_buffer_end_access(buffer);
	ck_assert(!shm_client_roundtrip(&scene->client));
	shm_client_expect_error(&scene->client, "wl_buffer",
		WL_SHM_ERROR_INVALID_FD);
}

static void
live(void)
{
	struct wl_display *server = shm_server_create();
	start(server);
	struct inject_scene scene;
	inject_scene_init(&scene, server);
	int fd = harness_memfd(SCENE_POOL_SIZE, SCENE_BYTE, 0);
	struct wl_shm_pool *pool = wl_shm_create_pool(scene.client.shm, fd,
		SCENE_POOL_SIZE);
	struct wl_buffer *proxy = wl_shm_pool_create_buffer(pool, 0, SCENE_WIDTH,
		SCENE_ROWS, SCENE_STRIDE, WL_SHM_FORMAT_ARGB8888);
	struct wl_buffer *other = wl_shm_pool_create_buffer(pool, 0, SCENE_WIDTH,
		SCENE_ROWS, SCENE_STRIDE, WL_SHM_FORMAT_ARGB8888);

	inject_begin();
	bool connected = inject_scene_serve(&scene);
	struct wl_shm_pool *held = NULL;
	if (connected) {
		struct wl_shm_buffer *buffer = buffer_of(&scene, proxy);
		held = wl_shm_buffer_ref_pool(buffer);
		show(buffer);
		connected = inject_scene_serve(&scene);
	}
	inject_end();
	if (connected)
		lose_bytes(&scene, buffer_of(&scene, proxy), fd);

	wl_buffer_destroy(proxy);
	wl_buffer_destroy(other);
	wl_shm_pool_destroy(pool);
	inject_begin();
	shm_client_roundtrip(&scene.client);
	if (held != NULL)
		wl_shm_pool_unref(held);
	inject_end();
	inject_scene_finish(&scene);
	close(fd);
}

INJECT_TEST(F13_failures_behind_libwaylands_names)
{
	live();
}

INJECT_TEST(F13_failures_behind_libwaylands_names_copied)
{
	setenv("SHMGUARD_UNSEALED", "copy", 1);
	live();
}

INJECT_TEST(F13_failures_before_anything_is_known_of_the_display)
{
	struct wl_display *server = shm_server_create();
	inject_begin();
	bool started = inject_works(wl_display_init_shm(server) == 0);
	inject_end();
	if (!started)
		ck_assert_int_eq(wl_display_init_shm(server), 0);
	shm_server_destroy(server);
}
