/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/rng.h"
#include "base/str.h"
#include "tests/unit/base/net/echo.h"
#include "tests/unit/base/patience.h"

static void plain_both_ways(void **state)
{
	struct stream *s;
	pthread_t t;
	int pair[2];
	char b;
	struct err err;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	pthread_create(&t, NULL, echo_thread, stream_from_fd(pair[1]));
	s = stream_from_fd_ahead(pair[0], "ab", 2);
	stream_unread(s, "x", 1);
	assert_true(stream_pending(s));
	assert_int_equal(stream_read(s, &b, 1, &err), 1);
	assert_int_equal(b, 'x');
	assert_int_equal(stream_read(s, &b, 1, &err), 1);
	assert_int_equal(stream_read(s, &b, 1, &err), 1);
	assert_int_equal(b, 'b');
	assert_false(stream_pending(s));
	echo_all(s, BIG);
	stream_end_write(s);
	assert_int_equal(stream_read(s, &b, 1, &err), 0);
	assert_string_equal(stream_peer(s), "");
	assert_string_equal(stream_local_ip(s), "");
	stream_free(s);
	pthread_join(t, NULL);
}

static void tls_both_ways(void **state)
{
	char seen[SHA256_HEX_SIZE] = "", mine[SHA256_HEX_SIZE];
	_free_ char *cert = NULL;
	_free_ char *key = NULL;
	struct tls_peer p;
	struct tls_ctx *t;
	struct stream *s;
	struct err err;
	char b;

	assert_int_equal(tls_peer_start(&p, echo, seen), 0);
	assert_int_equal(x509_make("client", &cert, &key, &err), 0);
	assert_int_equal(x509_fingerprint(cert, mine, &err), 0);
	t = tls_client_new(cert, key, &err);
	s = stream_connect_tls(t, p.address, p.fingerprint, PATIENCE, &err);
	assert_non_null(s);
	tls_unref(t);
	assert_string_equal(stream_peer(s), p.fingerprint);
	assert_string_equal(stream_local_ip(s), "127.0.0.1");
	echo_all(s, BIG);
	stream_end_write(s);
	assert_int_equal(stream_read(s, &b, 1, &err), 0);
	stream_free(s);
	tls_peer_end(&p);
	assert_string_equal(seen, mine);
}

static void pin_is_checked(void **state)
{
	char wrong[SHA256_HEX_SIZE];
	struct tls_peer p;
	struct tls_ctx *t;
	struct err err = { 0 };

	assert_int_equal(tls_peer_start(&p, echo, NULL), 0);
	memset(wrong, 'a', 64);
	wrong[64] = '\0';
	t = tls_client_new(NULL, NULL, &err);
	assert_null(stream_connect_tls(t, p.address, wrong, PATIENCE, &err));
	assert_int_equal(err.kind, ERR_STRANGER);
	tls_unref(t);
	tls_peer_end(&p);
}

static void deadlines(void **state)
{
	int64_t start = clock_ms();
	struct err err = { 0 };
	struct stream *s;
	int pair[2];
	char b;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	s = stream_from_fd(pair[0]);
	stream_set_deadline(s, deadline_in(50));
	assert_int_equal(stream_read(s, &b, 1, &err), -1);
	assert_int_equal(err.kind, ERR_TIMEOUT);
	assert_true(clock_ms() - start < PATIENCE_MS);
	stream_set_nonblock(s, true);
	assert_int_equal(stream_read(s, &b, 1, &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	stream_set_nonblock(s, false);
	stream_set_deadline(s, 0);
	close(pair[1]);
	assert_int_equal(stream_read(s, &b, 1, &err), 0);
	assert_int_equal(stream_write(s, "x", 1, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	stream_free(s);
}

static void nobody_listens(void **state)
{
	struct tls_ctx *t;
	struct err err = { 0 };

	t = tls_client_new(NULL, NULL, &err);
	assert_null(stream_connect_tls(t, "127.0.0.1:1", NULL, deadline_in(1000), &err));
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_null(stream_connect_unix("/nonexistent/socket", &err));
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	tls_unref(t);
}

static void sends_files(void **state)
{
	_free_ char *data = xcalloc(300000, 1);
	_free_ char *back = xcalloc(200000, 1);
	struct err err;
	struct stream *a, *b;
	pthread_t t;
	int pair[2], fd;

	rng_bytes(data, 300000);
	fd = io_temp_fd("/tmp", &err);
	assert_int_equal(io_write_full(fd, data, 300000), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	a = stream_from_fd(pair[0]);
	b = stream_from_fd(pair[1]);
	pthread_create(&t, NULL, echo_thread, b);
	assert_int_equal(stream_send_file(a, fd, 1000, 100000, &err), 0);
	assert_int_equal(stream_read_full(a, back, 100000, &err), 0);
	assert_memory_equal(back, data + 1000, 100000);
	assert_int_equal(stream_send_file(a, fd, 299990, 20, &err), -1);
	close(fd);
	stream_free(a);
	pthread_join(t, NULL);
}

static void cutting_ends_the_stream_and_nobody_elses(void **state)
{
	int pair[2], other[2];
	struct cutter *c, *late;
	struct stream *s;
	struct err err = { 0 };
	char buf[1];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	s = stream_from_fd(pair[0]);
	c = stream_cutter(s);
	late = stream_cutter(s);
	cutter_cut(c);
	cutter_unref(c);
	assert_int_equal(stream_read(s, buf, 1, &err), 0);
	stream_free(s);
	/* The number is another's now. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, other), 0);
	assert_int_equal(other[0], pair[0]);
	cutter_cut(late);
	cutter_unref(late);
	assert_int_equal(write(other[0], "x", 1), 1);
	assert_int_equal(read(other[1], buf, 1), 1);
	close(pair[1]);
	close(other[0]);
	close(other[1]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(cutting_ends_the_stream_and_nobody_elses),
		cmocka_unit_test(plain_both_ways),
		cmocka_unit_test(tls_both_ways),
		cmocka_unit_test(pin_is_checked),
		cmocka_unit_test(deadlines),
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(sends_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
