/* SPDX-License-Identifier: MIT */
#include "pool.h"

#include "attack.h"

#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const struct claim picture = {
	.width = PICTURE_WIDTH,
	.height = PICTURE_HEIGHT,
	.stride = PICTURE_STRIDE,
	.format = WL_SHM_FORMAT_XRGB8888,
};

void
fail(const char *what)
{
	err(EXIT_UNABLE, "%s", what);
}

int
file_reopen(int fd, int flags)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int reopened = open(path, O_CLOEXEC | flags);
	if (reopened < 0)
		fail(path);
	return reopened;
}

size_t
page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

int
file_create(size_t size, unsigned int flags, uint32_t pixel)
{
	int fd = memfd_create("siege", MFD_CLOEXEC | flags);
	if (fd < 0)
		fail("memfd_create");
	file_resize(fd, size);
	file_paint(fd, 0, size, pixel);
	return fd;
}

void
file_paint(int fd, size_t offset, size_t size, uint32_t pixel)
{
	uint32_t row[1024];
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		row[i] = pixel;

	while (size > 0) {
		size_t part = size < sizeof(row) ? size : sizeof(row);
		if (pwrite(fd, row, part, (off_t)offset) != (ssize_t)part)
			fail("pwrite");
		offset += part;
		size -= part;
	}
}

void
file_resize(int fd, size_t size)
{
	if (ftruncate(fd, (off_t)size) < 0)
		fail("ftruncate");
}

void
file_seal(int fd, int seals)
{
	if (fcntl(fd, F_ADD_SEALS, seals) < 0)
		fail("F_ADD_SEALS");
}

struct wl_shm_pool *
pool_create(struct client *client, int fd, int32_t size)
{
	return wl_shm_create_pool(client->shm, fd, size);
}

void
request_send_unclosed(struct client *client, const uint32_t *request,
	size_t size, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} ancillary = {0};
	struct iovec part = {(void *)request, size};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &ancillary,
		.msg_controllen = sizeof(ancillary),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(int));

	/* Whatever was queued before must arrive before. */
	wl_display_flush(client->display);
	if (sendmsg(wl_display_get_fd(client->display), &message,
			MSG_NOSIGNAL) != (ssize_t)size)
		fail("sendmsg");
}

struct wl_shm_pool *
pool_create_unclosed(struct client *client, int fd, int32_t size)
{
	struct wl_proxy *shm = (struct wl_proxy *)client->shm;
	struct wl_proxy *pool = wl_proxy_create(shm, &wl_shm_pool_interface);
	if (pool == NULL)
		fail("wl_proxy_create");
	const uint32_t request[4] = {
		wl_proxy_get_id(shm),
		sizeof(request) << 16 | WL_SHM_CREATE_POOL,
		wl_proxy_get_id(pool),
		(uint32_t)size,
	};

	request_send_unclosed(client, request, sizeof(request), fd);
	return (struct wl_shm_pool *)pool;
}

struct wl_buffer *
pool_buffer(struct wl_shm_pool *pool, const struct claim *claim)
{
	return wl_shm_pool_create_buffer(pool, claim->offset, claim->width,
		claim->height, claim->stride, claim->format);
}

size_t
claim_bytes(const struct claim *claim)
{
	return (size_t)claim->offset +
		(size_t)claim->stride * (size_t)claim->height;
}

struct wl_buffer *
buffer_create(struct client *client, int fd, const struct claim *claim)
{
	struct wl_shm_pool *pool = pool_create(client, fd,
		(int32_t)claim_bytes(claim));
	struct wl_buffer *buffer = pool_buffer(pool, claim);
	wl_shm_pool_destroy(pool);
	return buffer;
}
