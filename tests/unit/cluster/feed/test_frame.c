/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
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
#include "base/str.h"
#include "cluster/feed/frame.h"
#include "tests/unit/base/random.h"

struct ends {
	struct fconn *conn;
	int raw;         /* the other side, as bytes */
	struct sbuf got; /* texts, each with a line feed */
	int fail_after;  /* got() refuses the message of this number; 0: none */
};

static int setup(void **state)
{
	struct ends *e = xnew(struct ends);
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	e->conn = fconn_new(stream_from_fd(fds[0]));
	e->raw = fds[1];
	e->got = SBUF(64 << 20);
	*state = e;
	return 0;
}

static int teardown(void **state)
{
	struct ends *e = *state;

	fconn_free(e->conn);
	close(e->raw);
	sbuf_free(&e->got);
	free(e);
	return 0;
}

static struct frame *frame_of(const char *text)
{
	_sbuf_ struct sbuf b = SBUF(FRAME_MAX);

	sbuf_puts(&b, text);
	return frame_new(&b);
}

static int got(void *arg, json_t *msg, struct err *err)
{
	struct ends *e = arg;

	json_append(&e->got, msg);
	sbuf_putc(&e->got, '\n');
	if (e->fail_after && --e->fail_after == 0)
		return err_set(err, ERR_FORBIDDEN, "enough");
	return 0;
}

static void write_frame(int fd, const char *text, uint32_t len)
{
	uint32_t head = htonl(len);

	assert_int_equal(io_write_full(fd, &head, sizeof(head)), 0);
	assert_int_equal(io_write_full(fd, text, strlen(text)), 0);
}

static void write_text(int fd, const char *text)
{
	write_frame(fd, text, (uint32_t)strlen(text));
}

static char *read_text(int fd)
{
	uint32_t len;
	char *text;

	assert_int_equal(io_read_full(fd, &len, sizeof(len)), 0);
	text = xcalloc(ntohl(len) + 1, 1);
	assert_int_equal(io_read_full(fd, text, ntohl(len)), 0);
	return text;
}

static void frames_go_out_in_order(void **state)
{
	struct ends *e = *state;
	struct err err;

	assert_int_equal(fconn_events(e->conn), POLLIN);
	fconn_send(e->conn, frame_of("{\"t\":\"ping\"}"));
	fconn_send(e->conn, frame_of("{}"));
	assert_int_equal(fconn_queued(e->conn), 4 + 12 + 4 + 2);
	assert_int_equal(fconn_events(e->conn), POLLIN | POLLOUT);
	assert_int_equal(fconn_flush(e->conn, &err), 0);
	assert_int_equal(fconn_queued(e->conn), 0);
	assert_int_equal(fconn_events(e->conn), POLLIN);
	{
		_free_ char *a = read_text(e->raw), *b = read_text(e->raw);

		assert_string_equal(a, "{\"t\":\"ping\"}");
		assert_string_equal(b, "{}");
	}
}

static void one_frame_goes_to_many(void **state)
{
	struct ends *e = *state;
	struct frame *f = frame_of("[1]");
	struct err err;

	fconn_send(e->conn, frame_ref(f));
	fconn_send(e->conn, frame_ref(f));
	frame_unref(f);
	assert_int_equal(fconn_flush(e->conn, &err), 0);
	for (int i = 0; i < 2; i++) {
		_free_ char *text = read_text(e->raw);

		assert_string_equal(text, "[1]");
	}
	frame_unref(NULL);
}

static void a_full_socket_takes_the_rest_later(void **state)
{
	struct ends *e = *state;
	_free_ char *big = xcalloc((2 << 20) + 1, 1);
	struct err err;
	size_t queued;
	_free_ char *buf = xcalloc(1 << 20, 1);
	size_t taken = 0;

	memset(big, 'b', 2 << 20);
	big[0] = big[(2 << 20) - 1] = '"';
	fconn_send(e->conn, frame_of(big));
	assert_int_equal(fconn_flush(e->conn, &err), 0);
	queued = fconn_queued(e->conn);
	assert_true(queued > 0 && queued < (2 << 20) + 4);
	assert_int_equal(fconn_events(e->conn), POLLIN | POLLOUT);
	while (taken < (2 << 20) + 4) {
		ssize_t n = read(e->raw, buf, 1 << 20);

		assert_true(n > 0);
		taken += n;
		assert_int_equal(fconn_flush(e->conn, &err), 0);
	}
	assert_int_equal(taken, (2 << 20) + 4);
	assert_int_equal(fconn_queued(e->conn), 0);
}

static void frames_come_in_whole(void **state)
{
	struct ends *e = *state;
	struct err err;

	assert_int_equal(fconn_fill(e->conn, got, e, &err), 0);
	assert_int_equal(e->got.len, 0);
	write_text(e->raw, "{\"t\":\"ping\"}");
	write_text(e->raw, " [ ] ");
	assert_int_equal(fconn_fill(e->conn, got, e, &err), 0);
	assert_string_equal(e->got.data, "{\"t\":\"ping\"}\n[]\n");
	assert_false(fconn_pending(e->conn));
}

