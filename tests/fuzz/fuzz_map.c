/* SPDX-License-Identifier: MIT */

/*
 * Scripts of what is done with a peer's files through <shmguard/map.h>, and of what
 * the peer does to them meanwhile. Below Wayland: in 32 bit too.
 */

#include "accesses.h"
#include "client_files.h"
#include "fuzz.h"
#include "leftovers.h"
#include "policy_flags.h"
#include "script.h"

#include <errno.h>
#include <shmguard/map.h>
#include <stdlib.h>
#include <string.h>

#define MAPS 4
#define VIEWS 4

/* For sums that must not overflow where they are checked. */
typedef unsigned _BitInt(128) big;

struct world {
	struct client_files files;
	enum shmguard_handler handler;
	struct {
		struct shmguard_map *map; /* NULL: none */
		struct contents *contents;
		bool exact; /* no limit takes what the file still has */
	} maps[MAPS];
	struct access views[VIEWS];
};

#define OP(name, letters) \
	static void \
	name##_op(void *world, const int32_t *args) \
	{ \
		struct world *this = world; \
		client_##name(&this->files, args); \
	}
#include "file_ops.inc"
#undef OP

/* Negative numbers are the largest sizes. */
static size_t
size_of(int32_t number)
{
	return (size_t)number;
}

/* ---- Maps ---- */

static void
close_map(struct world *world, int slot)
{
	shmguard_map_close(world->maps[slot].map);
	world->maps[slot].map = NULL;
}

static void
close_map_op(void *world, const int32_t *args)
{
	close_map(world, args[0] % MAPS);
}

static struct shmguard_policy
make_policy(const struct world *world, int32_t tier, int32_t flags)
{
	struct shmguard_policy policy = {
		.unsealed = (enum shmguard_unsealed)(tier % 3),
		.blocking = (enum shmguard_blocking)(tier / 3 % 3),
		.handler = world->handler,
		.adopt_seals = flags & ADOPT_SEALS,
		.writable = flags & WRITABLE,
		.dump_client_memory = flags & DUMP,
	};
	if (flags & SMALL_LIMITS)
		policy.limits.client = (struct shmguard_usage){
			.mappings = 3,
			.bytes = 1 << 20,
			.descriptors = 1,
			.holes = 1 << 16,
		};
	return policy;
}

static void
open_op(void *data, const int32_t *args)
{
	struct world *world = data;
	int slot = args[0] % MAPS;
	struct contents *contents;
	int fd = client_files_dup(&world->files, args[1], &contents);
	if (fd < 0)
		return;
	close_map(world, slot);

	struct shmguard_policy policy = make_policy(world, args[3], args[4]);
	enum shmguard_reason reason = (enum shmguard_reason)-1;
	errno = 0;
	struct shmguard_map *map = shmguard_map_open(fd, size_of(args[2]),
		&policy, &reason);
	FUZZ_CHECK(reason <= SHMGUARD_REASON_QUOTA &&
		shmguard_reason_text(reason) != NULL, "reason %d", reason);
	FUZZ_CHECK(map != NULL || errno != 0, "refused without an errno, reason "
		"%s", shmguard_reason_name(reason));
	if (map != NULL)
		FUZZ_CHECK(shmguard_map_size(map) == size_of(args[2]) &&
			shmguard_map_tier(map) < SHMGUARD_TIER_REJECTED &&
			shmguard_map_reason(map) == reason, "%zu bytes, tier %d",
			shmguard_map_size(map), shmguard_map_tier(map));
	world->maps[slot].map = map;
	world->maps[slot].contents = contents;
	world->maps[slot].exact = !(args[4] & SMALL_LIMITS);
}

static void
resize_op(void *data, const int32_t *args)
{
	struct world *world = data;
	struct shmguard_map *map = world->maps[args[0] % MAPS].map;
	size_t size = size_of(args[1]);
	if (map == NULL)
		return;
	size_t before = shmguard_map_size(map);
	errno = 0;
	int status = shmguard_map_resize(map, size);
	FUZZ_CHECK(status == 0 ? size >= before && size > 0 : errno == EINVAL ||
		errno == EOVERFLOW || errno == ENOMEM || errno == EDQUOT ||
		errno == EPERM || errno == EFAULT, "%zu to %zu bytes: %s", before,
		size, strerror(errno));
	FUZZ_CHECK(shmguard_map_size(map) == (status == 0 ? size : before),
		"%zu bytes", shmguard_map_size(map));
}

/* ---- Accesses ---- */

static void
end(struct access *access)
{
	if (access_close(access))
		access_check_end(shmguard_view_end(&access->view));
}

static void
end_op(void *data, const int32_t *args)
{
	struct world *world = data;
	end(&world->views[args[0] % VIEWS]);
}

