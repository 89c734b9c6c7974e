/* SPDX-License-Identifier: MIT */
#include "client_files.h"

#include "fuzz.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

/* Writing more takes time that is better spent on other inputs. */
#define WRITE_MAX ((size_t)256 << 10)

/* Zero is what is missing, and the highest bit is set in none of the bytes that
 * memory of other origin mostly has. */
#define FIRST_FILL 0x91

enum kind {
#define KIND(name) name,
#include "file_kinds.inc"
#undef KIND
	KINDS,
};

enum how {
#define HOW(name) name,
#include "file_kinds.inc"
#undef HOW
	HOWS,
};

void
client_files_init(struct client_files *files)
{
	*files = (struct client_files){0};
	for (int i = 0; i < CLIENT_FILES; i++)
		files->slot[i].fd = -1;
}

void
client_files_finish(struct client_files *files)
{
	for (int i = 0; i < CLIENT_FILES; i++)
		client_close(files, &i);
}

int
client_files_dup(const struct client_files *files, int slot,
	struct contents **contents)
{
	slot %= CLIENT_FILES;
	*contents = files->slot[slot].contents;
	int fd = files->slot[slot].fd;
	return fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
}

/* ---- Making them ---- */

static int
open_memfd(unsigned int flags)
{
	/* Also a test of what is logged. */
	return memfd_create("x pid=1\nname=%s \"\\", flags | MFD_CLOEXEC);
}

static int
one_end(const int ends[2])
{
	close(ends[1]);
	return ends[0];
}

