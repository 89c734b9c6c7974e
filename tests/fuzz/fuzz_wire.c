/* SPDX-License-Identifier: MIT */

/*
 * Scripts of what hostile clients send and do to their files, and of what the
 * compositor does with their buffers meanwhile. However it goes: nothing is read
 * but what was in the file or zeros, who behaves is served, who lost bytes that
 * were looked at is told, and in the end everything is given back.
 */

#include "fuzz.h"
#include "guard.h"
#include "leftovers.h"
#include "policy_flags.h"
#include "script.h"
#include "shm_buffer.h"
#include "shm_pool.h"
#include "wire.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The client that behaves. */
struct canary {
	struct wire_client client;
	};

#define CANARY_FILL 0x77
#define CANARY_SIZE 4096
#define CANARY_WIDTH 32

/* Of the event loop, at most. */
#define TURNS 1000

/* ---- What the compositor does ---- */

static void
check_line(enum shmguard_log_level level, const char *line, void *data)
{
	(void)level;
	(void)data;
	/* Clients choose part of it. */
	for (const char *c = line; *c != '\0'; c++)
		FUZZ_CHECK((unsigned char)*c < 0x80 && isprint((unsigned char)*c),
			"byte 0x%02x is logged", (unsigned char)*c);
}

static void
take_policy(struct script *script, struct shmguard_policy *policy,
	uint8_t *flags)
{
	uint8_t unsealed = script_take_byte(script);
	uint8_t handler = script_take_byte(script);
	*flags = script_take_byte(script);
	*policy = (struct shmguard_policy){
		.unsealed = (enum shmguard_unsealed)(unsealed % 3),
		.blocking = (enum shmguard_blocking)(unsealed / 3 % 3),
		.handler = (enum shmguard_handler)(handler % 3),
		.adopt_seals = *flags & ADOPT_SEALS,
		.writable = *flags & WRITABLE,
		.feedback = *flags & FEEDBACK,
		.log_debug = *flags & LOG_DEBUG,
		.dump_client_memory = *flags & DUMP,
		.log = check_line,
	};
	if (*flags & SMALL_LIMITS)
		policy->limits.client = (struct shmguard_usage){
			.pools = 4,
			.buffers = 6,
			.mappings = 9,
			.bytes = 1 << 20,
			.descriptors = 2,
			.holes = 1 << 16,
		};
}

void
wire_dispatch(void *world)
{
	struct wire *wire = world;
	struct wl_event_loop *loop = wl_display_get_event_loop(wire->display);
	struct pollfd ready = {wl_event_loop_get_fd(loop), POLLIN, 0};
	/* A turn serves 32 sockets; those of clients that have left count as well. */
	for (int i = 0; i < 3 || poll(&ready, 1, 0) == 1; i++) {
		FUZZ_CHECK(i < TURNS, "there is always something to do");
		wl_event_loop_dispatch(loop, 0);
	}
	wl_display_flush_clients(wire->display);
	for (int i = 0; i < WIRE_CLIENTS; i++)
		wire_client_drain(&wire->clients[i]);
}

void
wire_serve(void *world, const int32_t *args)
{
	(void)args;
	wire_dispatch(world);
}

void
wire_add_format(void *world, const int32_t *args)
{
	struct wire *wire = world;
	if (wire->guard == NULL)
		return;
	uint32_t format = wire_formats[(size_t)args[0] % wire_format_count];
	FUZZ_CHECK(shmguard_add_format(wire->guard, format) == 0 ||
		(errno == ENOTSUP && format == wire_formats[wire_format_count - 1]),
		"format 0x%08x: %s", format, strerror(errno));
}

static void
check_usage(const struct shmguard_usage *usage, const struct shmguard_usage *max)
{
	FUZZ_CHECK(usage->pools <= max->pools && usage->buffers <= max->buffers &&
		usage->mappings <= max->mappings && usage->bytes <= max->bytes &&
		usage->descriptors <= max->descriptors,
		"%zu pools, %zu buffers, %zu mappings, %zu bytes, %zu descriptors",
		usage->pools, usage->buffers, usage->mappings, usage->bytes,
		usage->descriptors);
}

void
wire_usage(void *world, const int32_t *args)
{
	struct wire *wire = world;
	struct wl_client *client = wire->clients[args[0] % WIRE_CLIENTS].server;
	if (wire->guard == NULL || client == NULL)
		return;
	struct shmguard_usage usage;
	struct shmguard_limits limits;
	shmguard_client_usage(wire->guard, client, &usage);
	shmguard_get_limits(wire->guard, &limits);
	check_usage(&usage, &limits.client);
}

void
wire_destroy_guard(void *world, const int32_t *args)
{
	(void)args;
	struct wire *wire = world;
	shmguard_destroy(wire->guard);
	wire->guard = NULL;
}

/* ---- Who behaves ---- */

static int
make_canary_file(void)
{
	static uint8_t bytes[CANARY_SIZE];
	memset(bytes, CANARY_FILL, sizeof(bytes));
	int fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	FUZZ_CHECK(fd >= 0 && write(fd, bytes, sizeof(bytes)) == sizeof(bytes) &&
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0, "%s", strerror(errno));
	return fd;
}

