/* SPDX-License-Identifier: Apache-2.0 */
/* Websockets (RFC 6455), towards a client that makes its frames by hand. */
#include "tests/unit/api/http/ws_client.h"
#include "tests/unit/base/patience.h"

static struct box messages, ends;
static struct wsconn *held; /* what the last one was, while the test wants it */
static bool was_lost;

/* Says back what it hears; "bye" ends it. */
static void on_message(void *arg, bool text, const char *data, size_t len)
{
	_free_ char *copy = xstrndup(data, len);

	box_put(&messages, copy);
	if (str_eq(copy, "bye"))
		wsconn_close(held);
	else
		wsconn_send(held, text, data, len);
}

static void on_closed(void *arg)
{
	was_lost = wsconn_was_lost(held);
	box_put(&ends, "");
}

static int become(struct req *r)
{
	static const struct ws_callbacks callbacks = { .message = on_message,
						       .closed = on_closed };
	struct wsconn *w = reply_websocket(r, &callbacks, NULL);

	if (!w)
		return -1;
	wsconn_unref(held);
	held = wsconn_ref(w);
	return 0;
}

static const struct route routes[] = {
	{ "GET", "/ws", become, .flags = F_UPGRADE | F_INLINE },
	{ "GET", "/plain", become, .flags = F_INLINE },
	{ 0 },
};

static struct http_world world;

static int open_world(void **state)
{
	box_init(&messages);
	box_init(&ends);
	http_world_open(&world, routes);
	return 0;
}

static int close_world(void **state)
{
	http_world_close(&world);
	wsconn_unref(held);
	return 0;
}

static int joined; /* so often; each is over before the next one comes */

static int join(void)
{
	joined++;
	return ws_join(&world, "/ws");
}

static void leave(int fd)
{
	close(fd);
	assert_true(box_wait(&ends, joined, PATIENCE_MS));
}

/* What comes back is what was said. */
static void assert_echo(int fd, int opcode, size_t len)
{
	_sbuf_ struct sbuf got = SBUF(1 << 20);
	_free_ char *data = xcalloc(1, len + 1);

	memset(data, 'x', len);
	ws_say(fd, opcode, data, len);
	assert_int_equal(ws_hear(fd, &got), opcode);
	assert_int_equal(got.len, len);
	if (len)
		assert_memory_equal(got.data, data, len);
}

/* --- cases ------------------------------------------------------------------------------------ */

static void handshakes(void **state)
{
	static const struct {
		const char *bytes, *words;
	} cases[] = {
		{ WS_HEAD("/ws"), "must be asked for as a websocket" },
		{ WS_HEAD("/ws") WS_VERSION WS_KEY, "must be asked for as a websocket" },
		{ WS_HEAD("/ws") "Connection: Upgrade\r\nUpgrade: tea\r\n" WS_VERSION WS_KEY,
		  "must be asked for as a websocket" },
		{ WS_HEAD("/plain") WS_UPGRADE WS_VERSION WS_KEY,
		  "must be asked for as a websocket" },
		{ WS_HEAD("/ws") WS_UPGRADE WS_KEY, "needs a key and version 13" },
		{ WS_HEAD("/ws") WS_UPGRADE WS_KEY "Sec-WebSocket-Version: 8\r\n",
		  "needs a key and version 13" },
		{ WS_HEAD("/ws") WS_UPGRADE WS_VERSION, "needs a key and version 13" },
		{ WS_HEAD("/ws") WS_UPGRADE WS_VERSION "Sec-WebSocket-Key: c2hvcnQ=\r\n",
		  "needs a key and version 13" },
		{ WS_HEAD("/ws") WS_UPGRADE WS_VERSION "Sec-WebSocket-Key: !\r\n",
		  "needs a key and version 13" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *bytes = xasprintf("%s\r\n", cases[i].bytes);
		_free_ char *rest = NULL;
		int fd = http_connect(&world);

		http_say_text(fd, bytes);
		assert_int_equal(shutdown(fd, SHUT_WR), 0);
		rest = http_hear_all(fd);
		if (!str_starts(rest, "HTTP/1.1 400 ") || !strstr(rest, cases[i].words))
			fail_msg("%s: %.300s", cases[i].bytes, rest);
	}
}

/* Around the places where the length is written another way, and a large one. */
static void messages_of_all_lengths(void **state)
{
	static const size_t lengths[] = { 0, 1, 125, 126, 127, 65535, 65536, 300000 };
	int fd = join();

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		assert_echo(fd, WS_BINARY, lengths[i]);
		assert_echo(fd, WS_TEXT, lengths[i]);
	}
	leave(fd);
}

