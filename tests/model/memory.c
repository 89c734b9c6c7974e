/* SPDX-License-Identifier: MIT */

/*
 * Atomic memory as C11 has it, but for two things that real compilers and
 * processors do and this does not: a store takes effect after all loads before
 * it, and no later store to the same place is taken for an earlier one.
 *
 * Each location that threads share is the list of what was stored to it. A thread
 * may read any of those stores but the ones that it knows to be outdated. Stores
 * carry along what their thread knew of, if they release; loads that acquire take
 * it over. Sequentially consistent ones come in the order of the run: of these a
 * load sees the last, or what came after it.
 */

#include "internal.h"

#include <string.h>

enum { MAX_STORES = 96, TABLE = 4096, MAX_SHARED = 512 };

struct store {
	uint64_t value;
	unsigned int thread, event;
	struct view view;
};

struct location {
	uintptr_t address;
	unsigned int index, count;
	unsigned int ordered; /* the last store that is sequentially consistent */
	uint64_t hash;
	struct store stores[MAX_STORES];
};

struct entry {
	uintptr_t address;
	unsigned long run;
	unsigned int users, writers; /* a bit for each thread */
	bool is_shared;
	struct location *location;
};

static struct memory {
	struct entry entries[TABLE];
	unsigned long run;
	struct location locations[MAX_LOCATIONS];
	unsigned int location_count;
	/* Addresses that one thread was seen to use and another to change: all
	 * others need no attention. */
	uintptr_t shared[MAX_SHARED];
	unsigned int shared_count;
	const struct scenario *scenario;
} *memory;

void
view_join(struct view *view, const struct view *other)
{
	for (unsigned int i = 0; i < MAX_LOCATIONS; i++)
		if (other->at[i] > view->at[i])
			view->at[i] = other->at[i];
	for (unsigned int i = 0; i < MAX_THREADS; i++)
		if (other->clock[i] > view->clock[i])
			view->clock[i] = other->clock[i];
}

void
memory_reset(void)
{
	if (memory == NULL)
		memory = lasting_memory(sizeof(*memory));
	if (memory->scenario != explorer->scenario)
		memory->shared_count = 0;
	memory->scenario = explorer->scenario;
	memory->run++;
	memory->location_count = 0;
}

static bool
was_shared(uintptr_t address)
{
	for (unsigned int i = 0; i < memory->shared_count; i++)
		if (memory->shared[i] == address)
			return true;
	return false;
}

static struct entry *
find_entry(uintptr_t address)
{
	size_t at = mix(0, address) % TABLE;
	while (memory->entries[at].run == memory->run &&
			memory->entries[at].address != address)
		at = (at + 1) % TABLE;
	struct entry *entry = &memory->entries[at];
	if (entry->run != memory->run)
		*entry = (struct entry){
			.address = address,
			.run = memory->run,
			.is_shared = was_shared(address),
		};
	return entry;
}

static bool
is_shared(struct entry *entry, bool write)
{
	unsigned int bit = 1U << explorer->current->id;
	entry->users |= bit;
	if (write)
		entry->writers |= bit;
	if (!entry->is_shared && entry->writers != 0 &&
			(entry->users & (entry->users - 1)) != 0) {
		if (memory->shared_count == MAX_SHARED)
			fail_run("too much is shared");
		memory->shared[memory->shared_count++] = entry->address;
		entry->is_shared = true;
		explore_anew();
	}
	return entry->is_shared;
}

static uint64_t
raw_load(uintptr_t address, size_t size)
{
	uint64_t value = 0;
	memcpy(&value, (const void *)address, size);
	return value;
}

static void
raw_store(uintptr_t address, size_t size, uint64_t value)
{
	heap_touched(address);
	memcpy((void *)address, &value, size);
}

static struct location *
find_location(struct entry *entry, size_t size)
{
	if (entry->location != NULL)
		return entry->location;
	if (memory->location_count == MAX_LOCATIONS)
		fail_run("too many locations");
	struct location *location = &memory->locations[memory->location_count];
	location->address = entry->address;
	location->index = memory->location_count++;
	location->count = 1;
	location->ordered = 0;
	location->hash = mix(1, entry->address);
	/* By whoever set things up: everybody knows of it. */
	location->stores[0] = (struct store){
		.value = size > 0 ? raw_load(entry->address, size) : 0,
		.thread = MAX_THREADS,
	};
	entry->location = location;
	return location;
}

