/* SPDX-License-Identifier: MIT */

/*
 * The guard's buffers as wlroots' struct wlr_buffer. One is made when wlroots
 * first asks for a wl_buffer's and lives until that is destroyed and nobody
 * locks it.
 */

#include <shmguard/wlroots.h>

#include <drm_fourcc.h>
#include <errno.h>
#include <stdlib.h>
#include <wayland-server-protocol.h>
#include <wlr/interfaces/wlr_buffer.h>
#include <wlr/render/drm_format_set.h>
#include <wlr/render/wlr_renderer.h>
#include <wlr/version.h>

#if WLR_VERSION_MINOR >= 19
#define WLR_BUFFER_HAS_FINISH
#endif
#if WLR_VERSION_MINOR >= 18
#define WLR_RENDERER_HAS_FORMAT_SETS
#endif

struct wlr_guarded_buffer {
	struct wlr_buffer base;
	struct shmguard_buffer *guarded; /* a reference */
	struct wl_resource *resource;    /* NULL once destroyed */
	struct shmguard_view view;       /* while wlroots accesses it */

	struct wl_listener resource_destroy;
	struct wl_listener release;
};

static const struct wlr_buffer_impl buffer_impl;

static struct wlr_guarded_buffer *
buffer_from_base(struct wlr_buffer *base)
{
	struct wlr_guarded_buffer *buffer = wl_container_of(base, buffer, base);
	return buffer;
}

/* wl_shm numbered two formats before DRM did. */
static uint32_t
shm_format_from_drm(uint32_t format)
{
	switch (format) {
	case DRM_FORMAT_ARGB8888:
		return WL_SHM_FORMAT_ARGB8888;
	case DRM_FORMAT_XRGB8888:
		return WL_SHM_FORMAT_XRGB8888;
	default:
		return format;
	}
}

static uint32_t
drm_format_from_shm(uint32_t format)
{
	switch (format) {
	case WL_SHM_FORMAT_ARGB8888:
		return DRM_FORMAT_ARGB8888;
	case WL_SHM_FORMAT_XRGB8888:
		return DRM_FORMAT_XRGB8888;
	default:
		return format;
	}
}

static void
buffer_destroy(struct wlr_buffer *base)
{
	struct wlr_guarded_buffer *buffer = buffer_from_base(base);
	wl_list_remove(&buffer->release.link);
#ifdef WLR_BUFFER_HAS_FINISH
	/* Earlier versions do this for us. */
	wlr_buffer_finish(base);
#endif
	shmguard_buffer_unref(buffer->guarded);
	free(buffer);
}

/* There is no descriptor. But wlroots disconnects xdg-toplevel-icon clients
 * whose buffer does not have this; icons are square. The format keeps backends
 * from importing the buffer, which they would do with the descriptor. Others are
 * told the truth, because a surface whose format is unknown is not opaque. */
static bool
buffer_get_shm(struct wlr_buffer *base, struct wlr_shm_attributes *attributes)
{
	const struct wlr_guarded_buffer *buffer = buffer_from_base(base);
	if (base->width != base->height)
		return false;

	*attributes = (struct wlr_shm_attributes){
		.fd = -1,
		.format = DRM_FORMAT_INVALID,
		.width = base->width,
		.height = base->height,
		.stride = shmguard_buffer_stride(buffer->guarded),
		.offset = shmguard_buffer_offset(buffer->guarded),
	};
	return true;
}

static bool
buffer_begin_access(struct wlr_buffer *base, uint32_t flags, void **data,
	uint32_t *format, size_t *stride)
{
	struct wlr_guarded_buffer *buffer = buffer_from_base(base);
	int status;
	if (flags & WLR_BUFFER_DATA_PTR_ACCESS_WRITE)
		status = shmguard_buffer_begin_write(buffer->guarded,
			&buffer->view);
	else
		status = shmguard_buffer_begin_read(buffer->guarded,
			&buffer->view);
	if (status < 0)
		return false;

	*data = buffer->view.data;
	*format = drm_format_from_shm(shmguard_buffer_format(buffer->guarded));
	*stride = (size_t)shmguard_buffer_stride(buffer->guarded);
	return true;
}

static void
buffer_end_access(struct wlr_buffer *base)
{
	struct wlr_guarded_buffer *buffer = buffer_from_base(base);
	/* That bytes were missing, the guard tells the client. */
	shmguard_buffer_end(buffer->guarded, &buffer->view);
}

static const struct wlr_buffer_impl buffer_impl = {
	.destroy = buffer_destroy,
	.get_shm = buffer_get_shm,
	.begin_data_ptr_access = buffer_begin_access,
	.end_data_ptr_access = buffer_end_access,
};

