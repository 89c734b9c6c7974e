/* SPDX-License-Identifier: MIT */

/*
 * I9: what happens to a client that wants too much, and that nothing happens to
 * the others.
 */

#include "fake_kernel.h"
#include "guard_fixture.h"
#include "harness.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* No test has a file that is longer. */
#define FILE_SIZE (1 << 20)

/* A client that lets nothing go. */
struct hoarder {
	struct shm_client client;
	struct wl_array proxies; /* struct wl_proxy * */
	struct wl_shm_pool *pool;
	int32_t pool_size;
	int fd;
};

static void
hoarder_init(struct hoarder *hoarder, struct wl_display *server)
{
	memset(hoarder, 0, sizeof(*hoarder));
	wl_array_init(&hoarder->proxies);
	hoarder->fd = harness_memfd(FILE_SIZE, 0, 0);
	shm_client_connect(&hoarder->client, server);
}

/* The connection may have ended: there is nobody to tell. */
static void
hoarder_finish(struct hoarder *hoarder)
{
	struct wl_proxy **proxy;
	wl_array_for_each(proxy, &hoarder->proxies)
		wl_proxy_destroy(*proxy);
	wl_array_release(&hoarder->proxies);
	shm_client_disconnect(&hoarder->client);
	close(hoarder->fd);
}

static void
keep(struct hoarder *hoarder, void *proxy)
{
	struct wl_proxy **slot = wl_array_add(&hoarder->proxies, sizeof(*slot));
	ck_assert_ptr_nonnull(slot);
	*slot = proxy;
}

static void
make_pool(struct hoarder *hoarder, int32_t size)
{
	hoarder->pool = wl_shm_create_pool(hoarder->client.shm, hoarder->fd, size);
	hoarder->pool_size = size;
	keep(hoarder, hoarder->pool);
}

static void
make_small_pool(struct hoarder *hoarder)
{
	make_pool(hoarder, 4096);
}

static void
make_buffer(struct hoarder *hoarder)
{
	if (hoarder->pool == NULL)
		make_pool(hoarder, 4096);
	keep(hoarder, wl_shm_pool_create_buffer(hoarder->pool, 0, 1, 1, 4,
		WL_SHM_FORMAT_ARGB8888));
}

static void
grow_pool(struct hoarder *hoarder)
{
	if (hoarder->pool == NULL)
		make_pool(hoarder, 4096);
	hoarder->pool_size += 4096;
	wl_shm_pool_resize(hoarder->pool, hoarder->pool_size);
}

/* Each buffer keeps the mapping in which it was made. Every mapping that is made
 * to grow has room for half as much again: the next one is for more. */
static void
make_mapping(struct hoarder *hoarder)
{
	make_buffer(hoarder);
	hoarder->pool_size += hoarder->pool_size / 2;
	grow_pool(hoarder);
}

static void
make_large_pool(struct hoarder *hoarder)
{
	make_pool(hoarder, FILE_SIZE);
}

/* How often it can, until the compositor has had enough of it. */
static int
hoard(struct hoarder *hoarder, void (*act)(struct hoarder *hoarder))
{
	for (int count = 0; count < 100000; count++) {
		act(hoarder);
		if (!shm_client_roundtrip(&hoarder->client)) {
			shm_client_expect_error(&hoarder->client, "wl_display",
				WL_DISPLAY_ERROR_NO_MEMORY);
			ck_assert_ptr_null(hoarder->client.connection);
			return count;
		}
	}
	ck_abort_msg("nobody stopped it");
}

/* Somebody else comes, has a buffer looked at, and goes. */
static void
expect_newcomer_is_served(struct guard_fixture *fixture)
{
	struct shm_client newcomer;
	shm_client_connect(&newcomer, fixture->server);
	int fd = harness_memfd(4096, 0x5a, 0);
	struct wl_buffer *proxy = shm_client_buffer(&newcomer, fd, 4096, 32, 32);
	close(fd);
	struct shmguard_buffer *buffer = shmguard_buffer_from_resource(
		shm_client_resource(&newcomer, proxy));
	ck_assert_ptr_nonnull(buffer);
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_buffer_begin_read(buffer, &view), 0);
	ck_assert_int_eq(((unsigned char *)view.data)[4095], 0x5a);
	ck_assert_int_eq(shmguard_view_end(&view), 0);
	wl_buffer_destroy(proxy);
	ck_assert(shm_client_roundtrip(&newcomer));
	shm_client_disconnect(&newcomer);
}

