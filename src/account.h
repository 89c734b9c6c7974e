/* SPDX-License-Identifier: MIT */
#ifndef ACCOUNT_H
#define ACCOUNT_H

/*
 * What one client holds of the things that this process has a limited number of,
 * and what it may hold (I9). All functions on any thread.
 *
 * A limit for each client does not help against many of them. So nobody may
 * hold more of a thing than a share of what is still free: whoever comes next
 * always finds some left, and when little is left those are refused first that
 * hold much.
 */

#include <shmguard/map.h>
#include <stdbool.h>

enum resource {
	RESOURCE_POOLS,
	RESOURCE_BUFFERS,
	RESOURCE_MAPPINGS,
	RESOURCE_BYTES,
	RESOURCE_DESCRIPTORS,
	RESOURCE_HOLES,
};

struct account;

/* With one reference, and limits that are resolved. NULL: no memory. */
struct account *account_create(const struct shmguard_limits *limits);
struct account *account_ref(struct account *account);
/* What was taken must have been given back. */
void account_unref(struct account *account);

/* 0, or -1 with errno EDQUOT and nothing taken. */
int account_take(struct account *account, enum resource resource,
	size_t amount);
/* The same as if the client's limit and the total were higher. */
int account_take_leniently(struct account *account, enum resource resource,
	size_t amount, size_t more);
/* For what could be done without: only while most of the client's limit and of the
 * total is left. Otherwise false, nothing is taken, and it is no refusal. */
bool account_take_if_plenty(struct account *account, enum resource resource,
	size_t amount);
void account_give(struct account *account, enum resource resource,
	size_t amount);

/* Both of a mapping. The same. */
int account_take_mappings(struct account *account, size_t count, size_t bytes);
void account_give_mappings(struct account *account, size_t count,
	size_t bytes);

void account_usage(const struct account *account,
	struct shmguard_usage *usage);

/* The limit that stood in the way last, in words. Returns `text`. */
const char *account_describe_refusal(const struct account *account, char *text,
	size_t size);

#endif
