/* SPDX-License-Identifier: MIT */
#include "guard.h"

#include "client_quota.h"
#include "feedback.h"
#include "guarded_map.h"
#include "limit_defaults.h"
#include "pixel_layout.h"
#include "reaper.h"
#include "shm_pool.h"
#include "sigbus_trap.h"
#include "this_thread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wayland-server-protocol.h>

/* Requests that libwayland knows and this file does not must not arrive. */
#ifdef WL_SHM_RELEASE_SINCE_VERSION
#define KNOWN_SHM_VERSION 2
#else
#define KNOWN_SHM_VERSION 1
#endif

static void
note_display_thread(struct shmguard *guard)
{
	atomic_store_explicit(&guard->display_thread, (uintptr_t)this_thread(),
		memory_order_relaxed);
}

bool
guard_on_display_thread(const struct shmguard *guard)
{
	return atomic_load_explicit(&guard->display_thread,
		memory_order_relaxed) == (uintptr_t)this_thread();
}

bool
guard_has_format(const struct shmguard *guard, uint32_t format)
{
	const uint32_t *known = guard->formats.data;
	size_t count = guard->formats.size / sizeof(*known);
	for (size_t i = 0; i < count; i++) {
		if (known[i] == format)
			return true;
	}
	return false;
}

int
shmguard_add_format(struct shmguard *guard, uint32_t format)
{
	if (guard_has_format(guard, format))
		return 0;
	if (pixel_layout_find(format) == NULL) {
		errno = ENOTSUP;
		return -1;
	}

	uint32_t *slot = wl_array_add(&guard->formats, sizeof(*slot));
	if (slot == NULL) {
		errno = ENOMEM;
		return -1;
	}
	*slot = format;
	return 0;
}

static void
shm_handle_create_pool(struct wl_client *client, struct wl_resource *resource,
	uint32_t id, int32_t fd, int32_t size)
{
	(void)client;
	shm_pool_create(wl_resource_get_user_data(resource), resource, id, fd, size);
}

#if KNOWN_SHM_VERSION >= 2
static void
shm_handle_release(struct wl_client *client, struct wl_resource *resource)
{
	(void)client;
	wl_resource_destroy(resource);
}
#endif

static const struct wl_shm_interface shm_impl = {
	.create_pool = shm_handle_create_pool,
#if KNOWN_SHM_VERSION >= 2
	.release = shm_handle_release,
#endif
};

static void
shm_handle_resource_destroy(struct wl_resource *resource)
{
	client_quota_unref(wl_resource_get_user_data(resource));
}

static void
shm_bind(struct wl_client *client, void *data, uint32_t version, uint32_t id)
{
	struct shmguard *guard = data;
	note_display_thread(guard);
	guarded_map_warn_of_other_handler(&guard->policy);

	struct client_quota *quota = client_quota_get(guard, client);
	if (quota == NULL) {
		wl_client_post_no_memory(client);
		return;
	}
	struct wl_resource *resource =
		wl_resource_create(client, &wl_shm_interface, (int)version, id);
	if (resource == NULL) {
		client_quota_post_no_memory(quota);
		client_quota_unref(quota);
		return;
	}
	wl_resource_set_implementation(resource, &shm_impl, quota,
		shm_handle_resource_destroy);

	const uint32_t *format;
	wl_array_for_each(format, &guard->formats)
		wl_shm_send_format(resource, *format);
}

static void
report_lost(void *owner)
{
	shm_pool_report_lost(owner, NULL);
}

static int
handle_faults(int fd, uint32_t mask, void *data)
{
	(void)fd;
	(void)mask;
	struct shmguard *guard = data;
	note_display_thread(guard);
	guarded_map_dispatch_faults(guard->notifier, report_lost);
	return 0;
}

static void
leave_display(struct shmguard *guard)
{
	if (guard->fault_source == NULL)
		return;
	wl_event_source_remove(guard->fault_source);
	guard->fault_source = NULL;
	wl_list_remove(&guard->display_destroy.link);
}

struct shmguard *
guard_ref(struct shmguard *guard)
{
	guard->refs++;
	return guard;
}

