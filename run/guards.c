/* SPDX-License-Identifier: MIT */
#include "guards.h"

#include "status.h"

#include <err.h>
#include <errno.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WLROOTS_OBJECT "libshmguard-wlroots-preload-0."

enum symbol {
	INIT_SHM,
	WLR_SHM_CREATE,
	WLR_SHM_CREATE_WITH_RENDERER,
	GLOBAL_CREATE,
	SHM_INTERFACE,
	GUARD_CREATE,
	SYMBOL_COUNT,
};

static const char *const symbol_names[SYMBOL_COUNT] = {
	[INIT_SHM] = "wl_display_init_shm",
	[WLR_SHM_CREATE] = "wlr_shm_create",
	[WLR_SHM_CREATE_WITH_RENDERER] = "wlr_shm_create_with_renderer",
	[GLOBAL_CREATE] = "wl_global_create",
	[SHM_INTERFACE] = "wl_shm_interface",
	[GUARD_CREATE] = "shmguard_create",
};

/* What was seen in the files. Strings are paths of the closure. */
struct findings {
	const char *wayland;     /* libwayland-server */
	const char *wlroots;
	unsigned int wlroots_minor;
	bool calls_wayland_shm;  /* libwayland's wl_shm, and can be redirected */
	bool calls_wlroots_shm;  /* likewise wlroots' */
	const char *has_shm;     /* implements wl_shm by itself */
	const char *calls_guard; /* its wl_shm needs no preloading */
};

/* libwlroots.so.12 was 0.17, later ones have the version in their names. Before
 * that wlroots used libwayland's wl_shm. */
static unsigned int
minor_of_wlroots(const char *soname)
{
	unsigned int number;
	if (sscanf(soname, "libwlroots-0.%u.so", &number) == 1)
		return number;
	if (sscanf(soname, "libwlroots.so.%u", &number) == 1)
		return number + 5;
	return 0;
}

static void
examine(struct findings *findings, const char *path)
{
	struct elf_file file;
	if (elf_file_open(&file, path) < 0)
		err(EXIT_NO_LIBRARY, "%s", path);
	struct symbol_use uses[SYMBOL_COUNT];
	for (size_t i = 0; i < SYMBOL_COUNT; i++)
		uses[i].name = symbol_names[i];
	elf_file_find_symbols(&file, uses, SYMBOL_COUNT);

	const char *soname = elf_file_soname(&file);
	bool is_wayland = soname != NULL &&
		strncmp(soname, "libwayland-server.so.", 21) == 0;
	if (is_wayland)
		findings->wayland = path;
	unsigned int minor = soname != NULL ? minor_of_wlroots(soname) : 0;
	if (minor > 0) {
		findings->wlroots = path;
		findings->wlroots_minor = minor;
	}
	findings->calls_wayland_shm |= uses[INIT_SHM].redirectable;
	findings->calls_wlroots_shm |= uses[WLR_SHM_CREATE].redirectable ||
		uses[WLR_SHM_CREATE_WITH_RENDERER].redirectable;
	/* Clients of wl_shm refer to its interface too, but make no globals. */
	if (uses[SHM_INTERFACE].redirectable &&
			uses[GLOBAL_CREATE].redirectable && !is_wayland)
		findings->has_shm = path;
	if (uses[GUARD_CREATE].redirectable)
		findings->calls_guard = path;
	elf_file_close(&file);
}

__attribute__((noreturn))
static void
refuse(const struct findings *findings, const char *program)
{
	if (findings->wayland == NULL)
		errx(EXIT_NOT_GUARDABLE, "%s does not use libwayland-server: it is "
			"no compositor, or starts one, or brings its own wl_shm", program);
	if (findings->wlroots != NULL && findings->has_shm == findings->wlroots)
		errx(EXIT_NOT_GUARDABLE, "%s calls its wl_shm functions directly "
			"(linked with -Bsymbolic-functions?): they cannot be replaced",
			findings->wlroots);
	if (findings->has_shm != NULL)
		errx(EXIT_NOT_GUARDABLE, "%s brings its own wl_shm (or a statically "
			"linked wlroots), which cannot be replaced",
			findings->has_shm);
	errx(EXIT_NOT_GUARDABLE, "%s uses libwayland-server, but neither its "
		"wl_shm nor that of wlroots: one of its own cannot be replaced",
		program);
}

