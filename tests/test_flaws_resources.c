/* SPDX-License-Identifier: MIT */

/*
 * Like test_flaws.c: this half is about memory, descriptors, time and other
 * things that a client can use up.
 */

#include "fuse_file.h"
#include "harness.h"
#include "memory_look.h"
#include "sanitizers.h"
#include "stock_fixture.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#define HUGE_PAGE ((size_t)2 << 20)

/* ---- Out of memory ---- */

static bool no_more_resources;

/* In place of libwayland's. */
struct wl_resource *
wl_resource_create(struct wl_client *client,
	const struct wl_interface *interface, int version, uint32_t id)
{
	struct wl_resource *(*real)(struct wl_client *,
		const struct wl_interface *, int, uint32_t);
	*(void **)&real = dlsym(RTLD_NEXT, "wl_resource_create");
	return no_more_resources ? NULL : real(client, interface, version, id);
}

STOCK_TEST(F13_create_buffer_out_of_memory)
{
	struct stock_fixture scene;
	stock_fixture_init_empty(&scene);
	scene.fd = harness_memfd(STOCK_POOL_SIZE, 0x5a, 0);
	struct wl_shm_pool *pool =
		wl_shm_create_pool(scene.client.shm, scene.fd, STOCK_POOL_SIZE);
	ck_assert(shm_client_roundtrip(&scene.client));
	scene.proxy = wl_shm_pool_create_buffer(pool, 0, 128, 128, 512,
		WL_SHM_FORMAT_ARGB8888);
	no_more_resources = true;
	shm_client_flush(&scene.client);
	shm_client_serve(&scene.client);
	no_more_resources = false;
	ck_assert(!shm_client_receive(&scene.client));
	shm_client_expect_error(&scene.client, "wl_display",
		WL_DISPLAY_ERROR_NO_MEMORY);
	wl_shm_pool_destroy(pool);
	stock_fixture_finish(&scene);
}

/* Blocks of every size that there is. */
struct hog {
	struct hog *next;
};

static size_t
address_space_in_use(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	ck_assert_ptr_nonnull(file);
	size_t pages = 0;
	ck_assert_int_eq(fscanf(file, "%zu", &pages), 1);
	fclose(file);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static struct hog *
take_all_memory(void)
{
	struct hog *blocks = NULL;
	for (size_t size = 1 << 20; size >= sizeof(struct hog); size /= 2) {
		struct hog *block;
		while ((block = malloc(size)) != NULL) {
			block->next = blocks;
			blocks = block;
		}
	}
	return blocks;
}

static void
give_back_memory(struct hog *blocks)
{
	while (blocks != NULL) {
		struct hog *next = blocks->next;
		free(blocks);
		blocks = next;
	}
}

TEST(F13_begin_access_out_of_memory)
{
#ifdef SANITIZED
	SKIP("sanitizers need address space");
#endif
	struct stock_fixture scene;
	stock_fixture_init(&scene);
	stock_fixture_truncate(&scene);

	struct rlimit old, no_more;
	ck_assert_int_eq(getrlimit(RLIMIT_AS, &old), 0);
	no_more = (struct rlimit){address_space_in_use(), old.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &no_more), 0);
	struct hog *blocks = take_all_memory();
	wl_shm_buffer_begin_access(scene.buffer);
	int byte = byte_at(wl_shm_buffer_get_data(scene.buffer), STOCK_POOL_SIZE - 1);
	wl_shm_buffer_end_access(scene.buffer);
	setrlimit(RLIMIT_AS, &old);
	give_back_memory(blocks);

	ck_assert_int_eq(byte, 0);
	ck_assert(!shm_client_roundtrip(&scene.client));
	stock_fixture_finish(&scene);
}

/* ---- Files that are no memfd ---- */

/* The number is the whole machine's: whoever changes it for a moment, sieges too,
 * has a lock on the file meanwhile. */
static bool
change_huge_pages(FILE *file, int change)
{
	int pages;
	rewind(file);
	bool done = fscanf(file, "%d", &pages) == 1;
	rewind(file);
	return done && fprintf(file, "%d", pages + change) > 0 &&
		fflush(file) == 0;
}

/* Takes what huge pages are free: a call each. */
static void *
take_huge_pages(void *next) /* NOLINT(misc-no-recursion) */
{
	void **page = mmap(NULL, HUGE_PAGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);
	if (page == MAP_FAILED)
		return next;
	*page = next;
	return take_huge_pages(page);
}

static void
give_back_huge_pages(void *page)
{
	while (page != NULL) {
		void *next = *(void **)page;
		munmap(page, HUGE_PAGE);
		page = next;
	}
}

/* Sealed and full. The page goes back to the system, not to the free huge ones,
 * when it is freed. -1 if there is none to be had. As long as `number` is open others
 * do not ask for huge pages, one of which could fill the hole. NULL: without root. */
