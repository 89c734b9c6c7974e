/* SPDX-License-Identifier: MIT */
#ifndef RACES_CLIENT_H
#define RACES_CLIENT_H

/*
 * A client in a process of its own that makes pools when asked to, and otherwise
 * truncates and redraws those that it has made.
 */

#include <stddef.h>
#include <stdint.h>

/* A pool's index, and how many there were of that index before. */
struct pool_name {
	unsigned int slot, generation;
};

enum { POOL_SLOTS = 6 };

/* By slot: from a cursor to what only the reaper unmaps. */
extern const size_t pool_pages[POOL_SLOTS];

/* Names a pool in every byte of its file. */
uint64_t pool_key(struct pool_name name);

/* What the client draws as the pool's word number `index`. All bytes are odd;
 * those of everybody else should be even. */
uint64_t drawn_word(uint64_t key, size_t index);
/* And every second time, with these bits turned over. */
#define REDRAWN_BITS UINT64_C(0x8080808080808080)

/* Serves the connection until its other side is closed, and exits with 0. */
_Noreturn void races_client_run(int connection);

/* Asks it for a pool: a memfd that is unsealed, drawn, and the caller's. Fails the
 * test on errors. */
int races_client_ask(int connection, struct pool_name name);

#endif
