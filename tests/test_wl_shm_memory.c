/* SPDX-License-Identifier: MIT */

/*
 * F13: every allocation fails once. To be linked with the library's objects and
 * with these functions wrapped (ld --wrap).
 */

#include "feedback_client.h"
#include "harness.h"
#include "shm_client.h"

#include <shmguard/server.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Allocations until one fails; 0: none does. */
static int countdown;

static bool
fails_now(void)
{
	if (countdown == 0 || --countdown > 0)
		return false;
	errno = ENOMEM;
	return true;
}

#define WRAP(type, name, parameters, arguments) \
	type __real_##name parameters; \
	type __wrap_##name parameters; \
	type __wrap_##name parameters \
	{ return fails_now() ? NULL : __real_##name arguments; }

WRAP(void *, malloc, (size_t size), (size))
WRAP(void *, calloc, (size_t count, size_t size), (count, size))
WRAP(void *, realloc, (void *old, size_t size), (old, size))
WRAP(void *, wl_array_add, (struct wl_array *array, size_t size),
	(array, size))
WRAP(struct wl_resource *, wl_resource_create, (struct wl_client *client,
	const struct wl_interface *interface, int version, uint32_t id),
	(client, interface, version, id))
WRAP(struct wl_global *, wl_global_create, (struct wl_display *display,
	const struct wl_interface *interface, int version, void *data,
	wl_global_bind_func_t bind),
	(display, interface, version, data, bind))
WRAP(struct wl_event_source *, wl_event_loop_add_fd,
	(struct wl_event_loop *loop, int fd, uint32_t mask,
	wl_event_loop_fd_func_t func, void *data),
	(loop, fd, mask, func, data))

/* The compositor serves what the client has sent, and its n-th allocation fails:
 * that ends the client, and nothing else may happen. Returns whether there were
 * that many. */
static bool
serve_without_memory(struct shm_client *client, int n)
{
	shm_client_flush(client);
	countdown = n;
	shm_client_serve(client);
	bool failed = countdown == 0;
	countdown = 0;

	ck_assert(shm_client_roundtrip(client) != failed);
	if (failed)
		shm_client_expect_error(client, "wl_display",
			WL_DISPLAY_ERROR_NO_MEMORY);
	return failed;
}

static bool
requests_run_out_of_memory(struct wl_display *server, int fd, int n)
{
	struct shm_client client;
	shm_client_connect(&client, server);
	ck_assert_ptr_nonnull(client.shm);
	struct wl_shm_pool *pool = wl_shm_create_pool(client.shm, fd, 4096);
	struct wl_buffer *buffer = wl_shm_pool_create_buffer(pool, 0, 32, 32, 128,
		WL_SHM_FORMAT_ARGB8888);
	wl_shm_pool_resize(pool, 16 << 20);
	bool failed = serve_without_memory(&client, n);

	wl_buffer_destroy(buffer);
	wl_shm_pool_destroy(pool);
	shm_client_disconnect(&client);
	return failed;
}

TEST(F13_requests_out_of_memory)
{
	struct wl_display *server = shm_server_create();
	struct shmguard *guard = shmguard_create(server, NULL);
	ck_assert_ptr_nonnull(guard);
	int fd = harness_memfd(4096, 0, 0);

	int n = 1;
	while (requests_run_out_of_memory(server, fd, n))
		n++;
	/* The pool, its map, its mapping and its wl_resource, the buffer and its
	 * wl_resource, the mapping that is longer. */
	ck_assert_int_gt(n, 7);

	close(fd);
	shm_server_destroy(server);
}

static bool
bind_runs_out_of_memory(struct wl_display *server, int n)
{
	struct shm_client client;
	shm_client_connect(&client, server);
	struct shmguard *guard = shmguard_create(server, NULL);
	ck_assert_ptr_nonnull(guard);
	/* The client hears of the global and asks for it. */
	ck_assert(shm_client_receive(&client));
	bool failed = serve_without_memory(&client, n);
	shm_client_disconnect(&client);
	shmguard_destroy(guard);
	return failed;
}

TEST(F13_bind_out_of_memory)
{
	struct wl_display *server = shm_server_create();
	int n = 1;
	while (bind_runs_out_of_memory(server, n))
		n++;
	ck_assert_int_gt(n, 2);
	shm_server_destroy(server);
}

static bool
feedback_runs_out_of_memory(struct wl_display *server, int fd, int n)
{
	struct shm_client client;
	shm_client_connect(&client, server);
	struct wl_shm_pool *pool = wl_shm_create_pool(client.shm, fd, 4096);
	struct feedback_client feedback;
	feedback_client_init(&feedback, &client);
	struct pool_protection protection;
	struct shmguard_pool_feedback_v1 *watch =
		feedback_client_watch(&feedback, pool, &protection);
	bool failed = serve_without_memory(&client, n);
	ck_assert_uint_eq(protection.done, failed ? 0 : 1);

	shmguard_pool_feedback_v1_destroy(watch);
	feedback_client_finish(&feedback);
	wl_shm_pool_destroy(pool);
	shm_client_disconnect(&client);
	return failed;
}

TEST(F13_feedback_out_of_memory)
{
	struct wl_display *server = shm_server_create();
	struct shmguard_policy policy = {.feedback = true};
	struct shmguard *guard = shmguard_create(server, &policy);
	ck_assert_ptr_nonnull(guard);
	int fd = harness_memfd(4096, 0, F_SEAL_SHRINK);

	int n = 1;
	while (feedback_runs_out_of_memory(server, fd, n))
		n++;
	/* The manager's wl_resource, what is kept of a feedback, and its own. */
	ck_assert_int_gt(n, 3);

	close(fd);
	shm_server_destroy(server);
}

TEST(F13_guard_out_of_memory)
{
	struct wl_display *server = shm_server_create();
	struct shmguard_policy policy = {.feedback = true};
	struct shmguard *guard = NULL;
	int n = 0;
	while (guard == NULL) {
		countdown = ++n;
		guard = shmguard_create(server, &policy);
		int error = errno;
		bool failed = countdown == 0;
		countdown = 0;
		ck_assert(failed == (guard == NULL));
		ck_assert(!failed || error == ENOMEM);
	}
	ck_assert_int_gt(n, 6);

	countdown = 1;
	int added = shmguard_add_format(guard, WL_SHM_FORMAT_ABGR8888);
	int error = errno;
	countdown = 0;
	ck_assert_int_eq(added, -1);
	ck_assert_int_eq(error, ENOMEM);
	shm_server_destroy(server);
}
