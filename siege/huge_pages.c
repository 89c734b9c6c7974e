/* SPDX-License-Identifier: MIT */
#include "huge_pages.h"

#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NR_HUGE_PAGES "/proc/sys/vm/nr_hugepages"
#define MEMINFO "/proc/meminfo"

/* Free pages of others that we dare to hold for a moment. */
#define STOLEN_MAX 64

#define TAKE_TRIES 50
#define TAKE_PAUSE 100 /* milliseconds */
#define LOCK_PAUSE 20  /* milliseconds */

static long
count_read(void)
{
	long count = -1;
	FILE *file = fopen(NR_HUGE_PAGES, "re");
	if (file == NULL)
		return -1;
	if (fscanf(file, "%ld", &count) != 1)
		count = -1;
	fclose(file);
	return count;
}

/* Pages in use beyond that number: whoever raises it gets these first. A compositor
 * that cannot unmap an odd size of huge pages leaves some in each attack. */
static long
count_surplus(void)
{
	char line[128];
	long count = 0;
	FILE *file = fopen(MEMINFO, "re");
	if (file == NULL)
		return 0;
	while (fgets(line, sizeof(line), file) != NULL &&
			sscanf(line, "HugePages_Surp: %ld", &count) != 1)
		continue;
	fclose(file);
	return count;
}

static long
count_write(long count)
{
	FILE *file = fopen(NR_HUGE_PAGES, "we");
	if (file == NULL)
		return -1;
	fprintf(file, "%ld", count);
	return fclose(file) == 0 ? count_read() : -1;
}

/* Others who ask for pages hold a lock on the file while they have them. Returns
 * whether somebody still wants them when we have it. */
static bool
await_turn(int socket)
{
	struct pollfd gone = {.fd = socket, .events = POLLIN};
	int lock = open(NR_HUGE_PAGES, O_RDONLY | O_CLOEXEC);
	while (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) < 0) {
		if (poll(&gone, 1, LOCK_PAUSE) > 0)
			return false;
	}
	return lock >= 0;
}

/* Asks for the pages, says whether there are any, and gives them back when there
 * is nobody any more who could say something. */
static void
keep(int socket, long count)
{
	char byte;
	bool granted;
	if (!await_turn(socket))
		return;
	long before = count_read();
	/* Fewer than asked for may be granted. */
	long after = before < 0 ? before :
		count_write(before + count_surplus() + count);
	granted = after > before;
	send(socket, &granted, sizeof(granted), MSG_NOSIGNAL);
	while (read(socket, &byte, 1) < 0 && errno == EINTR)
		continue;
	if (after > before)
		count_write(count_read() - (after - before));
}

/* Not a child and not in our process group: whoever kills us kills those too.
 * Returns the socket, or -1. */
static int
start_keeper(unsigned int count)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	pid_t parent = fork();
	if (parent == 0) {
		if (fork() == 0) {
			const int signals[] = {SIGHUP, SIGINT, SIGTERM};
			setsid();
			for (size_t i = 0; i < 3; i++)
				signal(signals[i], SIG_IGN);
			/* Nobody's file is to stay open because of us. */
			int socket = dup2(ends[1], STDERR_FILENO + 1);
			syscall(SYS_close_range, socket + 1, ~0U, 0);
			keep(socket, (long)count);
		}
		_exit(0);
	}
	close(ends[1]);
	while (parent > 0 && waitpid(parent, NULL, 0) < 0 && errno == EINTR)
		continue;
	return ends[0];
}

/* Until it says something or ends; no longer once we are to end. Returns whether
 * it has pages for us. */
static bool
await_keeper(int keeper)
{
	bool granted = false;
	while (read(keeper, &granted, sizeof(granted)) < 0 && errno == EINTR &&
			!client_is_interrupted())
		continue;
	return granted;
}

/* Others may hold what is free for a moment, as we do. */
static bool
take(int fd, off_t size, bool patiently)
{
	bool taken = fallocate(fd, 0, 0, size) == 0;
	for (int i = 0; i < TAKE_TRIES && !taken && patiently &&
			!client_is_interrupted(); i++) {
		poll(NULL, 0, TAKE_PAUSE);
		taken = fallocate(fd, 0, 0, size) == 0;
	}
	return taken;
}

static int
huge_file(void)
{
	return memfd_create("siege-huge",
		MFD_CLOEXEC | MFD_HUGETLB | MFD_ALLOW_SEALING);
}

const char *
huge_pages_acquire(struct huge_pages *pages, unsigned int count)
{
	*pages = (struct huge_pages){.fd = huge_file(), .thief = huge_file()};
	pages->keeper = -1;
	struct stat stat;
	if (pages->fd < 0 || pages->thief < 0 || fstat(pages->fd, &stat) < 0) {
		huge_pages_release(pages);
		return "the kernel has no huge pages";
	}
	pages->size = (size_t)stat.st_blksize;

	pages->keeper = start_keeper(count);
	bool granted = pages->keeper >= 0 && await_keeper(pages->keeper);
	if (!take(pages->fd, (off_t)(count * pages->size), granted)) {
		huge_pages_release(pages);
		return geteuid() == 0 ? "the machine grants no huge page" :
			"only root may ask for a huge page";
	}
	return NULL;
}

const char *
huge_pages_punch(struct huge_pages *pages, unsigned int page)
{
	off_t size = (off_t)pages->size;
	if (fallocate(pages->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			page * size, size) < 0)
		return "no holes in huge pages";
	for (off_t i = 0; i < STOLEN_MAX; i++) {
		if (fallocate(pages->thief, 0, i * size, size) < 0)
			return NULL;
	}
	return "too many free huge pages";
}

void
huge_pages_release(struct huge_pages *pages)
{
	if (pages->fd >= 0)
		close(pages->fd);
	if (pages->thief >= 0)
		close(pages->thief);
	if (pages->keeper >= 0) {
		shutdown(pages->keeper, SHUT_WR);
		await_keeper(pages->keeper);
		close(pages->keeper);
	}
}
