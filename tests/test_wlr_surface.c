/* SPDX-License-Identifier: MIT */

/*
 * Clients' surfaces in a compositor on wlroots: what wlroots itself does with
 * the adapter's buffers, from a commit to the texture.
 */

#include "harness.h"
#include "wlr_fixture.h"

#include <drm_fourcc.h>
#include <shmguard/wlroots.h>
#include <string.h>
#include <unistd.h>
#include <wlr/render/wlr_texture.h>
#include <wlr/types/wlr_compositor.h>

#define SIDE 16
#define POOL_SIZE (SIDE * SIDE * 4)
#define RED 0xffff0000
#define BLUE 0xff0000ff

struct setup {
	struct wlr_fixture fixture;
	struct wl_registry *registry;
	struct wl_compositor *compositor;
	struct wl_surface *proxy;
	struct wlr_surface *surface;
};

static void
create_globals(struct wlr_fixture *fixture)
{
	ck_assert_ptr_nonnull(shmguard_wlr_create_with_renderer(fixture->server,
		2, fixture->renderer, NULL));
	ck_assert_ptr_nonnull(wlr_compositor_create(fixture->server, 4,
		fixture->renderer));
}

static void
handle_global(void *data, struct wl_registry *registry, uint32_t name,
	const char *interface, uint32_t version)
{
	(void)version;
	struct setup *setup = data;
	if (strcmp(interface, wl_compositor_interface.name) == 0)
		setup->compositor = wl_registry_bind(registry, name,
			&wl_compositor_interface, 4);
}

static void
handle_global_remove(void *data, struct wl_registry *registry, uint32_t name)
{
	(void)data;
	(void)registry;
	(void)name;
}

static void
setup_init(struct setup *setup)
{
	static const struct wl_registry_listener listener = {
		.global = handle_global,
		.global_remove = handle_global_remove,
	};
	memset(setup, 0, sizeof(*setup));
	wlr_fixture_init(&setup->fixture, create_globals);
	struct shm_client *client = &setup->fixture.client;
	setup->registry = wl_display_get_registry(client->display);
	wl_registry_add_listener(setup->registry, &listener, setup);
	ck_assert(shm_client_roundtrip(client));
	ck_assert_ptr_nonnull(setup->compositor);

	setup->proxy = wl_compositor_create_surface(setup->compositor);
	ck_assert(shm_client_roundtrip(client));
	setup->surface = wlr_surface_from_resource(
		shm_client_resource(client, setup->proxy));
}

static void
setup_finish(struct setup *setup)
{
	wl_surface_destroy(setup->proxy);
	wl_compositor_destroy(setup->compositor);
	wl_registry_destroy(setup->registry);
	wlr_fixture_finish(&setup->fixture);
}

static int
filled_memfd(uint32_t pixel)
{
	int fd = harness_memfd(POOL_SIZE, 0, 0);
	for (off_t at = 0; at < POOL_SIZE; at += 4)
		ck_assert_int_eq(pwrite(fd, &pixel, 4, at), 4);
	return fd;
}

/* A file and the buffer that shows it. */
struct picture {
	int fd;
	struct wl_buffer *proxy;
	int releases;
};

static void
count_release(void *data, struct wl_buffer *proxy)
{
	(void)proxy;
	struct picture *picture = data;
	picture->releases++;
}

static void
picture_init(struct picture *picture, struct setup *setup, uint32_t pixel)
{
	static const struct wl_buffer_listener listener = {
		.release = count_release,
	};
	memset(picture, 0, sizeof(*picture));
	picture->fd = filled_memfd(pixel);
	picture->proxy = shm_client_buffer(&setup->fixture.client, picture->fd,
		POOL_SIZE, SIDE, SIDE);
	wl_buffer_add_listener(picture->proxy, &listener, picture);
}

static void
picture_finish(struct picture *picture)
{
	wl_buffer_destroy(picture->proxy);
	close(picture->fd);
}