static void
handle_release(struct wl_listener *listener, void *data)
{
	(void)data;
	struct wlr_guarded_buffer *buffer =
		wl_container_of(listener, buffer, release);
	if (buffer->resource != NULL)
		wl_buffer_send_release(buffer->resource);
}

static void
handle_resource_destroy(struct wl_listener *listener, void *data)
{
	(void)data;
	struct wlr_guarded_buffer *buffer =
		wl_container_of(listener, buffer, resource_destroy);
	wl_list_remove(&buffer->resource_destroy.link);
	buffer->resource = NULL;
	wlr_buffer_drop(&buffer->base);
}

static struct wlr_guarded_buffer *
buffer_create(struct wl_resource *resource)
{
	struct wlr_guarded_buffer *buffer = calloc(1, sizeof(*buffer));
	if (buffer == NULL)
		return NULL;

	buffer->guarded = shmguard_buffer_ref(
		shmguard_buffer_from_resource(resource));
	buffer->resource = resource;
	wlr_buffer_init(&buffer->base, &buffer_impl,
		shmguard_buffer_width(buffer->guarded),
		shmguard_buffer_height(buffer->guarded));
	buffer->release.notify = handle_release;
	wl_signal_add(&buffer->base.events.release, &buffer->release);
	buffer->resource_destroy.notify = handle_resource_destroy;
	wl_resource_add_destroy_listener(resource, &buffer->resource_destroy);
	return buffer;
}

static bool
resource_is_instance(struct wl_resource *resource)
{
	return shmguard_buffer_from_resource(resource) != NULL;
}

static struct wlr_buffer *
base_from_resource(struct wl_resource *resource)
{
	struct wlr_guarded_buffer *buffer;
	struct wl_listener *listener =
		wl_resource_get_destroy_listener(resource, handle_resource_destroy);
	if (listener != NULL)
		buffer = wl_container_of(listener, buffer, resource_destroy);
	else
		buffer = buffer_create(resource);
	return buffer != NULL ? &buffer->base : NULL;
}

static const struct wlr_buffer_resource_interface resource_interface = {
	.name = "shmguard",
	.is_instance = resource_is_instance,
	.from_resource = base_from_resource,
};

static bool
has_format(const uint32_t *formats, size_t formats_len, uint32_t format)
{
	for (size_t i = 0; i < formats_len; i++) {
		if (formats[i] == format)
			return true;
	}
	return false;
}

struct shmguard *
shmguard_wlr_create(struct wl_display *display, uint32_t version,
	const uint32_t *formats, size_t formats_len,
	const struct shmguard_policy *policy)
{
	/* Clients may use these without asking. */
	if (!has_format(formats, formats_len, DRM_FORMAT_ARGB8888) ||
			!has_format(formats, formats_len, DRM_FORMAT_XRGB8888)) {
		errno = EINVAL;
		return NULL;
	}

	struct shmguard *guard =
		shmguard_create_with_version(display, version, policy);
	if (guard == NULL)
		return NULL;
	for (size_t i = 0; i < formats_len; i++) {
		if (shmguard_add_format(guard,
				shm_format_from_drm(formats[i])) < 0 &&
				errno != ENOTSUP) {
			shmguard_destroy(guard);
			errno = ENOMEM;
			return NULL;
		}
	}
	/* For good: wlroots has no way to take it back, and does nothing when it
	 * is there already. */
	wlr_buffer_register_resource_interface(&resource_interface);
	return guard;
}

#ifdef WLR_RENDERER_HAS_FORMAT_SETS

struct shmguard *
shmguard_wlr_create_with_renderer(struct wl_display *display, uint32_t version,
	struct wlr_renderer *renderer, const struct shmguard_policy *policy)
{
	const struct wlr_drm_format_set *set =
		wlr_renderer_get_texture_formats(renderer, WLR_BUFFER_CAP_DATA_PTR);
	if (set == NULL || set->len == 0) {
		errno = EINVAL;
		return NULL;
	}

	uint32_t *formats = calloc(set->len, sizeof(*formats));
	if (formats == NULL)
		return NULL;
	for (size_t i = 0; i < set->len; i++)
		formats[i] = set->formats[i].format;

	struct shmguard *guard = shmguard_wlr_create(display, version, formats,
		set->len, policy);
	int saved_errno = errno;
	free(formats);
	errno = saved_errno;
	return guard;
}

#else

struct shmguard *
shmguard_wlr_create_with_renderer(struct wl_display *display, uint32_t version,
	struct wlr_renderer *renderer, const struct shmguard_policy *policy)
{
	size_t formats_len = 0;
	const uint32_t *formats =
		wlr_renderer_get_shm_texture_formats(renderer, &formats_len);
	if (formats == NULL) {
		errno = EINVAL;
		return NULL;
	}
	return shmguard_wlr_create(display, version, formats, formats_len,
		policy);
}

#endif
