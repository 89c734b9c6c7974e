/* SPDX-License-Identifier: MIT */
#include "guarded_map.h"

#include "account.h"
#include "guarded_map_private.h"
#include "limit_defaults.h"
#include "log.h"
#include "map_generation.h"
#include "nosigbus_map.h"
#include "private_pages.h"
#include "reaper.h"
#include "sigbus_trap.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct shmguard_policy default_policy;

void
map_ref(struct shmguard_map *map)
{
	atomic_fetch_add(&map->references, 1);
}

void
map_unref(struct shmguard_map *map)
{
	if (atomic_fetch_sub(&map->references, 1) != 1)
		return;

	if (map->fd >= 0)
		reaper_close_last(map->fd, map->verdict.may_block);
	if (map->keeps_descriptor)
		account_give(map->account, RESOURCE_DESCRIPTORS, 1);
	account_unref(map->account);
	if (map->holds_trap)
		sigbus_trap_unref();
	if (map->notifier != NULL)
		fault_notifier_unref(map->notifier);
	pthread_mutex_destroy(&map->lock);
	free(map);
}

static void
generation_released(void *owner)
{
	map_unref(owner);
}

/* ---- Opening ---- */

static bool
handler_allowed(const struct shmguard_policy *policy)
{
	return policy->handler != SHMGUARD_HANDLER_NONE;
}

/* The tier that the table in the documentation gives a file. */
static enum shmguard_tier
choose_tier(struct fd_verdict *verdict, const struct shmguard_policy *policy)
{
	if (verdict->refused)
		return SHMGUARD_TIER_REJECTED;
	if (verdict->may_block && policy->blocking == SHMGUARD_BLOCKING_REJECT)
		return SHMGUARD_TIER_REJECTED;
	if (verdict->sealed)
		return SHMGUARD_TIER_SEALED;
	if (policy->unsealed == SHMGUARD_UNSEALED_REJECT) {
		verdict->reason = SHMGUARD_REASON_POLICY;
		return SHMGUARD_TIER_REJECTED;
	}
	if (policy->unsealed == SHMGUARD_UNSEALED_COPY || (verdict->may_block &&
			policy->blocking == SHMGUARD_BLOCKING_COPY))
		return SHMGUARD_TIER_COPIED;
	if (nosigbus_flag() != 0 && !verdict->hugetlb && !policy->writable)
		return SHMGUARD_TIER_NOSIGBUS;
	return handler_allowed(policy) ? SHMGUARD_TIER_TRAPPED : SHMGUARD_TIER_COPIED;
}

int
map_add_generation(struct shmguard_map *map, struct trap_range *_Atomic *current,
	struct client_mapping *mapping)
{
	struct map_generation_config config = {
		.account = map->account,
		.notify_fd = map->notifier ? fault_notifier_fd(map->notifier) : -1,
		.lost = &map->lost,
		/* The thread that closes a notifier's maps is the one that draws
		 * what they show, with few exceptions. */
		.views_at = map->notifier != NULL ? this_thread() : NULL,
		.owner = map,
		.released = generation_released,
		.can_block = map->verdict.may_block,
	};
	struct trap_range *range = map_generation_create(mapping, &config);
	if (range == NULL) {
		int saved_errno = errno;
		client_mapping_close(mapping);
		errno = saved_errno;
		return -1;
	}

	map_ref(map);
	struct trap_range *old = atomic_exchange(current, range);
	if (old != NULL) {
		map_generation_hand_over_holes(old, range);
		map_generation_unpin(old);
	}
	return 0;
}

int
map_from_descriptor(struct shmguard_map *map, size_t size, bool writable,
	struct client_mapping *mapping)
{
	return client_mapping_open(mapping, map->fd, &(struct map_request){
		.length = size,
		.block_size = map->verdict.block_size,
		.hugetlb = map->verdict.hugetlb,
		.writable = writable,
		.nosigbus = map->tier == SHMGUARD_TIER_NOSIGBUS,
		.dump = map->dump,
	});
}

