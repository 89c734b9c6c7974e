/* SPDX-License-Identifier: MIT */
#include "map_faults_fixture.h"

#include "fake_kernel.h"
#include "harness.h"
#include "memory_look.h"

#include <errno.h>
#include <unistd.h>

size_t page;

/* On kernels with no-SIGBUS mappings too, unless a test asks for them. */
__attribute__((constructor))
static void
use_plain_kernel(void)
{
	page = page_size();
	fake_kernel_use();
}

struct shmguard_view
must_read(struct shmguard_map *map)
{
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_map_begin_read(map, 0, PAGES * page, &view), 0);
	return view;
}

void
end_with(struct shmguard_view view, int expected)
{
	errno = 0;
	ck_assert_int_eq(shmguard_view_end(&view), expected);
	ck_assert_int_eq(errno, expected == 0 ? 0 : EFAULT);
}

void
truncate_to(int client, size_t pages)
{
	ck_assert_int_eq(ftruncate(client, (off_t)(pages * page)), 0);
}

void
check_bytes(const struct shmguard_view *view, size_t kept)
{
	const volatile unsigned char *data = view->data;
	for (size_t i = 0; i < view->size; i++) {
		int expected = i / page < kept ? page_byte(i / page) : 0;
		if (data[i] != expected)
			ck_abort_msg("byte %zu of page %zu is %d, not %d", i % page,
				i / page, data[i], expected);
	}
}
