/* SPDX-License-Identifier: MIT */
#include "map_generation.h"

#include "account.h"
#include "fork_lock.h"
#include "hole_check.h"
#include "monotonic_clock.h"
#include "reaper.h"
#include "spare_mappings.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#ifdef __linux__
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* Unmapping holds up whoever maps or faults in another thread, for about a
 * millisecond per 32 MiB: pause between pieces. A power of two, so that pieces
 * of huge page mappings end at huge page borders where those are smaller.
 *
 * The pause must be one. Whoever comes back at once takes the kernel's lock before
 * the thread that waits for it is awake, for up to 4 ms. */
#define UNMAP_PIECE ((size_t)8 << 20)
#define UNMAP_PAUSE 50000    /* nanoseconds */
#define WORTH_A_PAUSE 100000 /* in which others may have begun to wait */

/* Mappings that wait for the reaper still take up addresses, which 32-bit
 * processes have few of: past that many bytes they are unmapped at once. */
#define MAX_WAITING (SIZE_MAX / 16)

static _Atomic size_t waiting;

struct map_generation {
	/* First: the reaper hands it back. Links orphans until then. */
	struct reaper_job job;
	struct client_mapping mapping;
	_Atomic size_t holes;  /* bytes that were, and are charged */
	_Atomic bool writable; /* of the mapping, for threads without a lock */
	bool waits;            /* its bytes are part of the sum */
	struct trap_range *range;
	struct account *account;
	void *owner; /* the range's; leak checkers do not look there */
	void (*released)(void *owner);
};

static size_t
count_mappings(const struct client_mapping *mapping)
{
	return (size_t)(mapping->length > 0) + (mapping->handle != NULL);
}

struct trap_range *
map_generation_create(const struct client_mapping *mapping,
	const struct map_generation_config *config)
{
	struct map_generation *generation = malloc(sizeof(*generation));
	if (generation == NULL)
		return NULL;
	if (account_take_mappings(config->account, count_mappings(mapping),
			mapping->length) < 0)
		goto err_free;

	spare_mappings_fill();
	*generation = (struct map_generation){
		.mapping = *mapping,
		.writable = mapping->writable,
		.account = config->account,
		.owner = config->owner,
		.released = config->released,
	};
	generation->range = range_register(mapping->addr, mapping->length,
		&(struct range_config){
			.block_size = mapping->block_size,
			.can_block = config->can_block,
			.prot = PROT_READ | (mapping->writable ? PROT_WRITE : 0),
			.notify_fd = config->notify_fd,
			.lost = config->lost,
			.views_at = config->views_at,
			.owner = config->owner,
			.data = generation,
		});
	if (generation->range == NULL)
		goto err_discharge;
	return generation->range;

err_discharge:
	account_give_mappings(config->account, count_mappings(mapping),
		mapping->length);
err_free:
	free(generation);
	return NULL;
}

struct client_mapping *
map_generation_mapping(struct trap_range *range)
{
	struct map_generation *generation = range->data;
	return &generation->mapping;
}

int
map_generation_grow(struct trap_range *range, size_t length)
{
	struct map_generation *generation = range->data;
	struct client_mapping *mapping = &generation->mapping;
	struct account *account = generation->account;
	if (length <= mapping->length)
		return 0;

	size_t more = length - mapping->length;
	size_t rest = more % mapping->block_size;
	if (rest > 0)
		more += mapping->block_size - rest;
	if (account_take(account, RESOURCE_BYTES, more) < 0)
		return -1;
	if (client_mapping_grow(mapping, length) < 0) {
		int saved_errno = errno;
		account_give(account, RESOURCE_BYTES, more);
		errno = saved_errno;
		return -1;
	}
	range_grow(range, mapping->length);
	return 0;
}

/* The most that was ever seen. What is charged stays charged when it has come back
 * from swap, so the leniency must stay too. */
