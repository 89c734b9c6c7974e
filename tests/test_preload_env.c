/* SPDX-License-Identifier: MIT */
#include "harness.h"
#include "preload_env.h"

#include <string.h>

#define LIBRARY "/usr/lib/libguard.so.1"

/* LD_PRELOAD as `before` becomes `after`, or vanishes if that is NULL; the other
 * variables stay. */
static void
check(const char *before, const char *after)
{
	char first[] = "LD_PRELOADED=/usr/lib/libguard.so.1";
	char variable[256] = "LD_PRELOAD=";
	char last[] = "PATH=/usr/lib/libguard.so.1";
	strcat(variable, before);
	size_t length = strlen(variable);
	char *env[] = {first, variable, last, NULL};

	preload_env_remove(env, LIBRARY);
	char **rest = env;
	ck_assert_str_eq(*rest++, "LD_PRELOADED=/usr/lib/libguard.so.1");
	size_t left = 0;
	if (after != NULL) {
		ck_assert_ptr_eq(*rest++, variable);
		ck_assert_str_eq(variable + strlen("LD_PRELOAD="), after);
		left = strlen(variable);
	}
	ck_assert_str_eq(*rest++, "PATH=/usr/lib/libguard.so.1");
	ck_assert_ptr_null(*rest);
	for (; left < length; left++)
		ck_assert_int_eq(variable[left], '\0');
}

TEST(variable_goes_with_its_last_entry)
{
	check("/usr/lib/libguard.so.1", NULL);
	check("libguard.so.1", NULL);
	check("/usr/$LIB/libguard.so.1", NULL);
	check("libguard.so.1:/usr/lib/libguard.so.1", NULL);
	check(" ::libguard.so.1: ", NULL);
	check("", NULL);
}

TEST(entries_of_others_stay)
{
	check("/usr/lib/libguard.so.1:/lib/a.so", "/lib/a.so");
	check("/lib/a.so:/usr/lib/libguard.so.1", "/lib/a.so");
	check("/lib/a.so libguard.so.1:b.so", "/lib/a.so:b.so");
	check("/lib/a.so:b.so", "/lib/a.so:b.so");
	check("/lib/a.so b.so", "/lib/a.so b.so");
	check("libguard.so:xlibguard.so.1:libguard.so.11:/libguard.so.1/a",
		"libguard.so:xlibguard.so.1:libguard.so.11:/libguard.so.1/a");
}

TEST(every_variable_of_the_name_is_looked_at)
{
	char one[] = "LD_PRELOAD=libguard.so.1", two[] = "LD_PRELOAD=a.so";
	char three[] = "LD_PRELOAD=libguard.so.1:b.so";
	char *env[] = {one, two, three, NULL};
	preload_env_remove(env, LIBRARY);
	ck_assert_str_eq(env[0], "LD_PRELOAD=a.so");
	ck_assert_str_eq(env[1], "LD_PRELOAD=b.so");
	ck_assert_ptr_null(env[2]);
}

TEST(environment_may_be_empty)
{
	char *env[] = {NULL};
	preload_env_remove(env, "libguard.so.1");
	ck_assert_ptr_null(env[0]);
}
