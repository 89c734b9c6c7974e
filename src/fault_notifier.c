/* SPDX-License-Identifier: MIT */
#include "fault_notifier.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct fault_notifier {
	_Atomic unsigned int references;
	int fd;
};

struct fault_notifier *
fault_notifier_create(void)
{
	struct fault_notifier *notifier = malloc(sizeof(*notifier));
	if (notifier == NULL)
		return NULL;

	atomic_init(&notifier->references, 1);
	notifier->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (notifier->fd < 0) {
		free(notifier);
		return NULL;
	}
	return notifier;
}

struct fault_notifier *
fault_notifier_ref(struct fault_notifier *notifier)
{
	atomic_fetch_add(&notifier->references, 1);
	return notifier;
}

void
fault_notifier_unref(struct fault_notifier *notifier)
{
	if (atomic_fetch_sub(&notifier->references, 1) != 1)
		return;
	close(notifier->fd);
	free(notifier);
}

int
fault_notifier_fd(const struct fault_notifier *notifier)
{
	return notifier->fd;
}

/* Both calls fail with EAGAIN only: the counter is full, that is the reader is
 * due to wake up, or it is empty already. */

void
fault_notifier_wake(struct fault_notifier *notifier)
{
	ssize_t ignored = write(notifier->fd, &(uint64_t){1}, sizeof(uint64_t));
	(void)ignored;
}

void
fault_notifier_clear(struct fault_notifier *notifier)
{
	uint64_t count;
	ssize_t ignored = read(notifier->fd, &count, sizeof(count));
	(void)ignored;
}
