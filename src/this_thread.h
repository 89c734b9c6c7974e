/* SPDX-License-Identifier: MIT */
#ifndef THIS_THREAD_H
#define THIS_THREAD_H

/* For the function below only. initial-exec: no allocation, whoever touches it
 * first. */
extern _Thread_local char this_thread_marker
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Who is calling: an address that no other thread has at the time. One that is made
 * after this one has ended may have the same. */
static inline const void *
this_thread(void)
{
	return &this_thread_marker;
}

#endif
