/* SPDX-License-Identifier: MIT */
#include "program.h"

#include "status.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static bool
is_program(const char *path)
{
	struct stat status;
	if (stat(path, &status) < 0 || access(path, X_OK) < 0)
		return false;
	if (!S_ISREG(status.st_mode)) {
		errno = S_ISDIR(status.st_mode) ? EISDIR : EACCES;
		return false;
	}
	return true;
}

/* To be freed. NULL with errno: ENOENT, or of a file that was found and is no
 * program. */
static char *
search_path(const char *name)
{
	const char *path = getenv("PATH");
	if (path == NULL)
		path = "/bin:/usr/bin"; /* as execvp() does */
	int error = ENOENT;
	for (;;) {
		size_t length = strcspn(path, ":");
		char *candidate;
		if (asprintf(&candidate, "%.*s%s%s", (int)length, path,
				length > 0 ? "/" : "", name) < 0)
			err(EXIT_USAGE, NULL);
		if (is_program(candidate))
			return candidate;
		int why = errno;
		if (access(candidate, F_OK) == 0)
			error = why;
		free(candidate);
		if (path[length] == '\0')
			break;
		path += length + 1;
	}
	errno = error;
	return NULL;
}

/* To be freed. */
static char *
find_program(const char *name)
{
	char *found = NULL;
	if (strchr(name, '/') == NULL)
		found = search_path(name);
	else if (is_program(name))
		found = strdup(name);
	char *path = found != NULL ? realpath(found, NULL) : NULL;
	if (path == NULL)
		err(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE, "%s",
			name);
	free(found);
	return path;
}

static void
refuse_script(const char *path)
{
	char line[128] = "";
	FILE *file = fopen(path, "re");
	if (file == NULL)
		err(EXIT_CANNOT_EXECUTE, "%s", path);
	if (fgets(line, sizeof(line), file) != NULL &&
			strncmp(line, "#!", 2) == 0) {
		line[strcspn(line, "\n")] = '\0';
		errx(EXIT_NOT_ELF, "%s is a script for %s: name the compositor "
			"that it starts", path, line + 2 + strspn(line + 2, " "));
	}
	errx(EXIT_NOT_ELF, "%s is not an ELF program", path);
}

/* Where the kernel says so (AT_SECURE) the dynamic linker takes no orders from
 * the environment. For root, capabilities of a file add nothing. */
static void
refuse_privileges(const char *path)
{
	struct stat status;
	if (stat(path, &status) < 0)
		err(EXIT_CANNOT_EXECUTE, "%s", path);
	if ((status.st_mode & S_ISUID) != 0 && status.st_uid != getuid())
		errx(EXIT_PRIVILEGED, "%s is set-user-ID: it cannot be guarded, "
			"because the dynamic linker ignores LD_PRELOAD then", path);
	if ((status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
			status.st_gid != getgid())
		errx(EXIT_PRIVILEGED, "%s is set-group-ID: it cannot be guarded, "
			"because the dynamic linker ignores LD_PRELOAD then", path);
	if (getuid() != 0 &&
			getxattr(path, "security.capability", NULL, 0) > 0)
		errx(EXIT_PRIVILEGED, "%s has file capabilities: it cannot be "
			"guarded, because the dynamic linker ignores LD_PRELOAD then "
			"(a copy made with cp has none)", path);
}

static void
refuse_other_machine(const struct program *program)
{
	struct elf_file self;
	if (elf_file_open(&self, "/proc/self/exe") < 0)
		err(EXIT_USAGE, "/proc/self/exe");
	if (!elf_file_is_like(&program->file, &self))
		errx(EXIT_OTHER_MACHINE, "%s is for another kind of machine "
			"(%d bits, ELF machine %d) than this shmguard (%d bits, "
			"ELF machine %d)", program->path,
			32 * program->file.header.e_ident[EI_CLASS],
			program->file.header.e_machine,
			32 * self.header.e_ident[EI_CLASS], self.header.e_machine);
	elf_file_close(&self);
}

void
program_open(struct program *program, const char *name)
{
	program->name = name;
	program->path = find_program(name);
	if (elf_file_open(&program->file, program->path) < 0) {
		if (errno == ENOEXEC)
			refuse_script(program->path);
		err(EXIT_CANNOT_EXECUTE, "%s", program->path);
	}
	refuse_other_machine(program);
	refuse_privileges(program->path);
}

void
program_close(struct program *program)
{
	elf_file_close(&program->file);
	free(program->path);
}
