/* SPDX-License-Identifier: MIT */
#include "this_thread.h"

_Thread_local char this_thread_marker
	__attribute__((tls_model("initial-exec")));
