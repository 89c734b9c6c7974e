/* SPDX-License-Identifier: MIT */

/*
 * Ordinary memory: two threads may use a byte, one of them to change it, only if
 * one of the two happens before the other. And nobody may use what was freed.
 */

#include "internal.h"

#include <string.h>

enum { WORD = 8, TABLE = 1 << 14 };

struct word {
	uintptr_t address;
	unsigned long run;
	bool freed;
	uint8_t writer[WORD]; /* thread + 1 */
	uint32_t written[WORD];
	uint32_t read[WORD][MAX_THREADS];
};

static struct races {
	unsigned long run;
	unsigned int used;
	struct word words[TABLE];
} *races;

void
races_reset(void)
{
	if (races == NULL)
		races = lasting_memory(sizeof(*races));
	races->run++;
	races->used = 0;
}

static struct word *
find_word(uintptr_t address)
{
	address -= address % WORD;
	size_t at = mix(7, address) % TABLE;
	while (races->words[at].run == races->run &&
			races->words[at].address != address)
		at = (at + 1) % TABLE;
	struct word *word = &races->words[at];
	if (word->run != races->run) {
		if (++races->used > TABLE / 2)
			fail_run("too much memory is looked at");
		memset(word, 0, sizeof(*word));
		word->run = races->run;
		word->address = address;
	}
	return word;
}

static bool
is_own_stack(const struct thread *thread, uintptr_t address)
{
	return address - (uintptr_t)thread->start.uc_stack.ss_sp <
		thread->start.uc_stack.ss_size;
}

static void
check_byte(struct word *word, unsigned int byte, bool write)
{
	const struct thread *thread = explorer->current;
	unsigned int writer = word->writer[byte];
	if (writer != 0 && word->written[byte] > thread->view.clock[writer - 1])
		fail_run("a race: %#lx is %s after thread %u wrote it",
			(unsigned long)(word->address + byte),
			write ? "written" : "read", writer - 1);
	if (!write) {
		word->read[byte][thread->id] = thread->view.clock[thread->id];
		return;
	}
	for (unsigned int i = 0; i < MAX_THREADS; i++)
		if (word->read[byte][i] > thread->view.clock[i])
			fail_run("a race: %#lx is written after thread %u read it",
				(unsigned long)(word->address + byte), i);
	word->writer[byte] = (uint8_t)(thread->id + 1);
	word->written[byte] = thread->view.clock[thread->id];
}

static void
check(uintptr_t address, size_t size, bool write)
{
	const struct thread *thread = explorer->current;
	if (thread == NULL || is_own_stack(thread, address) ||
			locals_contain(address))
		return;
	struct word *word = find_word(address);
	if (word->freed)
		fail_run("%#lx is used after it was freed", (unsigned long)address);
	for (; size > 0; size--, address++) {
		if (address % WORD == 0)
			word = find_word(address);
		if (word->freed)
			fail_run("%#lx is used after it was freed",
				(unsigned long)address);
		check_byte(word, (unsigned int)(address % WORD), write);
	}
}

void
races_read(uintptr_t address, size_t size)
{
	check(address, size, false);
}

void
watched_read(const void *address, size_t size)
{
	races_read((uintptr_t)address, size);
}

void
races_write(uintptr_t address, size_t size)
{
	heap_touched(address);
	heap_touched(address + size - (size > 0));
	check(address, size, true);
}

/* Freeing is writing: whoever used it must have done so before. */
void
races_freed(uintptr_t address, size_t size)
{
	check(address, size, true);
	for (size_t i = 0; i < size; i += WORD)
		find_word(address + i)->freed = true;
}