/* Where a mapping cannot stand for its file the descriptor has to (I8). */
static int
keep_descriptor(struct shmguard_map *map)
{
	if (account_take(map->account, RESOURCE_DESCRIPTORS, 1) < 0)
		return -1;
	map->keeps_descriptor = true;
	return 0;
}

static bool
needs_descriptor(const struct shmguard_map *map,
	const struct client_mapping *mapping)
{
	return map->tier == SHMGUARD_TIER_COPIED || map->writes_by_copy ||
		!client_mapping_can_duplicate(mapping);
}

static int
make_first_mapping(struct shmguard_map *map, bool writable)
{
	struct client_mapping mapping;
	if (map_from_descriptor(map, map->size, writable, &mapping) < 0)
		return -1;

	if (map->tier == SHMGUARD_TIER_NOSIGBUS && !mapping.nosigbus)
		map->tier = map->handler_allowed ?
			SHMGUARD_TIER_TRAPPED : SHMGUARD_TIER_COPIED;
	map->writes_by_copy = map->tier == SHMGUARD_TIER_COPIED ||
		(mapping.nosigbus && !map->handler_allowed);
	bool keep = needs_descriptor(map, &mapping);

	if (map->tier == SHMGUARD_TIER_COPIED)
		client_mapping_close(&mapping);
	else if (map_add_generation(map, &map->reading, &mapping) < 0)
		return -1;
	if (keep)
		return keep_descriptor(map);
	/* Not the last of the file: the mapping has one. */
	if (map->verdict.may_block)
		reaper_close_blocking(map->fd);
	else
		close(map->fd);
	map->fd = -1;
	return 0;
}

static int
hold_trap(struct shmguard_map *map, const struct shmguard_policy *policy)
{
	if (policy->handler != SHMGUARD_HANDLER_INSTALL)
		return 0;
	if (sigbus_trap_ref() < 0)
		return -1;
	map->holds_trap = true;
	return 0;
}

void
guarded_map_warn_of_other_handler(const struct shmguard_policy *policy)
{
	if (policy->handler == SHMGUARD_HANDLER_INSTALL &&
			sigbus_trap_was_replaced())
		guard_log(policy, SHMGUARD_LOG_ERROR,
			"another SIGBUS handler was installed over ours: it must call "
			"shmguard_handle_sigbus() first, or clients can crash us");
}

/* I12 is asked for with calls that may fail: said once, not for each map. */
static void
warn_of_exposure(const struct shmguard_policy *policy)
{
	static atomic_flag looked = ATOMIC_FLAG_INIT;
	if (!atomic_flag_test_and_set(&looked) && !private_pages_can_be_kept())
		guard_log(policy, SHMGUARD_LOG_ERROR,
			"clients' memory will be in core dumps and in forked "
			"children: madvise: %s", strerror(errno));
}

static struct account *
make_account(const struct shmguard_policy *policy)
{
	struct shmguard_limits limits = policy->limits;
	limits_resolve(&limits);
	return account_create(&limits);
}

static struct shmguard_map *
make_map(const struct shmguard_policy *policy, const struct fd_verdict *verdict,
	enum shmguard_tier tier, struct account *account)
{
	struct shmguard_map *map = malloc(sizeof(*map));
	if (map == NULL)
		return NULL;
	bool has_handler = handler_allowed(policy);
	*map = (struct shmguard_map){
		.references = 1,
		.account = account != NULL ? account_ref(account) :
			make_account(policy),
		.verdict = *verdict,
		.tier = (unsigned char)tier,
		.reason = (unsigned char)verdict->reason,
		.handler_allowed = has_handler,
		.trap_allowed = has_handler &&
			policy->unsealed == SHMGUARD_UNSEALED_TRAP,
		.dump = policy->dump_client_memory,
		.blocking_deadline = policy->blocking_deadline != 0 ?
			policy->blocking_deadline :
			SHMGUARD_DEFAULT_BLOCKING_DEADLINE,
		.read_elsewhere = verdict->may_block &&
			policy->blocking == SHMGUARD_BLOCKING_COPY,
		.writes_by_copy = tier == SHMGUARD_TIER_COPIED,
	};
	if (map->account == NULL) {
		free(map);
		return NULL;
	}
	if (map->read_elsewhere)
		map->verdict.can_write = false;
	pthread_mutex_init(&map->lock, NULL);
	return map;
}

