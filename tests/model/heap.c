/* SPDX-License-Identifier: MIT */

/*
 * malloc(3) for runs. Nothing is used twice, so that whatever is used after its
 * end is found. Each thread has a heap of its own, so that a block has the same
 * address in all runs.
 */

#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	HEAP_SIZE = 1 << 20,
	HEAPS = MAX_THREADS + 1,
	PAGE = 4096,
	PAGES = HEAPS * HEAP_SIZE / PAGE,
	HEADER = 16,
};

static struct heap {
	char *memory;
	size_t used[HEAPS];
	bool dirty[PAGES];
} *heap;

void
heap_reset(void)
{
	if (heap == NULL) {
		heap = lasting_memory(sizeof(*heap));
		heap->memory = lasting_memory((size_t)HEAPS * HEAP_SIZE);
	}
	for (size_t i = 0; i < PAGES; i++) {
		if (!heap->dirty[i])
			continue;
		memset(heap->memory + i * PAGE, 0, PAGE);
		heap->dirty[i] = false;
	}
	memset(heap->used, 0, sizeof(heap->used));
}

void
heap_touched(uintptr_t address)
{
	uintptr_t offset = address - (uintptr_t)heap->memory;
	if (offset < (uintptr_t)HEAPS * HEAP_SIZE)
		heap->dirty[offset / PAGE] = true;
}

/* All of it zero. */
void *
heap_zeros(size_t size)
{
	unsigned int which = explorer->current != NULL ?
		explorer->current->id + 1 : 0;
	size_t at = heap->used[which] + HEADER;
	heap->used[which] = (at + size + 15) / 16 * 16;
	if (heap->used[which] > HEAP_SIZE)
		fail_run("a run takes too much memory");
	char *block = heap->memory + (size_t)which * HEAP_SIZE + at;
	*(size_t *)(void *)(block - HEADER) = size;
	heap_touched((uintptr_t)block - HEADER);
	return block;
}

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void __wrap_free(void *block);

/* Small ones are written by functions that are not watched, too. */
void *
__wrap_malloc(size_t size)
{
	char *block = heap_zeros(size);
	for (size_t i = 0; i < size; i += PAGE)
		heap_touched((uintptr_t)block + i);
	heap_touched((uintptr_t)block + size);
	return block;
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return __wrap_malloc(count * size);
}

void
__wrap_free(void *block)
{
	if (block != NULL)
		races_freed((uintptr_t)block,
			*(size_t *)(void *)((char *)block - HEADER));
}
