/* SPDX-License-Identifier: MIT */
#ifndef VERDICT_H
#define VERDICT_H

/* What tests of seal_check() expect of it. */

#include "seal_check.h"

/* Judged for that reason, and everything that follows from it. */
void assert_accepted(struct fd_verdict verdict, enum shmguard_reason reason,
	bool sealed);
void assert_refused(struct fd_verdict verdict, enum shmguard_reason reason);

#endif
