/* SPDX-License-Identifier: MIT */

/*
 * Threads that read and write while files shrink, maps grow, move and go. Every
 * byte that is read is one that the client has put there, or zero.
 * SHMGUARD_TEST_SECONDS is how long each test goes on.
 */

#include "harness.h"

#include "fake_kernel.h"
#include "guarded_map.h"
#include "memory_look.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <shmguard/map.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 3 };

static size_t page;
static _Atomic bool stop;
static struct timespec deadline;

static void
start_clock(void)
{
	const char *seconds = getenv("SHMGUARD_TEST_SECONDS");
	page = page_size();
	/* On kernels with no-SIGBUS mappings too. */
	fake_kernel_use();
	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += seconds != NULL ? atoi(seconds) :
		harness_long() ? 30 : 1;
}

static bool
time_is_up(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > deadline.tv_sec ||
		(now.tv_sec == deadline.tv_sec && now.tv_nsec > deadline.tv_nsec);
}

/* Client memory is whoever's: others store to it, and the handler replaces it. To
 * ThreadSanitizer these would be races. */
__attribute__((no_sanitize_thread))
static unsigned char
load(const struct shmguard_view *view, size_t offset)
{
	return ((const volatile unsigned char *)view->data)[offset];
}

__attribute__((no_sanitize_thread))
static void
store(const struct shmguard_view *view, size_t offset, unsigned char byte)
{
	((volatile unsigned char *)view->data)[offset] = byte;
}

/* Results are strings that say what went wrong, or NULL: libcheck's assertions
 * are for one thread. */

static void
start_threads(pthread_t *threads, int count, void *(*func)(void *), void *data)
{
	for (int i = 0; i < count; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, func, data), 0);
}

static void
join_threads(pthread_t *threads, int count)
{
	for (int i = 0; i < count; i++) {
		void *problem;
		ck_assert_int_eq(pthread_join(threads[i], &problem), 0);
		ck_assert_msg(problem == NULL, "%s", (const char *)problem);
	}
}

/* ---- A client that shrinks and regrows its file ---- */

enum { PAGES = 64, OLD_BIT = 0x80 };

/* Each page is full of its number, with or without OLD_BIT: before and after the
 * client has drawn it again. */
static unsigned char
drawn_byte(size_t index)
{
	return (unsigned char)(index % 100 + 1);
}

static bool
is_plausible(unsigned char byte, size_t index)
{
	return byte == 0 || (byte & ~OLD_BIT) == drawn_byte(index);
}

static bool
draw(int fd, size_t pages, int bit)
{
	unsigned char bytes[65536];
	for (size_t i = 0; i < pages; i++) {
		memset(bytes, drawn_byte(i) | bit, page);
		if (pwrite(fd, bytes, page, (off_t)(i * page)) != (ssize_t)page)
			return false;
	}
	return true;
}

static const char *
be_hostile(int fd)
{
	unsigned int seed = 1;
	for (unsigned int i = 0; !stop; i++) {
		seed = seed * 1103515245 + 12345;
		size_t kept = (seed >> 16) % PAGES;
		if (ftruncate(fd, (off_t)(kept * page)) != 0)
			return "the file does not shrink";
		if (seed >> 28 == 0)
			sched_yield();
		if (ftruncate(fd, (off_t)(PAGES * page)) != 0 ||
				!draw(fd, PAGES, i % 2 ? OLD_BIT : 0))
			return "the file does not grow";
	}
	return NULL;
}

static void *
hostile_thread(void *fd)
{
	return (void *)be_hostile(*(int *)fd);
}

/* ---- Readers and writers of the map of the day ---- */

/* Readers that never stop must not keep the one who replaces the map waiting. */
static pthread_rwlock_t map_lock =
	PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
static struct shmguard_map *current_map;
static _Atomic unsigned long views_read, zeros_read, losses;

static int
begin(struct shmguard_view *view, bool write)
{
	pthread_rwlock_rdlock(&map_lock);
	size_t size = shmguard_map_size(current_map);
	int result = write ?
		shmguard_map_begin_write(current_map, 0, size, view) :
		shmguard_map_begin_read(current_map, 0, size, view);
	pthread_rwlock_unlock(&map_lock);
	return result;
}

