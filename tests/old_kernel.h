/* SPDX-License-Identifier: MIT */
#ifndef OLD_KERNEL_H
#define OLD_KERNEL_H

#include <stdbool.h>

enum old_kernel_look {
	/* Has no MADV_POPULATE_READ, as Linux before 5.14. */
	OLD_KERNEL_POPULATES_NOTHING,
	/* And in a sandbox that forbids process_vm_readv(2). */
	OLD_KERNEL_READS_NOTHING,
	/* And that nobody has seen: it does not check where signal sets are. */
	OLD_KERNEL_TELLS_NOTHING,
};

/* Makes this kernel forget how to look at pages, for the rest of the process. False
 * with errno where there are no seccomp filters. */
bool old_kernel_forget_how_to_look(enum old_kernel_look look);

#endif
