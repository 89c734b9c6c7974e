/* SPDX-License-Identifier: MIT */
#include "heap_count.h"

#include "sanitizers.h"

#include <errno.h>
#include <stdlib.h>

#if !defined(__GLIBC__) || defined(SANITIZED)

long
heap_count_live(void)
{
	return 0;
}

#else

#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/auxv.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);

static atomic_long live_blocks;
static uintptr_t loader_start, loader_end;

long
heap_count_live(void)
{
	return live_blocks;
}

__attribute__((constructor))
static void
find_loader(void)
{
	uintptr_t base = getauxval(AT_BASE);
	if (base == 0)
		return;

	const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)base;
	const ElfW(Phdr) *segment =
		(const ElfW(Phdr) *)(base + header->e_phoff);
	for (int i = 0; i < header->e_phnum; i++) {
		uintptr_t end = base + segment[i].p_vaddr + segment[i].p_memsz;
		if (segment[i].p_type == PT_LOAD && end > loader_end)
			loader_end = end;
	}
	loader_start = base;
}

static void
count(long blocks, void *caller)
{
	uintptr_t address = (uintptr_t)caller;
	if (address < loader_start || address >= loader_end)
		live_blocks += blocks;
}

void *
malloc(size_t size)
{
	void *block = __libc_malloc(size);
	count(block != NULL, __builtin_return_address(0));
	return block;
}

void *
calloc(size_t number, size_t size)
{
	void *block = __libc_calloc(number, size);
	count(block != NULL, __builtin_return_address(0));
	return block;
}

void *
realloc(void *old, size_t size)
{
	void *block = __libc_realloc(old, size);
	bool freed = old != NULL && block == NULL && size == 0;
	count((old == NULL && block != NULL) - freed,
		__builtin_return_address(0));
	return block;
}

void
free(void *block)
{
	count(-(block != NULL), __builtin_return_address(0));
	__libc_free(block);
}

void *
memalign(size_t alignment, size_t size)
{
	void *block = __libc_memalign(alignment, size);
	count(block != NULL, __builtin_return_address(0));
	return block;
}

void *
aligned_alloc(size_t alignment, size_t size)
{
	void *block = __libc_memalign(alignment, size);
	count(block != NULL, __builtin_return_address(0));
	return block;
}

int
posix_memalign(void **result, size_t alignment, size_t size)
{
	if (alignment < sizeof(void *) || (alignment & (alignment - 1)) != 0)
		return EINVAL;

	int saved_errno = errno;
	void *block = __libc_memalign(alignment, size);
	errno = saved_errno;
	if (block == NULL)
		return ENOMEM;
	count(1, __builtin_return_address(0));
	*result = block;
	return 0;
}

#endif
