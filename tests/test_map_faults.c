/* SPDX-License-Identifier: MIT */

/* Who hears of memory that has gone missing under a map (I5). */

#include "harness.h"

#include "guarded_map.h"
#include "map_faults_fixture.h"
#include "memory_look.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

static struct fault_notifier *
make_notifier(void)
{
	struct fault_notifier *notifier = fault_notifier_create();
	if (notifier == NULL)
		harness_lacks("eventfd");
	return notifier;
}

static const struct shmguard_policy copy_policy = {
	.unsealed = SHMGUARD_UNSEALED_COPY,
};

struct client {
	int fd;
	struct shmguard_map *map;
	int reports;
	bool closes_itself;
	struct client *closes;
};

static struct client
connect_client(struct fault_notifier *notifier,
	const struct shmguard_policy *policy, struct client *self)
{
	struct client client = {.fd = numbered_memfd(PAGES)};
	client.map = guarded_map_open(fcntl(client.fd, F_DUPFD_CLOEXEC, 0),
		PAGES * page, policy, NULL, notifier, self, NULL);
	ck_assert_ptr_nonnull(client.map);
	return client;
}

static void
disconnect_client(struct client *client)
{
	shmguard_map_close(client->map);
	client->map = NULL;
}

static void
lose_memory(struct client *client)
{
	struct shmguard_view view = must_read(client->map);
	truncate_to(client->fd, 1);
	/* A copy has been made by now, the next one meets the loss. */
	if (view.copy != NULL) {
		end_with(view, 0);
		view = must_read(client->map);
	}
	check_bytes(&view, 1);
	end_with(view, -1);
}

static bool
is_awake(const struct fault_notifier *notifier)
{
	struct pollfd poll_fd = {
		.fd = fault_notifier_fd(notifier), .events = POLLIN,
	};
	int ready = poll(&poll_fd, 1, 0);
	ck_assert_int_ge(ready, 0);
	return ready == 1;
}

static void
report(void *owner)
{
	struct client *client = owner;
	client->reports++;
	if (client->closes != NULL)
		disconnect_client(client->closes);
	if (client->closes_itself)
		disconnect_client(client);
}

static void
check_reports(const struct shmguard_policy *policy)
{
	static struct client clients[5];
	struct fault_notifier *notifiers[2] = {
		make_notifier(), make_notifier(),
	};
	for (int i = 0; i < 5; i++)
		clients[i] = connect_client(notifiers[i % 2], policy, &clients[i]);
	guarded_map_dispatch_faults(notifiers[0], report);
	ck_assert(!is_awake(notifiers[0]));

	lose_memory(&clients[0]);
	lose_memory(&clients[4]);
	lose_memory(&clients[1]);
	ck_assert(is_awake(notifiers[0]));
	ck_assert(is_awake(notifiers[1]));
	guarded_map_dispatch_faults(notifiers[0], report);
	ck_assert(!is_awake(notifiers[0]));
	ck_assert(is_awake(notifiers[1]));
	ck_assert_int_eq(clients[0].reports, 1);
	ck_assert_int_eq(clients[1].reports, 0);
	ck_assert_int_eq(clients[2].reports, 0);
	ck_assert_int_eq(clients[4].reports, 1);

	/* Once is enough, and a closed map is nobody's. */
	guarded_map_dispatch_faults(notifiers[0], report);
	ck_assert_int_eq(clients[0].reports, 1);
	disconnect_client(&clients[1]);
	guarded_map_dispatch_faults(notifiers[1], report);
	ck_assert_int_eq(clients[1].reports, 0);

	for (int i = 0; i < 5; i++) {
		disconnect_client(&clients[i]);
		close(clients[i].fd);
	}
	fault_notifier_unref(notifiers[0]);
	fault_notifier_unref(notifiers[1]);
}

TEST(I5_owner_is_named_once)
{
	check_reports(NULL);
}

TEST(I5_owner_of_a_copied_file_is_named_once)
{
	check_reports(&copy_policy);
}

/* With several mappings, each of which has faults. */
static void
check_further_losses(const struct shmguard_policy *policy)
{
	static struct client client;
	struct fault_notifier *notifier = make_notifier();
	client = connect_client(notifier, policy, &client);
	struct shmguard_view before = must_read(client.map), writing;
	ck_assert_int_eq(shmguard_map_resize(client.map, 500 * page), 0);
	lose_memory(&client);
	if (before.range != NULL)
		check_bytes(&before, 1);
	shmguard_view_end(&before);
	guarded_map_dispatch_faults(notifier, report);
	ck_assert_int_eq(client.reports, 1);

	ck_assert_int_eq(shmguard_map_begin_write(client.map, 0, PAGES * page,
		&writing), 0);
	truncate_to(client.fd, 0);
	memset(writing.data, 5, PAGES * page);
	end_with(writing, -1);
	ck_assert(is_awake(notifier));
	guarded_map_dispatch_faults(notifier, report);
	ck_assert(!is_awake(notifier));
	ck_assert_int_eq(client.reports, 1);
	disconnect_client(&client);
	close(client.fd);
	fault_notifier_unref(notifier);
}