static void
begin(struct world *world, const int32_t *args, bool writable)
{
	struct access *access = &world->views[args[0] % VIEWS];
	int slot = args[1] % MAPS;
	struct shmguard_map *map = world->maps[slot].map;
	size_t offset = size_of(args[2]), length = size_of(args[3]);
	bool within = map != NULL && length > 0 &&
		(big)offset + length <= shmguard_map_size(map);
	if (map == NULL || (within && length > ACCESS_MAX))
		return;
	end(access);
	errno = 0;
	int status = writable ?
		shmguard_map_begin_write(map, offset, length, &access->view) :
		shmguard_map_begin_read(map, offset, length, &access->view);
	FUZZ_CHECK(status == 0 ? within : access_may_fail(writable) ||
		(errno == ERANGE && !within), "%zu bytes at %zu of %zu: %s",
		length, offset, shmguard_map_size(map), strerror(errno));
	if (status < 0)
		return;
	FUZZ_CHECK(access->view.size == length, "%zu bytes", access->view.size);
	access->open = true;
	access->writable = writable;
	access->exact = world->maps[slot].exact;
	access->contents = world->maps[slot].contents;
	access->offset = offset;
}

static void
begin_read_op(void *world, const int32_t *args)
{
	begin(world, args, false);
}

static void
begin_write_op(void *world, const int32_t *args)
{
	begin(world, args, true);
}

static void
look_op(void *data, const int32_t *args)
{
	struct world *world = data;
	access_look(&world->views[args[0] % VIEWS], &world->files,
		args[1] % 4 == 1);
}

static void
store_op(void *data, const int32_t *args)
{
	struct world *world = data;
	access_store(&world->views[args[0] % VIEWS], size_of(args[1]),
		size_of(args[2]));
}

static void
copy_op(void *data, const int32_t *args)
{
	struct world *world = data;
	int slot = args[0] % MAPS;
	struct shmguard_map *map = world->maps[slot].map;
	size_t offset = size_of(args[1]), stride = size_of(args[2]);
	size_t row = size_of(args[3]), rows = size_of(args[4]);
	size_t padding = (size_t)(args[5] % 16);
	if (map == NULL)
		return;
	big end = (big)offset + (big)rows * stride - stride + row;
	bool valid = row > 0 && rows > 0 && stride >= row &&
		end <= shmguard_map_size(map);
	big size = ((big)row + padding) * rows;
	if (valid && size > COPY_MAX)
		return;

	uint8_t *copy = rows_create(valid ? (size_t)size : 0);
	errno = 0;
	int status = shmguard_map_copy(map, offset, stride, row, rows, copy,
		row + padding);
	FUZZ_CHECK(valid ? status == 0 || errno == EFAULT || errno == ENOMEM :
		status < 0 && errno == ERANGE,
		"%zu rows of %zu, stride %zu, at %zu of %zu: %s", rows, row,
		stride, offset, shmguard_map_size(map), strerror(errno));
	if (valid && (status == 0 || errno == EFAULT))
		rows_check(&(struct rows){offset, stride, row, rows, padding},
			copy, &world->files, world->maps[slot].contents,
			status == 0 && world->maps[slot].exact);
	free(copy);
}

static void
read_fd_op(void *data, const int32_t *args)
{
	struct world *world = data;
	struct contents *contents;
	int fd = client_files_dup(&world->files, args[0], &contents);
	if (fd < 0)
		return;
	size_t offset = size_of(args[1]), size = size_of(args[2]);
	size_t limit = size_of(args[3]) % (COPY_MAX + 1);
	struct shmguard_policy policy = make_policy(world, args[4], 0);
	enum shmguard_reason reason = (enum shmguard_reason)-1;
	errno = 0;
	uint8_t *bytes = shmguard_read_fd(fd, offset, size, limit, &policy,
		&reason);
	FUZZ_CHECK(shmguard_reason_name(reason) != NULL, "reason %d", reason);
	if (bytes == NULL) {
		FUZZ_CHECK(errno != 0, "refused without an errno, reason %s",
			shmguard_reason_name(reason));
		return;
	}
	FUZZ_CHECK(size > 0 && size <= limit && bytes[size] == '\0',
		"%zu bytes of %zu", size, limit);
	client_files_check(&world->files, contents, bytes, size, offset, true);
	free(bytes);
}

static const struct script_op ops[] = {
#define OP(name, letters) {letters, name##_op},
#include "map_ops.inc"
#undef OP
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script script = {data, size};
	static struct world world;
	world = (struct world){
		.handler = (enum shmguard_handler)(script_take_byte(&script) % 3),
	};
	struct leftovers before;
	leftovers_begin(&before, world.handler == SHMGUARD_HANDLER_HOST);
	client_files_init(&world.files);

	script_run(&script, ops, sizeof(ops) / sizeof(*ops), &world);

	/* Views may be ended after their maps. */
	for (int i = 0; i < MAPS; i++)
		close_map(&world, i);
	for (int i = 0; i < VIEWS; i++)
		end(&world.views[i]);
	client_files_finish(&world.files);
	leftovers_check(&before);
	return 0;
}