static size_t
most_swapped(void)
{
	static _Atomic size_t most;
	size_t seen = most, now = hole_check_swapped();
	while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now))
		continue;
	return now > seen ? now : seen;
}

static int
take_holes(struct map_generation *generation, size_t bytes)
{
	return account_take_leniently(generation->account, RESOURCE_HOLES,
		bytes, most_swapped());
}

bool
map_generation_charge_holes(struct trap_range *range, size_t bytes)
{
	struct map_generation *generation = range->data;
	size_t held = generation->holes;
	for (;;) {
		size_t length = range_length(range);
		size_t room = length > held ? length - held : 0;
		size_t more = bytes < room ? bytes : room;
		if (more == 0)
			return true;
		if (take_holes(generation, more) < 0) {
			/* Somebody else may have paid for the same ones. */
			size_t before = held;
			held = generation->holes;
			if (held == before)
				return false;
			continue;
		}
		if (atomic_compare_exchange_strong(&generation->holes, &held,
				held + more))
			return true;
		account_give(generation->account, RESOURCE_HOLES, more);
	}
}

void
map_generation_hand_over_holes(struct trap_range *from, struct trap_range *to)
{
	struct map_generation *old = from->data, *new = to->data;
	atomic_fetch_add(&new->holes, atomic_exchange(&old->holes, 0));
}

bool
map_generation_prepay(struct trap_range *range)
{
	struct map_generation *generation = range->data;
	size_t length = range_length(range);
	size_t held = generation->holes;
	while (held < length) {
		size_t rest = length - held;
		if (!account_take_if_plenty(generation->account,
				RESOURCE_HOLES, rest))
			return false;
		if (atomic_compare_exchange_strong(&generation->holes, &held,
				length))
			break;
		account_give(generation->account, RESOURCE_HOLES, rest);
	}
	/* Others may have prepaid more of a range that grew meanwhile: then the
	 * next access does so again, at no charge. */
	atomic_store(&range->prepaid_to, (uintptr_t)range->addr + length);
	return true;
}

bool
map_generation_is_writable(const struct trap_range *range)
{
	const struct map_generation *generation = range->data;
	return atomic_load_explicit(&generation->writable, memory_order_acquire);
}

int
map_generation_make_writable(struct trap_range *range)
{
	struct map_generation *generation = range->data;
	/* First the handler's replacement pages, then the rest: a store must not
	 * meet a read-only page of ours. */
	int prot = range_change_prot(range, PROT_READ | PROT_WRITE);
	if (client_mapping_make_writable(&generation->mapping) < 0) {
		range_change_prot(range, prot);
		return -1;
	}
	atomic_store_explicit(&generation->writable, true, memory_order_release);
	return 0;
}

static void
unmap_in_pieces(struct client_mapping *mapping)
{
	while (mapping->block_size <= UNMAP_PIECE && mapping->length > UNMAP_PIECE) {
		int64_t start = monotonic_now();
		if (map_syscalls->munmap(mapping->addr, UNMAP_PIECE) < 0)
			break;
		mapping->addr = (char *)mapping->addr + UNMAP_PIECE;
		mapping->length -= UNMAP_PIECE;
		if (monotonic_now() - start >= WORTH_A_PAUSE)
			nanosleep(&(struct timespec){.tv_nsec = UNMAP_PAUSE},
				NULL);
	}
	client_mapping_close(mapping);
}

static void
destroy_generation(struct reaper_job *job)
{
	struct map_generation *generation = (struct map_generation *)job;
	struct client_mapping *mapping = &generation->mapping;
	size_t count = count_mappings(mapping), length = mapping->length;
	void *owner = generation->owner;
	size_t waited = generation->waits ? length : 0;
	if (range_unregister(generation->range)) {
		unmap_in_pieces(mapping);
		/* Nobody can reach what is left, but it is there. */
		count -= count_mappings(mapping);
		length -= mapping->length;
	}
	account_give_mappings(generation->account, count, length);
	account_give(generation->account, RESOURCE_HOLES, generation->holes);
	atomic_fetch_sub(&waiting, waited);
	generation->released(owner);
	free(generation);
}

