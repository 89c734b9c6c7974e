/* SPDX-License-Identifier: MIT */
#include "preload_env.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define VARIABLE "LD_PRELOAD="
#define SEPARATORS ": " /* of the dynamic linker */

/* The dynamic linker may have found it by searching, or replaced $LIB: but the
 * last component is always as it was written. */
static bool
is_file_name(const char *entry, size_t length, const char *name)
{
	const char *slash = memrchr(entry, '/', length);
	if (slash != NULL) {
		length -= (size_t)(slash + 1 - entry);
		entry = slash + 1;
	}
	return length == strlen(name) && memcmp(entry, name, length) == 0;
}

/* Each entry is kept with the separator before it. */
static void
remove_from_list(char *list, const char *name)
{
	const char *in = list;
	char *out = list;
	char separator = '\0';
	for (;;) {
		size_t length = strcspn(in, SEPARATORS);
		const char *next = in + length;
		char next_separator = *next;
		if (length > 0 && !is_file_name(in, length, name)) {
			if (out > list)
				*out++ = separator;
			memmove(out, in, length);
			out += length;
		}
		if (next_separator == '\0')
			break;
		separator = next_separator;
		in = next + 1;
	}
	/* /proc/self/environ shows what is behind the end of a string too. */
	memset(out, 0, strlen(out));
}

void
preload_env_remove(char **env, const char *library)
{
	const char *slash = strrchr(library, '/');
	const char *name = slash != NULL ? slash + 1 : library;

	char **out = env;
	for (char **in = env; *in != NULL; in++) {
		char *list = *in + strlen(VARIABLE);
		bool drop = false;
		if (strncmp(*in, VARIABLE, strlen(VARIABLE)) == 0) {
			remove_from_list(list, name);
			drop = *list == '\0';
		}
		if (drop)
			memset(*in, 0, strlen(*in));
		else
			*out++ = *in;
	}
	*out = NULL;
}

__attribute__((constructor))
static void
leave_environment(void)
{
	Dl_info info;
	if (environ != NULL &&
			dladdr((void *)(uintptr_t)preload_env_remove, &info) != 0)
		preload_env_remove(environ, info.dli_fname);
}