/* Does what every client does, and looks at the result from the other side. */
static void
canary_sings(struct wire *wire, struct canary *canary)
{
	struct wire_client *client = &canary->client;
	uint32_t shm = wire_client_find(client, WIRE_SHM, 0);
	uint32_t pool = wire_client_make(client, WIRE_POOL, 0, NULL);
	uint32_t number = wire_client_make(client, WIRE_BUFFER, 0, NULL);
	wire_client_send(client, shm, 0, (uint32_t[]){pool, CANARY_SIZE}, 2,
		make_canary_file());
	wire_client_send(client, pool, 0, (uint32_t[]){number, 0, CANARY_WIDTH,
		CANARY_WIDTH, 4 * CANARY_WIDTH, 0}, 6, -1);
	wire_dispatch(wire);
	wire_client_drain(client);

	FUZZ_CHECK(client->server != NULL, "a client that behaves is ended");
	struct wl_resource *resource =
		wl_client_get_object(client->server, number);
	FUZZ_CHECK(resource != NULL, "no wl_buffer");
	struct shmguard_buffer *buffer = shmguard_buffer_from_resource(resource);
	FUZZ_CHECK(buffer != NULL, "not guarded");
	FUZZ_CHECK(shmguard_buffer_tier(buffer) == SHMGUARD_TIER_SEALED,
		"tier %d", shmguard_buffer_tier(buffer));
	struct shmguard_view view;
	FUZZ_CHECK(shmguard_buffer_begin_read(buffer, &view) == 0, "%s",
		strerror(errno));
	const uint8_t *bytes = view.data;
	for (size_t i = 0; i < view.size; i++)
		FUZZ_CHECK(bytes[i] == CANARY_FILL, "0x%02x at %zu", bytes[i], i);
	FUZZ_CHECK(shmguard_buffer_end(buffer, &view) == 0, "%s",
		strerror(errno));
}

static void
canary_arrives(struct wire *wire, struct canary *canary)
{
	struct wire_client *client = &canary->client;
	*canary = (struct canary){.client = {
		.fd = -1, .serve = wire_dispatch, .serve_data = wire,
	}};
	wire_client_connect(client, wire->display);
	uint32_t shm = wire_client_make(client, WIRE_SHM, 0, NULL);
	wire_client_bind(client, 1, "wl_shm", 1, shm);
	canary_sings(wire, canary);
}

/* ---- Beginning and end ---- */

static const struct script_op ops[] = {
#define OP(name, letters) {letters, wire_##name},
#include "wire_ops.inc"
#undef OP
};

/* Who was looked at and has lost what there was to see is told so, and a client
 * that is in error does not live past its next request. */
static void
check_told(struct wire *wire)
{
	wire_dispatch(wire);
	for (int i = 0; i < WIRE_CLIENTS; i++)
		wire_client_send(&wire->clients[i], 1, 0,
			(uint32_t[]){wire->clients[i].next_number++}, 1, -1);
	wire_dispatch(wire);
	for (int i = 0; i < WIRE_HELD; i++) {
		const struct wire_held *held = &wire->held[i];
		if (held->buffer == NULL ||
				!shmguard_map_lost(held->buffer->pool->map))
			continue;
		for (int j = 0; j < WIRE_CLIENTS; j++)
			FUZZ_CHECK(wire->serials[j] != held->owner_serial ||
				wire->clients[j].server != held->owner,
				"client %d is not told of its loss", j);
	}
}

static void
finish(struct wire *wire, struct canary *canary, bool late)
{
	check_told(wire);
	if (!late)
		wire_let_go(wire);
	canary_sings(wire, canary);
	for (int i = 0; i < WIRE_CLIENTS; i++)
		wire_client_disconnect(&wire->clients[i]);
	wire_dispatch(wire);
	for (int i = 0; i < WIRE_CLIENTS; i++)
		FUZZ_CHECK(wire->clients[i].server == NULL,
			"client %d has left and is still there", i);
	FUZZ_CHECK(canary->client.server != NULL,
		"a client that behaves is ended");
	wire_client_disconnect(&canary->client);
	wl_display_destroy_clients(wire->display);
	wl_display_destroy(wire->display);
	wire_let_go(wire);
	client_files_finish(&wire->files);
}

__attribute__((format(printf, 1, 0)))
static void
ignore(const char *format, va_list args)
{
	(void)format;
	(void)args;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	signal(SIGPIPE, SIG_IGN);
	/* Protocol errors are what this is about. */
	wl_log_set_handler_server(ignore);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script script = {data, size};
	struct shmguard_policy policy;
	uint8_t flags;
	take_policy(&script, &policy, &flags);

	struct leftovers before;
	leftovers_begin(&before, policy.handler == SHMGUARD_HANDLER_HOST);

	static struct wire wire;
	static struct canary canary;
	wire = (struct wire){
		.display = wl_display_create(),
		.stock = flags & STOCK,
		.exact = !(flags & SMALL_LIMITS),
	};
	client_files_init(&wire.files);
	for (int i = 0; i < WIRE_CLIENTS; i++)
		wire.clients[i] = (struct wire_client){
			.fd = -1, .serve = wire_dispatch, .serve_data = &wire,
		};
	wire.guard = shmguard_create(wire.display, &policy);
	FUZZ_CHECK(wire.guard != NULL, "%s", strerror(errno));
	wire.guard->gives_addresses = wire.stock;
	canary_arrives(&wire, &canary);

	script_run(&script, ops, sizeof(ops) / sizeof(*ops), &wire);

	finish(&wire, &canary, flags & LATE);
	leftovers_check(&before);
	return 0;
}