static void
retire(struct trap_range *range)
{
	struct map_generation *generation = range->data;
	size_t length = generation->mapping.length;
	generation->job.run = destroy_generation;
	if (range->can_block ||
			(length >= REAPER_WORTH_IT && waiting < MAX_WAITING)) {
		generation->waits = true;
		atomic_fetch_add(&waiting, length);
		reaper_submit(&generation->job);
	} else {
		destroy_generation(&generation->job);
	}
}

/* ---- Orphans ---- */

/* Nobody here can be told that forks are not watched. */
static struct fork_lock lock = FORK_LOCK_INITIALIZER(NULL);
static struct reaper_job *orphans;

static bool
has_views(struct trap_range *range)
{
	return atomic_load(&range->views_here) +
		atomic_load(&range->views_elsewhere) != 0;
}

static struct reaper_job *
unlist_unseen(void)
{
	struct reaper_job *unseen = NULL, **link = &orphans;
	fork_lock_take(&lock);
	while (*link != NULL) {
		struct reaper_job *job = *link;
		if (has_views(((struct map_generation *)job)->range)) {
			link = &job->next;
			continue;
		}
		*link = job->next;
		job->next = unseen;
		unseen = job;
	}
	fork_lock_give(&lock);
	return unseen;
}

void
map_generation_sweep(void)
{
	struct reaper_job *job = unlist_unseen();
	while (job != NULL) {
		struct reaper_job *next = job->next;
		retire(((struct map_generation *)job)->range);
		job = next;
	}
}

static void
put_barrier_into_other_threads(void)
{
#ifdef __linux__
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
#endif
}

static void
orphan(struct trap_range *range)
{
	struct map_generation *generation = range->data;
	bool ours = range->views_at == this_thread();
	fork_lock_take(&lock);
	generation->job.next = orphans;
	orphans = &generation->job;
	atomic_store(&range->orphaned, true);
	fork_lock_give(&lock);
	if (!ours)
		put_barrier_into_other_threads();
	map_generation_sweep();
}

/* ---- Pins and views ---- */

/* A range that nobody has pinned is about to go or already another's. */
static bool
pin_unless_zero(struct trap_range *range)
{
	unsigned int pins = atomic_load_explicit(&range->pins, memory_order_relaxed);
	while (pins != 0) {
		if (atomic_compare_exchange_weak_explicit(&range->pins, &pins, pins + 1,
				memory_order_acquire, memory_order_relaxed))
			return true;
	}
	return false;
}

struct trap_range *
map_generation_pin(struct trap_range *_Atomic *current)
{
	for (;;) {
		struct trap_range *range =
			atomic_load_explicit(current, memory_order_acquire);
		if (range == NULL)
			return NULL;
		if (!pin_unless_zero(range))
			continue;
		/* The pin may be on what the range was recycled for. */
		if (atomic_load_explicit(current, memory_order_acquire) == range)
			return range;
		map_generation_unpin(range);
	}
}

void
map_generation_unpin(struct trap_range *range)
{
	if (atomic_fetch_sub_explicit(&range->pins, 1, memory_order_acq_rel) != 1)
		return;
	if (has_views(range))
		orphan(range);
	else
		retire(range);
}

void
map_generation_view_pinned(struct trap_range *range)
{
	if (range->views_at == NULL)
		return;
	map_generation_begin_view(range);
	map_generation_unpin(range);
}

void
map_generation_end_view_elsewhere(struct trap_range *range)
{
	if (range->views_at == NULL) {
		map_generation_unpin(range);
		return;
	}
	atomic_fetch_sub(&range->views_elsewhere, 1);
	if (atomic_load(&range->orphaned))
		map_generation_sweep();
}
