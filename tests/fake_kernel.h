/* SPDX-License-Identifier: MIT */
#ifndef FAKE_KERNEL_H
#define FAKE_KERNEL_H

/*
 * Kernels that are not this one, in the place of the calls that client mappings
 * are made of. A test sets one up before anything else asks for mappings.
 */

#include <stdbool.h>

struct fake_kernel {
	/* Private mappings with the no-SIGBUS flag show zeros past the end that
	 * the file has when they are made or grow; on a kernel that has such
	 * mappings they are those. */
	bool has_nosigbus;
	/* ... but new ones are refused from now on. */
	bool refuses_nosigbus;
	/* Mappings of writable files cannot be shared for reading if the file is
	 * write-sealed (Linux before 6.7). */
	bool refuses_sealed_sharing;
	/* Mappings need no memory before they are touched, huge pages neither. */
	bool reserves_nothing;
	/* Nothing can grow where it is; or new mappings have room behind them.
	 * The default is whatever this kernel has. */
	bool tight, roomy;
	/* Calls that succeed before one fails with ENOMEM; < 0: all do. Unmapping
	 * always succeeds. */
	int calls_before_failure;
	/* That one call has failed. */
	bool failed;
};

extern struct fake_kernel fake_kernel;

/* Whether this kernel has no-SIGBUS mappings: the harness made sure of what
 * SHMGUARD_TEST_EXPECT_NOSIGBUS says. */
bool kernel_has_nosigbus(void);

/* Puts it in place: this kernel, until a field says otherwise. */
void fake_kernel_use(void);

#endif
