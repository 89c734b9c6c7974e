/* SPDX-License-Identifier: MIT */

/* What is there for tiers and files that no scenario has. Without the headers: the
 * arguments do not matter. */

#include "explorer.h"

#define NEVER(name) \
	void name(void); \
	void name(void) { fail_run(#name "() is called"); }

NEVER(blocking_read)
NEVER(guard_log)
NEVER(view_copy_create)
NEVER(view_copy_create_zeros)
NEVER(view_copy_data)
NEVER(view_copy_finish)
NEVER(view_copy_is_lost)
NEVER(view_copy_owner)
NEVER(view_copy_set_lost)
