/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/net/certinfo.h"
#include "base/net/stream.h"
#include "base/net/tls.h"
#include "base/str.h"

struct pair_pem {
	char *cert, *key;
	char fingerprint[SHA256_HEX_SIZE];
};

static struct pair_pem one, two;

static int make_pairs(void **state)
{
	struct err err;

	return x509_make("one", &one.cert, &one.key, &err) < 0 ||
			       x509_make("two", &two.cert, &two.key, &err) < 0 ||
			       x509_fingerprint(one.cert, one.fingerprint, &err) < 0 ||
			       x509_fingerprint(two.cert, two.fingerprint, &err) < 0
		       ? -1
		       : 0;
}

static int drop_pairs(void **state)
{
	free(one.cert);
	free(one.key);
	free(two.cert);
	free(two.key);
	return 0;
}

/* Both ends of one connection in one thread: each step is a call that may want more. */
struct ends {
	int fds[2];
	struct ssl_st *client, *server;
};

static void open_ends(struct ends *e, struct tls_ctx *client, struct tls_ctx *server)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, e->fds), 0);
	for (int i = 0; i < 2; i++)
		io_set_nonblock(e->fds[i], true);
	e->client = tls_session_new(client, e->fds[0], false);
	e->server = tls_session_new(server, e->fds[1], true);
	assert_non_null(e->client);
	assert_non_null(e->server);
}

/* 0 when both are established, -1 when one failed. */
static int shake(struct ends *e)
{
	int c = 0, s = 0;

	for (int i = 0; i < 20 && (c != 1 || s != 1); i++) {
		if (c != 1)
			c = tls_handshake(e->client);
		if (s != 1)
			s = tls_handshake(e->server);
		if (c == TLS_FAILED || s == TLS_FAILED)
			return -1;
	}
	return c == 1 && s == 1 ? 0 : -1;
}

static void close_ends(struct ends *e)
{
	tls_session_free(e->client);
	tls_session_free(e->server);
	close(e->fds[0]);
	close(e->fds[1]);
}

static void both_sides_see_each_other(void **state)
{
	struct err err;
	struct tls_ctx *c = tls_client_new(two.cert, two.key, &err);
	struct tls_ctx *s = tls_server_new(one.cert, one.key, &err);
	char seen[SHA256_HEX_SIZE];
	_free_ char *pem = NULL;
	struct x509_info info;
	struct ends e;

	open_ends(&e, c, s);
	/* the sessions hold their contexts */
	tls_unref(c);
	tls_unref(s);
	assert_int_equal(shake(&e), 0);
	tls_peer_fingerprint(e.client, seen);
	assert_string_equal(seen, one.fingerprint);
	tls_peer_fingerprint(e.server, seen);
	assert_string_equal(seen, two.fingerprint);
	pem = tls_peer_pem(e.server);
	assert_string_equal(pem, two.cert);
	assert_int_equal(x509_describe(two.cert, &info, &err), 0);
	assert_int_equal(tls_peer_not_after(e.server), info.not_after);
	close_ends(&e);
}

static void a_client_may_show_nothing(void **state)
{
	struct err err;
	struct tls_ctx *c = tls_client_new(NULL, NULL, &err);
	struct tls_ctx *s = tls_server_new(one.cert, one.key, &err);
	char seen[SHA256_HEX_SIZE] = "x";
	struct ends e;

	open_ends(&e, c, s);
	assert_int_equal(shake(&e), 0);
	tls_peer_fingerprint(e.server, seen);
	assert_string_equal(seen, "");
	assert_null(tls_peer_pem(e.server));
	assert_true(tls_peer_not_after(e.server) == INT64_MAX);
	close_ends(&e);
	tls_unref(c);
	tls_unref(s);
}

static void calls_want_more_and_tell_the_end(void **state)
{
	struct err err;
	struct tls_ctx *c = tls_client_new(NULL, NULL, &err);
	struct tls_ctx *s = tls_server_new(one.cert, one.key, &err);
	struct ends e;
	char buf[16];

	open_ends(&e, c, s);
	assert_int_equal(tls_handshake(e.server), TLS_WANT_READ);
	assert_int_equal(tls_handshake(e.client), TLS_WANT_READ);
	assert_int_equal(shake(&e), 0);
	assert_int_equal(tls_read(e.server, buf, sizeof(buf)), TLS_WANT_READ);
	assert_false(tls_pending(e.server));
	assert_int_equal(tls_write(e.client, "abcdef", 6), 6);
	assert_int_equal(tls_read(e.server, buf, 4), 4);
	assert_memory_equal(buf, "abcd", 4);
	assert_true(tls_pending(e.server));
	assert_int_equal(tls_read(e.server, buf, 4), 2);
	assert_false(tls_pending(e.server));
	/* one direction ends, the other goes on */
	tls_end_write(e.client);
	assert_int_equal(tls_read(e.server, buf, 4), 0);
	assert_int_equal(tls_write(e.server, "back", 4), 4);
	assert_int_equal(tls_read(e.client, buf, 4), 4);
	close_ends(&e);
	tls_unref(c);
	tls_unref(s);
}