static void pieces_are_put_together(void **state)
{
	static const char text[] = "{\"t\":\"rows\",\"rows\":[]}";
	struct ends *e = *state;
	uint32_t head = htonl(sizeof(text) - 1);
	struct err err;
	char all[64];

	memcpy(all, &head, 4);
	memcpy(all + 4, text, sizeof(text) - 1);
	for (size_t i = 0; i < 4 + sizeof(text) - 1; i++) {
		assert_int_equal(e->got.len, 0);
		assert_int_equal(io_write_full(e->raw, all + i, 1), 0);
		assert_int_equal(fconn_fill(e->conn, got, e, &err), 0);
	}
	assert_string_equal(e->got.data, "{\"t\":\"rows\",\"rows\":[]}\n");
}

static void times_are_noted(void **state)
{
	struct ends *e = *state;
	int64_t heard = fconn_heard_ms(e->conn), said = fconn_said_ms(e->conn), now = clock_ms();
	struct err err;

	assert_in_range(now - heard, 0, 60000);
	while (clock_ms() == now)
		;
	assert_true(fconn_silent_ms(e->conn) > 0);
	/* What was not read yet was said all the same. */
	write_text(e->raw, "{}");
	assert_int_equal(fconn_silent_ms(e->conn), 0);
	assert_int_equal(fconn_fill(e->conn, got, e, &err), 0);
	assert_true(fconn_heard_ms(e->conn) > heard);
	assert_true(fconn_said_ms(e->conn) == said);
	fconn_send(e->conn, frame_of("{}"));
	assert_true(fconn_said_ms(e->conn) > said);
}

static void bad_frames_end_the_connection(void **state)
{
	static const struct {
		const char *text;
		uint32_t len;
		const char *says;
	} cases[] = {
		{ "{", 1, "not valid JSON" },
		{ "", 0, "not valid JSON" },
		{ "{\"a\":1,\"a\":2}", 13, "not valid JSON" },
		{ "x", FRAME_MAX + 1, "feed: a frame of 25165825 bytes" },
		{ "x", UINT32_MAX, "feed: a frame of 4294967295 bytes" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ends *e;
		struct err err = { 0 };

		setup((void **)&e);
		write_frame(e->raw, cases[i].text, cases[i].len);
		assert_int_equal(fconn_fill(e->conn, got, e, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		if (!strstr(err.msg, cases[i].says))
			fail_msg("%s", err.msg);
		teardown((void **)&e);
	}
}

static void the_receiver_may_refuse(void **state)
{
	struct ends *e = *state;
	struct err err = { 0 };

	e->fail_after = 2;
	write_text(e->raw, "1");
	write_text(e->raw, "2");
	write_text(e->raw, "3");
	assert_int_equal(fconn_fill(e->conn, got, e, &err), -1);
	assert_int_equal(err.kind, ERR_FORBIDDEN);
	assert_string_equal(e->got.data, "1\n2\n");
}

static void the_end_is_an_error(void **state)
{
	struct ends *e = *state;
	struct err err = { 0 };

	write_text(e->raw, "1");
	shutdown(e->raw, SHUT_WR);
	assert_int_equal(fconn_fill(e->conn, got, e, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_string_equal(e->got.data, "1\n");
	shutdown(e->raw, SHUT_RDWR);
	fconn_send(e->conn, frame_of("{}"));
	assert_int_equal(fconn_flush(e->conn, &err), -1);
	fconn_free(NULL);
}

/* What one connection sends, another receives, however much it is at a time. */
static void any_texts_arrive(void **state)
{
	struct random r = { 17 };
	struct ends *e = *state;
	struct fconn *other = fconn_new(stream_from_fd(e->raw));
	_sbuf_ struct sbuf want = SBUF(64 << 20);
	struct err err;

	e->raw = -1;
	for (int i = 0; i < 200; i++) {
		size_t n = random_below(&r, random_below(&r, 10) ? 200 : 300000);
		_free_ char *text = xcalloc(n + 3, 1);

		memset(text, 'a' + i % 26, n + 2);
		text[0] = text[n + 1] = '"';
		sbuf_puts(&want, text);
		sbuf_putc(&want, '\n');
		fconn_send(other, frame_of(text));
		if (random_below(&r, 3))
			continue;
		assert_int_equal(fconn_flush(other, &err), 0);
		assert_int_equal(fconn_fill(e->conn, got, e, &err), 0);
	}
	while (fconn_queued(other) || e->got.len < want.len) {
		assert_int_equal(fconn_flush(other, &err), 0);
		assert_int_equal(fconn_fill(e->conn, got, e, &err), 0);
	}
	assert_int_equal(e->got.len, want.len);
	assert_memory_equal(e->got.data, want.data, want.len);
	fconn_free(other);
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		test(frames_go_out_in_order),
		test(one_frame_goes_to_many),
		test(a_full_socket_takes_the_rest_later),
		test(frames_come_in_whole),
		test(pieces_are_put_together),
		test(times_are_noted),
		cmocka_unit_test(bad_frames_end_the_connection),
		test(the_receiver_may_refuse),
		test(the_end_is_an_error),
		test(any_texts_arrive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
