/* SPDX-License-Identifier: MIT */
#include "range_registry.h"

#include "fork_lock.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* The word: page number above, page count in the low 20 bits. 44 bits of page
 * number reach every address that mmap gives without a hint. */
#define COUNT_BITS 20
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)
#define PAGE_BITS (64 - COUNT_BITS)

#define CHUNK_RANGES 1024
#define FLAG_BITS (8 * sizeof(unsigned long))
#define CHUNK_FLAGS (CHUNK_RANGES / FLAG_BITS)

/* The handler reads words; it must never meet a lock inside an atomic.
 * (clang's ATOMIC_LLONG_LOCK_FREE is for 64 bits that 32-bit code may have aligned to
 * 4 bytes; _Atomic ones are not.) */
_Static_assert(__atomic_always_lock_free(sizeof(_Atomic uint64_t), 0),
	"64-bit atomics must be lock-free");
_Static_assert(ATOMIC_LONG_LOCK_FREE == 2, "long atomics must be lock-free");
_Static_assert(ATOMIC_POINTER_LOCK_FREE == 2, "pointers must be lock-free");

struct range_chunk {
	struct range_chunk *_Atomic next;
	/* Every registered range of the chunk lies within; may be wider. */
	_Atomic uintptr_t low, high;
	_Atomic unsigned int used; /* entries ever used, from the front */
	unsigned int live;         /* entries registered */
	_Atomic unsigned long flagged[CHUNK_FLAGS];
	_Atomic uint64_t words[CHUNK_RANGES];
	struct trap_range ranges[CHUNK_RANGES];
};

static struct range_chunk *_Atomic first_chunk;
static _Atomic unsigned int handlers;

static void forget_in_child(void);

/* Taken by whoever writes, never by the handler. */
static struct fork_lock lock = FORK_LOCK_INITIALIZER(forget_in_child);
static struct range_chunk *last_chunk;
static struct trap_range *free_ranges;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned int page_shift;

/* A child that did not would unmap what it has put in the places of the ranges. */
static void
forget_in_child(void)
{
	for (struct range_chunk *chunk = first_chunk; chunk != NULL;
			chunk = chunk->next) {
		for (unsigned int i = 0; i < chunk->used; i++)
			atomic_store(&chunk->words[i], 0);
		for (unsigned int i = 0; i < CHUNK_FLAGS; i++)
			atomic_store(&chunk->flagged[i], 0);
	}
	/* Handlers that ran in other threads are not in the child. */
	atomic_store(&handlers, 0);
}

static void
initialize(void)
{
	page_shift = (unsigned int)__builtin_ctzl((unsigned long)sysconf(_SC_PAGESIZE));
}

size_t
range_max_length(void)
{
	pthread_once(&once, initialize);
	uint64_t max = COUNT_MASK << page_shift;
	uint64_t page = UINT64_C(1) << page_shift;
	return max > SIZE_MAX ? (size_t)(SIZE_MAX & ~(page - 1)) : (size_t)max;
}

static uint64_t
make_word(uintptr_t addr, size_t length)
{
	return (uint64_t)(addr >> page_shift) << COUNT_BITS | length >> page_shift;
}

static unsigned int
index_of(const struct trap_range *range)
{
	return (unsigned int)(range - range->chunk->ranges);
}

static _Atomic uint64_t *
word_of(const struct trap_range *range)
{
	return &range->chunk->words[index_of(range)];
}

