/* SPDX-License-Identifier: MIT */
#include "wire.h"

#include "fuzz.h"
#include "pixel_layout.h"
#include "shm_buffer.h"
#include "shm_pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct wire_held *
held_at(void *world, int32_t slot)
{
	struct wire *wire = world;
	return &wire->held[slot % WIRE_HELD];
}

static struct wire_view *
view_at(void *world, int32_t slot)
{
	struct wire *wire = world;
	return &wire->views[slot % WIRE_VIEWS];
}

static bool
can_access(const struct wire_held *held)
{
	return held->buffer != NULL &&
		shmguard_buffer_size(held->buffer) <= ACCESS_MAX;
}

static size_t
offset_of(const struct shmguard_buffer *buffer)
{
	return (size_t)shmguard_buffer_offset(buffer);
}

/* ---- References ---- */

/* What makes a buffer safe to read, said in another way than the library does. */
static void
check_geometry(const struct shmguard_buffer *buffer)
{
	uint64_t size = shmguard_buffer_size(buffer);
	uint64_t rows = (uint64_t)shmguard_buffer_height(buffer);
	uint64_t stride = (uint64_t)shmguard_buffer_stride(buffer);
	FUZZ_CHECK(shmguard_buffer_offset(buffer) >= 0 &&
		size <= shmguard_map_size(buffer->pool->map) &&
		offset_of(buffer) + size <= shmguard_map_size(buffer->pool->map),
		"%zu bytes at %zu of a pool of %zu", (size_t)size,
		offset_of(buffer), shmguard_map_size(buffer->pool->map));
	FUZZ_CHECK(shmguard_buffer_width(buffer) > 0 && rows > 0 &&
		size >= rows * stride, "%zu bytes for %zu rows of %zu",
		(size_t)size, (size_t)rows, (size_t)stride);
}

static void
drop(struct wire *wire, struct wire_held *held)
{
	if (held->buffer == NULL)
		return;
	for (int i = 0; i < WIRE_VIEWS; i++) {
		if (wire->views[i].buffer == held->buffer)
			wire->views[i].buffer = NULL;
	}
	shmguard_buffer_unref(held->buffer);
	held->buffer = NULL;
}

void
wire_drop(void *world, const int32_t *args)
{
	drop(world, held_at(world, args[0]));
}

void
wire_hold(void *world, const int32_t *args)
{
	struct wire *wire = world;
	int slot = args[1] % WIRE_CLIENTS;
	struct wire_client *client = &wire->clients[slot];
	if (client->server == NULL)
		return;
	uint32_t number = wire_client_find(client, WIRE_BUFFER, args[2]);
	struct wl_resource *resource =
		wl_client_get_object(client->server, number);
	struct shmguard_buffer *buffer = resource == NULL ? NULL :
		shmguard_buffer_from_resource(resource);
	if (buffer == NULL)
		return;

	check_geometry(buffer);
	struct wire_held *held = held_at(world, args[0]);
	drop(wire, held);
	const struct wire_object *object = wire_client_object(client, number);
	*held = (struct wire_held){
		.buffer = shmguard_buffer_ref(buffer),
		.contents = client->wild || object == NULL ? NULL :
			object->contents,
		.owner = client->server,
		.owner_serial = wire->serials[slot],
	};
}

/* ---- Accesses ---- */

static void
end(struct wire_view *view, bool by_buffer)
{
	struct access *access = &view->access;
	if (access_close(access))
		access_check_end(by_buffer && view->buffer != NULL ?
			shmguard_buffer_end(view->buffer, &access->view) :
			shmguard_view_end(&access->view));
}

void
wire_end(void *world, const int32_t *args)
{
	end(view_at(world, args[0]), args[1] % 2 == 0);
}

