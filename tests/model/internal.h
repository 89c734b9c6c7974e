/* SPDX-License-Identifier: MIT */
#ifndef EXPLORER_INTERNAL_H
#define EXPLORER_INTERNAL_H

/* What the parts of the explorer share. */

#include "explorer.h"

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

enum { MAX_LOCATIONS = 96, MAX_SEEN = 32, MAX_CALLS = 64 };

/* What a thread knows of: for each location the oldest store that it may still
 * read, and for each thread how far it has come. */
struct view {
	uint16_t at[MAX_LOCATIONS];
	uint32_t clock[MAX_THREADS];
};

void view_join(struct view *view, const struct view *other);

struct seen {
	uint64_t site;
	unsigned int location, store;
};

struct thread {
	unsigned int id;
	void (*func)(void *data);
	void *data;
	void *stack;
	ucontext_t start;
	jmp_buf context;
	bool started, ended, detached;
	/* Not to be run before this is true; NULL: it can be run. */
	bool (*ready)(struct thread *thread);
	const void *waits_for;

	struct view view;
	struct view released; /* as of its last fence of that kind */
	struct view acquired; /* what a fence will make it know of */

	/* Identify what it has done, and with what results. */
	uint64_t history;
	uint32_t events, events_before;

	/* Loads since it changed anything: to meet one of them again is to wait. */
	struct seen seen[MAX_SEEN];
	unsigned int seen_count;
	bool failed_weakly;

	uint64_t calls[MAX_CALLS];
	unsigned int depth;

	int saved_errno;
	void *locals; /* its thread-local variables, while others run */

	bool in_cond_wait;
	uintptr_t fault; /* the mapping that it has faulted in, see world.c */
};

/* All that must survive when a run is put back to its start. */
struct explorer {
	struct thread threads[MAX_THREADS];
	unsigned int thread_count, acting;
	struct thread *current; /* NULL outside of runs */
	const struct scenario *scenario;
	uint64_t memory_hash; /* of the order of stores, see memory.c */
	struct view fence_view;
};

extern struct explorer *explorer;

/* Memory that is not put back. */
void *lasting_memory(size_t size);

/* The thread gives way; returns when it is its turn, and `ready` true. */
void give_way(void);
void give_way_until(bool (*ready)(struct thread *thread), const void *object);

/* One of 0 to count - 1: each of them, in different runs. */
unsigned int choose(unsigned int count);

struct thread *add_thread(void (*func)(void *data), void *data);

/* Says that the current thread has done something that has this result. */
void note(const char *what, uintptr_t object, uint64_t result);

/* More is shared than was known: everything has to be explored anew. */
void explore_anew(void);

uint64_t mix(uint64_t hash, uint64_t value);

/* memory.c */
enum { RELAXED, CONSUME, ACQUIRE, RELEASE, ACQ_REL, SEQ_CST };
void memory_reset(void);
uint64_t memory_load(uintptr_t address, size_t size, int order, uintptr_t site);
void memory_store(uintptr_t address, size_t size, uint64_t value, int order);
/* Read, modify, write: the new value is a function of the old one. */
typedef uint64_t modify_func(uint64_t old, uint64_t operand);
uint64_t memory_modify(uintptr_t address, size_t size, modify_func *func,
	uint64_t operand, int order);
bool memory_compare_exchange(uintptr_t address, size_t size, uint64_t *expected,
	uint64_t desired, int success, int failure, bool weak, uintptr_t site);
void memory_fence(int order);
/* All threads at once, as membarrier(2). */
void memory_fence_everywhere(void);
/* Something changed: what has been read may be read again. */
void memory_progress(struct thread *thread);
/* A lock and the like: hands over what its last holder knew of. */
void memory_acquire(uintptr_t object);
void memory_release(uintptr_t object);

/* locals.c: thread-local variables, of which the coroutines have but one set. */
void locals_reset(void);
void locals_create(struct thread *thread);
void locals_leave(struct thread *thread);
void locals_enter(struct thread *thread);
bool locals_contain(uintptr_t address);

/* races.c */
void races_reset(void);
void races_read(uintptr_t address, size_t size);
void races_write(uintptr_t address, size_t size);
void races_freed(uintptr_t address, size_t size);

/* heap.c */
void heap_reset(void);
void heap_touched(uintptr_t address);
void *heap_zeros(size_t size);

/* threads.c */
void threads_reset(void);

/* world.c */
void world_reset(void);
uint64_t world_hash(void);
/* A step of the kernel's. Whoever makes one does something. */
void kernel_step(void);

/* events.c, for world.c */
void events_reset(void);
uint64_t events_hash(void);

#endif
