/* SPDX-License-Identifier: MIT */
#ifndef SIEGE_HOLDINGS_H
#define SIEGE_HOLDINGS_H

#include <stdbool.h>
#include <sys/types.h>

/* What a process has, as /proc tells. */
struct holdings {
	long descriptors;
	long mappings;    /* but for threads' and compiled code's */
	long private_kib; /* memory that would be free without it */
};

/* False if we may not know. */
bool holdings_look(pid_t pid, struct holdings *holdings);

/* Whether each of so many attacks in between can have left something behind. */
bool holdings_have_grown(const struct holdings *from,
	const struct holdings *to, long attacks);

/* Pages that it got since it was started without reading a disk; -1 if we may
 * not know. */
long minor_faults(pid_t pid);

#endif
