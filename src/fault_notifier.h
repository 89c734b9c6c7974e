/* SPDX-License-Identifier: MIT */
#ifndef FAULT_NOTIFIER_H
#define FAULT_NOTIFIER_H

/*
 * Wakes the thread that may talk to clients when memory was lost (I5): an
 * eventfd, counted, so that a handler never writes to a descriptor that was
 * closed and reused.
 */

struct fault_notifier;

/* NULL with errno EMFILE, ENFILE, ENOMEM. One reference is the caller's. */
struct fault_notifier *fault_notifier_create(void);
struct fault_notifier *fault_notifier_ref(struct fault_notifier *notifier);
void fault_notifier_unref(struct fault_notifier *notifier);

/* Readable after a wake-up until cleared. The notifier's, like its lifetime. */
int fault_notifier_fd(const struct fault_notifier *notifier);

/* Any thread; the handler writes to the descriptor itself. */
void fault_notifier_wake(struct fault_notifier *notifier);
void fault_notifier_clear(struct fault_notifier *notifier);

#endif
