/* SPDX-License-Identifier: MIT */
#ifndef FUZZ_CLIENT_FILES_H
#define FUZZ_CLIENT_FILES_H

/*
 * The files of a hostile client, and what can be read from them: all that is
 * ever written to one is the same byte, different from that of the others. So
 * whoever reads another one, and no zero, has read other memory. Only procfs's
 * have text of their own.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_FILES 8
#define CLIENT_CONTENTS 64

/* Of a file, however many descriptors it has. Until client_files_finish(). */
struct contents {
	/* 0: we have not written it. */
	uint8_t fill;
	/* From the start: never anything but `fill`, and cannot have been lost
	 * or become a hole. */
	size_t intact;
};

struct client_files {
	struct {
		int fd; /* -1: none */
		struct contents *contents;
	} slot[CLIENT_FILES];
	struct contents contents[CLIENT_CONTENTS];
	size_t count;
	bool have_text; /* the kernel's, in one of them */
};

void client_files_init(struct client_files *files);
void client_files_finish(struct client_files *files);

/* A descriptor to be sent or closed by the caller, -1 if there is none, and what
 * is in it, which may be NULL: nothing is known. */
int client_files_dup(const struct client_files *files, int slot,
	struct contents **contents);

/* The operations of file_ops.inc. */
void client_file(struct client_files *files, const int32_t *args);
void client_truncate(struct client_files *files, const int32_t *args);
void client_punch(struct client_files *files, const int32_t *args);
void client_write(struct client_files *files, const int32_t *args);
void client_seal(struct client_files *files, const int32_t *args);
void client_reopen(struct client_files *files, const int32_t *args);
void client_close(struct client_files *files, const int32_t *args);

/*
 * Looks at what was read from a file: `size` bytes, from `offset` on. `contents`
 * NULL: of some file of ours. `exact`: what is intact must have arrived. Touches
 * all of what is small and samples of what is large.
 */
void client_files_check(const struct client_files *files,
	const struct contents *contents, const uint8_t *bytes, size_t size,
	size_t offset, bool exact);

/* Whether this process has a mapping of any file that a client may have made. */
bool client_files_are_mapped(void);
/* Open descriptors of this process. */
int open_descriptors(void);

#endif
