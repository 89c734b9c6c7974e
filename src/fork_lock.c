/* SPDX-License-Identifier: MIT */
#include "fork_lock.h"

#include <errno.h>
#include <stddef.h>

static _Atomic bool handlers_registered;

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct fork_lock *locks;

/* Two threads may have registered the handlers at once: then each runs twice. */
static _Thread_local unsigned int forks;

static void
take_all(void)
{
	if (forks++ > 0)
		return;
	pthread_mutex_lock(&list_lock);
	for (struct fork_lock *lock = locks; lock != NULL; lock = lock->next)
		pthread_mutex_lock(&lock->mutex);
}

static void
give_all(void)
{
	if (--forks > 0)
		return;
	for (struct fork_lock *lock = locks; lock != NULL; lock = lock->next)
		pthread_mutex_unlock(&lock->mutex);
	pthread_mutex_unlock(&list_lock);
}

static void
give_all_in_child(void)
{
	for (struct fork_lock *lock = locks; forks == 1 && lock != NULL;
			lock = lock->next) {
		if (lock->forget != NULL)
			lock->forget();
	}
	give_all();
}

/* Without a lock: it waits for a fork that another thread is at, whose child would
 * find that lock taken. */
static bool
register_handlers(void)
{
	if (!handlers_registered)
		handlers_registered = pthread_atfork(take_all, give_all,
			give_all_in_child) == 0;
	return handlers_registered;
}

static bool
watch(struct fork_lock *lock)
{
	if (atomic_load_explicit(&lock->watched, memory_order_acquire))
		return true;
	if (!register_handlers())
		return false;
	pthread_mutex_lock(&list_lock);
	if (!lock->watched) {
		lock->next = locks;
		locks = lock;
		lock->watched = true;
	}
	pthread_mutex_unlock(&list_lock);
	return true;
}

bool
fork_lock_take(struct fork_lock *lock)
{
	bool watched = watch(lock);
	pthread_mutex_lock(&lock->mutex);
	if (!watched)
		errno = ENOMEM;
	return watched;
}

void
fork_lock_give(struct fork_lock *lock)
{
	pthread_mutex_unlock(&lock->mutex);
}