static void
expect_nothing_held(void)
{
	static const struct shmguard_usage nothing;
	struct shmguard_usage usage;
	shmguard_total_usage(&usage);
	ck_assert_mem_eq(&usage, &nothing, sizeof(usage));
}

/* ---- Each limit ---- */

/* `limit` is how the client is told of it. Returns how often it could `act`. */
static int
hoard_under(const struct shmguard_policy *policy,
	void (*act)(struct hoarder *hoarder), const char *limit)
{
	struct guard_fixture fixture;
	struct hoarder hoarder;
	guard_fixture_init(&fixture, policy);
	hoarder_init(&hoarder, fixture.server);
	int count = hoard(&hoarder, act);
	ck_assert_msg(strstr(shm_client_message(), limit) != NULL, "not %s: %s",
		limit, shm_client_message());
	ck_assert_msg(strstr(guard_fixture_log(), limit) != NULL, "not %s: %s",
		limit, guard_fixture_log());
	expect_nothing_held();
	expect_newcomer_is_served(&fixture);
	ck_assert(shm_client_roundtrip(&fixture.client));

	hoarder_finish(&hoarder);
	guard_fixture_finish(&fixture);
	return count;
}

TEST(I9_pools_are_limited)
{
	ck_assert_int_eq(hoard_under(&(struct shmguard_policy){
		.limits.client.pools = 20}, make_small_pool, "20 pools"), 20);
}

TEST(I9_buffers_are_limited)
{
	ck_assert_int_eq(hoard_under(&(struct shmguard_policy){
		.limits.client.buffers = 30}, make_buffer, "30 buffers"), 30);
}

TEST(I9_bytes_are_limited_when_pools_are_made)
{
	ck_assert_int_eq(hoard_under(&(struct shmguard_policy){
		.limits.client.bytes = 5 * FILE_SIZE + 4096}, make_large_pool,
		"5246976 mapped bytes"), 5);
}

TEST(I9_bytes_are_limited_when_pools_grow)
{
	fake_kernel.roomy = true;
	fake_kernel_use();
	ck_assert_int_eq(hoard_under(&(struct shmguard_policy){
		.limits.client.bytes = 10 * 4096}, grow_pool,
		"40960 mapped bytes"), 9);
}

TEST(I9_mappings_that_buffers_keep_are_limited)
{
	fake_kernel.tight = true;
	fake_kernel_use();
	ck_assert_int_eq(hoard_under(&(struct shmguard_policy){
		.limits.client.mappings = 10}, make_mapping, "10 mappings"), 9);
}

TEST(I9_descriptors_are_limited)
{
	ck_assert_int_eq(hoard_under(&(struct shmguard_policy){
		.unsealed = SHMGUARD_UNSEALED_COPY,
		.limits.client.descriptors = 7,
	}, make_small_pool, "7 descriptors"), 7);
}

TEST(I9_limits_can_be_read)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, &(struct shmguard_policy){
		.limits = {.client.pools = 3, .height = 100}});
	struct shmguard_limits limits;
	shmguard_get_limits(fixture.guard, &limits);
	ck_assert_uint_eq(limits.client.pools, 3);
	ck_assert_uint_gt(limits.client.mappings, 0);
	ck_assert_uint_ge(limits.total.mappings, limits.client.mappings);
	ck_assert_int_eq(limits.width, 65535);
	ck_assert_int_eq(limits.height, 100);
	guard_fixture_finish(&fixture);
}

/* What a client gives back it may take again. */
TEST(I9_limits_are_on_what_is_held)
{
	struct guard_fixture fixture;
	fake_kernel_use(); /* one where a pool takes one mapping */
	guard_fixture_init(&fixture, &(struct shmguard_policy){
		.limits.client = {
			.pools = 1,
			.buffers = 1,
			.mappings = 1,
			.bytes = 4096,
		}});
	int fd = harness_memfd(4096, 0, 0);
	for (int i = 0; i < 100; i++) {
		wl_buffer_destroy(
			shm_client_buffer(&fixture.client, fd, 4096, 32, 32));
		ck_assert(shm_client_roundtrip(&fixture.client));
	}
	guard_fixture_finish(&fixture);
	close(fd);
}

/* ---- Floods ---- */