static int
make_huge_file(FILE **number)
{
	*number = NULL;
	int fd = memfd_create("huge",
		MFD_CLOEXEC | MFD_HUGETLB | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -1;

	*number = fopen("/proc/sys/vm/nr_hugepages", "r+e");
	bool added = *number != NULL && flock(fileno(*number), LOCK_EX) == 0 &&
		change_huge_pages(*number, 1);
	bool full = ftruncate(fd, HUGE_PAGE) == 0 &&
		fallocate(fd, 0, 0, HUGE_PAGE) == 0;
	if (added)
		change_huge_pages(*number, -1);
	if (full && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0)
		return fd;
	close(fd);
	return -1;
}

STOCK_TEST(F16_hole_in_a_sealed_huge_page)
{
	FILE *number;
	int fd = make_huge_file(&number);
	if (fd < 0) {
		if (number != NULL)
			fclose(number);
		SKIP("there are no huge pages, and only root can make them");
	}
	struct stock_fixture scene;
	stock_fixture_init_empty(&scene);
	scene.fd = fd;
	scene.proxy = shm_client_buffer(&scene.client, scene.fd,
		(int32_t)HUGE_PAGE, 128, 128);
	scene.buffer = stock_fixture_buffer(&scene, scene.proxy);

	void *taken = take_huge_pages(NULL);
	ck_assert_int_eq(fallocate(scene.fd,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, HUGE_PAGE), 0);
	void *freed = take_huge_pages(NULL);
	stock_access_truncated(scene.buffer);
	give_back_huge_pages(freed);
	give_back_huge_pages(taken);
	stock_fixture_finish(&scene);
	if (number != NULL)
		fclose(number);
}

struct watchdog {
	struct fuse_file *file;
	sem_t served;
	bool blocked;
};

static void *
watch(void *data)
{
	struct watchdog *watchdog = data;
	struct timespec deadline;
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += 5;
	int result;
	while ((result = sem_timedwait(&watchdog->served, &deadline)) < 0 &&
			errno == EINTR)
		;
	watchdog->blocked = result < 0;
	fuse_file_stop(watchdog->file);
	return NULL;
}

TEST(F17_file_whose_server_never_answers)
{
	struct watchdog watchdog = {
		.file = fuse_file_start(STOCK_POOL_SIZE, FUSE_FILE_NORMAL),
	};
	if (watchdog.file == NULL)
		SKIP("no FUSE: %s", fuse_file_problem());
	struct stock_fixture scene;
	stock_fixture_init_empty(&scene);
	scene.fd = fuse_file_open(watchdog.file, O_RDWR);
	ck_assert_int_ge(scene.fd, 0);
	struct wl_shm_pool *pool =
		wl_shm_create_pool(scene.client.shm, scene.fd, STOCK_POOL_SIZE);
	shm_client_flush(&scene.client);
	ck_assert_int_eq(
		fuse_file_set_mode(watchdog.file, FUSE_FILE_SILENT), 0);

	pthread_t thread;
	ck_assert_int_eq(sem_init(&watchdog.served, 0, 0), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, watch, &watchdog), 0);
	shm_client_serve(&scene.client);
	sem_post(&watchdog.served);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	sem_destroy(&watchdog.served);
	ck_assert_msg(!watchdog.blocked,
		"the compositor waited for a client's file server");

	ck_assert(!shm_client_receive(&scene.client));
	shm_client_expect_error(&scene.client, "wl_shm",
		WL_SHM_ERROR_INVALID_FD);
	wl_shm_pool_destroy(pool);
	stock_fixture_finish(&scene);
}

/* ---- What a client can use up ---- */

STOCK_TEST(F15_F18_pools_cost_descriptors)
{
	enum { POOLS = 1000 };
	struct stock_fixture scene;
	stock_fixture_init_empty(&scene);
	scene.fd = harness_memfd(4096, 0, 0);
	int before = harness_open_fds();
	struct wl_shm_pool *pools[POOLS];
	for (int i = 0; i < POOLS; i++)
		pools[i] = wl_shm_create_pool(scene.client.shm, scene.fd, 4096);
	ck_assert(shm_client_roundtrip(&scene.client));
	ck_assert_int_eq(harness_open_fds(), before);
	for (int i = 0; i < POOLS; i++)
		wl_shm_pool_destroy(pools[i]);
	ck_assert(shm_client_roundtrip(&scene.client));
	stock_fixture_finish(&scene);
}