/* ---- Waiting in a loop ---- */

void
memory_progress(struct thread *thread)
{
	thread->seen_count = 0;
}

static bool
has_news(struct thread *thread)
{
	for (unsigned int i = 0; i < thread->seen_count; i++)
		if (memory->locations[thread->seen[i].location].count - 1 >
				thread->seen[i].store)
			return true;
	return false;
}

/* Comes by the same place again, and sees the same: so it will until something
 * else is there to be seen, which it then does see. */
static bool
waits(struct thread *thread, uintptr_t site, unsigned int location,
	unsigned int store)
{
	uint64_t here = mix(thread->depth, site);
	for (unsigned int i = 0; i < thread->depth; i++)
		here = mix(here, thread->calls[i]);

	bool again = false;
	for (unsigned int i = 0; i < thread->seen_count && !again; i++) {
		struct seen *seen = &thread->seen[i];
		again = seen->site == here && seen->location == location &&
			seen->store == store;
	}
	if (!again) {
		if (thread->seen_count == MAX_SEEN)
			fail_run("a thread that only looks");
		thread->seen[thread->seen_count++] =
			(struct seen){here, location, store};
		return false;
	}
	note("look again", 0, 0);
	give_way_until(has_news, NULL);
	for (unsigned int i = 0; i < thread->seen_count; i++) {
		unsigned int index = thread->seen[i].location;
		thread->view.at[index] =
			(uint16_t)(memory->locations[index].count - 1);
	}
	note("news", 0, 0);
	memory_progress(thread);
	return true;
}

/* ---- Loads and stores ---- */

static bool
acquires(int order)
{
	return order == ACQUIRE || order == CONSUME || order == ACQ_REL ||
		order == SEQ_CST;
}

static bool
releases(int order)
{
	return order == RELEASE || order == ACQ_REL || order == SEQ_CST;
}

static unsigned int
oldest_readable(const struct location *location, int order)
{
	unsigned int known = explorer->current->view.at[location->index];
	return order == SEQ_CST && location->ordered > known ?
		location->ordered : known;
}

static uint64_t
see(struct location *location, unsigned int index, int order, const char *what)
{
	struct thread *thread = explorer->current;
	const struct store *store = &location->stores[index];
	thread->view.at[location->index] = (uint16_t)index;
	view_join(acquires(order) ? &thread->view : &thread->acquired,
		&store->view);
	note(what, location->address, mix(store->thread, store->event));
	return store->value;
}

static void
add_store(struct location *location, uint64_t value, int order, bool modifies)
{
	struct thread *thread = explorer->current;
	unsigned int index = location->count;
	if (index == MAX_STORES)
		fail_run("too many stores to one place");
	note(modifies ? "modify" : "store", location->address, value);
	struct store *store = &location->stores[index];
	store->value = value;
	store->thread = thread->id;
	store->event = thread->events;
	thread->view.at[location->index] = (uint16_t)index;
	store->view = releases(order) ? thread->view : thread->released;
	store->view.at[location->index] = (uint16_t)index;
	/* What releases is a chain that others may lengthen. */
	if (modifies)
		view_join(&store->view, &location->stores[index - 1].view);
	location->count++;
	if (order == SEQ_CST)
		location->ordered = index;
	thread->view.clock[thread->id]++;

	explorer->memory_hash -= location->hash;
	location->hash = mix(mix(location->hash, store->thread), store->event);
	explorer->memory_hash += location->hash;
	memory_progress(thread);
}

uint64_t
memory_load(uintptr_t address, size_t size, int order, uintptr_t site)
{
	if (explorer->current == NULL)
		return raw_load(address, size);
	races_read(address, 0);
	struct entry *entry = find_entry(address);
	if (!is_shared(entry, false))
		return raw_load(address, size);

	give_way();
	struct location *location = find_location(entry, size);
	unsigned int index;
	do {
		unsigned int oldest = oldest_readable(location, order);
		index = location->count - 1 - choose(location->count - oldest);
	} while (waits(explorer->current, site, location->index, index));
	return see(location, index, order, "load");
}

void
memory_store(uintptr_t address, size_t size, uint64_t value, int order)
{
	if (explorer->current == NULL) {
		raw_store(address, size, value);
		return;
	}
	races_read(address, 0);
	struct entry *entry = find_entry(address);
	if (is_shared(entry, true)) {
		give_way();
		add_store(find_location(entry, size), value, order, false);
	}
	raw_store(address, size, value);
}

