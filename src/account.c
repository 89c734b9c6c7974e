/* SPDX-License-Identifier: MIT */
#include "account.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define RESOURCES (RESOURCE_HOLES + 1)

static const struct {
	const char *name;
	size_t offset; /* in struct shmguard_usage */
	/* Nobody may hold more than what is free divided by this. Mappings come
	 * one by one and there are many; but a single pool of an ordinary
	 * client can be a quarter of a 32-bit process's addresses. */
	size_t share;
} resources[RESOURCES] = {
	[RESOURCE_POOLS] =
		{"pools", offsetof(struct shmguard_usage, pools), 1},
	[RESOURCE_BUFFERS] =
		{"buffers", offsetof(struct shmguard_usage, buffers), 1},
	[RESOURCE_MAPPINGS] =
		{"mappings", offsetof(struct shmguard_usage, mappings), 8},
	[RESOURCE_BYTES] =
		{"mapped bytes", offsetof(struct shmguard_usage, bytes), 1},
	[RESOURCE_DESCRIPTORS] =
		{"descriptors", offsetof(struct shmguard_usage, descriptors), 1},
	[RESOURCE_HOLES] =
		{"bytes of filled holes", offsetof(struct shmguard_usage, holes), 1},
};

struct account {
	_Atomic unsigned int references;
	struct shmguard_limits limits;
	_Atomic size_t held[RESOURCES];
	/* The resource refused last, and whether the total was to blame: one
	 * word, for whoever reads it while another thread is refused. */
	_Atomic unsigned int refused;
};

/* What is taken without need leaves all but one such part of the limits. */
#define PLENTY 4

#define REFUSED_FOR_TOTAL 0x100u

static _Atomic size_t held_by_all[RESOURCES];

static size_t *
field(struct shmguard_usage *usage, enum resource resource)
{
	return (size_t *)((char *)usage + resources[resource].offset);
}

static size_t
limit_of(const struct shmguard_usage *limits, enum resource resource)
{
	return *(const size_t *)((const char *)limits +
		resources[resource].offset);
}

struct account *
account_create(const struct shmguard_limits *limits)
{
	struct account *account = calloc(1, sizeof(*account));
	if (account == NULL)
		return NULL;
	account->references = 1;
	account->limits = *limits;
	return account;
}

struct account *
account_ref(struct account *account)
{
	atomic_fetch_add(&account->references, 1);
	return account;
}

void
account_unref(struct account *account)
{
	if (atomic_fetch_sub(&account->references, 1) == 1)
		free(account);
}

static size_t
add(size_t limit, size_t more)
{
	return more < SIZE_MAX - limit ? limit + more : SIZE_MAX;
}

static bool
take_own(struct account *account, enum resource resource, size_t amount,
	size_t limit, size_t *held)
{
	*held = atomic_load(&account->held[resource]);
	do {
		if (*held > limit || amount > limit - *held)
			return false;
	} while (!atomic_compare_exchange_weak(&account->held[resource], held,
		*held + amount));
	*held += amount;
	return true;
}

static bool
take_share(enum resource resource, size_t amount, size_t total, size_t held)
{
	size_t used = atomic_load(&held_by_all[resource]);
	do {
		if (used >= total ||
				held > (total - used) / resources[resource].share)
			return false;
	} while (!atomic_compare_exchange_weak(&held_by_all[resource], &used,
		used + amount));
	return true;
}

int
account_take(struct account *account, enum resource resource, size_t amount)
{
	return account_take_leniently(account, resource, amount, 0);
}

int
account_take_leniently(struct account *account, enum resource resource,
	size_t amount, size_t more)
{
	size_t held;
	unsigned int refused = resource;
	size_t limit = limit_of(&account->limits.client, resource);
	size_t total = limit_of(&account->limits.total, resource);
	if (!take_own(account, resource, amount, add(limit, more), &held))
		goto refuse;
	if (!take_share(resource, amount, add(total, more), held)) {
		atomic_fetch_sub(&account->held[resource], amount);
		refused |= REFUSED_FOR_TOTAL;
		goto refuse;
	}
	return 0;

refuse:
	account->refused = refused;
	errno = EDQUOT;
	return -1;
}

bool
account_take_if_plenty(struct account *account, enum resource resource,
	size_t amount)
{
	size_t held;
	size_t limit = limit_of(&account->limits.client, resource);
	size_t total = limit_of(&account->limits.total, resource);
	if (!take_own(account, resource, amount, limit / PLENTY, &held))
		return false;
	if (take_share(resource, amount, total / PLENTY, held))
		return true;
	atomic_fetch_sub(&account->held[resource], amount);
	return false;
}

void
account_give(struct account *account, enum resource resource, size_t amount)
{
	atomic_fetch_sub(&held_by_all[resource], amount);
	atomic_fetch_sub(&account->held[resource], amount);
}

int
account_take_mappings(struct account *account, size_t count, size_t bytes)
{
	if (account_take(account, RESOURCE_MAPPINGS, count) < 0)
		return -1;
	if (account_take(account, RESOURCE_BYTES, bytes) < 0) {
		account_give(account, RESOURCE_MAPPINGS, count);
		return -1;
	}
	return 0;
}

void
account_give_mappings(struct account *account, size_t count, size_t bytes)
{
	account_give(account, RESOURCE_BYTES, bytes);
	account_give(account, RESOURCE_MAPPINGS, count);
}

static void
read_usage(const _Atomic size_t held[RESOURCES], struct shmguard_usage *usage)
{
	for (enum resource i = 0; i < RESOURCES; i++)
		*field(usage, i) = held[i];
}

void
account_usage(const struct account *account, struct shmguard_usage *usage)
{
	read_usage(account->held, usage);
}

void
shmguard_total_usage(struct shmguard_usage *usage)
{
	read_usage(held_by_all, usage);
}

const char *
account_describe_refusal(const struct account *account, char *text,
	size_t size)
{
	unsigned int refused = account->refused;
	enum resource resource = refused & ~REFUSED_FOR_TOTAL;
	const char *name = resources[resource].name;
	if ((refused & REFUSED_FOR_TOTAL) == 0)
		snprintf(text, size, "over the limit of %zu %s for a client",
			limit_of(&account->limits.client, resource), name);
	else
		snprintf(text, size, "too few left of the limit of %zu %s for "
			"all clients", limit_of(&account->limits.total, resource),
			name);
	return text;
}
