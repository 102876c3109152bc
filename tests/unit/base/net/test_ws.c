/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/net/ws.h"
#include "base/net/handshake.h"
#include "base/str.h"
#include "tests/unit/base/patience.h"

/* The other end: does the handshake, sends `raw`, and collects unmasked payloads of what comes. */
struct peer {
	int fd;
	const char *raw;
	size_t raw_len;
	bool bad_accept;
	struct sbuf got; /* "T:text\n" "B:..." "P:..." (pong) "C" */
	pthread_t thread;
};

static bool read_full(int fd, void *buf, size_t len)
{
	for (char *p = buf; len;) {
		ssize_t n = read(fd, p, len);

		if (n <= 0)
			return false;
		p += n;
		len -= n;
	}
	return true;
}

static void handshake(struct peer *p)
{
	_sbuf_ struct sbuf b = SBUF(10000);
	char accept[WS_ACCEPT_SIZE], key[25] = "", c;
	_free_ char *answer = NULL;

	while (!str_ends(b.data, "\r\n\r\n") && read(p->fd, &c, 1) == 1)
		sbuf_putc(&b, c);
	memcpy(key, strstr(b.data, "Sec-WebSocket-Key: ") + 19, 24);
	ws_accept_key(p->bad_accept ? "other" : key, accept);
	answer = xasprintf("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
			   "Upgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept);
	send(p->fd, answer, strlen(answer), MSG_NOSIGNAL);
	send(p->fd, p->raw, p->raw_len, MSG_NOSIGNAL);
}

static bool read_frame(struct peer *p)
{
	static const char names[16] = { [1] = 'T', [2] = 'B', [8] = 'C', [9] = 'I', [10] = 'P' };
	unsigned char h[2], ext[8], mask[4];
	_free_ char *data = NULL;
	size_t len, next = 0;

	if (!read_full(p->fd, h, 2))
		return false;
	len = h[1] & 0x7f;
	if (len >= 126) {
		next = len == 126 ? 2 : 8;
		read_full(p->fd, ext, next);
		len = 0;
		for (size_t i = 0; i < next; i++)
			len = len << 8 | ext[i];
	}
	if (!(h[1] & 0x80) || !read_full(p->fd, mask, 4))
		return false;
	data = xcalloc(len + 1, 1);
	if (!read_full(p->fd, data, len))
		return false;
	for (size_t i = 0; i < len; i++)
		data[i] ^= mask[i & 3];
	if (len > 100)
		sbuf_printf(&p->got, "%c:%zu\n", names[h[0] & 15], len);
	else
		sbuf_printf(&p->got, "%c:%s\n", names[h[0] & 15], (h[0] & 15) == 8 ? "" : data);
	return true;
}

static void *serve(void *arg)
{
	struct peer *p = arg;

	handshake(p);
	while (read_frame(p))
		;
	close(p->fd);
	return NULL;
}

static struct ws *start(struct peer *p, const char *raw, size_t len, struct err *err)
{
	struct httpc *c;
	struct ws *w;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	p->fd = pair[1];
	p->raw = raw;
	p->raw_len = len;
	p->got = SBUF(1 << 20);
	pthread_create(&p->thread, NULL, serve, p);
	c = httpc_new(stream_from_fd(pair[0]), "x");
	w = ws_connect(c, "/ws", PATIENCE, err);
	httpc_free(c);
	return w;
}

static void finish(struct peer *p, struct ws *w)
{
	ws_free(w);
	pthread_join(p->thread, NULL);
}

#define RAW(text) text, sizeof(text) - 1

static void expect(struct ws *w, int op, const char *text)
{
	_free_ char *data = NULL;
	struct err err = { 0 };
	size_t len;

	assert_int_equal(ws_recv(w, &data, &len, PATIENCE, &err), op);
	if (text) {
		assert_int_equal(len, strlen(text));
		assert_string_equal(data, text);
	}
}

static void receives(void **state)
{
	struct peer p = { 0 };
	struct err err = { 0 };
	/* text, empty text, binary in two fragments with a ping between them */
	struct ws *w = start(&p, RAW("\x81\x02hi\x81\x00\x02\x03one\x89\x02pi\x80\x03two"), &err);

	assert_non_null(w);
	expect(w, WS_TEXT, "hi");
	expect(w, WS_TEXT, "");
	expect(w, WS_BINARY, "onetwo");
	finish(&p, w);
	assert_string_equal(p.got.data, "P:pi\n");
	sbuf_free(&p.got);
}

static void answers_a_close(void **state)
{
	struct peer p = { 0 };
	struct err err = { 0 };
	struct ws *w = start(&p, RAW("\x88\x02\x03\xe8"), &err);

	assert_non_null(w);
	expect(w, WS_CLOSE, NULL);
	expect(w, WS_CLOSE, NULL);
	finish(&p, w);
	assert_string_equal(p.got.data, "C:\n");
	sbuf_free(&p.got);
}

static void sends(void **state)
{
	struct peer p = { 0 };
	struct err err = { 0 };
	struct ws *w = start(&p, RAW(""), &err);
	_free_ char *big = xcalloc(2 << 20, 1);
	char *data;
	size_t len;

	assert_non_null(w);
	assert_int_equal(ws_send(w, WS_TEXT, "hi", 2, &err), 0);
	assert_int_equal(ws_send(w, WS_TEXT, "", 0, &err), 0);
	assert_int_equal(ws_send(w, WS_BINARY, big, 300, &err), 0);
	assert_int_equal(ws_send(w, WS_BINARY, big, 2 << 20, &err), 0);
	assert_int_equal(ws_recv(w, &data, &len, deadline_in(20), &err), -1);
	assert_int_equal(err.kind, ERR_TIMEOUT);
	assert_int_equal(ws_close(w, &err), 0);
	assert_int_equal(ws_send(w, WS_TEXT, "late", 4, &err), -1);
	finish(&p, w);
	assert_string_equal(p.got.data, "T:hi\nT:\nB:300\nB:2097152\nC:\n");
	sbuf_free(&p.got);
}

static void *send_many(void *arg)
{
	struct err err;

	for (int i = 0; i < 200; i++)
		assert_int_equal(ws_send(arg, WS_TEXT, "0123456789", 10, &err), 0);
	return NULL;
}

static void writers_do_not_mix(void **state)
{
	struct peer p = { 0 };
	struct err err = { 0 };
	struct ws *w = start(&p, RAW(""), &err);
	pthread_t t[4];
	size_t lines = 0;

	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		pthread_create(&t[i], NULL, send_many, w);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		pthread_join(t[i], NULL);
	finish(&p, w);
	for (char *q = p.got.data; *q; q += 13, lines++)
		assert_int_equal(strncmp(q, "T:0123456789\n", 13), 0);
	assert_int_equal(lines, 800);
	sbuf_free(&p.got);
}

static void refuses_bad_peers(void **state)
{
	struct peer p = { .bad_accept = true };
	struct err err = { 0 };
	struct ws *w = start(&p, RAW(""), &err);
	char *data;
	size_t len;

	assert_null(w);
	pthread_join(p.thread, NULL);
	sbuf_free(&p.got);

	/* a masked frame, and a reserved opcode */
	memset(&p, 0, sizeof(p));
	w = start(&p, RAW("\x83\x00"), &err);
	assert_non_null(w);
	assert_int_equal(ws_recv(w, &data, &len, PATIENCE, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	finish(&p, w);
	sbuf_free(&p.got);
}

/* What a server may not send ends the connection, and what came before it is still received. */
static void broken_protocols_end_it(void **state)
{
	static const struct {
		const char *raw;
		size_t len;
	} cases[] = {
		{ RAW("\x81\x82xxxxhi") }, /* masked */
		{ RAW("\xc1\x00") },       /* a reserved bit */
		{ RAW("\x80\x00") },       /* goes on with what was not begun */
		{ RAW("\x01\x01"
		      "a\x01\x01"
		      "b") },                /* begins anew in the middle */
		{ RAW("\x09\x00") },         /* a ping in fragments */
		{ RAW("\x89\x7e\x00\x7e") }, /* a ping that is too long */
		{ RAW("\x82\x7f\x00\x00\x00\x00\x40\x00\x00\x00x") }, /* 1 GiB */
		{ RAW("\x81\x01\xff") },                              /* text that is no UTF-8 */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_sbuf_ struct sbuf raw = SBUF(1000);
		struct peer p = { 0 };
		struct err err = { 0 };
		struct ws *w;
		char *data;
		size_t len;

		sbuf_add(&raw, "\x81\x02ok", 4);
		sbuf_add(&raw, cases[i].raw, cases[i].len);
		w = start(&p, raw.data, raw.len, &err);
		assert_non_null(w);
		expect(w, WS_TEXT, "ok");
		if (ws_recv(w, &data, &len, PATIENCE, &err) != -1 || err.kind != ERR_UNAVAILABLE)
			fail_msg("case %zu: %s", i, err.msg);
		assert_null(data);
		/* and so it stays */
		assert_int_equal(ws_recv(w, &data, &len, PATIENCE, &err), -1);
		finish(&p, w);
		sbuf_free(&p.got);
	}
}

/* Sizes around those at which the length takes more bytes. */
static void lengths_of_each_form_go_both_ways(void **state)
{
	static const size_t sizes[] = { 1, 125, 126, 127, 65535, 65536, 200000 };
	_free_ char *data = xcalloc(200000, 1);
	_sbuf_ struct sbuf raw = SBUF(1 << 20), want = SBUF(10000);
	struct peer p = { 0 };
	struct err err = { 0 };
	struct ws *w;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		unsigned char h[10] = { 0x82, sizes[i] < 126     ? sizes[i]
					      : sizes[i] < 65536 ? 126
								 : 127 };
		size_t ext = sizes[i] < 126 ? 0 : sizes[i] < 65536 ? 2 : 8;

		for (size_t k = 0; k < ext; k++)
			h[2 + k] = (unsigned char)(sizes[i] >> 8 * (ext - 1 - k));
		sbuf_add(&raw, h, 2 + ext);
		sbuf_add(&raw, data, sizes[i]);
	}
	w = start(&p, raw.data, raw.len, &err);
	assert_non_null(w);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		_free_ char *got = NULL;
		size_t len;

		assert_int_equal(ws_recv(w, &got, &len, PATIENCE, &err), WS_BINARY);
		assert_int_equal(len, sizes[i]);
		assert_int_equal(ws_send(w, WS_BINARY, data, sizes[i], &err), 0);
		sbuf_printf(&want, sizes[i] > 100 ? "B:%zu\n" : "B:\n", sizes[i]);
	}
	assert_false(ws_pending(w));
	finish(&p, w);
	assert_string_equal(p.got.data, want.data);
	sbuf_free(&p.got);
}

static void an_end_without_a_close_is_an_end(void **state)
{
	struct peer p = { 0 };
	struct err err = { 0 };
	struct ws *w = start(&p, RAW("\x81\x02hi"), &err);
	char *data;
	size_t len;

	assert_non_null(w);
	expect(w, WS_TEXT, "hi");
	shutdown(p.fd, SHUT_WR);
	assert_int_equal(ws_recv(w, &data, &len, PATIENCE, &err), WS_CLOSE);
	assert_true(ws_pending(w));
	finish(&p, w);
	sbuf_free(&p.got);
	ws_free(NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(receives),
		cmocka_unit_test(answers_a_close),
		cmocka_unit_test(sends),
		cmocka_unit_test(writers_do_not_mix),
		cmocka_unit_test(refuses_bad_peers),
		cmocka_unit_test(broken_protocols_end_it),
		cmocka_unit_test(lengths_of_each_form_go_both_ways),
		cmocka_unit_test(an_end_without_a_close_is_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
