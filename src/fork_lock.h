/* SPDX-License-Identifier: MIT */
#ifndef FORK_LOCK_H
#define FORK_LOCK_H

/*
 * A lock that survives fork(2): while a process forks the locks are held by the
 * thread that does, so that a child finds them free, and what they protect as no
 * thread was about to change it.
 *
 * Forks are watched from the first use of a lock on, not from when the library is
 * loaded: handlers run in reverse order before a fork, so those of an allocator,
 * which is in use by then, come after these. Whoever holds a lock may allocate, or
 * make a thread; but takes no other of these locks, because they are taken for a
 * fork in any order, and does not fork.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct fork_lock {
	pthread_mutex_t mutex; /* for pthread_cond_wait(3), too */
	/* Called in a child with the lock held: what stays behind in the parent is
	 * to be forgotten. NULL if there is nothing. */
	void (*forget)(void);
	_Atomic bool watched;
	struct fork_lock *next; /* of those that are watched */
};

/* For static locks only: they are never forgotten. */
#define FORK_LOCK_INITIALIZER(function) { \
	.mutex = PTHREAD_MUTEX_INITIALIZER, .forget = (function)}

/* Takes it, in any case. False, with errno ENOMEM: there was no memory for watching
 * forks, so that a child may find it taken; the next call tries again. */
bool fork_lock_take(struct fork_lock *lock);
void fork_lock_give(struct fork_lock *lock);

#endif
