/* SPDX-License-Identifier: MIT */

/* Injected failures in the adapter for wlroots. */

#include "harness.h"
#include "inject.h"
#include "inject_scene.h"
#include "wlr_fixture.h"

#include <shmguard/wlroots.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <wlr/render/pixman.h>
#include <wlr/render/wlr_renderer.h>

static void
start(struct wl_display *server, struct wlr_renderer *renderer)
{
	errno = 0;
	inject_begin();
	struct shmguard *guard = shmguard_wlr_create_with_renderer(server, 2,
		renderer, NULL);
	inject_end();
	if (inject_works(guard != NULL))
		return;
	ck_assert_int_ne(errno, 0);
	ck_assert_ptr_nonnull(shmguard_wlr_create_with_renderer(server, 2,
		renderer, NULL));
}

static void *
begin(struct wlr_buffer *buffer, uint32_t flags)
{
	void *data = wlr_fixture_begin(buffer, flags);
	return inject_works(data != NULL) ? data : NULL;
}

static void
show(struct wlr_buffer *buffer)
{
	const volatile unsigned char *data = begin(buffer, READ);
	if (data != NULL) {
		inject_works(data[0] == SCENE_BYTE);
		inject_works(data[SCENE_POOL_SIZE - 1] == SCENE_BYTE);
		wlr_buffer_end_data_ptr_access(buffer);
	}
	unsigned char *pixels = begin(buffer, WRITE);
	if (pixels != NULL) {
		memset(pixels, SCENE_BYTE, 4096);
		wlr_buffer_end_data_ptr_access(buffer);
	}
}

static void
lose_bytes(struct inject_scene *scene, struct wlr_buffer *buffer, int fd)
{
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	const volatile unsigned char *data = wlr_fixture_begin(buffer, READ);
	ck_assert_ptr_nonnull((const void *)data);
	for (size_t i = 0; i < SCENE_POOL_SIZE; i += 4096)
		ck_assert_int_eq(data[i], 0);
	wlr_buffer_end_data_ptr_access(buffer);
	ck_assert(!shm_client_roundtrip(&scene->client));
}

INJECT_TEST(F13_failures_of_the_adapter)
{
	struct wl_display *server = shm_server_create();
	struct wlr_renderer *renderer = wlr_pixman_renderer_create();
	ck_assert_ptr_nonnull(renderer);
	start(server, renderer);
	struct inject_scene scene;
	inject_scene_init(&scene, server);
	int fd = harness_memfd(SCENE_POOL_SIZE, SCENE_BYTE, 0);
	struct wl_buffer *proxy = shm_client_buffer(&scene.client, fd,
		SCENE_POOL_SIZE, SCENE_WIDTH, SCENE_ROWS);

	inject_begin();
	struct wlr_buffer *buffer = wlr_buffer_try_from_resource(
		shm_client_resource(&scene.client, proxy));
	if (inject_works(buffer != NULL))
		show(buffer);
	bool connected = inject_scene_serve(&scene);
	inject_end();
	if (buffer != NULL && connected)
		lose_bytes(&scene, buffer, fd);

	wl_buffer_destroy(proxy);
	inject_begin();
	shm_client_roundtrip(&scene.client);
	if (buffer != NULL)
		wlr_buffer_unlock(buffer);
	inject_end();
	inject_scene_leave(&scene);
	wl_display_destroy_clients(server);
	wlr_renderer_destroy(renderer);
	shm_server_destroy(server);
	close(fd);
}
