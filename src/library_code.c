/* SPDX-License-Identifier: MIT */
#include "library_code.h"

#include <link.h>
#include <string.h>

struct search {
	struct library_code *code;
	const char *name;
};

static bool
has_name(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');
	const char *file = slash != NULL ? slash + 1 : path;
	size_t length = strlen(name);
	return strncmp(file, name, length) == 0 &&
		(file[length] == '-' || file[length] == '.');
}

static int
look_at_library(struct dl_phdr_info *library, size_t size, void *data)
{
	(void)size;
	struct search *search = data;
	struct library_code *code = search->code;
	if (!has_name(library->dlpi_name, search->name))
		return 0;

	size_t max = sizeof(code->segments) / sizeof(code->segments[0]);
	for (size_t i = 0; i < library->dlpi_phnum && code->count < max; i++) {
		const ElfW(Phdr) *segment = &library->dlpi_phdr[i];
		if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X))
			continue;
		uintptr_t start = library->dlpi_addr + segment->p_vaddr;
		code->segments[code->count].start = start;
		code->segments[code->count].end = start + segment->p_memsz;
		code->count++;
	}
	return 1;
}

void
library_code_find(struct library_code *code, const char *name)
{
	*code = (struct library_code){0};
	dl_iterate_phdr(look_at_library, &(struct search){code, name});
}

bool
library_code_contains(const struct library_code *code, const void *address)
{
	for (size_t i = 0; i < code->count; i++) {
		if ((uintptr_t)address >= code->segments[i].start &&
				(uintptr_t)address < code->segments[i].end)
			return true;
	}
	return false;
}
