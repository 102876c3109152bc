/* SPDX-License-Identifier: Apache-2.0 */
/* A websocket that is joined with a descriptor, both ways, to the end of each. */
#include "tests/unit/api/http/ws_client.h"
#include "tests/unit/base/patience.h"

static struct box over, lost;
static struct bridge_opts how; /* of the next one */
static struct bridge *held;

static void on_done(void *arg)
{
	box_put(&over, "");
}

static void on_lost(void *arg)
{
	box_put(&lost, "");
}

static int become(struct req *r)
{
	struct bridge *b = reply_bridge(r, &how);

	if (!b)
		return -1;
	held = b;
	return 0;
}

static const struct route routes[] = {
	{ "GET", "/ws", become, .flags = F_UPGRADE | F_INLINE },
	{ 0 },
};

static struct http_world world;

static int open_world(void **state)
{
	http_world_open(&world, routes);
	return 0;
}

static int close_world(void **state)
{
	http_world_close(&world);
	return 0;
}

/* Both ends: the client's connection, and what the bridge's descriptor is joined to. */
struct ends {
	int ws, fd;
};

static void begin(struct ends *e, bool fd_to_ws, bool ws_to_fd, bool outlives)
{
	struct timeval wait = { .tv_sec = HTTP_WAIT_S };
	int pair[2];

	box_init(&over);
	box_init(&lost);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	how = (struct bridge_opts){ .own_fd = pair[0],
				    .fd_to_ws = fd_to_ws,
				    .ws_to_fd = ws_to_fd,
				    .outlives = outlives,
				    .lost = on_lost,
				    .done = on_done };
	e->fd = pair[1];
	e->ws = ws_join(&world, "/ws");
}

static void finish(struct ends *e)
{
	close(e->ws);
	close(e->fd);
	assert_true(box_wait(&over, 1, PATIENCE_MS));
	bridge_unref(held);
}

static void assert_heard(int ws, int opcode, const char *want)
{
	_sbuf_ struct sbuf got = SBUF(1024);

	assert_int_equal(ws_hear(ws, &got), opcode);
	assert_int_equal(got.len, strlen(want));
	assert_memory_equal(got.len ? got.data : "", want, got.len);
}

static void both_ways(void **state)
{
	char buf[8] = "";
	struct ends e;

	begin(&e, true, true, false);
	ws_say(e.ws, WS_BINARY, "there", 5);
	http_hear(e.fd, buf, 5);
	assert_string_equal(buf, "there");
	http_say_text(e.fd, "back");
	assert_heard(e.ws, WS_BINARY, "back");
	assert_int_equal(bridge_read_bytes(held), 4);
	assert_int_equal(lost.count, 0);
	finish(&e);
}

/* An empty text frame is the end of a stream, and the other one goes on. */
static void each_direction_ends_by_itself(void **state)
{
	struct ends e;
	char c;

	begin(&e, true, true, false);
	ws_say(e.ws, WS_TEXT, "", 0);
	assert_int_equal(recv(e.fd, &c, 1, 0), 0);
	http_say_text(e.fd, "still here");
	assert_heard(e.ws, WS_BINARY, "still here");
	assert_int_equal(shutdown(e.fd, SHUT_WR), 0);
	assert_heard(e.ws, WS_TEXT, "");
	assert_true(box_wait(&over, 1, PATIENCE_MS));
	assert_heard(e.ws, WS_CLOSE, "\x03\xe8");
	finish(&e);
	assert_int_equal(over.count, 1);
}

static void only_out(void **state)
{
	struct ends e;

	begin(&e, true, false, false);
	http_say_text(e.fd, "out");
	assert_heard(e.ws, WS_BINARY, "out");
	assert_int_equal(shutdown(e.fd, SHUT_WR), 0);
	assert_heard(e.ws, WS_TEXT, "");
	assert_heard(e.ws, WS_CLOSE, "\x03\xe8");
	finish(&e);
}

static void only_in(void **state)
{
	struct ends e;
	char buf[4] = "", c;

	begin(&e, false, true, false);
	ws_say(e.ws, WS_BINARY, "in", 2);
	http_hear(e.fd, buf, 2);
	assert_string_equal(buf, "in");
	ws_say(e.ws, WS_TEXT, "", 0);
	assert_int_equal(recv(e.fd, &c, 1, 0), 0);
	assert_true(box_wait(&over, 1, PATIENCE_MS));
	finish(&e);
}

static void a_client_that_leaves_ends_it(void **state)
{
	struct ends e;
	char c;

	begin(&e, true, true, false);
	close(e.ws);
	e.ws = -1;
	assert_true(box_wait(&lost, 1, PATIENCE_MS));
	assert_true(box_wait(&over, 1, PATIENCE_MS));
	assert_int_equal(recv(e.fd, &c, 1, 0), 0);
	finish(&e);
}

/* Whoever writes there does not notice. */
static void what_outlives_its_client_is_read_to_the_end(void **state)
{
	_free_ char *data = xcalloc(1, 1 << 20);
	struct ends e;

	begin(&e, true, false, true);
	close(e.ws);
	e.ws = -1;
	assert_true(box_wait(&lost, 1, PATIENCE_MS));
	http_say(e.fd, data, 1 << 20);
	assert_int_equal(over.count, 0);
	assert_int_equal(shutdown(e.fd, SHUT_WR), 0);
	assert_true(box_wait(&over, 1, PATIENCE_MS));
	assert_int_equal(bridge_read_bytes(held), 1 << 20);
	finish(&e);
}

/* What was read goes out first, and then the end. */
static void it_is_ended_from_here(void **state)
{
	struct ends e;

	begin(&e, true, true, false);
	http_say_text(e.fd, "last");
	assert_heard(e.ws, WS_BINARY, "last");
	bridge_end(held);
	assert_heard(e.ws, WS_TEXT, "");
	assert_heard(e.ws, WS_CLOSE, "\x03\xe8");
	finish(&e);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways),
		cmocka_unit_test(each_direction_ends_by_itself),
		cmocka_unit_test(only_out),
		cmocka_unit_test(only_in),
		cmocka_unit_test(a_client_that_leaves_ends_it),
		cmocka_unit_test(what_outlives_its_client_is_read_to_the_end),
		cmocka_unit_test(it_is_ended_from_here),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
