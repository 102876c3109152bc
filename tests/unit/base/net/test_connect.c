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
#include "tests/unit/base/patience.h"

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
	int fd = connect_tcp(address, host, sizeof(host), PATIENCE, &err);

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
	char address[32], host[80], label[67] = { [64] = ':', [65] = '1' };
	struct err err = { 0 };
	int listener = listen_tcp(address);

	close(listener);
	assert_int_equal(connect_tcp(address, host, sizeof(host), PATIENCE, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.msg, address));
	assert_int_equal(connect_tcp("nonsense", host, sizeof(host), 0, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	memset(label, 'a', sizeof(label) - 3); /* no name: longer than RFC 1035 has them */
	assert_int_equal(connect_tcp(label, host, sizeof(host), 0, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.msg, label));
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
	char dir[] = "/tmp/dunlin-test-connect-XXXXXX", long_path[200];
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(connects_and_tunes),
		cmocka_unit_test(nobody_there_is_told),
		cmocka_unit_test(silence_ends_at_the_deadline),
		cmocka_unit_test(unix_sockets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
