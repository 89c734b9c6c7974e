/* SPDX-License-Identifier: MIT */
#ifndef USER_NAMESPACE_H
#define USER_NAMESPACE_H

#include <stdbool.h>

/* Makes the calling process root of namespaces of its own, for users and for
 * mounts, so that the unprivileged can mount there. For processes with a single
 * thread. False with errno if the system does not allow it. */
bool user_namespace_enter(void);

#endif
