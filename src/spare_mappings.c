/* SPDX-License-Identifier: MIT */
#include "spare_mappings.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

/* One is enough for any number of faults as long as nobody else maps anything
 * between them. */
#define SPARES 16

static void *_Atomic spares[SPARES];
/* Times that one was given up, and as many of them as have been made up for. At
 * first none is there. */
static _Atomic unsigned int releases = 1, made_up_for;

void
spare_mappings_fill(void)
{
	/* What is given up from here on is left for the next time. */
	unsigned int seen = releases;
	if (made_up_for == seen)
		return;

	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	for (int i = 0; i < SPARES; i++) {
		if (spares[i] != NULL)
			continue;
		/* Private ones would become one with their neighbours. */
		void *spare = mmap(NULL, page, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
		if (spare == MAP_FAILED)
			return;
		void *none = NULL;
		if (!atomic_compare_exchange_strong(&spares[i], &none, spare))
			munmap(spare, page);
	}
	made_up_for = seen;
}

void
spare_mappings_release(void)
{
	void *spare = NULL;
	for (int i = 0; i < SPARES && spare == NULL; i++)
		spare = atomic_exchange(&spares[i], NULL);
	/* Not before, or it could be made up for while it is still there. */
	releases++;
	/* The kernel rounds up to the page. */
	if (spare != NULL)
		munmap(spare, 1);
}

bool
spare_mappings_are_complete(void)
{
	return made_up_for == releases;
}
