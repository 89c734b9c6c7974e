/* SPDX-License-Identifier: MIT */
#ifndef SPARE_MAPPINGS_H
#define SPARE_MAPPINGS_H

/*
 * A process may have only so many mappings, and with one too many no mmap(2)
 * succeeds, not even one that replaces a mapping by another. Clients can bring
 * us there: so a few mappings are kept that can be given up for a repair.
 */

#include <stdbool.h>

/* Tops up the reserve. Any thread. */
void spare_mappings_fill(void);

/* Gives one up; nothing happens if there is none left. Async-signal-safe. */
void spare_mappings_release(void);

/* None has been given up since the last time they were all there.
 * Async-signal-safe. */
bool spare_mappings_are_complete(void);

#endif
