/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/net/connect.h"

static void addresses_are_split(void **state)
{
	static const struct {
		const char *text, *host, *port;
	} cases[] = {
		{ "10.0.0.1:8443", "10.0.0.1", "8443" },
		{ "[fd00::1]:1", "fd00::1", "1" },
		{ "[::]:8443", "::", "8443" },
		{ "[]:8443", "", "8443" },
		{ ":8443", "", "8443" },
		{ "host.example:65535", "host.example", "65535" },
		{ "host:0", "host", "0" },
		{ "host:000008443", "host", "8443" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char host[64], port[8];
		struct err err = { 0 };

		if (address_split(cases[i].text, host, sizeof(host), port, &err) < 0)
			fail_msg("%s", err.msg);
		assert_string_equal(host, cases[i].host);
		assert_string_equal(port, cases[i].port);
	}
}

static void bad_addresses_are_named(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", "is not host:port" },
		{ "10.0.0.1", "is not host:port" },
		{ "a:65536", "is not host:port" },
		{ "a:", "is not host:port" },
		{ "a:1x", "is not host:port" },
		{ "a: 1", "is not host:port" },
		{ "a:-1", "is not host:port" },
		{ "[::1]", "is not host:port" },
		{ "fd00::1:8443", "write an IPv6 address as [address]:port" },
		{ "[::1:80", "write an IPv6 address as [address]:port" },
		{ "::1]:80", "write an IPv6 address as [address]:port" },
		{ "much-longer-than-the-room-for-it:80", "is too long" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char host[20], port[8];
		struct err err = { 0 };

		assert_int_equal(address_split(cases[i].text, host, sizeof(host), port, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		if (!strstr(err.msg, cases[i].says) || !strstr(err.msg, cases[i].text))
			fail_msg("%s: %s", cases[i].text, err.msg);
	}
}

static void a_host_may_fill_its_room(void **state)
{
	char host[5], port[8];
	struct err err = { 0 };

	assert_int_equal(address_split("abcd:1", host, sizeof(host), port, &err), 0);
	assert_string_equal(host, "abcd");
	assert_int_equal(address_split("abcde:1", host, sizeof(host), port, &err), -1);
}

/* On a free port of loopback; its address as text. */
static int listen_tcp(char address[32])
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t n = sizeof(a);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	snprintf(address, 32, "127.0.0.1:%d", ntohs(a.sin_port));
	return fd;
}

static int option(int fd, int level, int name)
{
	socklen_t n = sizeof(int);
	int v = -1;

	assert_int_equal(getsockopt(fd, level, name, &v, &n), 0);
	return v;
}

static void connects_and_tunes(void **state)
{
	char address[32], host[64];
	struct err err = { 0 };
	int listener = listen_tcp(address);
	int fd = connect_tcp(address, host, sizeof(host), deadline_in(5000), &err);

	assert_true(fd >= 0);
	assert_string_equal(host, "127.0.0.1");
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_true(option(fd, IPPROTO_TCP, TCP_NODELAY) > 0);
	assert_true(option(fd, SOL_SOCKET, SO_KEEPALIVE) > 0);
	/* a dead peer is noticed within half a minute, silent or not */
	assert_in_range(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 1, 30000);
	assert_in_range(option(fd, IPPROTO_TCP, TCP_KEEPIDLE) +
				option(fd, IPPROTO_TCP, TCP_KEEPINTVL) *
					option(fd, IPPROTO_TCP, TCP_KEEPCNT),
			1, 30);
	close(fd);
	close(listener);
}

static void nobody_there_is_told(void **state)
{
	char address[32], host[64];
	struct err err = { 0 };
	int listener = listen_tcp(address);

	close(listener);
	assert_int_equal(connect_tcp(address, host, sizeof(host), deadline_in(5000), &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.msg, address));
	assert_int_equal(connect_tcp("nonsense", host, sizeof(host), 0, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(connect_tcp("no host:1", host, sizeof(host), 0, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.msg, "no host:1"));
}

/* A full queue of connections answers nothing, as a host that is off. */
static void silence_ends_at_the_deadline(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fds[8], fd, n = 0;
	struct err err = { 0 };
	char address[32], host[64];
	socklen_t len = sizeof(a);

	assert_int_equal(bind(listener, (struct sockaddr *)&a, len), 0);
	assert_int_equal(listen(listener, 0), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &len), 0);
	snprintf(address, sizeof(address), "127.0.0.1:%d", ntohs(a.sin_port));
	while ((fd = connect_tcp(address, host, sizeof(host), deadline_in(50), &err)) >= 0 && n < 8)
		fds[n++] = fd;
	assert_int_equal(fd, -1);
	assert_int_equal(err.kind, ERR_TIMEOUT);
	assert_non_null(strstr(err.msg, address));
	while (n)
		close(fds[--n]);
	close(listener);
}

static void unix_sockets(void **state)
{
	char dir[] = "/tmp/dunlin-connect-XXXXXX", long_path[200];
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct err err = { 0 };
	int listener, fd;

	assert_non_null(mkdtemp(dir));
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/socket", dir);
	assert_int_equal(connect_unix(a.sun_path, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, a.sun_path));
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
	/* bound, but nobody listens: a daemon that has ended */
	assert_int_equal(connect_unix(a.sun_path, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_int_equal(listen(listener, 1), 0);
	fd = connect_unix(a.sun_path, &err);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	close(listener);
	unlink(a.sun_path);
	rmdir(dir);
	memset(long_path, 'a', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	assert_int_equal(connect_unix(long_path, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

static void where_to_listen(void **state)
{
	static const struct {
		const char *text, *full; /* full NULL: refused */
	} cases[] = {
		{ "10.0.0.5:8443", "10.0.0.5:8443" },
		{ "10.0.0.5", "10.0.0.5:8443" },
		{ ":9000", ":9000" },
		{ "host.example:1", "host.example:1" },
		{ "[fd00::1]:65535", "[fd00::1]:65535" },
		{ "[fd00::1]", "[fd00::1]:8443" },
		{ "[::]", "[::]:8443" },
		{ "fd00::1:8443", NULL },
		{ "::", NULL },
		{ "10.0.0.5:", NULL },
		{ "10.0.0.5:0", NULL },
		{ "10.0.0.5:65536", NULL },
		{ "10.0.0.5:https", NULL },
		{ "[fd00::1", NULL },
		{ "[fd00::1]8443", NULL },
		{ "a b:1", NULL },
		{ "https://a:1", NULL },
		{ "me@a:1", NULL },
		{ "a\nb", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *full = NULL;
		struct err err = { 0 };
		int rc = listen_parse(cases[i].text, &full, &err);

		if ((rc == 0) != (cases[i].full != NULL))
			fail_msg("%s: %s", cases[i].text, rc ? err.msg : full);
		assert_int_equal(listen_parse(cases[i].text, NULL, &err), rc);
		if (rc == 0)
			assert_string_equal(full, cases[i].full);
		else
			assert_int_equal(err.kind, ERR_INVALID);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(where_to_listen),
		cmocka_unit_test(addresses_are_split),
		cmocka_unit_test(bad_addresses_are_named),
		cmocka_unit_test(a_host_may_fill_its_room),
		cmocka_unit_test(connects_and_tunes),
		cmocka_unit_test(nobody_there_is_told),
		cmocka_unit_test(silence_ends_at_the_deadline),
		cmocka_unit_test(unix_sockets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
