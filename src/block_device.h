/* SPDX-License-Identifier: MIT */
#ifndef BLOCK_DEVICE_H
#define BLOCK_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Whether a block device is no disk, or lies on one that is none, by any number of
 * device-mapper or RAID volumes between. Behind a loop device is a file, and
 * desktops let users mount files of theirs: one on FUSE too. Behind others is a
 * program or a network. False for devices that the kernel does not list in /sys.
 *
 * Nobody is asked but the kernel. Any thread.
 */
bool block_device_is_foreign(uint32_t dev_major, uint32_t dev_minor);

/* The same by the kernel's name for it, e.g. "loop0", alone. */
bool block_device_name_is_foreign(const char *name);

/* The same for what a mount table calls the source of a mount, a path perhaps. */
bool block_device_source_is_foreign(const char *source);

#endif
