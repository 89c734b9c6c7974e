/* SPDX-License-Identifier: MIT */

/* Injected failures while a compositor starts and ends, clients come, and are told
 * how they are protected. */

#include "feedback_client.h"
#include "harness.h"
#include "inject.h"
#include "inject_scene.h"

#include <shmguard/server.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* The compositor starts while a client waits for a wl_shm. */
static struct shmguard *
start(struct wl_display *server, struct shm_client *client,
	const struct shmguard_policy *policy)
{
	errno = 0;
	inject_begin();
	struct shmguard *guard = shmguard_create(server, policy);
	inject_end();
	if (inject_works(guard != NULL))
		return guard;
	ck_assert_int_ne(errno, 0);
	/* It hears of nothing that would not work. */
	ck_assert(shm_client_roundtrip(client));
	ck_assert_uint_eq(client->shm_globals, 0);
	guard = shmguard_create(server, policy);
	ck_assert_ptr_nonnull(guard);
	return guard;
}

static void
start_and_end(bool display_first)
{
	struct shmguard_policy policy = {.feedback = true};
	struct wl_display *server = shm_server_create();
	struct shm_client client, other;
	shm_client_connect(&client, server);
	struct shmguard *guard = start(server, &client, &policy);
	/* It hears of wl_shm, and binds it. */
	ck_assert(shm_client_receive(&client));
	inject_begin();
	inject_works(shmguard_add_format(guard, WL_SHM_FORMAT_RGB565) == 0);
	if (inject_works(shm_client_roundtrip(&client)))
		ck_assert_uint_ge(client.format_count, 2);
	inject_end();
	shm_client_connect(&other, server);
	ck_assert_ptr_nonnull(other.shm);
	ck_assert_uint_ge(other.format_count, 2);

	shm_client_disconnect(&client);
	inject_begin();
	if (!display_first)
		shmguard_destroy(guard);
	ck_assert(shm_client_roundtrip(&other));
	inject_end();
	shm_client_disconnect(&other);
	inject_begin();
	shm_server_destroy(server);
	inject_end();
}

INJECT_TEST(F13_failures_while_a_guard_starts)
{
	start_and_end(false);
}

INJECT_TEST(F13_failures_while_a_display_ends)
{
	start_and_end(true);
}

INJECT_TEST(F13_failures_of_feedback)
{
	struct shmguard_policy policy = {.feedback = true};
	struct wl_display *server = shm_server_create();
	ck_assert_ptr_nonnull(shmguard_create(server, &policy));
	struct inject_scene scene;
	inject_scene_init(&scene, server);
	struct shm_client *client = &scene.client;
	int fd = harness_memfd(SCENE_POOL_SIZE, 0, F_SEAL_SHRINK);
	struct wl_shm_pool *pool = wl_shm_create_pool(client->shm, fd,
		SCENE_POOL_SIZE);
	struct feedback_client feedback;
	struct pool_protection protection;
	feedback_client_init(&feedback, client);
	struct shmguard_pool_feedback_v1 *watch =
		feedback_client_watch(&feedback, pool, &protection);
	/* Past the end of the file: another tier. */
	wl_shm_pool_resize(pool, 2 * SCENE_POOL_SIZE);

	inject_begin();
	inject_scene_serve(&scene);
	inject_end();
	if (inject_works(protection.done == 2))
		ck_assert_uint_eq(protection.reason, SHMGUARD_REASON_SHORT);

	inject_begin();
	shmguard_pool_feedback_v1_destroy(watch);
	wl_shm_pool_destroy(pool);
	shm_client_roundtrip(client);
	inject_end();
	feedback_client_finish(&feedback);
	inject_scene_finish(&scene);
	close(fd);
}