static void a_full_socket_wants_to_write(void **state)
{
	struct err err;
	struct tls_ctx *c = tls_client_new(NULL, NULL, &err);
	struct tls_ctx *s = tls_server_new(one.cert, one.key, &err);
	_free_ char *buf = xcalloc(1 << 16, 1);
	size_t sent = 0, got = 0;
	struct ends e;
	ssize_t n;

	open_ends(&e, c, s);
	assert_int_equal(shake(&e), 0);
	while ((n = tls_write(e.client, buf, 1 << 16)) > 0)
		sent += n;
	assert_int_equal(n, TLS_WANT_WRITE);
	/* the call that could not go on is repeated, and nothing is lost */
	while (got < sent && (n = tls_read(e.server, buf, 1 << 16)) > 0)
		got += n;
	n = tls_write(e.client, buf, 1 << 16);
	assert_true(n > 0);
	close_ends(&e);
	tls_unref(c);
	tls_unref(s);
}

static void rubbish_is_no_handshake(void **state)
{
	struct err err;
	struct tls_ctx *s = tls_server_new(one.cert, one.key, &err);
	struct ssl_st *ssl;
	char text[160];
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(write(fds[0], "GET / HTTP/1.1\r\n\r\n", 18), 18);
	ssl = tls_session_new(s, fds[1], true);
	assert_int_equal(tls_handshake(ssl), TLS_FAILED);
	assert_true(strlen(tls_error(text, sizeof(text))) > 3);
	tls_session_free(ssl);
	close(fds[0]);
	close(fds[1]);
	tls_unref(s);
}

/* A cut connection is an end for who reads, and a failure for a handshake. */
static void cut_connections(void **state)
{
	struct err err;
	struct tls_ctx *c = tls_client_new(NULL, NULL, &err);
	struct tls_ctx *s = tls_server_new(one.cert, one.key, &err);
	struct ends e;
	char b;

	open_ends(&e, c, s);
	assert_int_equal(shake(&e), 0);
	shutdown(e.fds[0], SHUT_RDWR);
	assert_int_equal(tls_read(e.server, &b, 1), 0);
	assert_int_equal(tls_write(e.server, "x", 1), TLS_FAILED);
	close_ends(&e);
	open_ends(&e, c, s);
	shutdown(e.fds[0], SHUT_RDWR);
	assert_int_equal(tls_handshake(e.server), TLS_FAILED);
	close_ends(&e);
	tls_unref(c);
	tls_unref(s);
}

static void expect_shown(struct tls_ctx *s, const char *asked, const char *host, const char *want)
{
	struct err err;
	struct tls_ctx *c = tls_client_new(NULL, NULL, &err);
	char seen[SHA256_HEX_SIZE];
	struct ends e;

	if (asked)
		tls_client_ask(c, asked);
	open_ends(&e, c, s);
	tls_session_set_host(e.client, host);
	assert_int_equal(shake(&e), 0);
	tls_peer_fingerprint(e.client, seen);
	assert_string_equal(seen, want);
	close_ends(&e);
	tls_unref(c);
}

static void a_server_shows_who_is_asked_for(void **state)
{
	struct err err;
	struct tls_ctx *s = tls_server_new(one.cert, one.key, &err);

	assert_int_equal(tls_server_add(s, "member", two.cert, two.key, &err), 0);
	expect_shown(s, NULL, "host.example", one.fingerprint);
	expect_shown(s, NULL, "10.0.0.1", one.fingerprint);
	expect_shown(s, NULL, "fd00::1", one.fingerprint);
	expect_shown(s, "member", "host.example", two.fingerprint);
	expect_shown(s, "members", "member", one.fingerprint);
	expect_shown(s, NULL, "member", two.fingerprint);
	tls_unref(s);
}

static void bad_pairs_are_refused(void **state)
{
	struct err err = { 0 };
	struct tls_ctx *s = tls_server_new(one.cert, one.key, &err);

	assert_null(tls_server_new(one.cert, two.key, &err));
	assert_int_equal(err.kind, ERR_INVALID);
	assert_non_null(strstr(err.msg, "key"));
	assert_null(tls_server_new("nonsense", one.key, &err));
	assert_non_null(strstr(err.msg, "use the certificate"));
	assert_null(tls_client_new(one.cert, "nonsense", &err));
	assert_null(tls_client_new(one.cert, one.cert, &err));
	assert_int_equal(tls_server_add(s, "x", one.cert, two.key, &err), -1);
	assert_int_equal(tls_server_add(s, "x", two.cert, two.key, &err), 0);
	tls_unref(s);
	tls_unref(NULL);
	tls_session_free(NULL);
}

static void a_broken_pipe_is_no_signal(void **state)
{
	struct err err;
	struct tls_ctx *c = tls_client_new(NULL, NULL, &err);

	tls_unref(c);
	assert_ptr_equal(signal(SIGPIPE, SIG_IGN), SIG_IGN);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides_see_each_other),
		cmocka_unit_test(a_client_may_show_nothing),
		cmocka_unit_test(calls_want_more_and_tell_the_end),
		cmocka_unit_test(a_full_socket_wants_to_write),
		cmocka_unit_test(rubbish_is_no_handshake),
		cmocka_unit_test(cut_connections),
		cmocka_unit_test(a_server_shows_who_is_asked_for),
		cmocka_unit_test(bad_pairs_are_refused),
		cmocka_unit_test(a_broken_pipe_is_no_signal),
	};

	return cmocka_run_group_tests(tests, make_pairs, drop_pairs);
}
