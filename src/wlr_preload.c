/* SPDX-License-Identifier: MIT */

/*
 * wlroots' wl_shm, by its own names, on top of the guard. A compositor that
 * finds these before libwlroots', and libwlroots itself, are guarded without
 * knowing it.
 */

/* Members that are private to wlroots: we are it here. */
#define WLR_PRIVATE

#include "log.h"
#include "policy_env.h"

#include <shmguard/wlroots.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wlr/types/wlr_shm.h>
#include <wlr/version.h>

#if WLR_VERSION_MINOR < 18
/* Nobody outside wlroots sees what is in it. */
struct wlr_shm {
	struct wl_global *global;
	struct wl_listener display_destroy;
};
#endif

static void
handle_display_destroy(struct wl_listener *listener, void *data)
{
	(void)data;
	struct wlr_shm *shm = wl_container_of(listener, shm, display_destroy);
	wl_list_remove(&shm->display_destroy.link);
	free(shm);
}

/* The guard goes with the display too, before or after. */
static struct wlr_shm *
shm_create(struct wl_display *display, struct shmguard *guard,
	const struct shmguard_policy *policy)
{
	struct wlr_shm *shm = NULL;
	if (guard != NULL)
		shm = calloc(1, sizeof(*shm));
	if (shm == NULL) {
		guard_log(policy, SHMGUARD_LOG_ERROR, "cannot create wl_shm: %s",
			strerror(errno));
		shmguard_destroy(guard);
		return NULL;
	}
	shm->global = shmguard_global(guard);
	shm->display_destroy.notify = handle_display_destroy;
	wl_display_add_destroy_listener(display, &shm->display_destroy);
	return shm;
}

WL_EXPORT struct wlr_shm *
wlr_shm_create(struct wl_display *display, uint32_t version,
	const uint32_t *formats, size_t formats_len)
{
	struct shmguard_policy policy = {0};
	policy_from_environment(&policy);
	struct shmguard *guard = shmguard_wlr_create(display, version, formats,
		formats_len, &policy);
	return shm_create(display, guard, &policy);
}

WL_EXPORT struct wlr_shm *
wlr_shm_create_with_renderer(struct wl_display *display, uint32_t version,
	struct wlr_renderer *renderer)
{
	struct shmguard_policy policy = {0};
	policy_from_environment(&policy);
	struct shmguard *guard = shmguard_wlr_create_with_renderer(display,
		version, renderer, &policy);
	return shm_create(display, guard, &policy);
}
