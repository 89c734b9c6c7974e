/* SPDX-License-Identifier: MIT */
#ifndef STOCK_FIXTURE_H
#define STOCK_FIXTURE_H

/*
 * A compositor that uses libwayland's wl_shm functions, whoever provides them,
 * one client, and a buffer of 128x128 pixels of 0x5a5a5a5a that is all of its
 * pool.
 */

#include "shm_client.h"

#define STOCK_POOL_SIZE 65536

struct stock_fixture {
	struct wl_display *server;
	struct shm_client client;
	int fd;                  /* the client's file, or -1 */
	struct wl_buffer *proxy; /* may be NULL */
	struct wl_shm_buffer *buffer;
};

void stock_fixture_init(struct stock_fixture *fixture);
/* Neither file nor buffer yet. */
void stock_fixture_init_empty(struct stock_fixture *fixture);
/* Whatever of it is left. */
void stock_fixture_finish(struct stock_fixture *fixture);

/* Fails the test if `proxy` is not a wl_shm buffer for the compositor. */
struct wl_shm_buffer *stock_fixture_buffer(struct stock_fixture *fixture,
	struct wl_buffer *proxy);

/* The client destroys its wl_buffer. */
void stock_fixture_destroy_proxy(struct stock_fixture *fixture);

/* The client truncates its file to nothing. */
void stock_fixture_truncate(struct stock_fixture *fixture);

/* The compositor reads a buffer, which must be gone. */
void stock_access_truncated(struct wl_shm_buffer *buffer);

/* Reads a byte that the compiler must not know. */
int byte_at(const void *data, size_t offset);

/* libwayland keeps something for each thread that made an access until the
 * thread ends: the body runs on one of its own. */
#define STOCK_TEST(name) \
	static void name##_scene(void); \
	static void *name##_thread(void *unused) \
	{ name##_scene(); return unused; } \
	TEST(name) { run_on_thread(name##_thread, NULL); } \
	static void name##_scene(void)

#endif
