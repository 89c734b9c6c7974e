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
static _Atomic bool complete;

void
spare_mappings_fill(void)
{
	if (complete)
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
	complete = true;
}

void
spare_mappings_release(void)
{
	complete = false;
	for (int i = 0; i < SPARES; i++) {
		void *spare = atomic_exchange(&spares[i], NULL);
		if (spare == NULL)
			continue;
		/* The kernel rounds up to the page. */
		munmap(spare, 1);
		return;
	}
}

bool
spare_mappings_are_complete(void)
{
	return complete;
}