TEST(I5_further_losses_are_no_news)
{
	check_further_losses(NULL);
	check_further_losses(&copy_policy);
}

static void
check_closing_in_reports(const struct shmguard_policy *policy)
{
	static struct client clients[4];
	struct fault_notifier *notifier = make_notifier();
	for (int i = 0; i < 4; i++)
		clients[i] = connect_client(notifier, policy, &clients[i]);
	/* Whichever of the two comes first closes the other. */
	clients[0].closes = &clients[1];
	clients[1].closes = &clients[0];
	clients[2].closes_itself = true;
	struct shmguard_view pinned = must_read(clients[1].map);
	for (int i = 0; i < 4; i++)
		lose_memory(&clients[i]);
	guarded_map_dispatch_faults(notifier, report);
	ck_assert_int_eq(clients[0].reports + clients[1].reports, 1);
	ck_assert_int_eq(clients[2].reports, 1);
	ck_assert_int_eq(clients[3].reports, 1);

	if (pinned.range != NULL)
		check_bytes(&pinned, 1);
	shmguard_view_end(&pinned);
	for (int i = 0; i < 4; i++) {
		disconnect_client(&clients[i]);
		close(clients[i].fd);
	}
	fault_notifier_unref(notifier);
}

TEST(I5_report_may_close_maps)
{
	check_closing_in_reports(NULL);
}

TEST(I5_report_may_close_copied_maps)
{
	check_closing_in_reports(&copy_policy);
}

static void
check_loss_after_close(const struct shmguard_policy *policy)
{
	static struct client client;
	struct fault_notifier *notifier = make_notifier();
	client = connect_client(notifier, policy, &client);
	struct shmguard_view view;
	ck_assert_int_eq(shmguard_map_begin_write(client.map, 0, PAGES * page,
		&view), 0);
	disconnect_client(&client);
	/* The view keeps what it needs to wake somebody who has gone. */
	int fd = fault_notifier_fd(notifier);
	fault_notifier_ref(notifier);
	truncate_to(client.fd, 0);
	((volatile char *)view.data)[page] = 1;
	end_with(view, -1);
	guarded_map_dispatch_faults(notifier, report);
	ck_assert_int_eq(client.reports, 0);
	fault_notifier_unref(notifier);
	fault_notifier_unref(notifier);
	ck_assert_int_lt(fcntl(fd, F_GETFD), 0);
	close(client.fd);
}

TEST(I5_nobody_is_named_after_close)
{
	check_loss_after_close(NULL);
	check_loss_after_close(&copy_policy);
}

TEST(I5_view_keeps_the_notifier)
{
	static struct client client;
	struct fault_notifier *notifier = make_notifier();
	int fd = fault_notifier_fd(notifier);
	client = connect_client(notifier, NULL, &client);
	struct shmguard_view view = must_read(client.map);
	disconnect_client(&client);
	fault_notifier_unref(notifier);
	ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
	truncate_to(client.fd, 1);
	check_bytes(&view, 1);
	end_with(view, -1);
	ck_assert_int_lt(fcntl(fd, F_GETFD), 0);
	close(client.fd);
}

static void *
lose_memory_on_thread(void *client)
{
	struct client *self = client;
	struct shmguard_view view;
	if (shmguard_map_begin_read(self->map, 0, PAGES * page, &view) != 0)
		return NULL;
	int byte = ((volatile unsigned char *)view.data)[PAGES * page - 1];
	return shmguard_view_end(&view) == -1 && byte == 0 ? client : NULL;
}

TEST(I5_fault_of_another_thread_wakes_the_display)
{
	static struct client client;
	pthread_t thread;
	void *result;
	struct fault_notifier *notifier = make_notifier();
	client = connect_client(notifier, NULL, &client);
	truncate_to(client.fd, 1);
	ck_assert_int_eq(pthread_create(&thread, NULL, lose_memory_on_thread,
		&client), 0);
	struct pollfd poll_fd = {
		.fd = fault_notifier_fd(notifier), .events = POLLIN,
	};
	ck_assert_int_eq(poll(&poll_fd, 1, 10000), 1);
	guarded_map_dispatch_faults(notifier, report);
	ck_assert_int_eq(client.reports, 1);
	ck_assert_int_eq(pthread_join(thread, &result), 0);
	ck_assert_ptr_eq(result, &client);
	disconnect_client(&client);
	close(client.fd);
	fault_notifier_unref(notifier);
}
