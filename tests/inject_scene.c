/* SPDX-License-Identifier: MIT */
#include "inject_scene.h"

#include "harness.h"
#include "inject.h"

#include <unistd.h>

static struct wl_buffer *
make_buffer(struct shm_client *client)
{
	int fd = harness_memfd(SCENE_POOL_SIZE, SCENE_BYTE, 0);
	struct wl_buffer *buffer = shm_client_buffer(client, fd, SCENE_POOL_SIZE,
		SCENE_WIDTH, SCENE_ROWS);
	close(fd);
	return buffer;
}

void
inject_scene_init(struct inject_scene *scene, struct wl_display *server)
{
	*scene = (struct inject_scene){.server = server};
	shm_client_connect(&scene->bystander, server);
	ck_assert_ptr_nonnull(scene->bystander.shm);
	scene->kept = make_buffer(&scene->bystander);
	shm_client_connect(&scene->client, server);
	ck_assert_ptr_nonnull(scene->client.shm);
}

bool
inject_scene_serve(struct inject_scene *scene)
{
	if (shm_client_roundtrip(&scene->client))
		return true;
	ck_assert(inject_happened());
	/* Not just disconnected. */
	const struct wl_interface *interface = NULL;
	wl_display_get_protocol_error(scene->client.display, &interface, NULL);
	ck_assert_ptr_nonnull(interface);
	return false;
}

void
inject_scene_leave(struct inject_scene *scene)
{
	shm_client_disconnect(&scene->client);
	ck_assert(shm_client_roundtrip(&scene->bystander));
	wl_buffer_destroy(make_buffer(&scene->bystander));
	wl_buffer_destroy(scene->kept);
	ck_assert(shm_client_roundtrip(&scene->bystander));
	shm_client_disconnect(&scene->bystander);
}

void
inject_scene_finish(struct inject_scene *scene)
{
	inject_scene_leave(scene);
	shm_server_destroy(scene->server);
}