/* Far more than the kernel has mappings, as fast as the socket takes them. */
TEST(I9_F18_pool_flood_costs_one_client)
{
	enum { POOLS = 70000, BATCH = 200 };
	struct guard_fixture fixture;
	struct hoarder hoarder;
	struct shmguard_limits limits;
	guard_fixture_init(&fixture, NULL);
	shmguard_get_limits(fixture.guard, &limits);
	hoarder_init(&hoarder, fixture.server);
	int count = 0, newcomers = 0;
	for (bool served = true; served; newcomers++) {
		for (int i = 0; i < BATCH && count < POOLS; i++, count++)
			make_small_pool(&hoarder);
		served = count < POOLS && shm_client_roundtrip(&hoarder.client);
		expect_newcomer_is_served(&fixture);
	}
	shm_client_expect_error(&hoarder.client, "wl_display",
		WL_DISPLAY_ERROR_NO_MEMORY);
	ck_assert_int_gt(newcomers, 3);
	if ((size_t)count > limits.client.pools + BATCH)
		ck_abort_msg("%d of %zu", count, limits.client.pools);
	ck_assert(shm_client_roundtrip(&fixture.client));
	hoarder_finish(&hoarder);
	expect_nothing_held();
	guard_fixture_finish(&fixture);
}

/* Clients that are no better, each with all that it can get. Those that the
 * compositor starts are told apart although they have its process number. */
TEST(I9_many_greedy_clients_leave_something)
{
	enum { CLIENTS = 20 };
	struct guard_fixture fixture;
	fake_kernel_use(); /* one where a pool takes one mapping */
	guard_fixture_init(&fixture, &(struct shmguard_policy){
		.limits = {
			.client.mappings = SIZE_MAX,
			.total.mappings = 1000,
		}});
	int fd = harness_memfd(4096, 0, 0);
	struct wl_buffer *kept =
		shm_client_buffer(&fixture.client, fd, 4096, 32, 32);

	struct hoarder hoarders[CLIENTS];
	for (int i = 0; i < CLIENTS; i++) {
		hoarder_init(&hoarders[i], fixture.server);
		struct shmguard_usage usage;
		do {
			/* Up to what it may have, but not beyond. */
			make_small_pool(&hoarders[i]);
			ck_assert(shm_client_roundtrip(&hoarders[i].client));
			shmguard_total_usage(&usage);
		} while (hoarders[i].proxies.size / sizeof(void *) + 1 <=
			(1000 - usage.mappings) / 8);
		expect_newcomer_is_served(&fixture);
	}
	/* It holds little, so it may have more. */
	wl_buffer_destroy(kept);
	kept = shm_client_buffer(&fixture.client, fd, 4096, 32, 32);
	/* They do not. */
	for (int i = 0; i < CLIENTS; i++) {
		hoard(&hoarders[i], make_small_pool);
		ck_assert_ptr_nonnull(
			strstr(shm_client_message(), "1000 mappings"));
		hoarder_finish(&hoarders[i]);
		expect_newcomer_is_served(&fixture);
	}
	wl_buffer_destroy(kept);
	ck_assert(shm_client_roundtrip(&fixture.client));
	expect_nothing_held();
	guard_fixture_finish(&fixture);
	close(fd);
}

/* ---- Who is one client ---- */

static void
send_descriptors(int socket, const int *fds, size_t count)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(4 * sizeof(int))];
	} control = {0};
	struct msghdr message = {
		.msg_iov = &(struct iovec){.iov_base = "", .iov_len = 1},
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(count * sizeof(int)),
	};
	control.header = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(count * sizeof(int)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
	};
	memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
	if (sendmsg(socket, &message, 0) != 1)
		_exit(1);
}

static void
receive_descriptors(int socket, int *fds, size_t count)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct msghdr message = {
		.msg_iov = &(struct iovec){.iov_base = (char[1]){0}, .iov_len = 1},
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ck_assert_int_eq(recvmsg(socket, &message, MSG_CMSG_CLOEXEC), 1);
	ck_assert_uint_eq(message.msg_controllen, CMSG_SPACE(count * sizeof(int)));
	memcpy(fds, CMSG_DATA(&control.header), count * sizeof(int));
}

/* Two connections that another process has made: its number is what the
 * compositor learns of them. */
static void
connect_from_child(struct shm_client clients[2], struct wl_display *server)
{
	int pair[2], ends[4];
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0 ||
				socketpair(AF_UNIX, SOCK_STREAM, 0, ends + 2) < 0)
			_exit(1);
		send_descriptors(pair[1], ends, 4);
		_exit(0);
	}
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	receive_descriptors(pair[0], ends, 4);
	close(pair[0]);
	close(pair[1]);
	shm_client_connect_to(&clients[0], server, ends);
	shm_client_connect_to(&clients[1], server, ends + 2);
}

