/* SPDX-License-Identifier: MIT */
#ifndef SIGBUS_TRAP_H
#define SIGBUS_TRAP_H

/*
 * The SIGBUS handler: repairs faults in registered ranges and passes every
 * other SIGBUS on as if it were not there (I4). Process-wide.
 */

#include <stdbool.h>

struct trap_range;

/* Installs the handler with the first reference and puts the previous action
 * back with the last, if ours is still the one in place. 0, or -1 with errno. */
int sigbus_trap_ref(void);
void sigbus_trap_unref(void);

/* True, once per occurrence, if somebody has replaced our handler and has not
 * called shmguard_handle_sigbus() since. One system call. */
bool sigbus_trap_was_replaced(void);

/* Replaces all of a range that the caller has pinned with zeros, as if everything
 * had been lost. False if the kernel would not. Any thread. */
bool sigbus_trap_give_up(struct trap_range *range);

/* For the function below only. initial-exec: no allocation, whoever touches it
 * first. */
extern _Thread_local bool sigbus_trap_thread_is_prepared
	__attribute__((tls_model("initial-exec"), visibility("hidden")));
void sigbus_trap_prepare_this_thread(void);

/* I13: makes sure that the calling thread can take a SIGBUS. A system call the
 * first time in each thread, a thread-local test afterwards. */
static inline void
sigbus_trap_prepare_thread(void)
{
	if (!sigbus_trap_thread_is_prepared)
		sigbus_trap_prepare_this_thread();
}

#endif
