/* SPDX-License-Identifier: MIT */
#ifndef BUFFER_COPY_H
#define BUFFER_COPY_H

/*
 * An address for a buffer that is not mapped (tier COPIED), for hosts that want
 * one. It stays the same; the bytes are read from the file when an access begins
 * and are gone when it ends, so that only buffers in use take memory. Stores do
 * not reach the file: nobody says which accesses write, and to write back what
 * was only read would undo what the client drew meanwhile. Any thread.
 */

#include <shmguard/server.h>

struct buffer_copy;

/* Zeros, which take no memory. NULL: no memory. */
struct buffer_copy *buffer_copy_create(size_t size);
void buffer_copy_destroy(struct buffer_copy *copy);

/* Accesses of one buffer may nest: the outermost reads the file. */
void buffer_copy_begin(struct buffer_copy *copy,
	struct shmguard_buffer *buffer);
void buffer_copy_end(struct buffer_copy *copy);

/* For hosts that ask ahead of their access, or never begin any, the file is read
 * here too. */
void *buffer_copy_data(struct buffer_copy *copy,
	struct shmguard_buffer *buffer);

#endif