void
guard_hold_trap(struct shmguard *guard)
{
	if (!guard->holds_trap &&
			guard->policy.handler == SHMGUARD_HANDLER_INSTALL)
		guard->holds_trap = sigbus_trap_ref() == 0;
}

void
guard_unref(struct shmguard *guard)
{
	if (--guard->refs > 0)
		return;

	leave_display(guard);
	if (guard->holds_trap)
		sigbus_trap_unref();
	fault_notifier_unref(guard->notifier);
	wl_array_release(&guard->formats);
	free(guard);
}

void
shmguard_destroy(struct shmguard *guard)
{
	if (guard == NULL || guard->global == NULL)
		return;

	wl_global_destroy(guard->global);
	guard->global = NULL;
	if (guard->feedback_global != NULL)
		wl_global_destroy(guard->feedback_global);
	guard->policy.log = NULL;
	guard_unref(guard);
	/* What clients left behind at the end is gone when this returns. */
	reaper_unref();
}

static void
handle_display_destroy(struct wl_listener *listener, void *data)
{
	(void)data;
	struct shmguard *guard = wl_container_of(listener, guard, display_destroy);
	leave_display(guard);
	shmguard_destroy(guard);
}

static bool
enter_display(struct shmguard *guard, struct wl_display *display,
	int version)
{
	guard->fault_source = wl_event_loop_add_fd(
		wl_display_get_event_loop(display),
		fault_notifier_fd(guard->notifier), WL_EVENT_READABLE,
		handle_faults, guard);
	if (guard->fault_source == NULL)
		return false;
	guard->display_destroy.notify = handle_display_destroy;
	wl_display_add_destroy_listener(display, &guard->display_destroy);

	guard->global = wl_global_create(display, &wl_shm_interface, version,
		guard, shm_bind);
	if (guard->global == NULL)
		return false;

	if (!guard->policy.feedback)
		return true;
	guard->feedback_global = feedback_global_create(display);
	if (guard->feedback_global == NULL) {
		wl_global_destroy(guard->global);
		return false;
	}
	return true;
}

struct shmguard *
shmguard_create(struct wl_display *display,
	const struct shmguard_policy *policy)
{
	return shmguard_create_with_version(display, KNOWN_SHM_VERSION, policy);
}

struct shmguard *
shmguard_create_with_version(struct wl_display *display, uint32_t version,
	const struct shmguard_policy *policy)
{
	if (version == 0) {
		errno = EINVAL;
		return NULL;
	}
	if (version > KNOWN_SHM_VERSION)
		version = KNOWN_SHM_VERSION;
	if (version > (uint32_t)wl_shm_interface.version)
		version = (uint32_t)wl_shm_interface.version;

	struct shmguard *guard = calloc(1, sizeof(*guard));
	if (guard == NULL)
		return NULL;
	if (policy != NULL)
		guard->policy = *policy;
	limits_resolve(&guard->policy.limits);
	guard->refs = 1;
	wl_array_init(&guard->formats);
	wl_list_init(&guard->clients);
	note_display_thread(guard);

	guard->notifier = fault_notifier_create();
	if (guard->notifier == NULL)
		goto err_notifier;
	if (shmguard_add_format(guard, WL_SHM_FORMAT_ARGB8888) < 0 ||
			shmguard_add_format(guard, WL_SHM_FORMAT_XRGB8888) < 0)
		goto err_unref;
	errno = 0;
	if (!enter_display(guard, display, (int)version)) {
		if (errno == 0)
			errno = ENOMEM;
		goto err_unref;
	}
	reaper_ref();
	return guard;

err_unref:
	guard_unref(guard);
	return NULL;
err_notifier:
	free(guard);
	return NULL;
}

struct wl_global *
shmguard_global(const struct shmguard *guard)
{
	return guard->global;
}

void
shmguard_client_usage(struct shmguard *guard, struct wl_client *client,
	struct shmguard_usage *usage)
{
	const struct client_quota *quota = client_quota_find(guard, client);
	if (quota != NULL)
		account_usage(quota->account, usage);
	else
		memset(usage, 0, sizeof(*usage));
}

void
shmguard_get_limits(const struct shmguard *guard,
	struct shmguard_limits *limits)
{
	*limits = guard->policy.limits;
}