static const char *
read_view(const struct shmguard_view *view, unsigned int seed)
{
	for (int i = 0; i < 64; i++) {
		seed = seed * 1103515245 + 12345;
		size_t at = (seed >> 8) % view->size;
		unsigned char byte = load(view, at);
		if (!is_plausible(byte, at / page))
			return "a byte that nobody has put there";
		zeros_read += byte == 0;
	}
	return NULL;
}

static void *
reader(void *seed_of_thread)
{
	unsigned int seed = (unsigned int)(uintptr_t)seed_of_thread;
	while (!stop) {
		struct shmguard_view view;
		if (begin(&view, false) != 0)
			return "begin_read failed";
		const char *problem = read_view(&view, seed++);
		if (problem != NULL)
			return (void *)problem;
		views_read++;
		losses += shmguard_view_end(&view) != 0;
	}
	return NULL;
}

static void *
writer(void *unused)
{
	(void)unused;
	while (!stop) {
		struct shmguard_view view;
		if (begin(&view, true) != 0)
			return "begin_write failed";
		for (size_t i = 0; i < view.size; i += page / 2)
			store(&view, i, drawn_byte(i / page) | OLD_BIT);
		losses += shmguard_view_end(&view) != 0;
	}
	return NULL;
}

static void
replace_map(int fd, size_t pages, const struct shmguard_policy *policy)
{
	struct shmguard_map *map = pages == 0 ? NULL : shmguard_map_open(
		fcntl(fd, F_DUPFD_CLOEXEC, 0), pages * page, policy, NULL);
	ck_assert(pages == 0 || map != NULL);
	pthread_rwlock_wrlock(&map_lock);
	struct shmguard_map *old = current_map;
	current_map = map;
	pthread_rwlock_unlock(&map_lock);
	shmguard_map_close(old);
}

/* Opens, grows and closes maps of one file until time is up, and a machine that is
 * slow has met what it is to meet. */
