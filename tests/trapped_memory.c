/* SPDX-License-Identifier: MIT */
#include "trapped_memory.h"

#include "harness.h"
#include "memory_look.h"

#include <sys/mman.h>
#include <unistd.h>

void
trapped_memory_init(struct trapped_memory *memory, size_t pages, int prot,
	int notify_fd)
{
	memory->page = page_size();
	memory->pages = pages;
	memory->lost = false;
	memory->fd = numbered_memfd(pages);
	size_t length = pages * memory->page;
	void *bytes = mmap(NULL, length, prot, MAP_SHARED, memory->fd, 0);
	ck_assert_ptr_ne(bytes, MAP_FAILED);
	memory->bytes = bytes;
	memory->range = range_register(bytes, length, &(struct range_config){
		.block_size = memory->page,
		.prot = prot,
		.notify_fd = notify_fd,
		.lost = &memory->lost,
		.owner = memory,
		.data = memory,
	});
	ck_assert_ptr_nonnull(memory->range);
}

void
trapped_memory_finish(struct trapped_memory *memory)
{
	ck_assert(range_unregister(memory->range));
	munmap((void *)memory->bytes, memory->pages * memory->page);
	close(memory->fd);
}

void
trapped_memory_truncate(const struct trapped_memory *memory, size_t pages)
{
	ck_assert_int_eq(ftruncate(memory->fd, (off_t)(pages * memory->page)), 0);
}

int
trapped_memory_read(const struct trapped_memory *memory, size_t page)
{
	return memory->bytes[page * memory->page];
}

void
trapped_memory_check(const struct trapped_memory *memory, size_t kept)
{
	size_t page = memory->page;
	for (size_t i = 0; i < memory->pages * page; i++) {
		int expected = i / page < kept ? page_byte(i / page) : 0;
		if (memory->bytes[i] != expected)
			ck_abort_msg("byte %zu of page %zu is %d, not %d", i % page,
				i / page, memory->bytes[i], expected);
	}
}
