/* SPDX-License-Identifier: MIT */
#include "guard_fixture.h"

#include "harness.h"
#include "nosigbus_map.h"

#include <stdio.h>
#include <string.h>

static char log_lines[4096];

static void
keep_line(enum shmguard_log_level level, const char *line, void *data)
{
	(void)level;
	(void)data;
	size_t used = strlen(log_lines);
	snprintf(log_lines + used, sizeof(log_lines) - used, "%s\n", line);
}

const char *
guard_fixture_log(void)
{
	return log_lines;
}

void
guard_fixture_init(struct guard_fixture *fixture,
	const struct shmguard_policy *policy)
{
	/* Where the kernel hides missing bytes by itself, only mappings that can
	 * be written still fault. */
	struct shmguard_policy logged = {.writable = nosigbus_flag() > 0};
	if (policy != NULL)
		logged = *policy;
	logged.log = keep_line;

	fixture->server = shm_server_create();
	fixture->guard = shmguard_create(fixture->server, &logged);
	ck_assert_ptr_nonnull(fixture->guard);
	shm_client_connect(&fixture->client, fixture->server);
	ck_assert_ptr_nonnull(fixture->client.shm);
}

void
guard_fixture_finish(struct guard_fixture *fixture)
{
	shm_client_disconnect(&fixture->client);
	if (fixture->server != NULL)
		shm_server_destroy(fixture->server);
}

struct shmguard_buffer *
guard_fixture_buffer(struct guard_fixture *fixture, struct wl_buffer *buffer)
{
	struct wl_resource *resource =
		shm_client_resource(&fixture->client, buffer);
	ck_assert_ptr_nonnull(resource);
	struct shmguard_buffer *guarded = shmguard_buffer_from_resource(resource);
	ck_assert_ptr_nonnull(guarded);
	return guarded;
}
