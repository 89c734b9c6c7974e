/* SPDX-License-Identifier: MIT */

/* What -fsanitize=thread has the compiler call: ThreadSanitizer's names. */

#include "internal.h"

#define SITE ((uintptr_t)__builtin_return_address(0))

void __tsan_init(void);
void
__tsan_init(void)
{
}

void __tsan_func_entry(void *caller);
void
__tsan_func_entry(void *caller)
{
	struct thread *thread = explorer != NULL ? explorer->current : NULL;
	if (thread == NULL)
		return;
	if (thread->depth == MAX_CALLS)
		fail_run("calls too deep");
	thread->calls[thread->depth++] = (uintptr_t)caller;
}

void __tsan_func_exit(void);
void
__tsan_func_exit(void)
{
	struct thread *thread = explorer != NULL ? explorer->current : NULL;
	if (thread != NULL && thread->depth > 0)
		thread->depth--;
}

#define ORDINARY(size) \
	void __tsan_read##size(void *address); \
	void __tsan_read##size(void *address) \
	{ races_read((uintptr_t)address, size); } \
	void __tsan_write##size(void *address); \
	void __tsan_write##size(void *address) \
	{ races_write((uintptr_t)address, size); } \
	void __tsan_unaligned_read##size(void *address); \
	void __tsan_unaligned_read##size(void *address) \
	{ races_read((uintptr_t)address, size); } \
	void __tsan_unaligned_write##size(void *address); \
	void __tsan_unaligned_write##size(void *address) \
	{ races_write((uintptr_t)address, size); }

ORDINARY(1)
ORDINARY(2)
ORDINARY(4)
ORDINARY(8)
ORDINARY(16)

void __tsan_read_range(void *address, size_t size);
void
__tsan_read_range(void *address, size_t size)
{
	races_read((uintptr_t)address, size);
}

void __tsan_write_range(void *address, size_t size);
void
__tsan_write_range(void *address, size_t size)
{
	races_write((uintptr_t)address, size);
}

static uint64_t
set(uint64_t old, uint64_t operand)
{
	(void)old;
	return operand;
}

static uint64_t
add(uint64_t old, uint64_t operand)
{
	return old + operand;
}

static uint64_t
subtract(uint64_t old, uint64_t operand)
{
	return old - operand;
}

static uint64_t
and(uint64_t old, uint64_t operand)
{
	return old & operand;
}

static uint64_t
or(uint64_t old, uint64_t operand)
{
	return old | operand;
}

static uint64_t
xor(uint64_t old, uint64_t operand)
{
	return old ^ operand;
}

#define MODIFY(bits, name, func) \
	uint##bits##_t __tsan_atomic##bits##_##name(uint##bits##_t *address, \
		uint##bits##_t value, int order); \
	uint##bits##_t __tsan_atomic##bits##_##name(uint##bits##_t *address, \
		uint##bits##_t value, int order) \
	{ return (uint##bits##_t)memory_modify((uintptr_t)address, bits / 8, \
		func, value, order); }

#define COMPARE_EXCHANGE(bits, name, weak) \
	int __tsan_atomic##bits##_compare_exchange_##name( \
		uint##bits##_t *address, uint##bits##_t *expected, \
		uint##bits##_t desired, int success, int failure); \
	int __tsan_atomic##bits##_compare_exchange_##name( \
		uint##bits##_t *address, uint##bits##_t *expected, \
		uint##bits##_t desired, int success, int failure) \
	{ \
		uint64_t old = *expected; \
		bool same = memory_compare_exchange((uintptr_t)address, \
			bits / 8, &old, desired, success, failure, weak, SITE); \
		*expected = (uint##bits##_t)old; \
		return same; \
	}

#define ATOMIC(bits) \
	uint##bits##_t __tsan_atomic##bits##_load( \
		const uint##bits##_t *address, int order); \
	uint##bits##_t __tsan_atomic##bits##_load( \
		const uint##bits##_t *address, int order) \
	{ return (uint##bits##_t)memory_load((uintptr_t)address, bits / 8, \
		order, SITE); } \
	void __tsan_atomic##bits##_store(uint##bits##_t *address, \
		uint##bits##_t value, int order); \
	void __tsan_atomic##bits##_store(uint##bits##_t *address, \
		uint##bits##_t value, int order) \
	{ memory_store((uintptr_t)address, bits / 8, value, order); } \
	MODIFY(bits, exchange, set) \
	MODIFY(bits, fetch_add, add) \
	MODIFY(bits, fetch_sub, subtract) \
	MODIFY(bits, fetch_and, and) \
	MODIFY(bits, fetch_or, or) \
	MODIFY(bits, fetch_xor, xor) \
	COMPARE_EXCHANGE(bits, strong, false) \
	COMPARE_EXCHANGE(bits, weak, true)

ATOMIC(8)
ATOMIC(16)
ATOMIC(32)
ATOMIC(64)

void __tsan_atomic_thread_fence(int order);
void
__tsan_atomic_thread_fence(int order)
{
	memory_fence(order);
}

/* Between a thread and its own handler. */
void __tsan_atomic_signal_fence(int order);
void
__tsan_atomic_signal_fence(int order)
{
	(void)order;
}
