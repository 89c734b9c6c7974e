/* SPDX-License-Identifier: MIT */

/*
 * A compositor that has almost nothing left of what its system gives a process:
 * whoever asks for more is told, what is guarded stays guarded, and the others go
 * on.
 */

#include "guard_fixture.h"
#include "harness.h"
#include "memory_cgroup.h"
#include "memory_look.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)
#define SIDE 128
#define POOL_SIZE (SIDE * SIDE * 4)

/* Sanitizers map terabytes and touch a lot of that. */
static bool
needs_much_memory(void)
{
	return number_in_status("VmSize") >> 30 > 0; /* KiB */
}

static int
first_byte(struct shmguard_buffer *buffer, size_t *sum)
{
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_buffer_begin_read(buffer, &view), 0);
	const volatile unsigned char *bytes = view.data;
	int first = bytes[0];
	*sum = 0;
	for (size_t i = 0; i < view.size; i += 4096)
		*sum += bytes[i];
	shmguard_buffer_end(buffer, &view);
	return first;
}

/* Shows a file, loses it, and sees the client go and the process stay. */
static void
expect_guarded(struct shm_client *client)
{
	int fd = harness_memfd(POOL_SIZE, 7, -1);
	struct wl_buffer *proxy = shm_client_buffer(client, fd, POOL_SIZE, SIDE,
		SIDE);
	ck_assert(shm_client_roundtrip(client));
	struct shmguard_buffer *buffer = shmguard_buffer_from_resource(
		shm_client_resource(client, proxy));
	size_t sum;
	ck_assert_int_eq(first_byte(buffer, &sum), 7);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	first_byte(buffer, &sum);
	ck_assert_uint_eq(sum, 0);
	ck_assert(!shm_client_roundtrip(client));
	wl_buffer_destroy(proxy);
	close(fd);
}

/* ---- RLIMIT_NOFILE ---- */

/* Above it none is open: they are given out from below. */
static int
next_descriptor(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	close(fd);
	return fd;
}

/* Lets the process have so many more than it has. */
static void
leave_descriptors(rlim_t count)
{
	struct rlimit limit;
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = (rlim_t)next_descriptor() + count;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void
leave_usual_descriptors(void)
{
	struct rlimit limit;
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* A pool's descriptor has to arrive; it is not kept, and no other is needed. */
TEST(I9_one_descriptor_left_serves_many_pools)
{
	enum { POOLS = 20 };
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	int fd = harness_memfd(POOL_SIZE, 7, -1);
	struct wl_buffer *proxies[POOLS];
	leave_descriptors(1);
	for (int i = 0; i < POOLS; i++)
		proxies[i] = shm_client_buffer(&fixture.client, fd, POOL_SIZE, SIDE,
			SIDE);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	for (int i = 0; i < POOLS; i++) {
		size_t sum;
		first_byte(guard_fixture_buffer(&fixture, proxies[i]), &sum);
		ck_assert_uint_eq(sum, 0);
		wl_buffer_destroy(proxies[i]);
	}
	ck_assert(!shm_client_roundtrip(&fixture.client));
	leave_usual_descriptors();
	close(fd);
	guard_fixture_finish(&fixture);
}

/* Without a free one the kernel drops what a client sends. */
TEST(I9_no_descriptor_left_costs_who_sends_one)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	struct shm_client other;
	shm_client_connect(&other, fixture.server);
	int fd = harness_memfd(POOL_SIZE, 7, -1);
	struct wl_shm_pool *pool = wl_shm_create_pool(fixture.client.shm, fd,
		POOL_SIZE);
	shm_client_flush(&fixture.client);
	leave_descriptors(0);
	shm_client_serve(&fixture.client);
	leave_usual_descriptors();

	ck_assert(!shm_client_roundtrip(&fixture.client));
	ck_assert(shm_client_roundtrip(&other));
	expect_guarded(&other);
	wl_shm_pool_destroy(pool);
	shm_client_disconnect(&other);
	close(fd);
	guard_fixture_finish(&fixture);
}

/* ---- RLIMIT_AS ---- */

TEST(I9_no_address_left_costs_who_asks_for_some)
{
	if (needs_much_memory())
		SKIP("sanitizers need address space");
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	struct shm_client other;
	shm_client_connect(&other, fixture.server);
	int fd = harness_memfd(POOL_SIZE, 7, -1);
	struct wl_buffer *shown = shm_client_buffer(&other, fd, POOL_SIZE, SIDE, SIDE);
	ck_assert(shm_client_roundtrip(&other));
	struct shmguard_buffer *buffer = shmguard_buffer_from_resource(
		shm_client_resource(&other, shown));

	int large = harness_memfd(256 * MIB, 0, -1);
	struct rlimit before, little;
	ck_assert_int_eq(getrlimit(RLIMIT_AS, &before), 0);
	little = before;
	little.rlim_cur = (rlim_t)number_in_status("VmSize") * 1024 + 128 * MIB;
	if (setrlimit(RLIMIT_AS, &little) != 0)
		SKIP("address space cannot be limited: %s", strerror(errno));
	struct wl_shm_pool *pool = wl_shm_create_pool(fixture.client.shm, large,
		256 * MIB);
	ck_assert(!shm_client_roundtrip(&fixture.client));
	little.rlim_cur = (rlim_t)number_in_status("VmSize") * 1024;
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &little), 0);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	size_t sum;
	first_byte(buffer, &sum);
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &before), 0);

	ck_assert_uint_eq(sum, 0);
	ck_assert(!shm_client_roundtrip(&other));
	wl_shm_pool_destroy(pool);
	wl_buffer_destroy(shown);
	shm_client_disconnect(&other);
	close(large);
	close(fd);
	guard_fixture_finish(&fixture);
}