/* To be freed. NULL: not installed. */
static char *
find_object(const char *directory, const char *name)
{
	static const char *const places[] = {"", "shmguard/"};
	for (size_t i = 0; i < 2; i++) {
		char *path;
		if (asprintf(&path, "%s/%s%s", directory, places[i], name) < 0)
			err(EXIT_USAGE, NULL);
		if (access(path, R_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

__attribute__((format(printf, 3, 4)))
static void
add_object(struct guards *guards, char *path, const char *format, ...)
{
	if (strpbrk(path, ": ") != NULL)
		errx(EXIT_USAGE, "%s cannot be named in LD_PRELOAD, because of its "
			"colon or space", path);
	guards->objects[guards->count++] = path;

	size_t length = strlen(guards->text);
	char *text = guards->text + length;
	size_t size = sizeof(guards->text) - length;
	va_list args;
	va_start(args, format);
	vsnprintf(text, size, format, args);
	va_end(args);
}

static void
add_stock(struct guards *guards, const char *directory)
{
	char *path = find_object(directory, STOCK_LIBRARY);
	if (path == NULL)
		errx(EXIT_NOT_INSTALLED, "%s is not in %s", STOCK_LIBRARY,
			directory);
	add_object(guards, path, "libwayland's wl_shm by %s", path);
}

/* Which versions of wlroots there are objects for, in words. */
static void
list_wlroots_objects(const char *directory, char *list, size_t size)
{
	snprintf(list, size, "none");
	char pattern[4096];
	snprintf(pattern, sizeof(pattern), "%s/{,shmguard/}%s*.so", directory,
		WLROOTS_OBJECT);
	glob_t found;
	if (glob(pattern, GLOB_BRACE, NULL, &found) != 0)
		return;
	size_t length = 0;
	for (size_t i = 0; i < found.gl_pathc && length < size; i++) {
		const char *minor = strrchr(found.gl_pathv[i], '/') + 1 +
			strlen(WLROOTS_OBJECT);
		length += (size_t)snprintf(list + length, size - length, "%s0.%.*s",
			i > 0 ? ", " : "", (int)strcspn(minor, "."), minor);
	}
	globfree(&found);
}

static void
add_wlroots(struct guards *guards, const char *directory, unsigned int minor)
{
	char name[64];
	snprintf(name, sizeof(name), WLROOTS_OBJECT "%u.so", minor);
	char *path = find_object(directory, name);
	if (path == NULL) {
		char list[256];
		list_wlroots_objects(directory, list, sizeof(list));
		errx(EXIT_NOT_INSTALLED, "the guard for wlroots 0.%u (%s) is not in "
			"%s/shmguard; installed for wlroots: %s", minor, name,
			directory, list);
	}
	add_object(guards, path, "%swl_shm of wlroots 0.%u by %s",
		guards->count > 0 ? ", " : "", minor, path);
}

/* It guards what libwayland and wlroots do with descriptors besides. Without it
 * there is less, not nothing. */
static void
add_fds(struct guards *guards, const char *directory)
{
	char *path = find_object(directory, FDS_LIBRARY);
	if (path != NULL)
		add_object(guards, path, ", other descriptors by %s", path);
}

void
guards_choose(struct guards *guards, const struct closure *closure,
	const char *directory)
{
	*guards = (struct guards){0};
	struct findings findings = {0};
	for (size_t i = 0; i < closure->count; i++)
		examine(&findings, closure->paths[i]);

	if (findings.calls_wayland_shm)
		add_stock(guards, directory);
	if (findings.wlroots != NULL && findings.calls_wlroots_shm)
		add_wlroots(guards, directory, findings.wlroots_minor);
	if (guards->count == 0 && findings.calls_guard == NULL)
		refuse(&findings, closure->paths[0]);
	if (guards->count == 0)
		snprintf(guards->text, sizeof(guards->text), "wl_shm by %s itself",
			findings.calls_guard);
	add_fds(guards, directory);
}

void
guards_free(struct guards *guards)
{
	for (size_t i = 0; i < guards->count; i++)
		free(guards->objects[i]);
}