static int
open_kind(enum kind kind)
{
	int ends[2];
	switch (kind) {
	case UNSEALABLE:
		return open_memfd(0);
	case SEALABLE:
	case SHRINK_SEALED:
	case WRITE_SEALED:
		return open_memfd(MFD_ALLOW_SEALING);
	case TMPFS:
		return open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	case LOCAL:
		return open(P_tmpdir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	case HUGETLB:
		return open_memfd(MFD_HUGETLB | MFD_ALLOW_SEALING);
	case SECRET:
#ifdef SYS_memfd_secret
		return (int)syscall(SYS_memfd_secret, O_CLOEXEC);
#else
		return -1;
#endif
	case PIPE:
		return pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0 ? -1 : one_end(ends);
	case DIRECTORY:
		return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	case SOCKET:
		return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0 ?
			-1 : one_end(ends);
	case EVENTFD:
		return eventfd(0, EFD_CLOEXEC);
	case ZERO:
		return open("/dev/zero", O_RDWR | O_CLOEXEC);
	case NOTHING:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	case PROCFS:
		return open("/proc/self/limits", O_RDONLY | O_CLOEXEC);
	default:
		return -1;
	}
}

static size_t
write_fill(int fd, uint8_t fill, int32_t offset, int32_t length)
{
	static uint8_t bytes[WRITE_MAX];
	if (offset < 0 || length <= 0)
		return 0;
	if ((size_t)length > sizeof(bytes))
		length = sizeof(bytes);
	memset(bytes, fill, (size_t)length);
	ssize_t written = pwrite(fd, bytes, (size_t)length, offset);
	return written > 0 ? (size_t)written : 0;
}

static bool
is_written_by_us(enum kind kind)
{
	return kind <= LOCAL;
}

static int
kind_seals(enum kind kind)
{
	switch (kind) {
	case SHRINK_SEALED:
		return F_SEAL_SHRINK;
	case WRITE_SEALED:
		return F_SEAL_SHRINK | F_SEAL_WRITE;
	default:
		return 0;
	}
}

void
client_file(struct client_files *files, const int32_t *args)
{
	int slot = args[0] % CLIENT_FILES;
	client_close(files, &slot);
	if (files->count == CLIENT_CONTENTS)
		return;
	enum kind kind = (enum kind)(args[1] % KINDS);
	int fd = open_kind(kind);
	if (fd < 0)
		return;

	struct contents *contents = &files->contents[files->count++];
	if (kind <= SECRET && args[2] >= 0 && ftruncate(fd, args[2]) == 0 &&
			is_written_by_us(kind)) {
		contents->fill = (uint8_t)(FIRST_FILL + files->count - 1);
		int32_t length = args[3] < args[2] ? args[3] : args[2];
		contents->intact = write_fill(fd, contents->fill, 0, length);
		if (kind_seals(kind) != 0)
			fcntl(fd, F_ADD_SEALS, kind_seals(kind));
	}
	files->have_text |= kind == PROCFS;
	files->slot[slot].fd = fd;
	files->slot[slot].contents = contents;
}

void
client_reopen(struct client_files *files, const int32_t *args)
{
	int slot = args[0] % CLIENT_FILES, from = args[1] % CLIENT_FILES;
	int old = files->slot[from].fd;
	if (old < 0)
		return;
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", old);
	int fd = -1;
	switch ((enum how)(args[2] % HOWS)) {
	case DUP:
		fd = fcntl(old, F_DUPFD_CLOEXEC, 0);
		break;
	case READ_ONLY:
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		break;
	case WRITE_ONLY:
		fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
		break;
	case PATH_ONLY:
		fd = open(path, O_PATH | O_CLOEXEC);
		break;
	default:
		break;
	}
	struct contents *contents = files->slot[from].contents;
	client_close(files, &slot);
	files->slot[slot].fd = fd;
	files->slot[slot].contents = contents;
}

/* ---- What clients do to them ---- */

void
client_close(struct client_files *files, const int32_t *args)
{
	int slot = args[0] % CLIENT_FILES;
	if (files->slot[slot].fd >= 0)
		close(files->slot[slot].fd);
	files->slot[slot].fd = -1;
	files->slot[slot].contents = NULL;
}

void
client_truncate(struct client_files *files, const int32_t *args)
{
	int slot = args[0] % CLIENT_FILES;
	if (files->slot[slot].fd < 0 || args[1] < 0 ||
			ftruncate(files->slot[slot].fd, args[1]) < 0)
		return;
	struct contents *contents = files->slot[slot].contents;
	if ((size_t)args[1] < contents->intact)
		contents->intact = 0;
}

void
client_punch(struct client_files *files, const int32_t *args)
{
	int slot = args[0] % CLIENT_FILES;
	if (files->slot[slot].fd >= 0 && fallocate(files->slot[slot].fd,
			FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, args[1],
			args[2]) == 0)
		files->slot[slot].contents->intact = 0;
}

void
client_write(struct client_files *files, const int32_t *args)
{
	int slot = args[0] % CLIENT_FILES;
	const struct contents *contents = files->slot[slot].contents;
	if (files->slot[slot].fd >= 0 && contents->fill != 0)
		write_fill(files->slot[slot].fd, contents->fill, args[1], args[2]);
}

void
client_seal(struct client_files *files, const int32_t *args)
{
	int slot = args[0] % CLIENT_FILES;
	if (files->slot[slot].fd >= 0)
		fcntl(files->slot[slot].fd, F_ADD_SEALS, args[1] & 0x1f);
}

/* ---- What others may see of them ---- */

static bool
is_from(const struct client_files *files, const struct contents *contents,
	uint8_t byte)
{
	if (byte == 0)
		return true;
	if (contents != NULL)
		return byte == contents->fill;
	return (byte >= FIRST_FILL && byte < FIRST_FILL + files->count) ||
		(files->have_text && isascii(byte));
}

/* The last byte is always one of them. */
static size_t
next_sample(size_t i, size_t size)
{
	size_t step = size <= 256 ? 1 : size <= 65536 ? 61 : size / 61;
	if (i + 1 == size)
		return size;
	return i + step < size ? i + step : size - 1;
}

void
client_files_check(const struct client_files *files,
	const struct contents *contents, const uint8_t *bytes, size_t size,
	size_t offset, bool exact)
{
	const volatile uint8_t *seen = bytes;
	for (size_t i = 0; i < size; i = next_sample(i, size)) {
		uint8_t byte = seen[i];
		if (contents != NULL && contents->fill == 0)
			continue;
		FUZZ_CHECK(is_from(files, contents, byte), "0x%02x at %zu of %zu, "
			"which lie at %zu of a file of 0x%02x", byte, i, size, offset,
			contents != NULL ? contents->fill : 0);
		FUZZ_CHECK(!exact || contents == NULL || byte != 0 ||
			offset + i >= contents->intact, "0 at %zu of %zu, which lie "
			"at %zu of a file that has 0x%02x up to %zu", i, size, offset,
			contents->fill, contents->intact);
	}
}

bool
client_files_are_mapped(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	FUZZ_CHECK(maps != NULL, "/proc/self/maps");
	char line[PATH_MAX + 256];
	bool found = false;
	while (!found && fgets(line, sizeof(line), maps) != NULL)
		found = strstr(line, "/memfd:x") != NULL ||
			strstr(line, "/secretmem") != NULL ||
			/* With more behind it is shared memory without a file. */
			strstr(line, "/dev/zero\n") != NULL ||
			strstr(line, "/proc/") != NULL ||
			strstr(line, "/#") != NULL; /* O_TMPFILE */
	fclose(maps);
	return found;
}

int
open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	FUZZ_CHECK(dir != NULL, "/proc/self/fd");
	int count = 0;
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}
