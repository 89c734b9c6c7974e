/* SPDX-License-Identifier: MIT */
#ifndef SIEGE_POOL_H
#define SIEGE_POOL_H

/*
 * Files, pools and buffers, and every lie about them: nothing here compares
 * what a file has with what is claimed. Files are written with pwrite, never
 * through a mapping, so that the client cannot fall into its own trap. What
 * the system refuses us ends the program: the attack could not be made.
 */

#include "client.h"

#include <stddef.h>
#include <sys/mman.h>

/* What a wl_buffer claims. */
struct claim {
	int32_t offset, width, height, stride;
	uint32_t format;
};

/* 512 x 384 pixels in whole pages, from the start of the pool. */
extern const struct claim picture;
#define PICTURE_WIDTH 512
#define PICTURE_HEIGHT 384
#define PICTURE_STRIDE (4 * PICTURE_WIDTH)
#define PICTURE_BYTES (PICTURE_STRIDE * PICTURE_HEIGHT)

/* A memfd of `size` bytes, all of them `pixel`s. `flags` are memfd_create's. */
int file_create(size_t size, unsigned int flags, uint32_t pixel);
void file_paint(int fd, size_t offset, size_t size, uint32_t pixel);
void file_resize(int fd, size_t size);
void file_seal(int fd, int seals);

/* The same file through a new descriptor opened with `flags`. */
int file_reopen(int fd, int flags);

size_t page_size(void);

/* May claim any size for any descriptor, which stays the caller's. */
struct wl_shm_pool *pool_create(struct client *client, int fd, int32_t size);

/* The same without ever closing a copy of the descriptor, which is what
 * libwayland does after sending. For files whose close(2) can block. */
struct wl_shm_pool *pool_create_unclosed(struct client *client, int fd,
	int32_t size);

/* Sends a whole request and one descriptor in the same way. */
void request_send_unclosed(struct client *client, const uint32_t *request,
	size_t size, int fd);

struct wl_buffer *pool_buffer(struct wl_shm_pool *pool,
	const struct claim *claim);

/* Where the last row ends, counted from the start of the pool. */
size_t claim_bytes(const struct claim *claim);

/* A buffer whose pool, of claim_bytes(), is destroyed at once. */
struct wl_buffer *buffer_create(struct client *client, int fd,
	const struct claim *claim);

/* Says why the attack could not be made, with errno, and exits. */
__attribute__((noreturn)) void fail(const char *what);

#endif