static void a_ping_is_answered(void **state)
{
	_sbuf_ struct sbuf got = SBUF(1024);
	int fd = join();

	ws_say(fd, WS_PING, "are you there", 13);
	assert_int_equal(ws_hear(fd, &got), WS_PONG);
	assert_int_equal(got.len, 13);
	assert_memory_equal(got.data, "are you there", 13);
	leave(fd);
}

static void a_message_in_pieces(void **state)
{
	static const unsigned char first[] = { 0x01, 0x82, 0, 0, 0, 0, 'a', 'b' };
	static const unsigned char last[] = { 0x80, 0x81, 0, 0, 0, 0, 'c' };
	_sbuf_ struct sbuf got = SBUF(1024);
	int fd = join();

	http_say(fd, first, sizeof(first));
	http_say(fd, last, sizeof(last));
	assert_int_equal(ws_hear(fd, &got), WS_TEXT);
	assert_int_equal(got.len, 3);
	assert_memory_equal(got.data, "abc", 3);
	leave(fd);
}

static void assert_ended(int fd, bool lost)
{
	leave(fd);
	assert_int_equal(was_lost, lost);
	assert_false(wsconn_send(held, true, "x", 1));
}

static void it_ends(void **state)
{
	_sbuf_ struct sbuf got = SBUF(1024);
	int fd = join();
	char c;

	/* by the client */
	ws_say(fd, WS_CLOSE, "\x03\xe8", 2);
	assert_int_equal(ws_hear(fd, &got), WS_CLOSE);
	assert_int_equal(recv(fd, &c, 1, 0), 0);
	assert_ended(fd, false);
	/* by the server, which waits for the client's word */
	fd = join();
	ws_say(fd, WS_TEXT, "bye", 3);
	assert_int_equal(ws_hear(fd, &got), WS_CLOSE);
	assert_int_equal(got.len, 2);
	assert_memory_equal(got.data, "\x03\xe8", 2);
	ws_say(fd, WS_CLOSE, "\x03\xe8", 2);
	assert_int_equal(recv(fd, &c, 1, 0), 0);
	assert_ended(fd, false);
	/* by nobody */
	fd = join();
	assert_ended(fd, true);
}

/* Its frames have to be masked, its texts to be UTF-8. */
static void a_client_that_breaks_the_rules(void **state)
{
	static const struct {
		unsigned char bytes[8];
		size_t n;
		unsigned code;
	} cases[] = {
		{ { 0x81, 0x01, 'a' }, 3, 1002 },
		{ { 0x81, 0x81, 0, 0, 0, 0, 0xff }, 7, 1007 },
		{ { 0x83, 0x80, 0, 0, 0, 0 }, 6, 1002 },
		{ { 0xc1, 0x80, 0, 0, 0, 0 }, 6, 1002 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_sbuf_ struct sbuf got = SBUF(1024);
		int fd = join();

		http_say(fd, cases[i].bytes, cases[i].n);
		assert_int_equal(ws_hear(fd, &got), WS_CLOSE);
		assert_true(got.len >= 2);
		assert_int_equal((unsigned char)got.data[0] << 8 | (unsigned char)got.data[1],
				 cases[i].code);
		leave(fd);
	}
}

/* It is let go, rather than remembered for ever. */
static void a_client_that_does_not_read(void **state)
{
	_free_ char *data = xcalloc(1, 1 << 20);
	int fd = join(), sent = 0;

	while (sent < 64 && wsconn_send(held, false, data, 1 << 20))
		sent++;
	assert_in_range(sent, 15, 40);
	assert_false(wsconn_send(held, false, "x", 1));
	leave(fd);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshakes),
		cmocka_unit_test(messages_of_all_lengths),
		cmocka_unit_test(a_ping_is_answered),
		cmocka_unit_test(a_message_in_pieces),
		cmocka_unit_test(it_ends),
		cmocka_unit_test(a_client_that_breaks_the_rules),
		cmocka_unit_test(a_client_that_does_not_read),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