struct shmguard_map *
guarded_map_open(int fd, size_t size, const struct shmguard_policy *policy,
	struct account *account, struct fault_notifier *notifier, void *owner,
	enum shmguard_reason *reason_out)
{
	if (policy == NULL)
		policy = &default_policy;

	struct fd_verdict verdict = seal_check(fd, size, policy->adopt_seals);
	enum shmguard_tier tier = choose_tier(&verdict, policy);
	enum shmguard_reason reason = verdict.reason;
	int error = refusal_errno(reason);
	if (tier == SHMGUARD_TIER_REJECTED)
		goto refused;

	reason = SHMGUARD_REASON_TOO_LARGE;
	error = size == 0 ? EINVAL : EOVERFLOW;
	if (size == 0 || size > range_max_length() - (verdict.block_size - 1))
		goto refused;

	reason = SHMGUARD_REASON_NO_MEMORY;
	error = ENOMEM;
	struct shmguard_map *map = make_map(policy, &verdict, tier, account);
	if (map == NULL)
		goto refused;
	map->fd = fd;
	map->size = size;
	map->owner = owner;
	if (notifier != NULL)
		map->notifier = fault_notifier_ref(notifier);
	if (tier == SHMGUARD_TIER_COPIED ? keep_descriptor(map) < 0 :
			hold_trap(map, policy) < 0 ||
			make_first_mapping(map, policy->writable) < 0) {
		error = errno;
		if (error == EDQUOT)
			reason = SHMGUARD_REASON_QUOTA;
		else if (error != ENOMEM)
			reason = SHMGUARD_REASON_UNMAPPABLE;
		shmguard_map_close(map); /* and with it the descriptor */
		fd = -1;
		goto refused;
	}

	warn_of_exposure(policy);
	if (reason_out != NULL)
		*reason_out = verdict.reason;
	return map;

refused:
	/* By now another thread may have opened a file by that number. */
	if (fd >= 0 && (verdict.reason != SHMGUARD_REASON_BAD_FD ||
			verdict.may_block))
		reaper_close_last(fd, verdict.may_block);
	if (reason_out != NULL)
		*reason_out = reason;
	errno = error;
	return NULL;
}

struct shmguard_map *
shmguard_map_open(int fd, size_t size, const struct shmguard_policy *policy,
	enum shmguard_reason *reason)
{
	struct shmguard_map *map =
		guarded_map_open(fd, size, policy, NULL, NULL, NULL, reason);
	if (map != NULL)
		guarded_map_warn_of_other_handler(
			policy != NULL ? policy : &default_policy);
	return map;
}

void
shmguard_map_close(struct shmguard_map *map)
{
	if (map == NULL)
		return;

	/* Without the map's lock, which a thread may have held that a forked child
	 * does not have. */
	map_forget_lost_copy(map);
	struct trap_range *reading = atomic_exchange(&map->reading, NULL);
	struct trap_range *writing = atomic_exchange(&map->writing, NULL);

	if (writing != NULL)
		map_generation_unpin(writing);
	if (reading != NULL)
		map_generation_unpin(reading);
	map_unref(map);
}

/* ---- Facts ---- */

size_t
shmguard_map_size(const struct shmguard_map *map)
{
	return map->size;
}

enum shmguard_tier
shmguard_map_tier(const struct shmguard_map *map)
{
	return (enum shmguard_tier)map->tier;
}

enum shmguard_reason
shmguard_map_reason(const struct shmguard_map *map)
{
	return (enum shmguard_reason)map->reason;
}

bool
shmguard_map_lost(const struct shmguard_map *map)
{
	return map->lost;
}
