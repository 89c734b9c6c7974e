/* SPDX-License-Identifier: MIT */
#ifndef SIEGE_ATTACK_H
#define SIEGE_ATTACK_H

/*
 * The attacks: one table for each family, one file for each table.
 */

#include "client.h"

/* What became of a client. */
enum outcome {
	OUTCOME_SERVED = 1 << 0,       /* as if nothing had happened */
	OUTCOME_TOLD = 1 << 1,         /* a protocol error said what was wrong */
	OUTCOME_DISCONNECTED = 1 << 2, /* no word, but others are served */
	OUTCOME_WRONG = 1 << 3,        /* served, but not as it should be */
	OUTCOME_HUNG = 1 << 4,         /* nobody is served any more */
	OUTCOME_DIED = 1 << 5,         /* there is no compositor any more */
	OUTCOME_SKIPPED = 1 << 6,      /* the attack could not be made here */
	/* As if nothing had happened; but the memory that is bad when it is read
	 * was never read. */
	OUTCOME_UNREAD = 1 << 7,
	OUTCOME_STARVED = 1 << 8, /* others are refused what is their due */
};

/* The compositor is free to choose. */
#define OUTCOME_ANY_SAFE \
	(OUTCOME_SERVED | OUTCOME_TOLD | OUTCOME_DISCONNECTED)

/* Exit status: 0 means that the outcome is an accepted one. */
#define EXIT_NOT_ACCEPTED 1
#define EXIT_UNABLE 2 /* no compositor, or the system refused us something */
#define EXIT_DIED 3
#define EXIT_HUNG 4
#define EXIT_SKIPPED 77

struct attack {
	const char *name;
	const char *about;     /* what the client does */
	const char *expected;  /* what a correct compositor does */
	const char *rule;      /* where that is written or was seen */
	unsigned int accepted; /* OUTCOME_* bits */
	/* The memory is bad only when it is read: to be served proves nothing
	 * unless client->witness says that it was. */
	bool reads;
	/* It may hide every other window, whose frames then need not come. */
	bool covers;
	unsigned int cases;    /* 0 is one; each has a connection of its own */
	/* Called with a window that is presented. Whatever it leaves behind in
	 * the client goes with the connection. */
	void (*run)(struct client *client, unsigned int number);
	/* Undoes what had to last until the verdict. May be NULL. */
	void (*finish)(void);
};

/* Each ends with an entry without a name. */
extern const struct attack backing_attacks[];
extern const struct attack capture_attacks[];
extern const struct attack descriptor_attacks[];
extern const struct attack flood_attacks[];
extern const struct attack friendly_clients[];
extern const struct attack fuse_attacks[];
extern const struct attack keymap_attacks[];
extern const struct attack layout_attacks[];
extern const struct attack lifetime_attacks[];
extern const struct attack role_attacks[];
extern const struct attack size_attacks[];
extern const struct attack truncate_attacks[];

/* How many objects a flood makes. */
extern unsigned int flood_size;

/* Says what became of the client, in a word and a line, and looks at the
 * compositor from the outside. `reads` is the attack's. */
enum outcome judge_client(struct client *client, bool reads, char *text,
	size_t size);

const char *outcome_word(enum outcome outcome);

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#endif
