/* SPDX-License-Identifier: MIT */
#include "internal.h"
#include "this_thread.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { STACK_SIZE = 256 << 10, MAX_CHOICES = 1 << 16, MAX_STEPS = 4096 };

struct step {
	unsigned int thread;
	const char *what;
	uintptr_t object;
	uint64_t result;
	uintptr_t site;
};

static struct search {
	jmp_buf end_of_run;
	struct {
		uint8_t chosen, count;
	} choices[MAX_CHOICES];
	unsigned int depth, made;

	uint64_t *visited;
	size_t capacity, states;

	struct step steps[MAX_STEPS];
	unsigned int step_count;
	unsigned long runs, total_steps;

	unsigned int max_switches, switches;
	bool bounded, anew;

	char *pristine;
} *search;

struct explorer *explorer;

extern char __data_start[], _end[];

void *__real_mmap64(void *addr, size_t length, int prot, int flags, int fd,
	off_t offset);
int __real_munmap(void *addr, size_t length);

void *
lasting_memory(size_t size)
{
	void *memory = __real_mmap64(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED) {
		perror("mmap");
		exit(2);
	}
	return memory;
}

uint64_t
mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	hash = (hash ^ hash >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return hash ^ hash >> 29;
}

/* ---- What a run has done ---- */

void
note(const char *what, uintptr_t object, uint64_t result)
{
	struct thread *thread = explorer->current;
	if (thread == NULL)
		return;
	thread->events++;
	/* Text is at the same place in each run. */
	thread->history = mix(mix(mix(thread->history, (uintptr_t)what), object),
		result);
	search->total_steps++;
	if (search->step_count == MAX_STEPS)
		fail_run("a run that does not end");
	search->steps[search->step_count++] = (struct step){
		.thread = thread->id,
		.what = what,
		.object = object,
		.result = result,
		.site = thread->depth > 0 ? thread->calls[thread->depth - 1] : 0,
	};
}

static _Noreturn void
end_run(void)
{
	_longjmp(search->end_of_run, 1);
}

static void
print_steps(void)
{
	for (unsigned int i = 0; i < search->step_count; i++) {
		const struct step *step = &search->steps[i];
		printf("# %3u  thread %u  %-16s %#lx -> %#lx  (in a call from "
			"%#lx)\n", i, step->thread, step->what,
			(unsigned long)step->object, (unsigned long)step->result,
			(unsigned long)(step->site - (uintptr_t)__data_start));
	}
}

void
fail_run(const char *format, ...)
{
	va_list args;
	/* What others do was not attended to yet: no wonder. */
	if (search->anew)
		end_run();
	explorer->current = NULL;
	print_steps();
	printf("# %s, run %lu: ", explorer->scenario->name, search->runs);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	_exit(1);
}

/* ---- Choices ---- */

unsigned int
choose(unsigned int count)
{
	if (count <= 1)
		return 0;
	if (search->made == search->depth) {
		if (search->depth == MAX_CHOICES)
			fail_run("a run with too many choices");
		search->choices[search->depth].chosen = 0;
		search->choices[search->depth].count = (uint8_t)count;
		search->depth++;
	}
	return search->choices[search->made++].chosen;
}

/* False if all have been made. */
static bool
next_choice(void)
{
	while (search->depth > 0) {
		unsigned int last = search->depth - 1;
		if (++search->choices[last].chosen < search->choices[last].count)
			return true;
		search->depth--;
	}
	return false;
}

/* ---- States ---- */

static uint64_t
hash_state(void)
{
	uint64_t hash = mix(explorer->memory_hash, world_hash());
	for (unsigned int i = 0; i < explorer->thread_count; i++)
		hash = mix(hash, explorer->threads[i].history +
			explorer->threads[i].ended);
	if (search->max_switches > 0)
		hash = mix(mix(hash, search->switches),
			explorer->current != NULL ? explorer->current->id : 99);
	return hash | 1;
}

static bool
insert(uint64_t *table, size_t capacity, uint64_t hash)
{
	size_t at = hash >> 7 & (capacity - 1);
	while (table[at] != 0 && table[at] != hash)
		at = (at + 1) & (capacity - 1);
	if (table[at] == hash)
		return false;
	table[at] = hash;
	return true;
}

static void
grow_visited(void)
{
	size_t capacity = search->capacity * 2;
	uint64_t *table = lasting_memory(capacity * sizeof(*table));
	for (size_t i = 0; i < search->capacity; i++)
		if (search->visited[i] != 0)
			insert(table, capacity, search->visited[i]);
	__real_munmap(search->visited, search->capacity * sizeof(*table));
	search->visited = table;
	search->capacity = capacity;
}

static bool
is_new_state(void)
{
	if (search->states * 2 > search->capacity)
		grow_visited();
	if (!insert(search->visited, search->capacity, hash_state()))
		return false;
	search->states++;
	return true;
}

/* ---- Threads ---- */

static _Noreturn void
run_thread(void)
{
	struct thread *thread = explorer->current;
	note("start", 0, 0);
	thread->func(thread->data);
	thread->ended = true;
	note("end", 0, 0);
	give_way();
	end_run(); /* not reached */
}

static _Noreturn void
enter(struct thread *thread)
{
	explorer->current = thread;
	locals_enter(thread);
	if (thread->started)
		_longjmp(thread->context, 1);
	thread->started = true;
	setcontext(&thread->start);
	end_run(); /* not reached */
}

