/* SPDX-License-Identifier: MIT */
#ifndef PRELOAD_ENV_H
#define PRELOAD_ENV_H

/*
 * Keeps a preloaded library out of the programs that its host starts: when it is
 * loaded, its own entries leave LD_PRELOAD. Linking preload_env.c is all that a
 * library needs to do. What is declared here is for its tests.
 */

/* Removes the entries of LD_PRELOAD whose file name is that of `library`, a
 * path, and the variable when nothing is left. `env` is like environ. Its strings
 * are changed in place, so that whoever has them already sees it too, and
 * /proc/self/environ. Not while another thread uses the environment. */
void preload_env_remove(char **env, const char *library);

#endif