static unsigned int
use_maps(int fd, const struct shmguard_policy *policy, bool until_lost)
{
	unsigned int rounds = 0;
	for (; (!time_is_up() || (until_lost && losses == 0)) && !stop; rounds++) {
		replace_map(fd, 1, policy);
		for (size_t pages = 2; pages <= PAGES; pages += 1 + pages / 4) {
			if (shmguard_map_resize(current_map, pages * page) == 0)
				continue;
			ck_assert_int_eq(errno, EFAULT);
			/* Lost for good: begin anew, in full size. */
			replace_map(fd, PAGES, policy);
			break;
		}
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	return rounds;
}

static void
check_against_hostile_client(void *(*func)(void *), bool by_process,
	const struct shmguard_policy *policy)
{
	pthread_t threads[THREADS], client;
	pid_t child = -1;
	start_clock();
	int fd = harness_memfd(PAGES * page, 0, 0);
	ck_assert(draw(fd, PAGES, 0));
	replace_map(fd, PAGES, policy);
	if (by_process) {
		child = fork();
		ck_assert_int_ge(child, 0);
		if (child == 0)
			_exit(be_hostile(fd) != NULL);
	} else {
		start_threads(&client, 1, hostile_thread, &fd);
	}
	start_threads(threads, THREADS, func, (void *)1);

	unsigned int rounds = use_maps(fd, policy, true);
	stop = true;
	join_threads(threads, THREADS);
	if (by_process) {
		kill(child, SIGKILL);
		ck_assert_int_eq(waitpid(child, NULL, 0), child);
	} else {
		join_threads(&client, 1);
	}
	replace_map(fd, 0, policy);
	close(fd);
	ck_assert_int_eq(count_mappings("/memfd:test"), 0);
	fprintf(stderr, "# %u rounds, %lu views, %lu zeros, %lu views lost\n",
		rounds, views_read, zeros_read, losses);
	ck_assert_uint_gt(losses, 0);
}

TEST(I6_I7_readers_against_a_thread_that_truncates)
{
	check_against_hostile_client(reader, false, NULL);
}

TEST(I6_I7_readers_against_a_process_that_truncates)
{
	check_against_hostile_client(reader, true, NULL);
}

TEST(I7_writers_against_a_process_that_truncates)
{
	check_against_hostile_client(writer, true, NULL);
}

TEST(I7_readers_of_writable_maps_against_a_thread_that_truncates)
{
	static const struct shmguard_policy policy = {.writable = true};
	check_against_hostile_client(reader, false, &policy);
}

TEST(copies_against_a_thread_that_truncates)
{
	static const struct shmguard_policy policy = {
		.unsealed = SHMGUARD_UNSEALED_COPY,
	};
	signal(SIGBUS, SIG_DFL);
	check_against_hostile_client(reader, false, &policy);
}

/* ---- A well-behaved client: nothing may be lost ---- */

static void *
exact_reader(void *unused)
{
	(void)unused;
	while (!stop) {
		struct shmguard_view view;
		if (begin(&view, false) != 0)
			return "begin_read failed";
		for (size_t at = 0; at < view.size; at += page)
			if (load(&view, at) != drawn_byte(at / page))
				return "a byte that is not the client's";
		views_read++;
		if (shmguard_view_end(&view) != 0)
			return "something was lost";
	}
	return NULL;
}

static void
check_well_behaved_client(void)
{
	pthread_t threads[THREADS];
	start_clock();
	int fd = harness_memfd(PAGES * page, 0, 0);
	ck_assert(draw(fd, PAGES, 0));
	replace_map(fd, PAGES, NULL);
	start_threads(threads, THREADS, exact_reader, NULL);
	unsigned int rounds = use_maps(fd, NULL, false);
	stop = true;
	join_threads(threads, THREADS);
	replace_map(fd, 0, NULL);
	close(fd);
	ck_assert_int_eq(count_mappings("/memfd:test"), 0);
	fprintf(stderr, "# %u rounds, %lu views\n", rounds, views_read);
}

TEST(I6_readers_while_maps_grow_and_go)
{
	check_well_behaved_client();
}

TEST(I6_readers_while_maps_move)
{
	fake_kernel.tight = true;
	check_well_behaved_client();
}

/* ---- Many files, each with a thread of its own ---- */

static const char *
use_own_file(int fd, size_t kept, bool write)
{
	if (ftruncate(fd, (off_t)(PAGES * page)) != 0 || !draw(fd, PAGES, 0))
		return "the file does not grow";
	struct shmguard_map *map = shmguard_map_open(
		fcntl(fd, F_DUPFD_CLOEXEC, 0), PAGES * page, NULL, NULL);
	struct shmguard_view view;
	if (map == NULL || (write ?
			shmguard_map_begin_write(map, 0, PAGES * page, &view) :
			shmguard_map_begin_read(map, 0, PAGES * page, &view)) != 0)
		return "not begun";
	if (kept % 2 == 0)
		shmguard_map_close(map);
	if (ftruncate(fd, (off_t)(kept * page)) != 0)
		return "the file does not shrink";
	for (size_t i = PAGES; i-- > 0;) {
		if (load(&view, i * page + i) != (i < kept ? drawn_byte(i) : 0))
			return "another file's byte";
		if (write)
			store(&view, i * page, 3);
	}
	if (shmguard_view_end(&view) != -1)
		return "no loss was noticed";
	if (kept % 2 != 0)
		shmguard_map_close(map);
	return NULL;
}

static void *
own_file_user(void *unused)
{
	(void)unused;
	const char *problem = NULL;
	int fd = memfd_create("test", MFD_CLOEXEC);
	for (size_t i = 0; !stop && problem == NULL; i++)
		problem = use_own_file(fd, i % PAGES, i % 3 == 0);
	close(fd);
	return (void *)problem;
}

TEST(I3_files_of_many_threads_never_mix)
{
	pthread_t threads[THREADS];
	start_clock();
	start_threads(threads, THREADS, own_file_user, NULL);
	while (!time_is_up())
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	stop = true;
	join_threads(threads, THREADS);
	ck_assert_int_eq(count_mappings("/memfd:test"), 0);
}

TEST(I3_forks_while_many_threads_fault)
{
	pthread_t threads[THREADS];
	int status;
	start_clock();
	start_threads(threads, THREADS, own_file_user, NULL);
	while (!time_is_up()) {
		int fd = harness_memfd(PAGES * page, 1, 0);
		struct shmguard_map *map =
			shmguard_map_open(fd, PAGES * page, NULL, NULL);
		ck_assert_ptr_nonnull(map);
		pid_t child = fork();
		ck_assert_int_ge(child, 0);
		if (child == 0) {
			shmguard_map_close(map);
			fd = memfd_create("test", MFD_CLOEXEC);
			_exit(use_own_file(fd, 5, true) != NULL);
		}
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert_int_eq(status, 0);
		shmguard_map_close(map);
	}
	stop = true;
	join_threads(threads, THREADS);
}

/* ---- Reports ---- */

enum { CLIENTS = 16 };

static struct client {
	int fd;
	struct shmguard_map *map; /* the display's, under map_lock */
	int reports;
} clients[CLIENTS];

static void
report(void *owner)
{
	struct client *client = owner;
	client->reports++;
}

static void *
use_all_clients(void *unused)
{
	(void)unused;
	for (unsigned int i = 0; !stop; i++) {
		struct client *client = &clients[i * 7 % CLIENTS];
		struct shmguard_view view;
		pthread_rwlock_rdlock(&map_lock);
		int begun = shmguard_map_begin_read(client->map, 0, PAGES * page,
			&view);
		pthread_rwlock_unlock(&map_lock);
		if (begun != 0)
			return "begin_read failed";
		load(&view, i % PAGES * page);
		shmguard_view_end(&view);
	}
	return NULL;
}

static void
connect_client(struct client *client, struct fault_notifier *notifier,
	unsigned int round)
{
	client->reports = 0;
	client->fd = harness_memfd(PAGES * page, 1, 0);
	struct shmguard_policy policy = {
		.unsealed = round % 4 == 0 ? SHMGUARD_UNSEALED_COPY :
			SHMGUARD_UNSEALED_TRAP,
	};
	struct shmguard_map *map = guarded_map_open(
		fcntl(client->fd, F_DUPFD_CLOEXEC, 0), PAGES * page, &policy,
		NULL, notifier, client, NULL);
	ck_assert_ptr_nonnull(map);
	pthread_rwlock_wrlock(&map_lock);
	client->map = map;
	pthread_rwlock_unlock(&map_lock);
}

static void
replace_client(struct client *client, struct fault_notifier *notifier,
	unsigned int round)
{
	struct shmguard_map *old = client->map;
	close(client->fd);
	connect_client(client, notifier, round);
	shmguard_map_close(old);
}

TEST(I5_every_loss_is_reported)
{
	pthread_t threads[THREADS];
	unsigned int rounds = 0;
	start_clock();
	struct fault_notifier *notifier = fault_notifier_create();
	for (unsigned int i = 0; i < CLIENTS; i++)
		connect_client(&clients[i], notifier, i);
	start_threads(threads, THREADS, use_all_clients, NULL);
	for (; !time_is_up(); rounds++) {
		struct client *client = &clients[rounds % CLIENTS];
		ck_assert_int_eq(ftruncate(client->fd, 0), 0);
		struct pollfd poll_fd = {
			.fd = fault_notifier_fd(notifier), .events = POLLIN,
		};
		/* One of the threads comes by soon, and it must be heard of. */
		while (client->reports == 0) {
			ck_assert_int_eq(poll(&poll_fd, 1, 10000), 1);
			guarded_map_dispatch_faults(notifier, report);
		}
		ck_assert(shmguard_map_lost(client->map));
		replace_client(client, notifier, rounds / CLIENTS);
	}
	stop = true;
	join_threads(threads, THREADS);
	for (int i = 0; i < CLIENTS; i++) {
		shmguard_map_close(clients[i].map);
		close(clients[i].fd);
	}
	guarded_map_dispatch_faults(notifier, report);
	fault_notifier_unref(notifier);
	fprintf(stderr, "# %u losses\n", rounds);
}