struct thread *
add_thread(void (*func)(void *data), void *data)
{
	unsigned int id = explorer->thread_count;
	if (id == MAX_THREADS)
		fail_run("too many threads");
	struct thread *thread = &explorer->threads[explorer->thread_count++];
	void *stack = thread->stack != NULL ? thread->stack :
		lasting_memory(STACK_SIZE);
	*thread = (struct thread){
		.id = id, .func = func, .data = data, .stack = stack,
		.locals = thread->locals,
	};
	locals_create(thread);
	thread->view.clock[id] = 1;
	getcontext(&thread->start);
	thread->start.uc_stack.ss_sp = stack;
	thread->start.uc_stack.ss_size = STACK_SIZE;
	makecontext(&thread->start, run_thread, 0);
	return thread;
}

void
start_thread(void (*func)(void *data), void *data)
{
	add_thread(func, data);
}

void
act_as_thread(unsigned int number)
{
	explorer->acting = number;
}

const void *
this_thread(void)
{
	return explorer->current != NULL ? explorer->current :
		&explorer->threads[explorer->acting];
}

static bool
can_run(struct thread *thread)
{
	return !thread->ended && (thread->ready == NULL || thread->ready(thread));
}

/* Those that can go on, the current one first. */
static unsigned int
list_ready(struct thread **ready)
{
	unsigned int count = 0;
	struct thread *current = explorer->current;
	if (current != NULL && can_run(current))
		ready[count++] = current;
	for (unsigned int i = 0; i < explorer->thread_count; i++) {
		struct thread *thread = &explorer->threads[i];
		if (thread != current && can_run(thread))
			ready[count++] = thread;
	}
	return count;
}

static bool
all_have_ended(void)
{
	for (unsigned int i = 0; i < explorer->thread_count; i++)
		if (!explorer->threads[i].ended)
			return false;
	return true;
}

static struct thread *
choose_thread(void)
{
	struct thread *ready[MAX_THREADS];
	unsigned int count = list_ready(ready);
	if (count == 0) {
		if (!all_have_ended())
			fail_run("threads wait for each other, or for nothing");
		explorer->current = NULL;
		if (explorer->scenario->finish != NULL)
			explorer->scenario->finish();
		end_run();
	}
	if (count == 1)
		return ready[0];

	if (search->made == search->depth && !is_new_state())
		end_run();
	bool is_switch = ready[0] == explorer->current;
	if (is_switch && search->max_switches > 0 &&
			search->switches == search->max_switches) {
		search->bounded = true;
		return ready[0];
	}
	unsigned int chosen = choose(count);
	search->switches += is_switch && chosen > 0;
	return ready[chosen];
}

void
give_way_until(bool (*ready)(struct thread *thread), const void *object)
{
	struct thread *self = explorer->current;
	if (self == NULL)
		return;
	/* Or else it would seem that it was never its turn. */
	if (self->events == self->events_before)
		fail_run("the explorer forgot to note a step of thread %u",
			self->id);
	self->events_before = self->events;
	self->ready = ready;
	self->waits_for = object;
	struct thread *next = choose_thread();
	if (next != self) {
		locals_leave(self);
		if (_setjmp(self->context) == 0)
			enter(next);
	}
	self->ready = NULL;
}

void
give_way(void)
{
	give_way_until(NULL, NULL);
}

void
explore_anew(void)
{
	search->anew = true;
}

/* ---- Runs ---- */

static void
reset_all(void)
{
	locals_reset();
	heap_reset();
	memory_reset();
	races_reset();
	threads_reset();
	world_reset();
}

static void
run_once(void)
{
	memcpy(__data_start, search->pristine, (size_t)(_end - __data_start));
	explorer->thread_count = 0;
	explorer->acting = 0;
	explorer->current = NULL;
	explorer->memory_hash = 0;
	explorer->fence_view = (struct view){0};
	search->made = 0;
	search->switches = 0;
	search->step_count = 0;
	search->runs++;
	reset_all();
	explorer->scenario->set_up();
	if (_setjmp(search->end_of_run) == 0)
		enter(choose_thread());
	explorer->current = NULL;
}

static double
now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void
forget_states(void)
{
	memset(search->visited, 0, search->capacity * sizeof(*search->visited));
	search->states = 0;
	search->depth = 0;
	search->runs = search->total_steps = 0;
	search->anew = search->bounded = false;
}

static void
start_search(const struct scenario *scenario)
{
	static bool started;
	if (!started) {
		started = true;
		explorer = lasting_memory(sizeof(*explorer));
		search = lasting_memory(sizeof(*search));
		search->capacity = 1 << 16;
		search->visited =
			lasting_memory(search->capacity * sizeof(*search->visited));
		reset_all();
		size_t size = (size_t)(_end - __data_start);
		search->pristine = lasting_memory(size);
		memcpy(search->pristine, __data_start, size);
	}
	explorer->scenario = scenario;
}

struct exploration
explore(const struct scenario *scenario, bool is_long)
{
	double start = now();
	start_search(scenario);
	search->max_switches = is_long ? scenario->long_switches :
		scenario->switches;
	do {
		forget_states();
		do {
			run_once();
		} while (!search->anew && next_choice());
	} while (search->anew);
	return (struct exploration){
		.runs = search->runs,
		.states = search->states,
		.steps = search->total_steps,
		.bounded = search->bounded,
		.seconds = now() - start,
	};
}