static void
commit(struct setup *setup, struct picture *picture, int32_t x, int32_t width)
{
	wl_surface_attach(setup->proxy, picture->proxy, 0, 0);
	wl_surface_damage_buffer(setup->proxy, x, 0, width, SIDE);
	wl_surface_commit(setup->proxy);
	ck_assert(shm_client_roundtrip(&setup->fixture.client));
}

static void
expect_texture(struct setup *setup, uint32_t left, uint32_t right)
{
	struct wlr_texture *texture = wlr_surface_get_texture(setup->surface);
	ck_assert_ptr_nonnull(texture);
	uint32_t pixels[SIDE * SIDE];
	memset(pixels, 0x11, sizeof(pixels));
	ck_assert(wlr_texture_read_pixels(texture,
		&(struct wlr_texture_read_pixels_options){
			.data = pixels,
			.format = DRM_FORMAT_ARGB8888,
			.stride = SIDE * 4,
		}));
	for (size_t i = 0; i < SIDE * SIDE; i++)
		ck_assert_uint_eq(pixels[i],
			i % SIDE < SIDE / 2 ? left : right);
}

TEST(surface_shows_its_buffer)
{
	struct setup setup;
	setup_init(&setup);
	struct picture picture;
	picture_init(&picture, &setup, RED);
	commit(&setup, &picture, 0, SIDE);
	expect_texture(&setup, RED, RED);
	picture_finish(&picture);
	setup_finish(&setup);
}

TEST(damage_brings_the_new_pixels)
{
	struct setup setup;
	setup_init(&setup);
	struct picture first, second;
	picture_init(&first, &setup, RED);
	picture_init(&second, &setup, RED);
	commit(&setup, &first, 0, SIDE);

	static const uint32_t blue = BLUE;
	for (off_t at = 0; at < POOL_SIZE; at += 4) {
		if (at / 4 % SIDE >= SIDE / 2)
			ck_assert_int_eq(pwrite(second.fd, &blue, 4, at), 4);
	}
	commit(&setup, &second, SIDE / 2, SIDE / 2);
	expect_texture(&setup, RED, BLUE);
	ck_assert_int_eq(first.releases, 1);
	ck_assert_int_eq(second.releases, 0);

	picture_finish(&first);
	picture_finish(&second);
	setup_finish(&setup);
}

TEST(buffer_is_released_when_it_is_replaced)
{
	struct setup setup;
	setup_init(&setup);
	struct picture pictures[2];
	picture_init(&pictures[0], &setup, RED);
	picture_init(&pictures[1], &setup, BLUE);
	for (int i = 0; i < 6; i++)
		commit(&setup, &pictures[i % 2], 0, SIDE);
	expect_texture(&setup, BLUE, BLUE);
	ck_assert_int_eq(pictures[0].releases, 3);
	ck_assert_int_eq(pictures[1].releases, 2);
	picture_finish(&pictures[0]);
	picture_finish(&pictures[1]);
	setup_finish(&setup);
}

/* wlroots goes on showing it: the texture of the pixman renderer is the client's
 * memory. */
TEST(F14_surface_shows_a_buffer_that_is_gone)
{
	struct setup setup;
	setup_init(&setup);
	struct picture picture;
	picture_init(&picture, &setup, RED);
	commit(&setup, &picture, 0, SIDE);
	picture_finish(&picture);
	ck_assert(shm_client_roundtrip(&setup.fixture.client));
	expect_texture(&setup, RED, RED);
	setup_finish(&setup);
}

TEST(I7_surface_of_a_truncated_buffer_is_blank)
{
	struct setup setup;
	setup_init(&setup);
	struct picture picture;
	picture_init(&picture, &setup, RED);
	commit(&setup, &picture, 0, SIDE);
	ck_assert_int_eq(ftruncate(picture.fd, 0), 0);
	expect_texture(&setup, 0, 0);
	picture_finish(&picture);
	setup_finish(&setup);
}