static void
begin(struct wire *wire, const int32_t *args, bool writable)
{
	struct wire_view *view = view_at(wire, args[0]);
	const struct wire_held *held = held_at(wire, args[1]);
	struct access *access = &view->access;
	end(view, true);
	if (!can_access(held))
		return;
	errno = 0;
	int status = writable ?
		shmguard_buffer_begin_write(held->buffer, &access->view) :
		shmguard_buffer_begin_read(held->buffer, &access->view);
	/* The buffer lies in its pool, and the pool's map never shrinks. */
	FUZZ_CHECK(status == 0 || access_may_fail(writable), "%s",
		strerror(errno));
	if (status < 0)
		return;
	FUZZ_CHECK(access->view.size == shmguard_buffer_size(held->buffer),
		"%zu bytes", access->view.size);
	view->buffer = held->buffer;
	access->open = true;
	access->writable = writable;
	access->exact = wire->exact;
	access->contents = held->contents;
	access->offset = offset_of(held->buffer);
}

void
wire_begin_read(void *world, const int32_t *args)
{
	begin(world, args, false);
}

void
wire_begin_write(void *world, const int32_t *args)
{
	begin(world, args, true);
}

void
wire_look(void *world, const int32_t *args)
{
	const struct wire *wire = world;
	access_look(&view_at(world, args[0])->access, &wire->files,
		args[1] % 4 == 1);
}

void
wire_store(void *world, const int32_t *args)
{
	access_store(&view_at(world, args[0])->access, (size_t)args[1],
		(size_t)args[2]);
}

void
wire_copy(void *world, const int32_t *args)
{
	const struct wire *wire = world;
	const struct wire_held *held = held_at(world, args[0]);
	if (!can_access(held) || args[3] < 0 || args[3] > 64)
		return;
	struct shmguard_buffer *buffer = held->buffer;
	size_t row = pixel_layout_row(
		pixel_layout_find(shmguard_buffer_format(buffer)),
		shmguard_buffer_width(buffer));
	int32_t first = args[1], rows = args[2];
	size_t padding = (size_t)args[3], stride = row + padding;
	bool valid = first >= 0 && rows > 0 &&
		rows <= shmguard_buffer_height(buffer) - first;
	size_t size = valid ? stride * (size_t)rows : 0;
	if (size > COPY_MAX || row == 0)
		return;

	uint8_t *copy = rows_create(size);
	errno = 0;
	int status = shmguard_buffer_copy(buffer, first, rows, copy, stride);
	FUZZ_CHECK(valid ? status == 0 || errno == EFAULT || errno == ENOMEM :
		status < 0 && errno == ERANGE, "%s", strerror(errno));
	if (valid && (status == 0 || errno == EFAULT)) {
		size_t in_file = (size_t)shmguard_buffer_stride(buffer);
		rows_check(&(struct rows){
			.offset = offset_of(buffer) + (size_t)first * in_file,
			.stride = in_file,
			.row = row,
			.rows = (size_t)rows,
			.padding = padding,
		}, copy, &wire->files, held->contents,
			status == 0 && wire->exact);
	}
	free(copy);
}

static void
look_at(const struct wire *wire, const struct wire_held *held, const void *data)
{
	if (data != NULL)
		client_files_check(&wire->files, held->contents, data,
			shmguard_buffer_size(held->buffer),
			offset_of(held->buffer), wire->exact);
}

void
wire_look_at_data(void *world, const int32_t *args)
{
	const struct wire_held *held = held_at(world, args[0]);
	if (can_access(held))
		look_at(world, held, shmguard_buffer_data(held->buffer));
}

void
wire_stock_access(void *world, const int32_t *args)
{
	const struct wire *wire = world;
	const struct wire_held *held = held_at(world, args[0]);
	if (!can_access(held) || !wire->stock)
		return;
	struct wl_shm_buffer *buffer = (struct wl_shm_buffer *)held->buffer;
	wl_shm_buffer_begin_access(buffer);
	look_at(wire, held, wl_shm_buffer_get_data(buffer));
	/* Some hosts keep the address. */
	if (args[1] % 2 == 0)
		wl_shm_buffer_end_access(buffer);
	look_at(wire, held, wl_shm_buffer_get_data(buffer));
	if (args[1] % 2 == 1)
		wl_shm_buffer_end_access(buffer);
}

void
wire_let_go(struct wire *wire)
{
	for (int i = 0; i < WIRE_VIEWS; i++)
		end(&wire->views[i], true);
	for (int i = 0; i < WIRE_HELD; i++)
		drop(wire, &wire->held[i]);
}
