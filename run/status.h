/* SPDX-License-Identifier: MIT */
#ifndef RUN_STATUS_H
#define RUN_STATUS_H

/* Exit statuses of shmguard-run, as shmguard-run(1) lists them: high, to leave
 * the others to the compositor. */
enum {
	EXIT_OTHER_MACHINE = 118,  /* for another kind of machine */
	EXIT_NOT_ELF = 119,        /* a script, or no program at all */
	EXIT_NO_LIBRARY = 120,     /* one that the compositor needs */
	EXIT_PRIVILEGED = 121,     /* LD_PRELOAD would be ignored */
	EXIT_NOT_INSTALLED = 122,  /* no preload object for this compositor */
	EXIT_NOT_GUARDABLE = 123,  /* its wl_shm cannot be replaced */
	EXIT_USAGE = 125,          /* or shmguard-run itself failed */
	EXIT_CANNOT_EXECUTE = 126,
	EXIT_NOT_FOUND = 127,
};

#endif
