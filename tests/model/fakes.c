/* SPDX-License-Identifier: MIT */

/* What a map needs and has no part in races: in the least that it can be. */

#include "account.h"
#include "fork_lock.h"
#include "hole_check.h"
#include "limit_defaults.h"
#include "nosigbus_map.h"
#include "private_pages.h"
#include "seal_check.h"
#include "world.h"

#include <errno.h>
#include <shmguard/map.h>

struct account {
	char unused;
};

static struct account account;

struct account *
account_create(const struct shmguard_limits *limits)
{
	(void)limits;
	return &account;
}

struct account *
account_ref(struct account *unused)
{
	return unused;
}

void
account_unref(struct account *unused)
{
	(void)unused;
}

int
account_take(struct account *unused, enum resource resource, size_t amount)
{
	(void)unused;
	(void)resource;
	(void)amount;
	return 0;
}

int
account_take_leniently(struct account *unused, enum resource resource,
	size_t amount, size_t more)
{
	(void)more;
	return account_take(unused, resource, amount);
}

bool
account_take_if_plenty(struct account *unused, enum resource resource,
	size_t amount)
{
	return account_take(unused, resource, amount) == 0;
}

void
account_give(struct account *unused, enum resource resource, size_t amount)
{
	(void)unused;
	(void)resource;
	(void)amount;
}

int
account_take_mappings(struct account *unused, size_t count, size_t bytes)
{
	return account_take(unused, RESOURCE_MAPPINGS, count + bytes);
}

void
account_give_mappings(struct account *unused, size_t count, size_t bytes)
{
	account_give(unused, RESOURCE_MAPPINGS, count + bytes);
}

void
limits_resolve(struct shmguard_limits *limits)
{
	(void)limits;
}

size_t
hole_check_absent(const void *address, size_t length)
{
	(void)address;
	(void)length;
	return 0;
}

size_t
hole_check_swapped(void)
{
	return 0;
}

struct fd_verdict
seal_check(int fd, size_t size, bool adopt)
{
	(void)fd;
	(void)size;
	(void)adopt;
	return (struct fd_verdict){
		.reason = SHMGUARD_REASON_UNSEALABLE,
		.can_write = true,
		.block_size = world_page_size(),
	};
}

int
refusal_errno(enum shmguard_reason reason)
{
	(void)reason;
	return EINVAL;
}

/* Nobody forks. */
bool
fork_lock_take(struct fork_lock *lock)
{
	pthread_mutex_lock(&lock->mutex);
	return true;
}

void
fork_lock_give(struct fork_lock *lock)
{
	pthread_mutex_unlock(&lock->mutex);
}

bool
private_pages_can_be_kept(void)
{
	return true;
}

bool __wrap_client_mapping_can_duplicate(const struct client_mapping *mapping);
bool
__wrap_client_mapping_can_duplicate(const struct client_mapping *mapping)
{
	return mapping->shared;
}

int __wrap_nosigbus_flag(void);
int
__wrap_nosigbus_flag(void)
{
	return 0;
}
