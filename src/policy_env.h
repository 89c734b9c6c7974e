/* SPDX-License-Identifier: MIT */
#ifndef POLICY_ENV_H
#define POLICY_ENV_H

/*
 * The policy of a program that was guarded without being asked: what its user
 * says in the environment. docs/guide.md lists the variables.
 */

#include <shmguard/map.h>

/* Changes what the environment says and leaves the rest of `policy` as it is,
 * but for the log function, which is replaced. A value that is not known gets a
 * line on stderr and changes nothing; an empty one is like none. A program that runs with privileges its
 * user does not have ignores the environment. Any thread, though not while
 * another one changes the environment. */
void policy_from_environment(struct shmguard_policy *policy);

/* For whoever sets the variables: the name of one whose value is not known, and
 * in *values what it can be, in words. NULL if all are good. Static storage. */
const char *policy_env_find_bad(const char **values);

#endif
