/* SPDX-License-Identifier: MIT */

/* What clients of the siege hear of a compositor that closes the connection. */

#include "client.h"
#include "harness.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static _Atomic int server = -1;
static struct client client;

static void
close_server(void)
{
	int fd = atomic_exchange(&server, -1);
	if (fd >= 0)
		close(fd);
}

/* In place of the C library's: the worst moment to close is when the client has
 * begun to read. */
ssize_t
recvmsg(int fd, struct msghdr *message, int flags)
{
	ssize_t (*next)(int, struct msghdr *, int) =
		(ssize_t (*)(int, struct msghdr *, int))dlsym(RTLD_NEXT, "recvmsg");
	ssize_t length = next(fd, message, flags);
	if (length > 0)
		close_server();
	return length;
}

static void *
close_later(void *data)
{
	(void)data;
	usleep(1000);
	close_server();
	return NULL;
}

static bool
wait_for_the_end(void)
{
	const int never = 0;
	return !client_wait(&client, &never, 1) && !client.stalled;
}

static void
connect_to_pair(void)
{
	int fds[2];
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
		fds), 0);
	server = fds[1];
	client.display = wl_display_connect_to_fd(fds[0]);
	ck_assert_ptr_nonnull(client.display);
	client.patience = 5000;
	/* Requests that nobody reads make the kernel reset the connection. */
	struct wl_callback *callback = wl_display_sync(client.display);
	ck_assert_int_gt(wl_display_flush(client.display), 0);
	wl_callback_destroy(callback);
}

TEST(errors_are_heard_whenever_the_connection_is_closed)
{
	/* wl_display.error, of the display itself. */
	uint32_t words[7] = {1, sizeof(words) << 16, 1,
		WL_DISPLAY_ERROR_IMPLEMENTATION, 8};
	char text[192];
	pthread_t thread;
	memcpy(&words[5], "lost it", 8);
	connect_to_pair();
	ck_assert_int_eq(write(server, words, sizeof(words)), sizeof(words));
	ck_assert_int_eq(pthread_create(&thread, NULL, close_later, NULL), 0);
	ck_assert(wait_for_the_end());
	ck_assert(client_was_told(&client, text, sizeof(text)));
	ck_assert_msg(strstr(text, "error 3 implementation") != NULL, "%s", text);
	pthread_join(thread, NULL);
	client_disconnect(&client);
}

TEST(end_without_a_word_is_none)
{
	char text[192];
	connect_to_pair();
	close_server();
	ck_assert(wait_for_the_end());
	ck_assert(!client_was_told(&client, text, sizeof(text)));
	client_disconnect(&client);
}
