/* SPDX-License-Identifier: MIT */
#ifndef SIEGE_DIRECTORY_H
#define SIEGE_DIRECTORY_H

/* Removes a directory with all that is in it, but nothing on other file
 * systems. */
void directory_remove(const char *path);

#endif
