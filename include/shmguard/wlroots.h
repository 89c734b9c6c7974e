/* SPDX-License-Identifier: MIT */
#ifndef SHMGUARD_WLROOTS_H
#define SHMGUARD_WLROOTS_H

/*
 * A guarded wl_shm for compositors on wlroots 0.17 to 0.20. Each minor version
 * of wlroots has a library of its own: pkg-config package
 * shmguard-wlroots-0.18 goes with wlroots-0.18.
 *
 * Call one of the functions below where wlr_shm_create(),
 * wlr_shm_create_with_renderer() or wlr_renderer_init_wl_shm() was called.
 * wlr_renderer_init_wl_display() also makes the global of linux-dmabuf: call
 * wlr_linux_dmabuf_v1_create_with_renderer() for that. All else stays: clients'
 * buffers are struct wlr_buffer from wlr_buffer_try_from_resource() as ever.
 *
 * What is different from wlroots' own:
 * - wlr_buffer_begin_data_ptr_access() maps read-only unless the flags say
 *   WRITE, and returns false where a client's file cannot be written. Any number
 *   of buffers can be accessed at once, and accesses ended in any order. One
 *   buffer has one access at a time, which wlroots counts without a lock: it can
 *   be begun and ended on any thread that has the buffer to itself and knows it
 *   locked.
 * - A client whose file lost bytes is sent wl_shm error invalid_fd, and the
 *   missing bytes read as zeros.
 * - wlr_buffer_get_shm() has no descriptor to give, since none is kept. It
 *   returns true for square buffers only, because wlroots asks xdg-toplevel-icon
 *   clients for a buffer that has it, with fd -1 and DRM_FORMAT_INVALID: so no
 *   backend tries to import the buffer. Compositors nested in another Wayland or
 *   X11 session therefore composite what they could have passed on.
 * - Strides need not be multiples of the pixel size. Renderers may refuse such
 *   buffers when they are uploaded.
 *
 * wlroots 0.15 and 0.16 use libwayland's own wl_shm: there, link shmguard-stock
 * ahead of wlroots and change nothing (`pkg-config --libs shmguard-stock
 * wlroots`). The 0.17 library has the same source, with 0.17's differences.
 */

#include <shmguard/server.h>

#ifdef __cplusplus
extern "C" {
#endif

struct wlr_renderer;

/**
 * Adds the wl_shm global and makes wlroots know its buffers. `version` is the
 * highest version of the global, see shmguard_create_with_version(). `formats`
 * are DRM fourcc codes and must include ARGB8888 and XRGB8888. Those that have
 * no linear layout in memory (docs/formats.md) are left out. `policy` is copied
 * and may be NULL; policy->writable is not needed.
 *
 * The result is destroyed with the display, or earlier with shmguard_destroy().
 * More formats can be added with shmguard_add_format(). Display thread only.
 *
 * Returns NULL with errno EINVAL (version 0, formats missing), or as
 * shmguard_create().
 */
__attribute__((warn_unused_result, nonnull(1, 3)))
struct shmguard *shmguard_wlr_create(struct wl_display *display,
	uint32_t version, const uint32_t *formats, size_t formats_len,
	const struct shmguard_policy *policy);

/**
 * The same with the formats that the renderer can make textures from. Returns
 * NULL with errno EINVAL also when it has none. The renderer is not kept.
 */
__attribute__((warn_unused_result, nonnull(1, 3)))
struct shmguard *shmguard_wlr_create_with_renderer(struct wl_display *display,
	uint32_t version, struct wlr_renderer *renderer,
	const struct shmguard_policy *policy);

#ifdef __cplusplus
}
#endif

#endif
