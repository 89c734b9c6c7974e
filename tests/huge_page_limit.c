/* SPDX-License-Identifier: MIT */
#include "huge_page_limit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

/* The number of those that are always there: who changes that locks this file. */
#define LOCKED "/proc/sys/vm/nr_hugepages"
#define ALLOWED "/proc/sys/vm/nr_overcommit_hugepages"

#define PATIENCE_SECONDS 10

static int lock = -1;
static long allowed_before;

static bool
take_lock(void)
{
	lock = open(LOCKED, O_RDONLY | O_CLOEXEC);
	for (int i = 0; lock >= 0 && i < PATIENCE_SECONDS * 100; i++) {
		if (flock(lock, LOCK_EX | LOCK_NB) == 0)
			return true;
		usleep(10 * 1000);
	}
	return false;
}

static void
give_lock(void)
{
	if (lock >= 0)
		close(lock);
	lock = -1;
}

static long
read_allowed(void)
{
	long number = -1;
	FILE *file = fopen(ALLOWED, "re");
	if (file == NULL)
		return -1;
	if (fscanf(file, "%ld", &number) != 1)
		number = -1;
	fclose(file);
	return number;
}

static bool
write_allowed(long number)
{
	FILE *file = fopen(ALLOWED, "we");
	if (file == NULL)
		return false;
	fprintf(file, "%ld\n", number);
	return fclose(file) == 0;
}

bool
huge_page_limit_raise(long more)
{
	if (take_lock()) {
		allowed_before = read_allowed();
		if (allowed_before >= 0 && write_allowed(allowed_before + more))
			return true;
	}
	give_lock();
	return false;
}

void
huge_page_limit_restore(void)
{
	write_allowed(allowed_before);
	give_lock();
}
