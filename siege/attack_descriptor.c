/* SPDX-License-Identifier: MIT */
#include "attack.h"

#include "pool.h"
#include "window.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-heap.h>
#include <linux/perf_event.h>
#include <linux/udmabuf.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

/*
 * Descriptors that are no memory: most cannot be mapped at all, others can and
 * then misbehave.
 */

#define HOSTILE_PIXEL 0xff606020
#define PRESENTED 3

static int
open_or_fail(const char *path, int flags)
{
	int fd = open(path, O_CLOEXEC | flags);
	if (fd < 0)
		fail(path);
	return fd;
}

static int
open_directory(void)
{
	return open_or_fail("/", O_RDONLY | O_DIRECTORY);
}

static int
open_null(void)
{
	return open_or_fail("/dev/null", O_RDWR);
}

static int
open_zero(void)
{
	return open_or_fail("/dev/zero", O_RDWR);
}

static int
reopen_memory(int flags)
{
	int fd = file_create(PICTURE_BYTES, 0, HOSTILE_PIXEL);
	int reopened = file_reopen(fd, flags);
	close(fd);
	return reopened;
}

static int
open_path_only(void)
{
	return reopen_memory(O_PATH);
}

static int
open_write_only(void)
{
	return reopen_memory(O_WRONLY);
}

static int
open_pipe(void)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		fail("pipe2");
	close(ends[1]);
	return ends[0];
}

static int
open_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fail("socket");
	return fd;
}

static int
open_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	if (fd < 0)
		fail("eventfd");
	return fd;
}

/* Nothing may read such a file but through a mapping, and mapping it uses up
 * the compositor's locked memory. */
static int
open_secret(void)
{
#ifdef SYS_memfd_secret
	int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
	if (fd >= 0)
		file_resize(fd, PICTURE_BYTES);
	return fd;
#else
	errno = ENOSYS;
	return -1;
#endif
}

static int
open_full(void)
{
	return open_or_fail("/dev/full", O_RDWR);
}

/* Regular files, by their mode. */
static int
open_proc(void)
{
	return open_or_fail("/proc/self/maps", O_RDONLY);
}

static int
open_own_memory(void)
{
	return open_or_fail("/proc/self/mem", O_RDWR);
}

static int
open_sys(void)
{
	return open("/sys/kernel/mm/transparent_hugepage/enabled",
		O_RDONLY | O_CLOEXEC);
}

static int
open_epoll(void)
{
	return epoll_create1(EPOLL_CLOEXEC);
}

static int
open_timer(void)
{
	return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
}

static int
open_process(void)
{
	return (int)syscall(SYS_pidfd_open, getpid(), 0);
}

/* Maps well, and shrinks never: it is no file all the same. */
static int
open_counter(void)
{
	struct perf_event_attr attributes = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attributes),
		.config = PERF_COUNT_SW_DUMMY,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};
	return (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1,
		PERF_FLAG_FD_CLOEXEC);
}

#define NOT_MEMORY 17

static void
not_memory(struct client *client, unsigned int number)
{
	static const struct {
		const char *label;
		int (*open)(void);
	} cases[] = {
		{"directory", open_directory},
		{"/dev/null", open_null},
		{"/dev/zero", open_zero},
		{"path only", open_path_only},
		{"write-only", open_write_only},
		{"pipe", open_pipe},
		{"socket", open_socket},
		{"eventfd", open_eventfd},
		{"memfd_secret", open_secret},
		{"/dev/full", open_full},
		{"/proc/self/maps", open_proc},
		{"/proc/self/mem", open_own_memory},
		{"a file in /sys", open_sys},
		{"epoll", open_epoll},
		{"timerfd", open_timer},
		{"pidfd", open_process},
		{"perf event", open_counter},
	};
	_Static_assert(ARRAY_LENGTH(cases) == NOT_MEMORY, "a case for each");
	client_label(client, "%s", cases[number].label);
	int fd = cases[number].open();
	if (fd < 0) {
		client_skip(client, "%s: %s", cases[number].label,
			strerror(errno));
		return;
	}
	window_present(client, buffer_create(client, fd, &picture), PRESENTED);
	close(fd);
}

/* From the kernel's heap, or else made of a sealed file of ours. */
static int
open_dmabuf(void)
{
	int heap = open("/dev/dma_heap/system", O_RDWR | O_CLOEXEC);
	if (heap >= 0) {
		struct dma_heap_allocation_data allocation = {
			.len = PICTURE_BYTES,
			.fd_flags = O_RDWR | O_CLOEXEC,
		};
		int made = ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &allocation);
		close(heap);
		return made < 0 ? -1 : (int)allocation.fd;
	}
	int maker = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	if (maker < 0)
		return -1;
	int fd = file_create(PICTURE_BYTES, MFD_ALLOW_SEALING, HOSTILE_PIXEL);
	file_seal(fd, F_SEAL_SHRINK);
	struct udmabuf_create request = {
		.memfd = (uint32_t)fd,
		.flags = UDMABUF_FLAGS_CLOEXEC,
		.size = PICTURE_BYTES,
	};
	int dmabuf = ioctl(maker, UDMABUF_CREATE, &request);
	close(maker);
	close(fd);
	return dmabuf;
}

/* Memory of a device, which has a protocol of its own. */
static void
dmabuf(struct client *client, unsigned int number)
{
	(void)number;
	int fd = open_dmabuf();
	if (fd < 0) {
		client_skip(client, "no /dev/dma_heap and no /dev/udmabuf");
		return;
	}
	window_present(client, buffer_create(client, fd, &picture), PRESENTED);
	close(fd);
}

const struct attack descriptor_attacks[] = {
	{
		.name = "not-memory",
		.about = "makes pools of things that are not files",
		.expected = "refuses each one with invalid_fd",
		.rule = "wl_shm error invalid_fd",
		.accepted = OUTCOME_TOLD,
		.cases = NOT_MEMORY,
		.run = not_memory,
	},
	{
		.name = "dmabuf",
		.about = "makes a pool of a dmabuf",
		.expected = "shows it or refuses it with invalid_fd",
		.rule = "wl_shm error invalid_fd; linux-dmabuf is for these",
		.accepted = OUTCOME_ANY_SAFE,
		.run = dmabuf,
	},
	{0},
};
