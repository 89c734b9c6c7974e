/* SPDX-License-Identifier: MIT */
#ifndef SHM_CLIENT_H
#define SHM_CLIENT_H

/*
 * A compositor and its clients in one process, over real sockets. Everything
 * runs on the calling thread, and only while one of the functions below does;
 * failures end the test.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wayland-client-core.h>
#include <wayland-client-protocol.h>
#include <wayland-server-core.h>

#define SHM_CLIENT_MAX_FORMATS 64

struct shm_client {
	struct wl_display *server;
	/* The compositor's end; NULL once it has disconnected the client. */
	struct wl_client *connection;
	struct wl_listener connection_destroy;

	struct wl_display *display;
	struct wl_registry *registry;
	struct wl_shm *shm;
	uint32_t shm_name, shm_version;
	unsigned int shm_globals;
	uint32_t formats[SHM_CLIENT_MAX_FORMATS]; /* as they arrived */
	size_t format_count;
};

/* Connects and binds the first wl_shm, in the version offered. */
void shm_client_connect(struct shm_client *client, struct wl_display *server);
/* The same with a pair of sockets from elsewhere. */
void shm_client_connect_to(struct shm_client *client,
	struct wl_display *server, const int ends[2]);

/* Also after the compositor did. Other proxies than those above must be gone. */
void shm_client_disconnect(struct shm_client *client);

/* Lets both sides do what they have to do. Returns whether the client is still
 * connected and free of errors. */
bool shm_client_roundtrip(struct shm_client *client);

/* The client's requests reach the compositor's socket; the compositor does not
 * look. */
void shm_client_flush(struct shm_client *client);
/* The compositor works on what has arrived, and on faults. */
void shm_client_serve(struct shm_client *client);
/* What the compositor has queued reaches the client, but the compositor does
 * not look at requests or faults. Returns as shm_client_roundtrip(). */
bool shm_client_receive(struct shm_client *client);

/* Pool and buffer in one; `fd` stays the caller's. */
struct wl_buffer *shm_client_buffer(struct shm_client *client, int fd,
	int32_t pool_size, int32_t width, int32_t height);

/* The compositor's object for one of the client's, or NULL. */
struct wl_resource *shm_client_resource(struct shm_client *client, void *proxy);

/* The protocol error that ended the client: code and name of the interface; and
 * the message. Fails the test if it is another one or none. */
void shm_client_expect_error(struct shm_client *client, const char *interface,
	uint32_t code);
const char *shm_client_message(void);

/* A wl_display of the compositor's. */
struct wl_display *shm_server_create(void);
void shm_server_destroy(struct wl_display *server);

/* Runs the function on a thread of its own and waits for it. */
void run_on_thread(void *(*func)(void *), void *data);

#endif
