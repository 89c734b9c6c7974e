/* SPDX-License-Identifier: MIT */

/* POSIX threads for runs. */

#include "internal.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <time.h>

enum { MAX_LOCKS = 64 };

/* What a lock is, here: who holds it. */
static struct locks {
	unsigned int count;
	struct lock {
		const void *address;
		struct thread *holder;
	} locks[MAX_LOCKS];
} *locks;

void
threads_reset(void)
{
	if (locks == NULL)
		locks = lasting_memory(sizeof(*locks));
	locks->count = 0;
}

static struct lock *
find_lock(const void *address)
{
	for (unsigned int i = 0; i < locks->count; i++)
		if (locks->locks[i].address == address)
			return &locks->locks[i];
	if (locks->count == MAX_LOCKS)
		fail_run("too many locks");
	locks->locks[locks->count] = (struct lock){.address = address};
	return &locks->locks[locks->count++];
}

static bool
is_free(struct thread *thread)
{
	return find_lock(thread->waits_for)->holder == NULL;
}

static void
take(const void *mutex)
{
	if (explorer->current == NULL)
		return;
	races_read((uintptr_t)mutex, 0);
	give_way_until(is_free, mutex);
	find_lock(mutex)->holder = explorer->current;
	memory_acquire((uintptr_t)mutex);
}

/* Nobody is better off if this comes later: no need to give way. */
static void
give(const void *mutex)
{
	if (explorer->current == NULL)
		return;
	races_read((uintptr_t)mutex, 0);
	if (find_lock(mutex)->holder != explorer->current)
		fail_run("a lock is released by a thread that does not hold it");
	find_lock(mutex)->holder = NULL;
	memory_release((uintptr_t)mutex);
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int
__wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
	take(mutex);
	return 0;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);
int
__wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	give(mutex);
	return 0;
}

/* ---- Conditions ---- */

static bool
was_woken(struct thread *thread)
{
	return !thread->in_cond_wait;
}

int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int
__wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	struct thread *thread = explorer->current;
	thread->in_cond_wait = true;
	note("wait", (uintptr_t)cond, 0);
	memory_acquire((uintptr_t)cond);
	memory_release((uintptr_t)cond);
	give(mutex);
	give_way_until(was_woken, cond);
	note("woken", (uintptr_t)cond, 0);
	take(mutex);
	return 0;
}

static unsigned int
list_waiting(const void *cond, struct thread **waiting)
{
	unsigned int count = 0;
	for (unsigned int i = 0; i < explorer->thread_count; i++) {
		struct thread *thread = &explorer->threads[i];
		if (thread->in_cond_wait && thread->waits_for == cond)
			waiting[count++] = thread;
	}
	return count;
}

static int
wake(const void *cond, bool all)
{
	struct thread *waiting[MAX_THREADS];
	if (explorer->current == NULL)
		return 0;
	races_read((uintptr_t)cond, 0);
	give_way();
	unsigned int count = list_waiting(cond, waiting);
	memory_acquire((uintptr_t)cond);
	memory_release((uintptr_t)cond);
	unsigned int chosen = all ? 0 : choose(count);
	for (unsigned int i = 0; i < count; i++)
		if (all || i == chosen)
			waiting[i]->in_cond_wait = false;
	note("wake", (uintptr_t)cond, count == 0 ? 99 : chosen);
	return 0;
}

int __wrap_pthread_cond_signal(pthread_cond_t *cond);
int
__wrap_pthread_cond_signal(pthread_cond_t *cond)
{
	return wake(cond, false);
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *cond);
int
__wrap_pthread_cond_broadcast(pthread_cond_t *cond)
{
	return wake(cond, true);
}

/* ---- Threads ---- */

static void
run_function(void *data)
{
	void *(*func)(void *) = (void *(*)(void *))data;
	func(NULL);
	memory_acquire((uintptr_t)data + explorer->current->id);
	memory_release((uintptr_t)data + explorer->current->id);
}

int __wrap_pthread_create(pthread_t *created, const pthread_attr_t *attr,
	void *(*func)(void *), void *data);
int
__wrap_pthread_create(pthread_t *created, const pthread_attr_t *attr,
	void *(*func)(void *), void *data)
{
	(void)attr;
	if (explorer->current == NULL || data != NULL)
		fail_run("a thread that cannot be made here");
	struct thread *thread = add_thread(run_function, (void *)func);
	note("create", thread->id, 0);
	thread->view = explorer->current->view;
	thread->view.clock[thread->id] = 1;
	explorer->current->view.clock[explorer->current->id]++;
	*created = thread->id + 1;
	return 0;
}

static bool
other_has_ended(struct thread *thread)
{
	return ((const struct thread *)thread->waits_for)->ended;
}

int __wrap_pthread_join(pthread_t which, void **result);
int
__wrap_pthread_join(pthread_t which, void **result)
{
	struct thread *thread = &explorer->threads[which - 1];
	(void)result;
	if (thread->detached)
		fail_run("a thread is joined that was detached");
	thread->detached = true;
	give_way_until(other_has_ended, thread);
	note("join", thread->id, thread->history);
	view_join(&explorer->current->view, &thread->view);
	return 0;
}

int __wrap_pthread_detach(pthread_t which);
int
__wrap_pthread_detach(pthread_t which)
{
	struct thread *thread = &explorer->threads[which - 1];
	if (thread->detached)
		fail_run("a thread is detached that is joined");
	thread->detached = true;
	note("detach", thread->id, 0);
	return 0;
}

pthread_t __wrap_pthread_self(void);
pthread_t
__wrap_pthread_self(void)
{
	return explorer->current != NULL ? explorer->current->id + 1 : 0;
}

int __wrap_pthread_once(pthread_once_t *once, void (*func)(void));
int
__wrap_pthread_once(pthread_once_t *once, void (*func)(void))
{
	/* Done in set_up(), or only by one thread. */
	if (*once == 0) {
		*once = 2;
		func();
	}
	return 0;
}

/* ---- What makes no difference to others ---- */

int __wrap_pthread_sigmask(int how, const sigset_t *set, sigset_t *old);
int
__wrap_pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	(void)how;
	(void)set;
	if (old != NULL)
		memset(old, 0, sizeof(*old));
	return 0;
}

int __wrap_sched_yield(void);
int
__wrap_sched_yield(void)
{
	return 0;
}

int __wrap_nanosleep(const struct timespec *time, struct timespec *rest);
int
__wrap_nanosleep(const struct timespec *time, struct timespec *rest)
{
	(void)time;
	(void)rest;
	return 0;
}

int __wrap_pthread_setname_np(pthread_t thread, const char *name);
int
__wrap_pthread_setname_np(pthread_t thread, const char *name)
{
	(void)thread;
	(void)name;
	return 0;
}

int __wrap_sched_setscheduler(int pid, int policy, const struct sched_param *p);
int
__wrap_sched_setscheduler(int pid, int policy, const struct sched_param *p)
{
	(void)pid;
	(void)policy;
	(void)p;
	return 0;
}