/* ---- A memory cgroup ---- */

#define CGROUP_LIMIT (48 * MIB)
#define HOLES (16 * MIB)
#define LOST_POOL (128 * MIB) /* User Mode Linux maps no more pages than 65,530 */

static void
show(struct guard_fixture *fixture, int fd, size_t size, size_t *sum)
{
	int32_t width = 4096, height = (int32_t)(size / 4096 / 4);
	struct wl_buffer *proxy = shm_client_buffer(&fixture->client, fd,
		(int32_t)size, width, height);
	ck_assert(shm_client_roundtrip(&fixture->client));
	first_byte(guard_fixture_buffer(fixture, proxy), sum);
	wl_buffer_destroy(proxy);
}

/* More of them than the cgroup may have. */
static int
lose_pages_in_cgroup(void)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	int fd = memfd_create("client", MFD_CLOEXEC);
	ck_assert_int_eq(ftruncate(fd, LOST_POOL), 0);
	size_t sum;
	struct wl_buffer *proxy = shm_client_buffer(&fixture.client, fd, LOST_POOL,
		4096, LOST_POOL / 4096 / 4);
	ck_assert(shm_client_roundtrip(&fixture.client));
	struct shmguard_buffer *buffer = guard_fixture_buffer(&fixture, proxy);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	first_byte(buffer, &sum);
	ck_assert_uint_eq(sum, 0);
	ck_assert(!shm_client_roundtrip(&fixture.client));
	wl_buffer_destroy(proxy);
	close(fd);
	guard_fixture_finish(&fixture);
	return 0;
}

/* And holes, which are told before they are filled. */
static int
show_holes_in_cgroup(void)
{
	struct shmguard_policy policy = {
		.limits = {.client = {.holes = HOLES}, .total = {.holes = HOLES}},
	};
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, &policy);
	int fd = memfd_create("client", MFD_CLOEXEC);
	ck_assert_int_eq(ftruncate(fd, LOST_POOL), 0);
	size_t sum;
	show(&fixture, fd, LOST_POOL, &sum);
	ck_assert_uint_eq(sum, 0);
	ck_assert(!shm_client_roundtrip(&fixture.client));
	close(fd);
	guard_fixture_finish(&fixture);
	return 0;
}

static void
run_in_cgroup(int (*func)(void))
{
	if (needs_much_memory())
		SKIP("sanitizers need memory");
	char why[128];
	struct memory_cgroup *group = memory_cgroup_create(CGROUP_LIMIT, why,
		sizeof(why));
	if (group == NULL)
		SKIP("%s", why);
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0)
		_exit(memory_cgroup_enter(group) ? func() : 1);
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	memory_cgroup_destroy(group);
	ck_assert_int_eq(status, 0);
}

TEST(I7_lost_pages_take_nothing_from_a_memory_cgroup)
{
	run_in_cgroup(lose_pages_in_cgroup);
}

TEST(I9_holes_are_limited_below_a_memory_cgroup)
{
	run_in_cgroup(show_holes_in_cgroup);
}

/* ---- vm.overcommit_memory=2 ---- */

#define OVERCOMMIT "/proc/sys/vm/overcommit_memory"
#define COMMIT_LIMIT "/proc/sys/vm/overcommit_kbytes" /* for mode 2 */

