/* SPDX-License-Identifier: MIT */
#ifndef FUZZ_WIRE_CLIENT_H
#define FUZZ_WIRE_CLIENT_H

/*
 * A client that writes its messages itself, right and wrong ones, and does not
 * care for the answers.
 */

#include "client_files.h"

#include <wayland-server-core.h>

#define WIRE_OBJECTS 128 /* numbers below that are remembered */

enum wire_kind {
	WIRE_NOTHING,
	WIRE_SHM,
	WIRE_FEEDBACK_MANAGER,
	WIRE_POOL,
	WIRE_BUFFER,
	WIRE_FEEDBACK,
	WIRE_KINDS,
};

/* What a client made, as it should be if the compositor agreed. */
struct wire_object {
	enum wire_kind kind;
	struct contents *contents; /* NULL: one of many */
	bool used; /* before, by that number */
};

struct wire_client {
	int fd;                    /* -1: not connected */
	struct wl_client *server;  /* NULL once disconnected */
	struct wl_listener server_destroy;
	uint32_t next_number;
	struct wire_object objects[WIRE_OBJECTS];
	/* From order of creation to number. */
	uint8_t order[WIRE_KINDS][WIRE_OBJECTS];
	size_t count[WIRE_KINDS];
	/* A message was sent that made who knows what of who knows which file. */
	bool wild;
	uint8_t split; /* the next message is cut there, 0: not */
	uint8_t rest[64]; /* of the message that was cut */
	size_t rest_size;
	/* Serves the display: its socket is full. */
	void (*serve)(void *data);
	void *serve_data;
};

/* The compositor must be served afterwards. */
void wire_client_connect(struct wire_client *client, struct wl_display *display);
void wire_client_disconnect(struct wire_client *client);

/* Reads and drops what has been sent to the client. */
void wire_client_drain(struct wire_client *client);

/* The number of an existing object of that kind, or of a new one, for the byte
 * in the script. */
uint32_t wire_client_find(const struct wire_client *client, enum wire_kind kind,
	int32_t byte);
uint32_t wire_client_make(struct wire_client *client, enum wire_kind kind,
	int32_t byte, struct contents *contents);
struct wire_object *wire_client_object(struct wire_client *client,
	uint32_t number);

/* Sends a message of `count` words. `size` is what its header claims. The
 * descriptor, -1 for none, is closed. */
void wire_client_send_sized(struct wire_client *client, uint32_t object,
	uint16_t opcode, uint16_t size, const uint32_t *words, size_t count,
	int fd);
void wire_client_send(struct wire_client *client, uint32_t object,
	uint16_t opcode, const uint32_t *words, size_t count, int fd);
void wire_client_bind(struct wire_client *client, uint32_t name,
	const char *interface, uint32_t version, uint32_t number);

#endif