TEST(I9_connections_of_a_process_share_its_limits)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, &(struct shmguard_policy){
		.limits.client.pools = 3});
	struct shm_client one[2], other[2];
	connect_from_child(one, fixture.server);
	connect_from_child(other, fixture.server);

	int fd = harness_memfd(4096, 0, 0);
	struct wl_shm_pool *pools[4];
	for (int i = 0; i < 4; i++) {
		pools[i] = wl_shm_create_pool(one[i % 2].shm, fd, 4096);
		ck_assert_int_eq(shm_client_roundtrip(&one[i % 2]), i < 3);
	}
	shm_client_expect_error(&one[1], "wl_display",
		WL_DISPLAY_ERROR_NO_MEMORY);
	/* The connection that asked is the one that pays; others are not one. */
	struct shmguard_usage usage;
	shmguard_client_usage(fixture.guard, one[0].connection, &usage);
	ck_assert_uint_eq(usage.pools, 2);
	ck_assert(shm_client_roundtrip(&one[0]));
	struct wl_buffer *buffer = shm_client_buffer(&other[0], fd, 4096, 32, 32);
	shmguard_client_usage(fixture.guard, other[1].connection, &usage);
	ck_assert_uint_eq(usage.pools, 1);
	shmguard_client_usage(fixture.guard, fixture.client.connection, &usage);
	ck_assert_uint_eq(usage.pools, 0);

	for (int i = 0; i < 4; i++)
		wl_shm_pool_destroy(pools[i]);
	wl_buffer_destroy(buffer);
	for (int i = 0; i < 2; i++) {
		shm_client_disconnect(&one[i]);
		shm_client_disconnect(&other[i]);
	}
	expect_nothing_held();
	guard_fixture_finish(&fixture);
	close(fd);
}

/* ---- Size of buffers ---- */

struct geometry {
	int32_t width, height, stride;
};

static void
expect_buffer(const struct shmguard_policy *policy, struct geometry geometry,
	const char *limit)
{
	struct guard_fixture fixture;
	guard_fixture_init(&fixture, policy);
	int fd = harness_memfd(FILE_SIZE, 0, 0);
	struct wl_shm_pool *pool =
		wl_shm_create_pool(fixture.client.shm, fd, INT32_MAX);
	struct wl_buffer *buffer = wl_shm_pool_create_buffer(pool, 0,
		geometry.width, geometry.height, geometry.stride,
		WL_SHM_FORMAT_ARGB8888);
	bool accepted = shm_client_roundtrip(&fixture.client);
	if (limit == NULL) {
		ck_assert_msg(accepted, "%s", shm_client_message());
	} else {
		shm_client_expect_error(&fixture.client, "wl_shm_pool",
			WL_SHM_ERROR_INVALID_STRIDE);
		ck_assert_msg(strstr(shm_client_message(), limit) != NULL,
			"not %s: %s", limit, shm_client_message());
	}
	wl_buffer_destroy(buffer);
	wl_shm_pool_destroy(pool);
	guard_fixture_finish(&fixture);
	close(fd);
}

TEST(I9_buffers_that_no_renderer_takes_are_refused)
{
	expect_buffer(NULL, (struct geometry){65535, 1, 65535 * 4}, NULL);
	expect_buffer(NULL, (struct geometry){1, 65535, 4}, NULL);
	expect_buffer(NULL, (struct geometry){1, 1, 1 << 20}, NULL);
	expect_buffer(NULL, (struct geometry){65536, 1, 65536 * 4}, "width");
	expect_buffer(NULL, (struct geometry){536870911, 1, 2147483644}, "width");
	expect_buffer(NULL, (struct geometry){1, 65536, 4}, "height");
	expect_buffer(NULL, (struct geometry){1, 536870911, 4}, "height");
	expect_buffer(NULL, (struct geometry){1, 1, (1 << 20) + 1}, "stride");
}

TEST(I9_size_of_buffers_can_be_limited)
{
	const struct shmguard_policy policy = {
		.limits = {.width = 10, .height = 20, .stride = 64},
	};
	expect_buffer(&policy, (struct geometry){10, 20, 64}, NULL);
	expect_buffer(&policy, (struct geometry){11, 20, 64}, "width");
	expect_buffer(&policy, (struct geometry){10, 21, 64}, "height");
	expect_buffer(&policy, (struct geometry){10, 20, 65}, "stride");
	const struct shmguard_policy any = {.limits = {
		.width = INT32_MAX, .height = INT32_MAX, .stride = INT32_MAX}};
	expect_buffer(&any, (struct geometry){536870911, 1, 2147483644}, NULL);
}
