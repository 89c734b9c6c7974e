/* SPDX-License-Identifier: MIT */
#ifndef HUGE_PAGE_LIMIT_H
#define HUGE_PAGE_LIMIT_H

/*
 * How many huge pages are made when they are asked for, to go when they are freed. The
 * number is the whole machine's: sieges, which have the same lock, are to find none.
 */

#include <stdbool.h>

/* So many more, until huge_page_limit_restore(). False if the number cannot be set, or
 * if others have the lock for long. */
bool huge_page_limit_raise(long more);
void huge_page_limit_restore(void);

#endif
