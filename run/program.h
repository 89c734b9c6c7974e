/* SPDX-License-Identifier: MIT */
#ifndef RUN_PROGRAM_H
#define RUN_PROGRAM_H

/*
 * The program that is to be run. What makes it impossible to guard ends
 * shmguard-run with one line and a status of status.h.
 */

#include "elf_file.h"

struct program {
	const char *name; /* as given */
	char *path;       /* absolute, without symbolic links */
	struct elf_file file;
};

/* Finds `name` like execvp(3). */
void program_open(struct program *program, const char *name);
void program_close(struct program *program);

#endif