static bool
add_chunk(void)
{
	/* Straight from the kernel: it is never given back, and is no heap block
	 * that somebody could take for a leak. */
	struct range_chunk *chunk = mmap(NULL, sizeof(*chunk),
		PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (chunk == MAP_FAILED)
		return false;

	chunk->low = UINTPTR_MAX;
	if (last_chunk == NULL)
		first_chunk = chunk;
	else
		last_chunk->next = chunk;
	last_chunk = chunk;
	return true;
}

static struct trap_range *
take_free_range(void)
{
	struct trap_range *range = free_ranges;
	if (range != NULL) {
		free_ranges = range->next_free;
		return range;
	}

	if ((last_chunk == NULL || last_chunk->used == CHUNK_RANGES) && !add_chunk())
		return NULL;
	unsigned int index = last_chunk->used;
	range = &last_chunk->ranges[index];
	range->chunk = last_chunk;
	atomic_store_explicit(&last_chunk->used, index + 1, memory_order_release);
	return range;
}

static void
widen(struct range_chunk *chunk, uintptr_t start, uintptr_t end)
{
	if (start < atomic_load_explicit(&chunk->low, memory_order_relaxed))
		atomic_store_explicit(&chunk->low, start, memory_order_relaxed);
	if (end > atomic_load_explicit(&chunk->high, memory_order_relaxed))
		atomic_store_explicit(&chunk->high, end, memory_order_relaxed);
}

struct trap_range *
range_register(void *addr, size_t length, const struct range_config *config)
{
	uintptr_t start = (uintptr_t)addr;
	if (length == 0 || length > range_max_length() ||
			(uint64_t)start >> page_shift >> (PAGE_BITS - 1) > 1) {
		errno = EOVERFLOW;
		return NULL;
	}

	struct trap_range *range =
		fork_lock_take(&lock) ? take_free_range() : NULL;
	if (range == NULL) {
		fork_lock_give(&lock);
		errno = ENOMEM;
		return NULL;
	}
	range->addr = addr;
	range->block_size = config->block_size;
	range->has_holes = config->block_size > (size_t)1 << page_shift;
	range->can_block = config->can_block;
	range->notify_fd = config->notify_fd;
	range->lost = config->lost;
	range->views_at = config->views_at;
	range->owner = config->owner;
	range->data = config->data;
	atomic_store_explicit(&range->prot, config->prot, memory_order_relaxed);
	atomic_store_explicit(&range->faults, 0, memory_order_relaxed);
	atomic_store_explicit(&range->views_here, 0, memory_order_relaxed);
	atomic_store_explicit(&range->views_elsewhere, 0, memory_order_relaxed);
	atomic_store_explicit(&range->orphaned, false, memory_order_relaxed);
	atomic_store_explicit(&range->prepaid_to, 0, memory_order_relaxed);
	atomic_store_explicit(&range->zeros_from, UINTPTR_MAX,
		memory_order_relaxed);
	/* Bounds first: a handler that knows the word must not skip its chunk. */
	range->chunk->live++;
	widen(range->chunk, start, start + length);
	atomic_store(word_of(range), make_word(start, length));
	atomic_store_explicit(&range->pins, 1, memory_order_release);
	fork_lock_give(&lock);
	return range;
}

void
range_grow(struct trap_range *range, size_t length)
{
	uintptr_t start = (uintptr_t)range->addr;
	fork_lock_take(&lock);
	widen(range->chunk, start, start + length);
	atomic_store(word_of(range), make_word(start, length));
	fork_lock_give(&lock);
}

/* A handler that is in flight may be about to map over what it has seen. It is
 * done within microseconds, unless a thread of higher priority (us) keeps it
 * from running: so sleep, do not only yield. */
static void
wait_for_handlers(void)
{
	for (unsigned int spins = 0; atomic_load(&handlers) != 0; spins++) {
		if (spins < 64)
			sched_yield();
		else
			nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
	}
}

int
range_change_prot(struct trap_range *range, int prot)
{
	int before = atomic_exchange(&range->prot, prot);
	wait_for_handlers();
	return before;
}

bool
range_unregister(struct trap_range *range)
{
	struct range_chunk *chunk = range->chunk;
	unsigned int index = index_of(range);

	/* Sequentially consistent, as is the handler's counter: either the
	 * handler sees no word, or we see the handler. */
	bool ours = atomic_exchange(&chunk->words[index], 0) != 0;
	wait_for_handlers();

	fork_lock_take(&lock);
	atomic_fetch_and(&chunk->flagged[index / FLAG_BITS],
		~(1UL << index % FLAG_BITS));
	if (--chunk->live == 0) {
		chunk->low = UINTPTR_MAX;
		chunk->high = 0;
	}
	range->next_free = free_ranges;
	free_ranges = range;
	fork_lock_give(&lock);
	return ours;
}

size_t
range_length(const struct trap_range *range)
{
	uint64_t word = atomic_load_explicit(word_of(range), memory_order_relaxed);
	return (size_t)(word & COUNT_MASK) << page_shift;
}

static struct trap_range *
find_in_chunk(struct range_chunk *chunk, uint64_t page, uint64_t *found)
{
	unsigned int used = atomic_load_explicit(&chunk->used, memory_order_acquire);
	for (unsigned int i = 0; i < used; i++) {
		uint64_t word = atomic_load(&chunk->words[i]);
		if (page - (word >> COUNT_BITS) < (word & COUNT_MASK)) {
			*found = word;
			return &chunk->ranges[i];
		}
	}
	return NULL;
}

struct trap_range *
range_find(uintptr_t address, uintptr_t *start, uintptr_t *end)
{
	for (struct range_chunk *chunk = first_chunk; chunk != NULL;
			chunk = chunk->next) {
		if (address < atomic_load_explicit(&chunk->low, memory_order_relaxed) ||
				address >= atomic_load_explicit(&chunk->high,
					memory_order_relaxed))
			continue;

		uint64_t word;
		struct trap_range *range = find_in_chunk(chunk,
			(uint64_t)(address >> page_shift), &word);
		if (range != NULL) {
			*start = (uintptr_t)(word >> COUNT_BITS << page_shift);
			*end = *start + (uintptr_t)((word & COUNT_MASK) << page_shift);
			return range;
		}
	}
	return NULL;
}

void
range_handler_enter(void)
{
	atomic_fetch_add(&handlers, 1);
}

void
range_handler_leave(void)
{
	atomic_fetch_sub(&handlers, 1);
}

void
range_mark_faulted(struct trap_range *range)
{
	unsigned int index = index_of(range);
	atomic_fetch_or(&range->chunk->flagged[index / FLAG_BITS],
		1UL << index % FLAG_BITS);
}

/* With the lock held. */
static struct trap_range *
find_flagged(struct range_chunk *chunk, int notify_fd)
{
	for (unsigned int i = 0; i < CHUNK_FLAGS; i++) {
		unsigned long flags = atomic_load(&chunk->flagged[i]);
		for (; flags != 0; flags &= flags - 1) {
			unsigned int bit = (unsigned int)__builtin_ctzl(flags);
			struct trap_range *range = &chunk->ranges[i * FLAG_BITS + bit];
			if (range->notify_fd != notify_fd)
				continue;
			atomic_fetch_and(&chunk->flagged[i], ~(1UL << bit));
			return range;
		}
	}
	return NULL;
}

void *
range_next_faulted(int notify_fd, void *(*hold)(void *owner))
{
	struct trap_range *range = NULL;
	void *held = NULL;
	fork_lock_take(&lock);
	for (struct range_chunk *chunk = first_chunk; chunk != NULL && range == NULL;
			chunk = chunk->next)
		range = find_flagged(chunk, notify_fd);
	if (range != NULL)
		held = hold(range->owner);
	fork_lock_give(&lock);
	return held;
}
