/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <errno.h>
#include <link.h>
#include <string.h>

/* This program's, which come first. The C library keeps its own. */
static struct locals {
	char *start;
	size_t size;
	char *pristine;
} *locals;

static int
find_own(struct dl_phdr_info *info, size_t size, void *unused)
{
	(void)size;
	(void)unused;
	locals->start = info->dlpi_tls_data;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_TLS)
			locals->size = info->dlpi_phdr[i].p_memsz;
	return 1;
}

void
locals_reset(void)
{
	if (locals == NULL) {
		locals = lasting_memory(sizeof(*locals));
		dl_iterate_phdr(find_own, NULL);
		locals->pristine = lasting_memory(locals->size + 1);
		memcpy(locals->pristine, locals->start, locals->size);
	}
	memcpy(locals->start, locals->pristine, locals->size);
}

void
locals_create(struct thread *thread)
{
	if (thread->locals == NULL)
		thread->locals = lasting_memory(locals->size + 1);
	memcpy(thread->locals, locals->pristine, locals->size);
}

void
locals_leave(struct thread *thread)
{
	memcpy(thread->locals, locals->start, locals->size);
	thread->saved_errno = errno;
}

void
locals_enter(struct thread *thread)
{
	memcpy(locals->start, thread->locals, locals->size);
	errno = thread->saved_errno;
}

bool
locals_contain(uintptr_t address)
{
	return address - (uintptr_t)locals->start < locals->size ||
		address == (uintptr_t)&errno;
}
