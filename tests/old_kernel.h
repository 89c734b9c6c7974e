/* SPDX-License-Identifier: MIT */
#ifndef OLD_KERNEL_H
#define OLD_KERNEL_H

#include <stdbool.h>

/* Makes this kernel forget MADV_POPULATE_READ, as Linux before 5.14, and with
 * `forbid_reading` process_vm_readv(2) too, as some sandboxes do. For the rest of
 * the process. False with errno where there are no seccomp filters. */
bool old_kernel_forget_how_to_look(bool forbid_reading);

#endif
