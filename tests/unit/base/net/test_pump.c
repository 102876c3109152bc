/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes relayed between two streams, and when that is over. */
#include <string.h>

#include "base/clock.h"
#include "tests/unit/base/net/echo.h"
#include "tests/unit/base/patience.h"

struct pump {
	struct stream *a, *b;
};

static void *pump_thread(void *arg)
{
	struct pump *p = arg;

	stream_pump(p->a, p->b, 10000);
	stream_free(p->a);
	stream_free(p->b);
	return NULL;
}

/* test <-> pair 1 <-> pump <-> TLS <-> echo */
static void pumps(void **state)
{
	struct tls_peer p;
	struct tls_ctx *t;
	struct pump pump;
	struct stream *s;
	struct err err;
	pthread_t thread;
	int pair[2];
	char b;

	assert_int_equal(tls_peer_start(&p, echo, NULL), 0);
	t = tls_client_new(NULL, NULL, &err);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	pump.a = stream_from_fd(pair[1]);
	pump.b = stream_connect_tls(t, p.address, NULL, PATIENCE, &err);
	assert_non_null(pump.b);
	pthread_create(&thread, NULL, pump_thread, &pump);
	s = stream_from_fd(pair[0]);
	echo_all(s, BIG);
	stream_end_write(s);
	assert_int_equal(stream_read(s, &b, 1, &err), 0);
	pthread_join(thread, NULL);
	stream_free(s);
	tls_unref(t);
	tls_peer_end(&p);
}

static void pump_gives_up_idle(void **state)
{
	int one[2], two[2];
	struct stream *a, *b;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, one), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, two), 0);
	a = stream_from_fd(one[0]);
	b = stream_from_fd(two[0]);
	stream_pump(a, b, 50);
	stream_free(a);
	stream_free(b);
	close(one[1]);
	close(two[1]);
}

/* test <-> pair 1 <-> pump <-> pair 2 <-> test */
struct ends {
	struct pump pump;
	struct stream *left, *right;
	pthread_t thread;
};

static void between(struct ends *e)
{
	int one[2], two[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, one), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, two), 0);
	e->pump = (struct pump){ stream_from_fd(one[1]), stream_from_fd(two[1]) };
	e->left = stream_from_fd(one[0]);
	e->right = stream_from_fd(two[0]);
	stream_set_deadline(e->left, PATIENCE);
	stream_set_deadline(e->right, PATIENCE);
	assert_int_equal(pthread_create(&e->thread, NULL, pump_thread, &e->pump), 0);
}

static void part(struct ends *e)
{
	pthread_join(e->thread, NULL);
	stream_free(e->left);
	stream_free(e->right);
}

static void sends(struct stream *from, struct stream *to, const char *text)
{
	char buf[64] = "";
	struct err err;

	assert_int_equal(stream_write(from, text, strlen(text), &err), 0);
	assert_int_equal(stream_read_full(to, buf, strlen(text), &err), 0);
	assert_string_equal(buf, text);
}

/* What ends one way goes on the other way. */
static void an_end_is_of_one_direction(void **state)
{
	struct ends e;
	struct err err;
	char b;

	between(&e);
	sends(e.left, e.right, "there");
	stream_end_write(e.left);
	assert_int_equal(stream_read(e.right, &b, 1, &err), 0);
	sends(e.right, e.left, "and back");
	sends(e.right, e.left, "again");
	stream_end_write(e.right);
	assert_int_equal(stream_read(e.left, &b, 1, &err), 0);
	part(&e);
}

/* Nobody is left to read: the other side is told, though it only waits. */
static void a_failure_ends_both(void **state)
{
	struct ends e;
	struct err err = { 0 };
	_free_ char *much = xcalloc(BIG, 1);
	char b;

	between(&e);
	sends(e.left, e.right, "there");
	stream_free(e.right);
	e.right = NULL;
	while (stream_write(e.left, much, BIG, &err) == 0)
		;
	assert_int_not_equal(err.kind, ERR_TIMEOUT);
	assert_true(stream_read(e.left, &b, 1, &err) <= 0);
	assert_int_not_equal(err.kind, ERR_TIMEOUT);
	part(&e);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(pumps),
		cmocka_unit_test(pump_gives_up_idle),
		cmocka_unit_test(an_end_is_of_one_direction),
		cmocka_unit_test(a_failure_ends_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
