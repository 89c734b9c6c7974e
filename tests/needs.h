/* SPDX-License-Identifier: MIT */
#ifndef NEEDS_H
#define NEEDS_H

/* What a test cannot do without, though the library can: each tries it, and has the test
 * skipped if it is not to be had here. */

#include <stdbool.h>

void needs_memfd(void);
void needs_seals(void);
void needs_statx(void);
void needs_mremap(void);
void needs_madvise(void);

/* errno if not. */
bool can_mremap(void);
bool can_madvise(void);

#endif
