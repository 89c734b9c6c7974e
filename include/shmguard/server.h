/* SPDX-License-Identifier: MIT */
#ifndef SHMGUARD_SERVER_H
#define SHMGUARD_SERVER_H

/*
 * A guarded wl_shm for compositors on libwayland-server.
 *
 * Call shmguard_create() where wl_display_init_shm() was called, and use
 * struct shmguard_buffer where struct wl_shm_buffer was used. Unless a function
 * says otherwise it belongs to the display's thread: the one that dispatches
 * the display's event loop.
 *
 * Protocol behaviour, error codes and the objects errors are posted on are
 * those of wl_shm in wayland.xml and of libwayland-server.
 */

#include <shmguard/map.h>
#include <stdint.h>
#include <wayland-server-core.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A wl_shm global and everything that clients made through it. */
struct shmguard;

/** What one wl_buffer made from a wl_shm_pool shows. */
struct shmguard_buffer;

/**
 * Adds the wl_shm global, in the version that the installed libwayland has, and
 * advertises ARGB8888 and XRGB8888. `policy` is copied and may be NULL; where it
 * says so the global of the protocol shmguard-feedback-v1 is added too.
 *
 * The result is destroyed with the display, or earlier with shmguard_destroy().
 * Returns NULL with errno set when out of memory or descriptors, or where there is no
 * eventfd(2).
 */
__attribute__((warn_unused_result, nonnull(1)))
struct shmguard *shmguard_create(struct wl_display *display,
	const struct shmguard_policy *policy);

/**
 * The same, in version `version` or lower if libwayland or this library do not
 * know it. Returns NULL with errno EINVAL for version 0.
 */
__attribute__((warn_unused_result, nonnull(1)))
struct shmguard *shmguard_create_with_version(struct wl_display *display,
	uint32_t version, const struct shmguard_policy *policy);

/**
 * The wl_shm global, for wl_display_set_global_filter() and the like. The guard's;
 * NULL after shmguard_destroy().
 */
__attribute__((nonnull))
struct wl_global *shmguard_global(const struct shmguard *guard);

/**
 * Removes the globals. Pools and buffers that clients still have go on working
 * until they are destroyed; the policy's log function is not called any more.
 * Waits until the memory of pools that are gone is torn down. NULL is allowed.
 */
void shmguard_destroy(struct shmguard *guard);

/**
 * Advertises one more format to clients that bind later and accepts buffers in
 * it. `format` is an enum wl_shm_format, which are DRM fourcc codes but for 0
 * and 1. Adding a format twice is allowed.
 *
 * Returns 0, or -1 with errno ENOTSUP if the format has no linear layout in
 * memory (see docs/formats.md) or ENOMEM.
 */
__attribute__((nonnull))
int shmguard_add_format(struct shmguard *guard, uint32_t format);

/**
 * The buffer behind a wl_buffer, or NULL if the wl_buffer was not made through
 * this library's wl_shm. The pointer is good while the resource exists; take a
 * reference to keep it longer.
 */
__attribute__((nonnull))
struct shmguard_buffer *shmguard_buffer_from_resource(
	struct wl_resource *resource);

/**
 * Keeps the buffer beyond its wl_buffer, its pool and its client. Returns the
 * same pointer. Each ref wants one unref. Views outlive the buffer, so a thread
 * that only ends a view needs no reference.
 */
__attribute__((nonnull))
struct shmguard_buffer *shmguard_buffer_ref(struct shmguard_buffer *buffer);
__attribute__((nonnull))
void shmguard_buffer_unref(struct shmguard_buffer *buffer);

/**
 * Begins an access to the buffer's bytes: view->data is row 0 of plane 0 and
 * view->size is shmguard_buffer_size(). Any thread that holds a reference.
 * Ended with shmguard_buffer_end(), or shmguard_view_end() by who does not have
 * the buffer any more. Errors as for shmguard_map_begin_read() and
 * shmguard_map_begin_write().
 *
 * If bytes turn out to be missing they read as zeros and the client is sent
 * wl_shm error invalid_fd by the display's thread, whether or not the access
 * is ever ended. (In tier NOSIGBUS they just read as zeros: nobody learns.)
 */
__attribute__((warn_unused_result, nonnull))
int shmguard_buffer_begin_read(struct shmguard_buffer *buffer,
	struct shmguard_view *view);
__attribute__((warn_unused_result, nonnull))
int shmguard_buffer_begin_write(struct shmguard_buffer *buffer,
	struct shmguard_view *view);

/**
 * Ends an access as shmguard_view_end() does. On the display's thread the error
 * that the client may have earned is sent at once: it arrives before anything
 * that is sent later, such as that the frame was drawn. Any thread that holds a
 * reference.
 */
__attribute__((nonnull))
int shmguard_buffer_end(struct shmguard_buffer *buffer,
	struct shmguard_view *view);

/**
 * Copies `rows` rows of plane 0, from row `first` on, to memory of the caller's
 * where they begin `to_stride` bytes apart. Padding at the end of rows is not
 * copied. Any thread that holds a reference. See shmguard_map_copy() for holes and
 * errors; ERANGE also for rows that the buffer does not have, ENOTSUP for formats
 * whose rows of pixels are not rows in memory.
 */
__attribute__((nonnull))
int shmguard_buffer_copy(struct shmguard_buffer *buffer, int32_t first,
	int32_t rows, void *to, size_t to_stride);

/**
 * The buffer's bytes for callers that keep a pointer for long (a texture or an
 * image wrapped around it). Guarded like a view, read-only unless the policy
 * says writable, and good until the buffer's last reference is dropped. The
 * same address each time. Any thread, while somebody holds the buffer.
 *
 * Returns NULL with errno ENOTSUP in tier COPIED.
 */
__attribute__((nonnull))
void *shmguard_buffer_data(struct shmguard_buffer *buffer);

/** Pixels. */
int32_t shmguard_buffer_width(const struct shmguard_buffer *buffer);
int32_t shmguard_buffer_height(const struct shmguard_buffer *buffer);
/** Bytes from one row of plane 0 to the next. */
int32_t shmguard_buffer_stride(const struct shmguard_buffer *buffer);
/** An enum wl_shm_format. */
uint32_t shmguard_buffer_format(const struct shmguard_buffer *buffer);
/** Bytes from the start of the pool to row 0 of plane 0. */
int32_t shmguard_buffer_offset(const struct shmguard_buffer *buffer);
/** Bytes that all planes of the buffer span. */
size_t shmguard_buffer_size(const struct shmguard_buffer *buffer);
/** Current protection of the pool, and why. shmguard_reason_text() has words for
 * it, shmguard_reason_advice() says what the client could do better. */
enum shmguard_tier shmguard_buffer_tier(const struct shmguard_buffer *buffer);
enum shmguard_reason shmguard_buffer_reason(
	const struct shmguard_buffer *buffer);

/**
 * Counts what `client` holds through this wl_shm, which the policy's limits are
 * for: all connections of one process are one client, unless it is our own.
 * Memory of large pools counts until it is torn down, somewhat later than the
 * pool is. All zero for a client that never used wl_shm.
 *
 * A client that asks for more than it may hold is ended with wl_display error
 * no_memory, which names the limit.
 */
__attribute__((nonnull))
void shmguard_client_usage(struct shmguard *guard, struct wl_client *client,
	struct shmguard_usage *usage);

/** The limits in force: the policy's, with numbers in place of the zeros. */
__attribute__((nonnull))
void shmguard_get_limits(const struct shmguard *guard,
	struct shmguard_limits *limits);

#ifdef __cplusplus
}
#endif

#endif