/* Looking at a hole makes the kernel allocate it for whoever looks. */
STOCK_TEST(F18_hole_is_filled_for_the_client)
{
	enum { WIDTH = 12800, HEIGHT = 12800, SIZE = WIDTH * HEIGHT * 4 };
	struct sysinfo system;
	if (sysinfo(&system) == 0 && system.freeswap < system.totalswap)
		SKIP("something is swapped out, and holes cannot be told from that");
	if (is_user_mode_linux())
		SKIP("User Mode Linux cannot map that many pages");
	struct stock_fixture scene;
	stock_fixture_init_empty(&scene);
	scene.fd = memfd_create("sparse", MFD_CLOEXEC);
	ck_assert_int_ge(scene.fd, 0);
	ck_assert_int_eq(ftruncate(scene.fd, SIZE), 0);
	scene.proxy = shm_client_buffer(&scene.client, scene.fd, SIZE, WIDTH,
		HEIGHT);
	scene.buffer = stock_fixture_buffer(&scene, scene.proxy);

	wl_shm_buffer_begin_access(scene.buffer);
	const void *data = wl_shm_buffer_get_data(scene.buffer);
	for (size_t at = 0; at < SIZE; at += 4096)
		ck_assert_int_eq(byte_at(data, at), 0);
	wl_shm_buffer_end_access(scene.buffer);

	struct stat file;
	ck_assert_int_eq(fstat(scene.fd, &file), 0);
	ck_assert_msg(file.st_blocks == 0,
		"%d KiB were allocated", (int)(file.st_blocks / 2));
	ck_assert(!shm_client_receive(&scene.client));
	shm_client_expect_error(&scene.client, "wl_display",
		WL_DISPLAY_ERROR_NO_MEMORY);
	stock_fixture_finish(&scene);
}

#define MOST_MAPPINGS 300000 /* more take too long */

static long
mappings_left(void)
{
	long left = 0;
	FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
	if (file == NULL)
		return 0;
	if (fscanf(file, "%ld", &left) != 1)
		left = 0;
	fclose(file);

	file = fopen("/proc/self/maps", "re");
	ck_assert_ptr_nonnull(file);
	for (int c; (c = getc(file)) != EOF;)
		left -= c == '\n';
	fclose(file);
	return left;
}

/* Makes so many pools, or fewer if it is told to stop. */
static void
flood_with_pools(struct shm_client *client, struct wl_array *pools, int fd,
	long count)
{
	for (long i = 0; i < count; i++) {
		struct wl_shm_pool **pool = wl_array_add(pools, sizeof(*pool));
		ck_assert_ptr_nonnull(pool);
		*pool = wl_shm_create_pool(client->shm, fd, 4096);
		if (i % 256 == 255 && !shm_client_roundtrip(client))
			return;
	}
	shm_client_roundtrip(client);
}

/* One leaves a little, so as not to be refused itself; others each take one of
 * what is left. */
STOCK_TEST(F18_pool_flood_starves_others)
{
	enum { OTHERS = 64, RESERVE = 32 };
	long left = mappings_left();
	if (left <= RESERVE || left > MOST_MAPPINGS)
		SKIP("%ld mappings are left", left);
	struct stock_fixture scene;
	stock_fixture_init_empty(&scene);
	scene.fd = harness_memfd(STOCK_POOL_SIZE, 0x5a, 0);
	struct shm_client clients[OTHERS];
	struct wl_array pools;
	wl_array_init(&pools);
	for (int i = 0; i < OTHERS; i++)
		shm_client_connect(&clients[i], scene.server);

	flood_with_pools(&clients[0], &pools, scene.fd, left - RESERVE);
	bool served = clients[0].connection != NULL;
	for (int i = 1; i < OTHERS && served; i++) {
		flood_with_pools(&clients[i], &pools, scene.fd, 1);
		served = clients[i].connection != NULL;
	}
	scene.proxy = shm_client_buffer(&scene.client, scene.fd,
		STOCK_POOL_SIZE, 128, 128);

	struct wl_shm_pool **pool;
	wl_array_for_each(pool, &pools)
		wl_shm_pool_destroy(*pool);
	wl_array_release(&pools);
	for (int i = 0; i < OTHERS; i++)
		shm_client_disconnect(&clients[i]);
	stock_fixture_finish(&scene);
}

#define LONG_TO_UNMAP ((size_t)4 << 20)

static _Thread_local bool is_display_thread;
static bool unmapped_on_display_thread;

/* In place of libc's. */
int
munmap(void *address, size_t length)
{
	if (is_display_thread && length >= LONG_TO_UNMAP)
		unmapped_on_display_thread = true;
	return (int)syscall(SYS_munmap, address, length);
}

STOCK_TEST(F19_large_pool_is_torn_down_by_the_display_thread)
{
	enum { LARGE = 64 << 20 };
	struct stock_fixture scene;
	stock_fixture_init_empty(&scene);
	scene.fd = harness_memfd(LARGE, 0, 0);
	scene.proxy = shm_client_buffer(&scene.client, scene.fd, LARGE, 128, 128);
	scene.buffer = stock_fixture_buffer(&scene, scene.proxy);
	const void *data = wl_shm_buffer_get_data(scene.buffer);
	for (size_t i = 0; i < LARGE; i += 4096)
		ck_assert_int_eq(byte_at(data, i), 0);

	is_display_thread = true;
	wl_client_destroy(scene.client.connection);
	is_display_thread = false;
	ck_assert(!unmapped_on_display_thread);
	stock_fixture_finish(&scene);
}
