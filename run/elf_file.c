/* SPDX-License-Identifier: MIT */
#include "elf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int
elf_file_open(struct elf_file *file, const char *path)
{
	elf_version(EV_CURRENT);
	file->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (file->fd < 0)
		return -1;
	file->elf = elf_begin(file->fd, ELF_C_READ_MMAP, NULL);
	if (file->elf == NULL || elf_kind(file->elf) != ELF_K_ELF ||
			gelf_getehdr(file->elf, &file->header) == NULL) {
		elf_file_close(file);
		errno = ENOEXEC;
		return -1;
	}
	return 0;
}

void
elf_file_close(struct elf_file *file)
{
	elf_end(file->elf);
	close(file->fd);
}

const char *
elf_file_interpreter(const struct elf_file *file)
{
	size_t count, size;
	const char *image = elf_rawfile(file->elf, &size);
	if (image == NULL || elf_getphdrnum(file->elf, &count) != 0)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr segment;
		if (gelf_getphdr(file->elf, (int)i, &segment) == NULL ||
				segment.p_type != PT_INTERP)
			continue;
		if (segment.p_offset >= size ||
				segment.p_filesz > size - segment.p_offset ||
				memchr(image + segment.p_offset, '\0',
					segment.p_filesz) == NULL)
			return NULL;
		return image + segment.p_offset;
	}
	return NULL;
}

/* The section that follows `section` (NULL: the first) and has this type. */
static Elf_Scn *
next_section(const struct elf_file *file, Elf_Scn *section, GElf_Word type,
	GElf_Shdr *header)
{
	while ((section = elf_nextscn(file->elf, section)) != NULL) {
		if (gelf_getshdr(section, header) != NULL &&
				header->sh_type == type && header->sh_entsize > 0)
			return section;
	}
	return NULL;
}

/* false: there is no such entry. */
static bool
find_dynamic(const struct elf_file *file, GElf_Sxword tag, GElf_Xword *value,
	size_t *strings)
{
	GElf_Shdr header;
	Elf_Scn *section = next_section(file, NULL, SHT_DYNAMIC, &header);
	Elf_Data *data = section != NULL ? elf_getdata(section, NULL) : NULL;
	if (data == NULL)
		return false;
	GElf_Dyn entry;
	for (int i = 0; gelf_getdyn(data, i, &entry) != NULL; i++) {
		if (entry.d_tag == tag) {
			*value = entry.d_un.d_val;
			*strings = header.sh_link;
			return true;
		}
	}
	return false;
}

const char *
elf_file_soname(const struct elf_file *file)
{
	GElf_Xword offset;
	size_t strings;
	if (!find_dynamic(file, DT_SONAME, &offset, &strings))
		return NULL;
	return elf_strptr(file->elf, strings, offset);
}

/* Linked with -Bsymbolic: it finds what it defines in itself first. */
static bool
looks_in_itself(const struct elf_file *file)
{
	GElf_Xword value;
	size_t strings;
	return find_dynamic(file, DT_SYMBOLIC, &value, &strings) ||
		(find_dynamic(file, DT_FLAGS, &value, &strings) &&
			(value & DF_SYMBOLIC) != 0);
}

/* Not elf_strptr(), which looks for the end of a table that has none for each of
 * its strings anew. NULL: the section is no sound table of strings. */
static const char *
string_table(const struct elf_file *file, size_t index, size_t *size)
{
	Elf_Scn *section = elf_getscn(file->elf, index);
	GElf_Shdr header;
	if (section == NULL || gelf_getshdr(section, &header) == NULL ||
			header.sh_type != SHT_STRTAB)
		return NULL;
	const Elf_Data *data = elf_getdata(section, NULL);
	if (data == NULL || data->d_buf == NULL || data->d_size == 0)
		return NULL;
	const char *strings = data->d_buf;
	*size = data->d_size;
	return strings[*size - 1] == '\0' ? strings : NULL;
}

static void
find_in_table(const struct elf_file *file, struct symbol_use *uses,
	size_t count)
{
	GElf_Shdr header;
	Elf_Scn *section = next_section(file, NULL, SHT_DYNSYM, &header);
	Elf_Data *data = section != NULL ? elf_getdata(section, NULL) : NULL;
	if (data == NULL)
		return;
	size_t size;
	const char *strings = string_table(file, header.sh_link, &size);
	if (strings == NULL)
		return;
	GElf_Sym symbol;
	for (int i = 1; gelf_getsym(data, i, &symbol) != NULL; i++) {
		if (symbol.st_name >= size)
			continue;
		for (size_t j = 0; j < count; j++) {
			if (strcmp(strings + symbol.st_name, uses[j].name) == 0) {
				uses[j].defined = symbol.st_shndx != SHN_UNDEF;
				uses[j].index = (size_t)i;
			}
		}
	}
}

static bool
get_relocation(Elf_Data *data, GElf_Word type, int i, GElf_Xword *info)
{
	GElf_Rela rela;
	GElf_Rel rel;
	if (type == SHT_RELA && gelf_getrela(data, i, &rela) != NULL)
		*info = rela.r_info;
	else if (type == SHT_REL && gelf_getrel(data, i, &rel) != NULL)
		*info = rel.r_info;
	else
		return false;
	return true;
}

static void
find_in_relocations(const struct elf_file *file, GElf_Word type,
	struct symbol_use *uses, size_t count)
{
	GElf_Shdr header;
	Elf_Scn *section = NULL;
	/* Those of a damaged file may all be the same bytes, which would take for
	 * ever; in others there is no more than the file has. */
	size_t left = 0;
	elf_rawfile(file->elf, &left);
	while ((section = next_section(file, section, type, &header)) != NULL) {
		if (header.sh_size > left)
			return;
		left -= header.sh_size;
		Elf_Data *data = elf_getdata(section, NULL);
		GElf_Xword info;
		for (int i = 0; data != NULL &&
				get_relocation(data, type, i, &info); i++) {
			for (size_t j = 0; j < count; j++) {
				if (uses[j].index != 0 &&
						uses[j].index == GELF_R_SYM(info))
					uses[j].redirectable = true;
			}
		}
	}
}

void
elf_file_find_symbols(const struct elf_file *file, struct symbol_use *uses,
	size_t count)
{
	for (size_t i = 0; i < count; i++)
		uses[i] = (struct symbol_use){.name = uses[i].name};
	find_in_table(file, uses, count);
	find_in_relocations(file, SHT_REL, uses, count);
	find_in_relocations(file, SHT_RELA, uses, count);

	bool in_itself = looks_in_itself(file);
	for (size_t i = 0; i < count; i++) {
		if (uses[i].defined && in_itself)
			uses[i].redirectable = false;
	}
}

bool
elf_file_is_like(const struct elf_file *file, const struct elf_file *other)
{
	const GElf_Ehdr *a = &file->header, *b = &other->header;
	return a->e_machine == b->e_machine &&
		a->e_ident[EI_CLASS] == b->e_ident[EI_CLASS] &&
		a->e_ident[EI_DATA] == b->e_ident[EI_DATA];
}