static uint64_t
newest_for_modifying(struct location *location, int order)
{
	return see(location, location->count - 1, order, "read");
}

uint64_t
memory_modify(uintptr_t address, size_t size, modify_func *func, uint64_t operand,
	int order)
{
	uint64_t old;
	if (explorer->current != NULL)
		races_read(address, 0);
	struct entry *entry = NULL;
	if (explorer->current == NULL ||
			!is_shared(entry = find_entry(address), true)) {
		old = raw_load(address, size);
		raw_store(address, size, func(old, operand));
		return old;
	}
	give_way();
	struct location *location = find_location(entry, size);
	old = newest_for_modifying(location, order);
	uint64_t value = func(old, operand);
	raw_store(address, size, value);
	add_store(location, raw_load(address, size), order, true);
	return old;
}

/* Which store a failing comparison reads, or none. `skip` of those that could be
 * are passed over. */
static unsigned int
list_unequal(const struct location *location, uint64_t expected, int order,
	unsigned int *indices)
{
	unsigned int count = 0;
	for (unsigned int i = location->count; i-- > oldest_readable(location,
			order);)
		if (location->stores[i].value != expected)
			indices[count++] = i;
	return count;
}

bool
memory_compare_exchange(uintptr_t address, size_t size, uint64_t *expected,
	uint64_t desired, int success, int failure, bool weak, uintptr_t site)
{
	struct thread *thread = explorer->current;
	if (thread != NULL)
		races_read(address, 0);
	struct entry *entry = NULL;
	if (thread == NULL || !is_shared(entry = find_entry(address), true)) {
		uint64_t old = raw_load(address, size);
		if (old == *expected)
			raw_store(address, size, desired);
		bool same = old == *expected;
		*expected = old;
		return same;
	}
	give_way();
	struct location *location = find_location(entry, size);
	unsigned int indices[MAX_STORES + 2], index, ways;
	bool fails_weakly;
	do {
		ways = list_unequal(location, *expected, failure, indices);
		bool can_succeed =
			location->stores[location->count - 1].value == *expected;
		fails_weakly = can_succeed && weak && !thread->failed_weakly;
		unsigned int chosen = choose(ways + can_succeed + fails_weakly);
		if (can_succeed && chosen == ways) {
			newest_for_modifying(location, success);
			raw_store(address, size, desired);
			add_store(location, desired, success, true);
			return true;
		}
		fails_weakly = chosen > ways;
		index = fails_weakly ? location->count - 1 : indices[chosen];
	} while (!fails_weakly && waits(thread, site, location->index, index));
	thread->failed_weakly |= fails_weakly;
	*expected = see(location, index, failure, fails_weakly ? "weak failure" :
		"comparison");
	return false;
}

/* ---- Fences ---- */

void
memory_fence(int order)
{
	struct thread *thread = explorer->current;
	if (thread == NULL)
		return;
	if (order == SEQ_CST)
		give_way();
	if (acquires(order))
		view_join(&thread->view, &thread->acquired);
	if (order == SEQ_CST) {
		view_join(&thread->view, &explorer->fence_view);
		explorer->fence_view = thread->view;
		note("fence", 0, 0);
		explorer->memory_hash = mix(explorer->memory_hash,
			mix(thread->id, thread->events));
	}
	if (releases(order))
		thread->released = thread->view;
	thread->view.clock[thread->id]++;
}

void
memory_fence_everywhere(void)
{
	if (explorer->current == NULL)
		return;
	give_way();
	struct view *all = &explorer->fence_view;
	for (unsigned int i = 0; i < explorer->thread_count; i++)
		view_join(all, &explorer->threads[i].view);
	for (unsigned int i = 0; i < explorer->thread_count; i++) {
		struct thread *thread = &explorer->threads[i];
		view_join(&thread->view, all);
		thread->released = thread->view;
		thread->view.clock[i]++;
	}
	note("membarrier", 0, 0);
	explorer->memory_hash = mix(explorer->memory_hash,
		mix(explorer->current->id, explorer->current->events));
}

/* ---- Locks ---- */

void
memory_acquire(uintptr_t object)
{
	struct location *location = find_location(find_entry(object), 0);
	see(location, location->count - 1, ACQUIRE, "take");
	memory_progress(explorer->current);
}

void
memory_release(uintptr_t object)
{
	add_store(find_location(find_entry(object), 0), 0, RELEASE, true);
}
