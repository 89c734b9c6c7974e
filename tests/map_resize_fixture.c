/* SPDX-License-Identifier: MIT */
#include "map_resize_fixture.h"

#include "fake_kernel.h"
#include "harness.h"
#include "memory_look.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

const struct shmguard_policy copy_policy = {
	.unsealed = SHMGUARD_UNSEALED_COPY,
};
const struct shmguard_policy reject_policy = {
	.unsealed = SHMGUARD_UNSEALED_REJECT,
};
const struct shmguard_policy adopt_policy = {
	.adopt_seals = true,
};
const struct shmguard_policy no_handler_policy = {
	.handler = SHMGUARD_HANDLER_NONE,
};
const struct shmguard_policy writable_policy = {
	.writable = true,
};

size_t page;

/* On kernels with no-SIGBUS mappings too, unless a test asks for them. */
__attribute__((constructor))
static void
use_plain_kernel(void)
{
	page = page_size();
	fake_kernel_use();
}

struct shmguard_map *
must_open(int client, size_t pages, const struct shmguard_policy *policy)
{
	struct shmguard_map *map = shmguard_map_open(
		fcntl(client, F_DUPFD_CLOEXEC, 0), pages * page, policy, NULL);
	ck_assert_msg(map != NULL, "%s", strerror(errno));
	return map;
}

struct shmguard_view
must_read(struct shmguard_map *map, size_t pages)
{
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_map_begin_read(map, 0, pages * page, &view), 0);
	return view;
}

void
must_end(struct shmguard_view view)
{
	ck_assert_int_eq(shmguard_view_end(&view), 0);
}

void
check_numbers(const struct shmguard_view *view)
{
	const volatile unsigned char *data = view->data;
	for (size_t i = 0; i < view->size; i += page / 2)
		ck_assert_int_eq(data[i], page_byte(i / page));
}

void
check_resize_fails(struct shmguard_map *map, size_t size, int error)
{
	size_t before = shmguard_map_size(map);
	enum shmguard_tier tier = shmguard_map_tier(map);
	enum shmguard_reason reason = shmguard_map_reason(map);
	errno = 0;
	ck_assert_int_eq(shmguard_map_resize(map, size), -1);
	ck_assert_int_eq(errno, error);
	ck_assert_uint_eq(shmguard_map_size(map), before);
	ck_assert_int_eq(shmguard_map_tier(map), tier);
	ck_assert_int_eq(shmguard_map_reason(map), reason);
}

int
sealed_memfd(size_t pages)
{
	int fd = numbered_memfd(pages);
	harness_add_seals(fd, F_SEAL_SHRINK);
	return fd;
}
