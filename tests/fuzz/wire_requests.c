/* SPDX-License-Identifier: MIT */
#include "wire.h"

#include "fuzz.h"

/* Opcodes of requests, in the order of the protocols' XML. */
#define DISPLAY_SYNC 0
#define SHM_CREATE_POOL 0
#define POOL_CREATE_BUFFER 0
#define POOL_DESTROY 1
#define POOL_RESIZE 2
#define BUFFER_DESTROY 0
#define MANAGER_GET_POOL_FEEDBACK 1
#define FEEDBACK_DESTROY 0

const uint32_t wire_formats[] = {
#define FORMAT_NAME(name, number) number,
#include "wire_formats.inc"
#undef FORMAT_NAME
};
const size_t wire_format_count = sizeof(wire_formats) / sizeof(*wire_formats);

enum global {
#define GLOBAL(name) name,
#include "wire_globals.inc"
#undef GLOBAL
	GLOBALS,
};

#define OP(name, letters) \
	void \
	wire_##name(void *world, const int32_t *args) \
	{ \
		struct wire *wire = world; \
		client_##name(&wire->files, args); \
	}
#include "file_ops.inc"
#undef OP

static struct wire_client *
client_of(void *world, const int32_t *args)
{
	struct wire *wire = world;
	return &wire->clients[args[0] % WIRE_CLIENTS];
}

void
wire_connect(void *world, const int32_t *args)
{
	struct wire *wire = world;
	wire_client_connect(client_of(world, args), wire->display);
	wire->serials[args[0] % WIRE_CLIENTS] = ++wire->last_serial;
}

void
wire_disconnect(void *world, const int32_t *args)
{
	wire_client_disconnect(client_of(world, args));
}

void
wire_bind(void *world, const int32_t *args)
{
	static const struct {
		uint32_t name;
		const char *interface;
		enum wire_kind kind;
	} globals[GLOBALS] = {
		[SHM] = {1, "wl_shm", WIRE_SHM},
		[MANAGER] = {2, "shmguard_feedback_manager_v1",
			WIRE_FEEDBACK_MANAGER},
		[WRONG_NAME] = {2, "wl_shm", WIRE_SHM},
		[WRONG_INTERFACE] = {1, "wl_seat", WIRE_NOTHING},
	};
	struct wire_client *client = client_of(world, args);
	size_t i = (size_t)args[1] % GLOBALS;
	uint32_t number = wire_client_make(client, globals[i].kind, args[3], NULL);
	wire_client_bind(client, globals[i].name, globals[i].interface,
		(uint32_t)args[2], number);
}

void
wire_create_pool(void *world, const int32_t *args)
{
	struct wire *wire = world;
	struct wire_client *client = client_of(world, args);
	struct contents *contents;
	int fd = client_files_dup(&wire->files, args[3], &contents);
	uint32_t shm = wire_client_find(client, WIRE_SHM, args[1]);
	uint32_t number = wire_client_make(client, WIRE_POOL, args[2], contents);
	wire_client_send(client, shm, SHM_CREATE_POOL,
		(uint32_t[]){number, (uint32_t)args[4]}, 2, fd);
}

void
wire_create_buffer(void *world, const int32_t *args)
{
	struct wire_client *client = client_of(world, args);
	uint32_t pool = wire_client_find(client, WIRE_POOL, args[1]);
	const struct wire_object *object = wire_client_object(client, pool);
	uint32_t number = wire_client_make(client, WIRE_BUFFER, args[2],
		object != NULL && object->kind == WIRE_POOL ?
			object->contents : NULL);
	wire_client_send(client, pool, POOL_CREATE_BUFFER, (uint32_t[]){
		number, (uint32_t)args[3], (uint32_t)args[4], (uint32_t)args[5],
		(uint32_t)args[6],
		wire_formats[(size_t)args[7] % wire_format_count],
	}, 6, -1);
}

void
wire_resize(void *world, const int32_t *args)
{
	struct wire_client *client = client_of(world, args);
	wire_client_send(client, wire_client_find(client, WIRE_POOL, args[1]),
		POOL_RESIZE, (uint32_t[]){(uint32_t)args[2]}, 1, -1);
}

static void
destroy(struct wire_client *client, enum wire_kind kind, int32_t which,
	uint16_t opcode)
{
	wire_client_send(client, wire_client_find(client, kind, which), opcode,
		(uint32_t[]){0}, 0, -1);
}

void
wire_destroy_pool(void *world, const int32_t *args)
{
	destroy(client_of(world, args), WIRE_POOL, args[1], POOL_DESTROY);
}

void
wire_destroy_buffer(void *world, const int32_t *args)
{
	destroy(client_of(world, args), WIRE_BUFFER, args[1], BUFFER_DESTROY);
}

void
wire_destroy_feedback(void *world, const int32_t *args)
{
	destroy(client_of(world, args), WIRE_FEEDBACK, args[1],
		FEEDBACK_DESTROY);
}

void
wire_get_feedback(void *world, const int32_t *args)
{
	struct wire_client *client = client_of(world, args);
	uint32_t manager =
		wire_client_find(client, WIRE_FEEDBACK_MANAGER, args[1]);
	uint32_t pool = wire_client_find(client, WIRE_POOL, args[3]);
	uint32_t number = wire_client_make(client, WIRE_FEEDBACK, args[2], NULL);
	wire_client_send(client, manager, MANAGER_GET_POOL_FEEDBACK,
		(uint32_t[]){number, pool}, 2, -1);
}

/* Whatever is wrong with a message can be wrong with this one. */
void
wire_raw(void *world, const int32_t *args)
{
	struct wire *wire = world;
	struct wire_client *client = client_of(world, args);
	struct contents *contents;
	int fd = client_files_dup(&wire->files, args[7], &contents);
	const uint32_t words[] = {
		(uint32_t)args[4], (uint32_t)args[5], (uint32_t)args[6],
	};
	size_t count = args[3] > 8 && args[3] <= 20 ?
		(size_t)(args[3] - 8) / sizeof(*words) : 3;
	client->wild = true;
	wire_client_send_sized(client, (uint32_t)args[1], (uint16_t)args[2],
		(uint16_t)args[3], words, count, fd);
}

void
wire_split(void *world, const int32_t *args)
{
	client_of(world, args)->split = (uint8_t)args[1];
}
