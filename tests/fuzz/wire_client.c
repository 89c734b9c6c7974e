/* SPDX-License-Identifier: MIT */
#include "wire_client.h"

#include "fuzz.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DISPLAY 1
#define REGISTRY 2
#define DISPLAY_GET_REGISTRY 1
#define REGISTRY_BIND 0

#define HEADER 8
#define MESSAGE_MAX 64

static void
handle_server_destroy(struct wl_listener *listener, void *data)
{
	(void)data;
	struct wire_client *client =
		wl_container_of(listener, client, server_destroy);
	wl_list_remove(&client->server_destroy.link);
	client->server = NULL;
}

void
wire_client_connect(struct wire_client *client, struct wl_display *display)
{
	void (*serve)(void *) = client->serve;
	void *serve_data = client->serve_data;
	wire_client_disconnect(client);
	if (client->server != NULL)
		wl_list_remove(&client->server_destroy.link);
	*client = (struct wire_client){
		.next_number = REGISTRY + 1,
		.serve = serve,
		.serve_data = serve_data,
	};

	int ends[2];
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, ends) == 0, "%s", strerror(errno));
	client->fd = ends[0];
	client->server = wl_client_create(display, ends[1]);
	FUZZ_CHECK(client->server != NULL, "wl_client_create()");
	client->server_destroy.notify = handle_server_destroy;
	wl_client_add_destroy_listener(client->server, &client->server_destroy);
	wire_client_send(client, DISPLAY, DISPLAY_GET_REGISTRY,
		(uint32_t[]){REGISTRY}, 1, -1);
}

void
wire_client_disconnect(struct wire_client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
}

void
wire_client_drain(struct wire_client *client)
{
	char bytes[4096];
	while (client->fd >= 0 && recv(client->fd, bytes, sizeof(bytes),
			MSG_DONTWAIT) > 0)
		;
}

/* ---- Objects ---- */

uint32_t
wire_client_find(const struct wire_client *client, enum wire_kind kind,
	int32_t byte)
{
	if (byte >= 128)
		return (uint32_t)byte - 128;
	size_t count = client->count[kind];
	return count > 0 ? client->order[kind][(size_t)byte % count] : 0;
}

struct wire_object *
wire_client_object(struct wire_client *client, uint32_t number)
{
	return number < WIRE_OBJECTS ? &client->objects[number] : NULL;
}

uint32_t
wire_client_make(struct wire_client *client, enum wire_kind kind, int32_t byte,
	struct contents *contents)
{
	uint32_t number = (uint32_t)byte - 128;
	if (byte < 128)
		number = client->next_number++;
	struct wire_object *object = wire_client_object(client, number);
	if (object == NULL)
		return number;
	/* Which of the two the compositor will have is not known here. */
	object->contents = object->used ? NULL : contents;
	object->kind = kind;
	object->used = true;
	if (client->count[kind] < WIRE_OBJECTS)
		client->order[kind][client->count[kind]++] = (uint8_t)number;
	return number;
}

/* ---- Messages ---- */

static bool
send_once(struct wire_client *client, const void *bytes, size_t size, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec piece = {.iov_base = (void *)bytes, .iov_len = size};
	struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
	if (fd >= 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	return sendmsg(client->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 ||
		(errno != EAGAIN && errno != ETOOMANYREFS);
}

static void
send_bytes(struct wire_client *client, const void *bytes, size_t size, int fd)
{
	if (client->fd < 0 || size == 0)
		return;
	if (!send_once(client, bytes, size, fd)) {
		client->serve(client->serve_data);
		if (!send_once(client, bytes, size, fd))
			client->wild = true;
	}
}

void
wire_client_send_sized(struct wire_client *client, uint32_t object,
	uint16_t opcode, uint16_t size, const uint32_t *words, size_t count,
	int fd)
{
	uint32_t message[MESSAGE_MAX / sizeof(uint32_t)] = {
		object, (uint32_t)size << 16 | opcode,
	};
	memcpy(message + 2, words, count * sizeof(*words));
	const char *bytes = (const char *)message;
	size_t length = HEADER + count * sizeof(*words);

	send_bytes(client, client->rest, client->rest_size, -1);
	client->rest_size = 0;
	if (client->split > 0 && client->split < length) {
		client->rest_size = length - client->split;
		memcpy(client->rest, bytes + client->split, client->rest_size);
		length = client->split;
	}
	client->split = 0;
	send_bytes(client, bytes, length, fd);
	if (fd >= 0)
		close(fd);
}

void
wire_client_send(struct wire_client *client, uint32_t object, uint16_t opcode,
	const uint32_t *words, size_t count, int fd)
{
	wire_client_send_sized(client, object, opcode,
		(uint16_t)(HEADER + count * sizeof(*words)), words, count, fd);
}

void
wire_client_bind(struct wire_client *client, uint32_t name,
	const char *interface, uint32_t version, uint32_t number)
{
	uint32_t words[MESSAGE_MAX / sizeof(uint32_t) - 2] = {name};
	size_t length = strlen(interface) + 1;
	size_t padded = (length + 3) / 4;
	words[1] = (uint32_t)length;
	memcpy(words + 2, interface, length);
	words[2 + padded] = version;
	words[3 + padded] = number;
	wire_client_send(client, REGISTRY, REGISTRY_BIND, words, 4 + padded, -1);
}
