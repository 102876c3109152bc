/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that no process holds, in a network namespace of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "node/criu/tcp_left.h"
#include "node/netlink/link.h"
#include "tests/unit/base/patience.h"

#define PORT 4711

/* How a client finds the server, and what is then left of the connection. */
static const struct way {
	int listens, dials; /* families */
	const char *address;
	int left;
} ways[] = {
	{ AF_INET, AF_INET, "127.0.0.1", AF_INET },
	{ AF_INET6, AF_INET6, "::1", AF_INET6 },
	{ AF_INET6, AF_INET, "127.0.0.1", AF_INET },
};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t address_of(int family, const char *text, union address *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->any.sa_family = (sa_family_t)family;
	if (family == AF_INET) {
		ret->v4.sin_port = htons(PORT);
		assert_int_equal(inet_pton(family, text, &ret->v4.sin_addr), 1);
		return sizeof(ret->v4);
	}
	ret->v6.sin6_port = htons(PORT);
	assert_int_equal(inet_pton(family, text, &ret->v6.sin6_addr), 1);
	return sizeof(ret->v6);
}

static int listener(const struct way *w)
{
	int fd = socket(w->listens, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	union address a;
	socklen_t len = address_of(w->listens, w->listens == AF_INET ? "0.0.0.0" : "::", &a);

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, &a.any, len), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static int dial(const struct way *w)
{
	int fd = socket(w->dials, SOCK_STREAM | SOCK_CLOEXEC, 0);
	union address a;
	socklen_t len = address_of(w->dials, w->address, &a);

	assert_int_equal(connect(fd, &a.any, len), 0);
	return fd;
}

/* No end of it waits for the other's timeout. */
static void drop(int fd)
{
	struct linger now = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

static int setup(void **state)
{
	struct err err = { 0 };

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(link_up("lo", true, &err), 0);
	return 0;
}

static void what_waits_to_be_accepted_is_left(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		const struct way *w = &ways[i];
		struct tcp_left left[4];
		int server = listener(w), client = dial(w), taken;
		uint8_t ip[16] = { 0 };

		assert_int_equal(tcp_waiting(), 1);
		assert_int_equal(tcp_left_find(left, ARRAY_SIZE(left)), 1);
		assert_int_equal(left[0].family, w->left);
		assert_int_equal(left[0].own_port, PORT);
		assert_int_not_equal(left[0].peer_port, PORT);
		assert_int_equal(inet_pton(w->left, w->address, ip), 1);
		assert_memory_equal(left[0].own, ip, sizeof(ip));
		assert_memory_equal(left[0].peer, ip, sizeof(ip));
		/* Somebody holds it now. */
		taken = accept4(server, NULL, NULL, SOCK_CLOEXEC);
		assert_true(taken >= 0);
		assert_int_equal(tcp_waiting(), 0);
		assert_int_equal(tcp_left_find(left, ARRAY_SIZE(left)), 0);
		drop(client);
		drop(taken);
		close(server);
	}
}

static void no_more_are_told_than_there_is_room(void **state)
{
	const struct way *w = &ways[0];
	struct tcp_left left[3] = { 0 };
	int server = listener(w), clients[3];

	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		clients[i] = dial(w);
	assert_int_equal(tcp_waiting(), 3);
	assert_int_equal(tcp_left_find(left, 2), 2);
	assert_int_equal(left[2].family, 0);
	assert_int_equal(tcp_left_find(left, 0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		drop(clients[i]);
	close(server);
}

/* Its last data is still on the way after a close: the other side takes none. */
static void one_that_is_closed_with_data_is_left(void **state)
{
	static const char data[65536];
	const struct way *w = &ways[0];
	int server = listener(w), client = dial(w), taken;
	struct tcp_left left[4];

	taken = accept4(server, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	while (send(taken, data, sizeof(data), MSG_NOSIGNAL) > 0)
		;
	assert_int_equal(errno, EAGAIN);
	close(taken);
	assert_int_equal(tcp_left_find(left, ARRAY_SIZE(left)), 1);
	assert_int_equal(left[0].own_port, PORT);
	drop(client);
	close(server);
}

/* As a restore leaves the peer: it believes in a connection of which the kernel knows nothing. */
static void the_peer_of_a_lost_connection_is_told(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		const struct way *w = &ways[i];
		struct tcp_left left[4];
		int server = listener(w), client = dial(w), taken, on = 1, gone = 0;
		struct pollfd pf = { .fd = client, .events = POLLIN };
		socklen_t len = sizeof(gone);

		assert_int_equal(tcp_left_find(left, ARRAY_SIZE(left)), 1);
		taken = accept4(server, NULL, NULL, SOCK_CLOEXEC);
		assert_int_equal(setsockopt(taken, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)), 0);
		close(taken);
		assert_int_equal(poll(&pf, 1, 0), 0);
		assert_true(tcp_left_reset(&left[0]));
		assert_int_equal(poll(&pf, 1, PATIENCE_MS), 1);
		assert_int_equal(getsockopt(client, SOL_SOCKET, SO_ERROR, &gone, &len), 0);
		assert_int_equal(gone, ECONNRESET);
		close(client);
		close(server);
	}
}

static void who_cannot_be_asked_is_told_apart(void **state)
{
	struct tcp_left elsewhere = { .family = AF_INET,
				      .own = { 192, 0, 2, 1 },
				      .peer = { 192, 0, 2, 2 },
				      .own_port = 1,
				      .peer_port = 2 };

	errno = 0;
	assert_false(tcp_left_reset(&elsewhere));
	assert_int_equal(errno, EADDRNOTAVAIL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_waits_to_be_accepted_is_left, setup),
		cmocka_unit_test_setup(no_more_are_told_than_there_is_room, setup),
		cmocka_unit_test_setup(one_that_is_closed_with_data_is_left, setup),
		cmocka_unit_test_setup(the_peer_of_a_lost_connection_is_told, setup),
		cmocka_unit_test_setup(who_cannot_be_asked_is_told_apart, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
