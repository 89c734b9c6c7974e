/* SPDX-License-Identifier: MIT */

/*
 * A compositor on wlroots, built for that alone, that the preload object comes
 * before. It is linked first here; LD_PRELOAD has the same effect.
 */

#include "harness.h"
#include "wlr_fixture.h"

/* As compositors see it: private members are out of reach. */
#include <wlr/types/wlr_shm.h>

#include <dlfcn.h>
#include <drm_fourcc.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <wlr/render/wlr_renderer.h>
#include <wlr/version.h>

#define SIDE 32
#define POOL_SIZE (SIDE * SIDE * 4)

static struct wlr_shm *shm;

static void
create_with_renderer(struct wlr_fixture *fixture)
{
	shm = wlr_shm_create_with_renderer(fixture->server, 2, fixture->renderer);
	ck_assert_ptr_nonnull(shm);
}

/* The call comes from within libwlroots. */
static void
create_within_wlroots(struct wlr_fixture *fixture)
{
	ck_assert(wlr_renderer_init_wl_shm(fixture->renderer, fixture->server));
}

static void
create_version_1(struct wlr_fixture *fixture)
{
	static const uint32_t formats[] = {
		DRM_FORMAT_XRGB8888, DRM_FORMAT_ARGB8888, DRM_FORMAT_BGR565,
	};
	shm = wlr_shm_create(fixture->server, 1, formats, 3);
	ck_assert_ptr_nonnull(shm);
}

static void
expect_from_preload(const char *name)
{
	Dl_info info;
	void *function = dlsym(RTLD_DEFAULT, name);
	ck_assert_ptr_nonnull(function);
	ck_assert_int_ne(dladdr(function, &info), 0);
	ck_assert_ptr_nonnull(strstr(info.dli_fname, "shmguard-wlroots-preload"));
}

TEST(preload_object_comes_before_wlroots)
{
	expect_from_preload("wlr_shm_create");
	expect_from_preload("wlr_shm_create_with_renderer");
}

#if WLR_VERSION_MINOR >= 18
static void
expect_name(void *data, struct wl_registry *registry, uint32_t name,
	const char *interface, uint32_t version)
{
	(void)registry;
	(void)version;
	const struct wlr_fixture *fixture = data;
	if (strcmp(interface, wl_shm_interface.name) == 0)
		ck_assert_uint_eq(wl_global_get_name(shm->global,
			fixture->client.connection), name);
}

static void
ignore_name(void *data, struct wl_registry *registry, uint32_t name)
{
	(void)data;
	(void)registry;
	(void)name;
}

TEST(wlr_shm_tells_its_global)
{
	static const struct wl_registry_listener listener = {
		.global = expect_name,
		.global_remove = ignore_name,
	};
	struct wlr_fixture fixture;
	wlr_fixture_init(&fixture, create_with_renderer);
	ck_assert_ptr_eq(wl_global_get_display(shm->global), fixture.server);
	struct wl_registry *registry =
		wl_display_get_registry(fixture.client.display);
	wl_registry_add_listener(registry, &listener, &fixture);
	ck_assert(shm_client_roundtrip(&fixture.client));
	wl_registry_destroy(registry);
	wlr_fixture_finish(&fixture);
}
#endif

TEST(version_and_formats_are_the_callers)
{
	struct wlr_fixture fixture;
	wlr_fixture_init(&fixture, create_version_1);
	ck_assert_uint_eq(fixture.client.shm_version, 1);
	ck_assert_uint_eq(fixture.client.format_count, 3);
	wlr_fixture_finish(&fixture);
}

static void
expect_guarded(void (*create_shm)(struct wlr_fixture *fixture))
{
	struct wlr_fixture fixture;
	wlr_fixture_init(&fixture, create_shm);
	int fd = harness_memfd(POOL_SIZE, 0x5a, 0);
	struct wl_buffer *proxy = shm_client_buffer(&fixture.client, fd,
		POOL_SIZE, SIDE, SIDE);
	struct wlr_buffer *buffer = wlr_fixture_lock(&fixture, proxy);
	unsigned char *data = wlr_fixture_begin(buffer, READ | WRITE);
	ck_assert_int_eq(data[POOL_SIZE - 1], 0x5a);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(data[POOL_SIZE - 1], 0);
	wlr_buffer_end_data_ptr_access(buffer);

	ck_assert(!shm_client_roundtrip(&fixture.client));
	shm_client_expect_error(&fixture.client, "wl_buffer",
		WL_SHM_ERROR_INVALID_FD);
	wlr_buffer_unlock(buffer);
	wl_buffer_destroy(proxy);
	wlr_fixture_finish(&fixture);
	close(fd);
}

TEST(I7_truncated_pool_costs_its_client_only)
{
	expect_guarded(create_with_renderer);
}

TEST(I7_wlroots_own_calls_are_guarded)
{
	expect_guarded(create_within_wlroots);
}

static const char *
connect_and_create_pool(int seals)
{
	struct wlr_fixture fixture;
	wlr_fixture_init(&fixture, create_with_renderer);
	int fd = harness_memfd(POOL_SIZE, 0, seals);
	struct wl_shm_pool *pool =
		wl_shm_create_pool(fixture.client.shm, fd, POOL_SIZE);
	const char *message = NULL;
	if (!shm_client_roundtrip(&fixture.client))
		message = shm_client_message();
	wl_shm_pool_destroy(pool);
	wlr_fixture_finish(&fixture);
	close(fd);
	return message;
}

TEST(policy_comes_from_the_environment)
{
	static char reject[] = "SHMGUARD_UNSEALED=reject";
	static char *changed[] = {reject, NULL};

	ck_assert_ptr_null(connect_and_create_pool(0));
	char **old = environ;
	environ = changed;
	ck_assert_ptr_null(connect_and_create_pool(F_SEAL_SHRINK));
	ck_assert_ptr_nonnull(connect_and_create_pool(0));
	environ = old;
}
