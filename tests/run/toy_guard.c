/* SPDX-License-Identifier: MIT */

/*
 * Stands for the preload object of a wlroots.
 */

#include <stddef.h>
#include <stdio.h>

void *wlr_shm_create_with_renderer(void);

void *
wlr_shm_create_with_renderer(void)
{
	printf("wl_shm of the guard\n");
	return NULL;
}
