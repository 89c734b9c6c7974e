/* SPDX-License-Identifier: MIT */
#ifndef FAMILIES_H
#define FAMILIES_H

/* One function for each line of the table; each in a process of its own, and each
 * reports what it measures (clock.h). */

void measure_access(void);
void measure_threads(void);
void measure_churn(void);
void measure_frame(void);
void measure_copy(void);
void measure_stall(void);
void measure_resize(void);
void measure_fault(void);
void measure_pools(void);
void measure_buffers(void);
void measure_memory(void);
void measure_spawn(void);

#endif
