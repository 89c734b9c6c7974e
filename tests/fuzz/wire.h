/* SPDX-License-Identifier: MIT */
#ifndef FUZZ_WIRE_H
#define FUZZ_WIRE_H

/*
 * A compositor with a guarded wl_shm, hostile clients and one that behaves, all in
 * one thread. What clients do is in wire_requests.c, what the compositor does with
 * their buffers in wire_accesses.c.
 */

#include "accesses.h"
#include "client_files.h"
#include "wire_client.h"

#include <shmguard/server.h>
#include <stdbool.h>

#define WIRE_CLIENTS 3
#define WIRE_HELD 4
#define WIRE_VIEWS 4

/* The formats of wire_formats.inc. */
extern const uint32_t wire_formats[];
extern const size_t wire_format_count;

/* Has a reference. */
struct wire_held {
	struct shmguard_buffer *buffer; /* NULL: none */
	struct contents *contents;      /* of its pool's file; NULL: one of many */
	struct wl_client *owner;        /* only to be compared with */
	uint64_t owner_serial;
};

struct wire_view {
	struct access access;
	struct shmguard_buffer *buffer; /* NULL: nobody holds it any more */
};

struct wire {
	struct wl_display *display;
	struct shmguard *guard; /* NULL once destroyed */
	struct client_files files;
	struct wire_client clients[WIRE_CLIENTS];
	uint64_t serials[WIRE_CLIENTS]; /* of connections */
	uint64_t last_serial;
	struct wire_held held[WIRE_HELD];
	struct wire_view views[WIRE_VIEWS];
	bool stock;  /* buffers have addresses for libwayland's functions */
	bool exact;  /* no limit can take from a client what its files still have */
};

/* Lets the compositor work on what has arrived. */
void wire_dispatch(void *world);

/* Ends all accesses and gives all buffers back. */
void wire_let_go(struct wire *wire);

#define OP(name, letters) void wire_##name(void *world, const int32_t *args);
#include "wire_ops.inc"
#undef OP

#endif
