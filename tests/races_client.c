/* SPDX-License-Identifier: MIT */
#include "races_client.h"

#include "harness.h"
#include "memory_look.h"

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ODD_BYTES UINT64_C(0x0101010101010101)

const size_t pool_pages[POOL_SLOTS] = {1, 8, 16, 33, 64, 1100};

uint64_t
pool_key(struct pool_name name)
{
	uint64_t key = ((uint64_t)name.slot << 32 | name.generation) + 1;
	key *= UINT64_C(0x9e3779b97f4a7c15);
	return (key ^ key >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
}

uint64_t
drawn_word(uint64_t key, size_t index)
{
	uint64_t word = (key + index) * UINT64_C(0x94d049bb133111eb);
	return ((word ^ word >> 31) & ~REDRAWN_BITS) | ODD_BYTES;
}

static bool
draw(int fd, uint64_t key, size_t pages, uint64_t bits)
{
	uint64_t words[65536 / sizeof(uint64_t)];
	size_t page = page_size(), count = page / sizeof(uint64_t);
	for (size_t i = 0; i < pages; i++) {
		for (size_t j = 0; j < count; j++)
			words[j] = drawn_word(key, i * count + j) ^ bits;
		if (pwrite(fd, words, page, (off_t)(i * page)) != (ssize_t)page)
			return false;
	}
	return true;
}

static bool
send_fd(int connection, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.bytes = {0}};
	struct iovec iov = {.iov_base = &(char){0}, .iov_len = 1};
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	return sendmsg(connection, &message, 0) == 1;
}

struct client_file {
	int fd;
	uint64_t key;
	unsigned int turns;
};

static bool
answer(int connection, struct client_file *files)
{
	struct pool_name name;
	if (read(connection, &name, sizeof(name)) != sizeof(name))
		return false;
	struct client_file *file = &files[name.slot];
	if (file->fd >= 0)
		close(file->fd);
	file->key = pool_key(name);
	file->fd = memfd_create("pool", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return file->fd >= 0 &&
		draw(file->fd, file->key, pool_pages[name.slot], 0) &&
		send_fd(connection, file->fd);
}

/* Stays short until its turn comes again. */
static bool
truncate_or_redraw(struct client_file *file, size_t pages, unsigned int seed)
{
	size_t page = page_size(), kept = (seed >> 8) % (pages + 1);
	file->turns++;
	if (file->turns % 2 != 0)
		return ftruncate(file->fd, (off_t)(kept * page)) == 0;
	return ftruncate(file->fd, (off_t)(pages * page)) == 0 &&
		draw(file->fd, file->key, pages,
			file->turns % 4 != 0 ? REDRAWN_BITS : 0);
}

void
races_client_run(int connection)
{
	struct client_file files[POOL_SLOTS];
	struct pollfd poll_fd = {.fd = connection, .events = POLLIN};
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < POOL_SLOTS; i++)
		files[i] = (struct client_file){.fd = -1};
	for (unsigned int seed = 1;;) {
		seed = seed * 1103515245 + 12345;
		/* The last is a large one, and takes long to draw. */
		unsigned int last = seed >> 28 != 0 ? POOL_SLOTS - 1 : POOL_SLOTS;
		unsigned int slot = (seed >> 16) % last;
		if (poll(&poll_fd, 1, 0) > 0) {
			if (!answer(connection, files))
				break;
		} else if (files[slot].fd >= 0 && !truncate_or_redraw(
				&files[slot], pool_pages[slot], seed)) {
			_exit(1);
		}
	}
	_exit(0);
}

static int
receive_fd(int connection)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = &(char){0}, .iov_len = 1};
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	int fd;
	ck_assert_int_eq(recvmsg(connection, &message, MSG_CMSG_CLOEXEC), 1);
	ck_assert_ptr_nonnull(CMSG_FIRSTHDR(&message));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

int
races_client_ask(int connection, struct pool_name name)
{
	ck_assert_int_eq(write(connection, &name, sizeof(name)), sizeof(name));
	return receive_fd(connection);
}
