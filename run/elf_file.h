/* SPDX-License-Identifier: MIT */
#ifndef RUN_ELF_FILE_H
#define RUN_ELF_FILE_H

/*
 * What an ELF file says to the dynamic linker. One thread.
 */

#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>

struct elf_file {
	int fd;
	Elf *elf;
	GElf_Ehdr header;
};

/* How a file uses a symbol. */
struct symbol_use {
	const char *name;
	bool defined; /* others can use it */
	/* Its own uses of it go where the dynamic linker says: to whoever comes
	 * first. Not so when they were bound within the file already. */
	bool redirectable;
	size_t index; /* in the file's table, 0: not there */
};

/* Returns 0, or -1 with errno set: ENOEXEC if it is not ELF. On success
 * elf_file_close() is due. */
int elf_file_open(struct elf_file *file, const char *path);
void elf_file_close(struct elf_file *file);

/* Strings belong to the file. NULL: it has none. */
const char *elf_file_interpreter(const struct elf_file *file);
const char *elf_file_soname(const struct elf_file *file);

/* Fills in all but the names. */
void elf_file_find_symbols(const struct elf_file *file,
	struct symbol_use *uses, size_t count);

/* Whether one process can load both. */
bool elf_file_is_like(const struct elf_file *file,
	const struct elf_file *other);

#endif
