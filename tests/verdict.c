/* SPDX-License-Identifier: MIT */
#include "verdict.h"

#include <check.h>
#include <unistd.h>

void
assert_accepted(struct fd_verdict verdict, enum shmguard_reason reason,
	bool sealed)
{
	ck_assert_str_eq(shmguard_reason_text(verdict.reason),
		shmguard_reason_text(reason));
	ck_assert(!verdict.refused);
	ck_assert_int_eq(verdict.sealed, sealed);
	ck_assert_int_eq(verdict.may_block,
		reason == SHMGUARD_REASON_MAY_BLOCK);
	ck_assert_int_eq(verdict.hugetlb, reason == SHMGUARD_REASON_HUGETLB);
	size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
	if (!verdict.hugetlb)
		ck_assert_uint_eq(verdict.block_size, page_size);
}

void
assert_refused(struct fd_verdict verdict, enum shmguard_reason reason)
{
	ck_assert_str_eq(shmguard_reason_text(verdict.reason),
		shmguard_reason_text(reason));
	ck_assert(verdict.refused);
	ck_assert(!verdict.sealed);
}