static long
read_number(const char *path)
{
	long number = -1;
	FILE *file = fopen(path, "re");
	if (file != NULL && fscanf(file, "%ld", &number) != 1)
		number = -1;
	if (file != NULL)
		fclose(file);
	return number;
}

static void
write_number(const char *path, long number)
{
	FILE *file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_gt(fprintf(file, "%ld\n", number), 0);
	ck_assert_int_eq(fclose(file), 0);
}

/* All of the machine feels that; some are there for one test program only. */
static bool
machine_is_ours(void)
{
	return getenv("SHMGUARD_TEST_OWN_MACHINE") != NULL;
}

/* Only what is written needs a promise: pools are read. */
TEST(I6_strict_overcommit_does_not_count_pools)
{
	long mode = read_number(OVERCOMMIT);
	if (mode != 2 && !machine_is_ours())
		SKIP("vm.overcommit_memory is %ld; all of the machine would feel 2",
			mode);
	if (mode != 2)
		write_number(OVERCOMMIT, 2);
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	long before = number_in_status("VmData");
	expect_guarded(&fixture.client);
	ck_assert_int_le(number_in_status("VmData"), before + 1024);
	guard_fixture_finish(&fixture);
	if (mode != 2)
		write_number(OVERCOMMIT, mode);
}

/* Zeros that could be written would have to be promised. */
TEST(I7_strict_overcommit_with_nothing_left)
{
	if (!machine_is_ours())
		SKIP("all of the machine would have to have no memory left");
	long mode = read_number(OVERCOMMIT);
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, &(struct shmguard_policy){.writable = true});
	int fd = harness_memfd(POOL_SIZE, 7, -1);
	struct wl_buffer *proxy = shm_client_buffer(&fixture.client, fd, POOL_SIZE,
		SIDE, SIDE);
	ck_assert(shm_client_roundtrip(&fixture.client));
	struct shmguard_buffer *buffer = guard_fixture_buffer(&fixture, proxy);
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_buffer_begin_read(buffer, &view), 0);
	const volatile unsigned char *bytes = view.data;
	size_t page = page_size();
	ck_assert_int_eq(ftruncate(fd, (off_t)page), 0);

	write_number(COMMIT_LIMIT, 1);
	write_number(OVERCOMMIT, 2);
	int lost = bytes[POOL_SIZE - 1], kept = bytes[0];
	write_number(OVERCOMMIT, mode);

	ck_assert_int_eq(lost, 0);
	ck_assert_int_eq(kept, 7);
	ck_assert_int_eq(shmguard_buffer_end(buffer, &view), -1);
	ck_assert(!shm_client_roundtrip(&fixture.client));
	wl_buffer_destroy(proxy);
	close(fd);
	guard_fixture_finish(&fixture);
}

/* ---- Small stacks ---- */

static void *
look_at_lost_page(void *data)
{
	volatile unsigned char *bytes = data;
	return (void *)(uintptr_t)bytes[0];
}

TEST(I2_smallest_stack_a_thread_can_have)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, NULL);
	int fd = harness_memfd(POOL_SIZE, 7, -1);
	struct wl_buffer *proxy = shm_client_buffer(&fixture.client, fd, POOL_SIZE,
		SIDE, SIDE);
	ck_assert(shm_client_roundtrip(&fixture.client));
	struct shmguard_view view;
	struct shmguard_buffer *buffer = guard_fixture_buffer(&fixture, proxy);
	ck_assert_int_eq(shmguard_buffer_begin_read(buffer, &view), 0);
	ck_assert_int_eq(ftruncate(fd, 0), 0);

	pthread_attr_t attributes;
	pthread_t thread;
	void *byte = &byte;
	pthread_attr_init(&attributes);
	long size = sysconf(_SC_THREAD_STACK_MIN);
	ck_assert_int_eq(pthread_attr_setstacksize(&attributes, (size_t)size), 0);
	int error = pthread_create(&thread, &attributes, look_at_lost_page,
		(void *)view.data);
	pthread_attr_destroy(&attributes);
	ck_assert_int_eq(error, 0);
	pthread_join(thread, &byte);
	ck_assert_ptr_null(byte);

	shmguard_buffer_end(buffer, &view);
	ck_assert(!shm_client_roundtrip(&fixture.client));
	wl_buffer_destroy(proxy);
	close(fd);
	guard_fixture_finish(&fixture);
}
