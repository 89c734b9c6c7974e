/* SPDX-License-Identifier: MIT */
#include "shm_client.h"

#include "harness.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static char last_message[512];

static void
keep_message(const char *format, va_list args)
{
	vsnprintf(last_message, sizeof(last_message), format, args);
}

const char *
shm_client_message(void)
{
	return last_message;
}

static void
handle_connection_destroy(struct wl_listener *listener, void *data)
{
	(void)data;
	struct shm_client *client =
		wl_container_of(listener, client, connection_destroy);
	wl_list_remove(&client->connection_destroy.link);
	client->connection = NULL;
}

static void
handle_format(void *data, struct wl_shm *shm, uint32_t format)
{
	(void)shm;
	struct shm_client *client = data;
	ck_assert_uint_lt(client->format_count, SHM_CLIENT_MAX_FORMATS);
	client->formats[client->format_count++] = format;
}

static const struct wl_shm_listener shm_listener = {
	.format = handle_format,
};

static void
handle_global(void *data, struct wl_registry *registry, uint32_t name,
	const char *interface, uint32_t version)
{
	struct shm_client *client = data;
	if (strcmp(interface, wl_shm_interface.name) != 0)
		return;
	client->shm_globals++;
	if (client->shm != NULL)
		return;

	client->shm_version = version;
	client->shm_name = name;
	client->shm = wl_registry_bind(registry, name, &wl_shm_interface, version);
	ck_assert_ptr_nonnull(client->shm);
	wl_shm_add_listener(client->shm, &shm_listener, client);
}

static void
handle_global_remove(void *data, struct wl_registry *registry, uint32_t name)
{
	(void)registry;
	(void)name;
	struct shm_client *client = data;
	client->shm_globals--;
}

static const struct wl_registry_listener registry_listener = {
	.global = handle_global,
	.global_remove = handle_global_remove,
};

void
shm_client_connect(struct shm_client *client, struct wl_display *server)
{
	int ends[2];
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	shm_client_connect_to(client, server, ends);
}

void
shm_client_connect_to(struct shm_client *client, struct wl_display *server,
	const int ends[2])
{
	memset(client, 0, sizeof(*client));
	wl_log_set_handler_client(keep_message);
	client->server = server;
	client->connection = wl_client_create(server, ends[0]);
	ck_assert_ptr_nonnull(client->connection);
	client->connection_destroy.notify = handle_connection_destroy;
	wl_client_add_destroy_listener(client->connection,
		&client->connection_destroy);

	client->display = wl_display_connect_to_fd(ends[1]);
	ck_assert_ptr_nonnull(client->display);
	client->registry = wl_display_get_registry(client->display);
	wl_registry_add_listener(client->registry, &registry_listener, client);
	ck_assert(shm_client_roundtrip(client));
	if (client->shm != NULL)
		ck_assert(shm_client_roundtrip(client));
}

void
shm_client_disconnect(struct shm_client *client)
{
	if (client->connection != NULL)
		wl_client_destroy(client->connection);
	if (client->shm != NULL)
		wl_shm_destroy(client->shm);
	wl_registry_destroy(client->registry);
	wl_display_disconnect(client->display);
}

void
shm_client_flush(struct shm_client *client)
{
	/* Fails once the compositor has hung up; reading tells why. */
	wl_display_flush(client->display);
}

void
shm_client_serve(struct shm_client *client)
{
	wl_event_loop_dispatch(wl_display_get_event_loop(client->server), 0);
}

bool
shm_client_receive(struct shm_client *client)
{
	wl_display_flush_clients(client->server);
	while (wl_display_prepare_read(client->display) < 0) {
		if (wl_display_dispatch_pending(client->display) < 0)
			return false;
	}

	struct pollfd readable = {
		.fd = wl_display_get_fd(client->display),
		.events = POLLIN,
	};
	if (poll(&readable, 1, 0) > 0)
		wl_display_read_events(client->display);
	else
		wl_display_cancel_read(client->display);
	return wl_display_dispatch_pending(client->display) >= 0;
}

static void
handle_done(void *data, struct wl_callback *callback, uint32_t serial)
{
	(void)callback;
	(void)serial;
	*(bool *)data = true;
}

static const struct wl_callback_listener done_listener = {
	.done = handle_done,
};

bool
shm_client_roundtrip(struct shm_client *client)
{
	bool done = false;
	struct wl_callback *callback = wl_display_sync(client->display);
	wl_callback_add_listener(callback, &done_listener, &done);
	do {
		shm_client_flush(client);
		shm_client_serve(client);
	} while (shm_client_receive(client) && !done);
	wl_callback_destroy(callback);
	return done;
}

struct wl_buffer *
shm_client_buffer(struct shm_client *client, int fd, int32_t pool_size,
	int32_t width, int32_t height)
{
	struct wl_shm_pool *pool = wl_shm_create_pool(client->shm, fd, pool_size);
	struct wl_buffer *buffer = wl_shm_pool_create_buffer(pool, 0, width,
		height, width * 4, WL_SHM_FORMAT_ARGB8888);
	wl_shm_pool_destroy(pool);
	if (!shm_client_roundtrip(client))
		ck_abort_msg("no buffer: %s", last_message);
	return buffer;
}

struct wl_resource *
shm_client_resource(struct shm_client *client, void *proxy)
{
	ck_assert_ptr_nonnull(client->connection);
	return wl_client_get_object(client->connection, wl_proxy_get_id(proxy));
}

void
shm_client_expect_error(struct shm_client *client, const char *interface,
	uint32_t code)
{
	/* The protocol error is what counts, not that it came with EPROTO. */
	ck_assert_int_ne(wl_display_get_error(client->display), 0);
	const struct wl_interface *actual_interface = NULL;
	uint32_t actual_code = wl_display_get_protocol_error(client->display,
		&actual_interface, NULL);
	ck_assert_msg(actual_interface != NULL, "no object: %s", last_message);
	ck_assert_str_eq(actual_interface->name, interface);
	ck_assert_uint_eq(actual_code, code);
}

/* What it says of clients that it ends is in the way here. */
static void
drop_message(const char *format, va_list args)
{
	(void)format;
	(void)args;
}

struct wl_display *
shm_server_create(void)
{
	wl_log_set_handler_server(drop_message);
	struct wl_display *server = wl_display_create();
	if (server == NULL && (errno == ENOSYS || errno == EPERM))
		harness_lacks("wl_display_create");
	ck_assert_ptr_nonnull(server);
	return server;
}

void
shm_server_destroy(struct wl_display *server)
{
	wl_display_destroy_clients(server);
	wl_display_destroy(server);
}

void
run_on_thread(void *(*func)(void *), void *data)
{
	pthread_t thread;
	ck_assert_int_eq(pthread_create(&thread, NULL, func, data), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
