/* SPDX-License-Identifier: MIT */

/*
 * A mount table, as in /proc/self/mountinfo, and the mount that is looked for in
 * it: 12 bytes at the start, see identity_of(). The answer is compared with that of
 * a reader who has the whole table in memory.
 */

#include "block_device.h"
#include "filesystem.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define IDENTITY_SIZE 12
#define TOKEN_MAX 128 /* longer ones are none that matter */
#define FIELDS_MAX 64

/* ---- In place of what asks the system ---- */

bool
block_device_is_foreign(uint32_t dev_major, uint32_t dev_minor)
{
	(void)dev_major;
	return dev_minor == 13;
}

bool
block_device_source_is_foreign(const char *source)
{
	return strncmp(source, "/dev/loop", strlen("/dev/loop")) == 0;
}

/* ---- Another reader ---- */

static uint64_t
take_bytes(const uint8_t **data, int count)
{
	uint64_t value = 0;
	for (int i = 0; i < count; i++)
		value |= (uint64_t)*(*data)++ << 8 * i;
	return value;
}

static struct mount_identity
identity_of(const uint8_t *data)
{
	struct mount_identity identity = {.mount_id = take_bytes(&data, 4)};
	identity.dev_major = (uint32_t)take_bytes(&data, 4);
	identity.dev_minor = (uint32_t)take_bytes(&data, 4);
	return identity;
}

struct field {
	const char *text;
	size_t length;
};

static bool
is_word(struct field field, const char *word)
{
	return field.length == strlen(word) &&
		memcmp(field.text, word, field.length) == 0;
}

/* As strtoull() reads it; so blanks and signs are taken, which no kernel writes. */
static bool
is_number(struct field field, uint64_t wanted)
{
	char text[TOKEN_MAX], *end;
	if (field.length >= TOKEN_MAX)
		return false;
	memcpy(text, field.text, field.length);
	text[field.length] = '\0';
	unsigned long long value = strtoull(text, &end, 10);
	return end != text && end == text + field.length && value == wanted &&
		(value != UINT64_MAX || wanted == UINT64_MAX);
}

static bool
is_device(struct field field, const struct mount_identity *identity)
{
	const char *colon = memchr(field.text, ':', field.length);
	if (colon == NULL || field.length >= TOKEN_MAX)
		return false;
	struct field major = {field.text, (size_t)(colon - field.text)};
	struct field minor = {colon + 1, field.length - major.length - 1};
	return is_number(major, identity->dev_major) &&
		is_number(minor, identity->dev_minor);
}

static bool
is_foreign(struct field source, const struct mount_identity *identity)
{
	const char *prefix = source.length < TOKEN_MAX ? "/dev/loop" : "/dev/";
	return block_device_is_foreign(identity->dev_major,
		identity->dev_minor) || (source.length >= strlen(prefix) &&
		memcmp(source.text, prefix, strlen(prefix)) == 0);
}

static bool
type_may_block(struct field type)
{
	char text[TOKEN_MAX];
	size_t length = type.length < TOKEN_MAX ? type.length : TOKEN_MAX - 1;
	memcpy(text, type.text, length);
	text[length] = '\0';
	return filesystem_type_may_block(text);
}

/* All of a line; those past the last that matters are not needed. */
static size_t
split(const char *line, size_t length, struct field *fields)
{
	size_t count = 0;
	const char *start = line, *end = line + length;
	for (;;) {
		const char *space = memchr(start, ' ', (size_t)(end - start));
		const char *stop = space != NULL ? space : end;
		if (count < FIELDS_MAX)
			fields[count] = (struct field){start,
				(size_t)(stop - start)};
		count++;
		if (space == NULL)
			return count < FIELDS_MAX ? count : FIELDS_MAX;
		start = space + 1;
	}
}

enum opinion { NO_MATCH, SAME_DEVICE, SAME_MOUNT };

static enum opinion
judge_line(const char *line, size_t length,
	const struct mount_identity *identity, bool *blocks)
{
	struct field fields[FIELDS_MAX];
	size_t count = split(line, length, fields), dash = 6;
	while (dash < count && !is_word(fields[dash], "-"))
		dash++;
	if (dash + 2 >= count)
		return NO_MATCH;
	enum opinion opinion = NO_MATCH;
	if (is_device(fields[2], identity))
		opinion = SAME_DEVICE;
	if (identity->mount_id != 0 && is_number(fields[0], identity->mount_id))
		opinion = SAME_MOUNT;
	*blocks = type_may_block(fields[dash + 1]) ||
		is_foreign(fields[dash + 2], identity);
	return opinion;
}

/* Whether all that is known of the mount says that it is local. */
static bool
refer(const char *table, size_t size, const struct mount_identity *identity)
{
	bool local = false, blocking = false, blocks;
	const char *end = table + size, *newline;
	for (const char *line = table; (newline = memchr(line, '\n',
			(size_t)(end - line))) != NULL; line = newline + 1) {
		switch (judge_line(line, (size_t)(newline - line), identity,
				&blocks)) {
		case SAME_MOUNT:
			return blocks;
		case SAME_DEVICE:
			local |= !blocks;
			blocking |= blocks;
			break;
		case NO_MATCH:
			break;
		}
	}
	return blocking || !local;
}

/* A line with more fields than the other reader keeps, or with a NUL, which no
 * kernel writes. */
static bool
is_out_of_reach(const char *table, size_t size)
{
	size_t fields = 0;
	for (size_t i = 0; i < size; i++) {
		fields = table[i] == '\n' ? 0 : fields + (table[i] == ' ');
		if (fields >= FIELDS_MAX - 1 || table[i] == '\0')
			return true;
	}
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < IDENTITY_SIZE)
		return -1;
	struct mount_identity identity = identity_of(data);
	const char *table = (const char *)data + IDENTITY_SIZE;
	size_t length = size - IDENTITY_SIZE;

	int fd = memfd_create("x", MFD_CLOEXEC);
	FUZZ_CHECK(fd >= 0 && pwrite(fd, table, length, 0) == (ssize_t)length,
		"cannot write the table");
	bool may_block = filesystem_table_may_block(fd, &identity);
	close(fd);
	if (!is_out_of_reach(table, length))
		FUZZ_CHECK(may_block == refer(table, length, &identity),
			"%s for mount %llu, device %u:%u",
			may_block ? "can block" : "is local",
			(unsigned long long)identity.mount_id,
			identity.dev_major, identity.dev_minor);
	return 0;
}
