/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/net/http1.h"
#include "base/sbuf.h"
#include "tests/unit/base/random.h"

#define H "Host: x\r\n"

static void reads_a_request(void **state)
{
	static const char text[] = "POST /1.0/x?a=b HTTP/1.1\r\nHost: unix.socket\r\n"
				   "X-Empty:\r\nx-tabs: \t a\tb \t\r\nContent-Length: 12\r\n"
				   "Connection: Foo, Upgrade\r\nUpgrade: websocket\r\n\r\nbody";
	struct http_head h;
	struct err err;
	int n = http_parse_request(&h, text, sizeof(text) - 1, &err);

	assert_int_equal(n, sizeof(text) - 1 - 4);
	assert_string_equal(h.method, "POST");
	assert_string_equal(h.target, "/1.0/x?a=b");
	assert_int_equal(h.nheaders, 6);
	assert_string_equal(http_header(&h, "X-EMPTY"), "");
	assert_string_equal(http_header(&h, "X-Tabs"), "a\tb");
	assert_null(http_header(&h, "X-None"));
	assert_int_equal(h.length, 12);
	assert_true(h.keep_alive);
	assert_string_equal(h.upgrade, "websocket");
	assert_true(http_connection_has(&h, "foo"));
	assert_false(http_connection_has(&h, "fo"));
	http_head_free(&h);
}

/* Every shorter piece asks for more, none is refused. */
static void reads_piece_by_piece(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\n" H "A: b\r\n\r\n";
	struct http_head h;
	struct err err;

	for (size_t i = 0; i + 1 < sizeof(text) - 1; i++)
		assert_int_equal(http_parse_request(&h, text, i, &err), 0);
	assert_int_equal(http_parse_request(&h, text, sizeof(text) - 1, &err), sizeof(text) - 1);
	http_head_free(&h);
}

static void keep_alive(void **state)
{
	static const struct {
		const char *text;
		bool keep;
	} cases[] = {
		{ "GET / HTTP/1.1\r\n" H "\r\n", true },
		{ "GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n", false },
		{ "GET / HTTP/1.1\r\n" H "Connection: keep-alive, Close\r\n\r\n", false },
		{ "GET / HTTP/1.0\r\n\r\n", false },
		{ "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_head h;
		struct err err;

		assert_true(http_parse_request(&h, cases[i].text, strlen(cases[i].text), &err) > 0);
		assert_int_equal(h.keep_alive, cases[i].keep);
		assert_int_equal(h.length, 0);
		http_head_free(&h);
	}
}

static void refuses_smuggling(void **state)
{
	static const char *const bad[] = {
		/* line ends and folding */
		"GET / HTTP/1.1\n" H "\r\n",
		"GET / HTTP/1.1\r\nHost: x\n\r\n",
		"GET / HTTP/1.1\r\n" H "A: b\r\n c\r\n\r\n",
		"GET / HTTP/1.1\r\n" H "A: b\r\n\tc\r\n\r\n",
		"GET / HTTP/1.1\r\n" H "A: b\rc\r\n\r\n",
		"GET / HTTP/1.1\r\n A: b\r\n" H "\r\n",
		"\r\nGET / HTTP/1.1\r\n" H "\r\n",
		/* framing */
		"POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
		"POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 3\r\n\r\n",
		"POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 4\r\n\r\n",
		"POST / HTTP/1.1\r\n" H "Content-Length: 3, 3\r\n\r\n",
		"POST / HTTP/1.1\r\n" H "Content-Length: +4\r\n\r\n",
		"POST / HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\n",
		"POST / HTTP/1.1\r\n" H "Content-Length: 0x10\r\n\r\n",
		"POST / HTTP/1.1\r\n" H "Content-Length: 4 4\r\n\r\n",
		"POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n",
		"POST / HTTP/1.1\r\n" H "Content-Length: 9999999999999999999999\r\n\r\n",
		"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n"
		"Transfer-Encoding: chunked\r\n\r\n",
		"POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n",
		"POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n",
		"POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n",
		"POST / HTTP/1.1\r\n" H "Transfer-Encoding: \x0b"
		"chunked\r\n\r\n",
		"POST / HTTP/1.1\r\n" H "Transfer-Encoding : chunked\r\n\r\n",
		"POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n",
		/* names and values */
		"GET / HTTP/1.1\r\n" H "A : b\r\n\r\n",
		"GET / HTTP/1.1\r\n" H ": b\r\n\r\n",
		"GET / HTTP/1.1\r\n" H "no colon\r\n\r\n",
		"GET / HTTP/1.1\r\n" H "A\xe4: b\r\n\r\n",
		"GET / HTTP/1.1\r\n" H "A: b\x7f\r\n\r\n",
		"GET / HTTP/1.1\r\n" H "A: b\x01\r\n\r\n",
		/* the host */
		"GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
		/* the first line */
		"GET / HTTP/1.9\r\n" H "\r\n",
		"GET / HTTP/2.0\r\n" H "\r\n",
		"GET /\r\n" H "\r\n",
		"GET  / HTTP/1.1\r\n" H "\r\n",
		"GET / HTTP/1.1 \r\n" H "\r\n",
		"GET /a b HTTP/1.1\r\n" H "\r\n",
		"GET /a#b HTTP/1.1\r\n" H "\r\n",
		"GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n",
		"GET http://x/ HTTP/1.1\r\n" H "\r\n",
		"GET * HTTP/1.1\r\n" H "\r\n",
		"G\tT / HTTP/1.1\r\n" H "\r\n",
		" GET / HTTP/1.1\r\n" H "\r\n",
		"\x16\x03\x01\x02",
		"GET / HTTP/1.1\r\n" H "Connection: upgrade\r\nUpgrade: a\r\nUpgrade: b\r\n\r\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct http_head h;
		struct err err = { 0 };

		if (http_parse_request(&h, bad[i], strlen(bad[i]), &err) != -1)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_null(h.store);
	}
}

static void refuses_nul(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\n" H "A: b\0c\r\n\r\n";
	struct http_head h;
	struct err err;

	assert_int_equal(http_parse_request(&h, text, sizeof(text) - 1, &err), -1);
}

static void bounds_the_head(void **state)
{
	_sbuf_ struct sbuf many = SBUF(1 << 20);
	_sbuf_ struct sbuf big = SBUF(1 << 20);
	struct http_head h;
	struct err err;

	sbuf_puts(&many, "GET / HTTP/1.1\r\n" H);
	for (int i = 0; i < HTTP_HEADERS_MAX; i++)
		sbuf_puts(&many, "A: b\r\n");
	sbuf_puts(&many, "\r\n");
	assert_int_equal(http_parse_request(&h, many.data, many.len, &err), -1);
	assert_int_equal(err.kind, ERR_TOO_LARGE);

	sbuf_puts(&big, "GET / HTTP/1.1\r\n" H "A: ");
	while (big.len < HTTP_HEAD_MAX - 1)
		sbuf_putc(&big, 'a');
	assert_int_equal(http_parse_request(&h, big.data, big.len, &err), 0);
	sbuf_putc(&big, 'a');
	assert_int_equal(http_parse_request(&h, big.data, big.len, &err), -1);
	assert_int_equal(err.kind, ERR_TOO_LARGE);
}

static void reads_responses(void **state)
{
	static const struct {
		const char *text;
		bool head_request;
		int status;
		int64_t length;
		bool chunked, keep;
	} cases[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, 200, 5, false, true },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, 200, 0, false, true },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, 200, -1, true,
		  true },
		{ "HTTP/1.1 200\r\n\r\n", false, 200, -1, false, false },
		{ "HTTP/1.0 404 Not Found\r\n\r\n", false, 404, -1, false, false },
		{ "HTTP/1.1 204 No Content\r\n\r\n", false, 204, 0, false, true },
		{ "HTTP/1.1 100 Continue\r\n\r\n", false, 100, 0, false, true },
		{ "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", false, 101,
		  0, false, true },
	};
	static const char *const bad[] = {
		"HTTP/1.1 20 OK\r\n\r\n",   "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 abc OK\r\n\r\n",
		"HTTP/3 200 OK\r\n\r\n",    "HTTP/1.1 099 OK\r\n\r\n",	"garbage\r\n\r\n",
		"HTTP/1.1 200 O\x01\r\n\r\n",
	};
	struct http_head h;
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t n = strlen(cases[i].text);

		assert_int_equal(http_parse_response(&h, cases[i].text, n, cases[i].head_request,
						     &err), n);
		assert_int_equal(h.status, cases[i].status);
		assert_int_equal(h.length, cases[i].length);
		assert_int_equal(h.chunked, cases[i].chunked);
		assert_int_equal(h.keep_alive, cases[i].keep);
		http_head_free(&h);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(http_parse_response(&h, bad[i], strlen(bad[i]), false, &err), -1);
}

/* Decodes in pieces of at most `step`; -1 when refused, else the count of used bytes. */
static int64_t decode(const char *text, size_t len, size_t step, struct sbuf *out, bool *done)
{
	struct http_head h = { .chunked = true, .length = -1 };
	struct http_body b;
	size_t at = 0;
	struct err err;

	sbuf_reset(out);
	http_body_init(&b, &h);
	while (at < len && !b.done) {
		size_t n = len - at < step ? len - at : step, run_len;
		const char *run;
		int64_t used = http_body_feed(&b, text + at, n, &run, &run_len, &err);

		if (used < 0)
			return -1;
		sbuf_add(out, run, run_len);
		at += used;
	}
	*done = b.done;
	return (int64_t)at;
}

static void decodes_chunks(void **state)
{
	static const char text[] = "5\r\nhello\r\n00a;x=\"y\"\r\n0123456789\r\n"
				   "0\r\nTrailer: a\r\nB: c\r\n\r\nGET /next";
	_sbuf_ struct sbuf out = SBUF(1000);
	bool done;

	for (size_t step = 1; step < sizeof(text); step++) {
		assert_int_equal(decode(text, sizeof(text) - 1, step, &out, &done),
				 sizeof(text) - 1 - 9);
		assert_true(done);
		assert_string_equal(out.data, "hello0123456789");
	}
}

static void refuses_bad_chunks(void **state)
{
	static const char *const bad[] = {
		"\r\n",		      "5 \r\nhello",	   " 5\r\nhello",	"+5\r\nhello",
		"0x5\r\nhello",	      "5\nhello",	   "5\r\nhelloX",	"5\r\nhello\n0\r\n",
		"-1\r\n",	      "ffffffffffffffff1\r\n", "5;a\nb\r\nhello",
		"5;a\x01\r\nhello",
		"0\r\n a: b\r\n\r\n", "0\r\na\x01: b\r\n", "0\r\n\rX",		"g\r\n",
	};
	_sbuf_ struct sbuf out = SBUF(1000);
	bool done;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (decode(bad[i], strlen(bad[i]), 100, &out, &done) != -1)
			fail_msg("accepted: %s", bad[i]);
	}
}

static void bounds_trailers(void **state)
{
	_sbuf_ struct sbuf text = SBUF(1 << 20);
	_sbuf_ struct sbuf out = SBUF(1000);
	bool done;

	sbuf_puts(&text, "0\r\n");
	for (int i = 0; i < 10000; i++)
		sbuf_puts(&text, "a\r\n");
	assert_int_equal(decode(text.data, text.len, 1000, &out, &done), -1);
}

static void counts_a_length(void **state)
{
	struct http_head h = { .length = 5 };
	struct http_body b;
	const char *out;
	size_t len;
	struct err err;

	http_body_init(&b, &h);
	assert_int_equal(http_body_feed(&b, "hel", 3, &out, &len, &err), 3);
	assert_int_equal(len, 3);
	assert_false(b.done);
	assert_int_equal(http_body_feed(&b, "loGET", 5, &out, &len, &err), 2);
	assert_int_equal(len, 2);
	assert_true(b.done);
	assert_int_equal(b.total, 5);
	assert_int_equal(http_body_feed(&b, "GET", 3, &out, &len, &err), 0);
}

static void every_status_that_is_sent_has_a_text(void **state)
{
	static const int sent[] = { 100, 101, 200, 201, 202, 304, 400, 408, 413, 426, 431, 502 };

	for (size_t i = 0; i < ARRAY_SIZE(sent); i++)
		assert_string_not_equal(http_status_text(sent[i]), "Unknown");
	for (int k = 1; k < ERR_MAX; k++)
		assert_string_not_equal(http_status_text(err_http(k)), "Unknown");
	assert_string_equal(http_status_text(404), "Not Found");
	assert_string_equal(http_status_text(299), "Unknown");
	assert_string_equal(http_status_text(0), "Unknown");
}

static void lengths_have_a_limit(void **state)
{
	static const struct {
		const char *text;
		int64_t length; /* -1: refused */
	} cases[] = {
		{ "0", 0 },
		{ "0000000000000007", 7 },
		{ "999999999999999999", 999999999999999999 },
		{ "1000000000000000000", -1 },
		{ "0000000000000000007", -1 },
		{ " 5 ", 5 },
		{ "5\t", 5 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *text = xasprintf("PUT / HTTP/1.1\r\n" H "Content-Length: %s\r\n\r\n",
					      cases[i].text);
		struct err err = { 0 };
		struct http_head h;
		int n = http_parse_request(&h, text, strlen(text), &err);

		assert_int_equal(n > 0, cases[i].length >= 0);
		if (n < 0)
			continue;
		assert_int_equal(h.length, cases[i].length);
		http_head_free(&h);
	}
}

static void exactly_so_many_headers(void **state)
{
	_sbuf_ struct sbuf b = SBUF(1 << 20);
	struct http_head h;
	struct err err;

	sbuf_puts(&b, "GET / HTTP/1.1\r\n" H);
	for (int i = 1; i < HTTP_HEADERS_MAX; i++)
		sbuf_printf(&b, "A%d: %d\r\n", i, i);
	sbuf_puts(&b, "\r\n");
	assert_int_equal(http_parse_request(&h, b.data, b.len, &err), b.len);
	assert_int_equal(h.nheaders, HTTP_HEADERS_MAX);
	assert_string_equal(http_header(&h, "a99"), "99");
	http_head_free(&h);
	http_head_free(&h); /* harmless */
	assert_int_equal(h.nheaders, 0);
}

/* Any run of bytes is more to come, an error, or a head of a length within them. */
static void any_bytes_are_an_answer(void **state)
{
	static const char *const pieces[] = {
		"GET ",
		"/ ",
		"HTTP/1.1",
		"\r\n",
		"\r\n\r\n",
		"Host: x\r\n",
		"Content-Length: 5\r\n",
		"Transfer-Encoding: chunked\r\n",
		"Connection: upgrade\r\n",
		"Upgrade: w\r\n",
		"\n",
		" ",
		":",
		"\0",
		"a",
		"\xff",
		"HTTP/1.1 200 OK\r\n",
		"\r",
	};
	struct random r = { 9112 };

	for (int i = 0; i < 20000; i++) {
		_sbuf_ struct sbuf b = SBUF(1000);
		struct http_head h;
		struct err err = { 0 };
		bool request = random_below(&r, 2);
		int n;

		for (size_t k = 1 + random_below(&r, 8); k; k--)
			sbuf_puts(&b, pieces[random_below(&r, ARRAY_SIZE(pieces))]);
		n = request ? http_parse_request(&h, b.data ? b.data : "", b.len, &err)
			    : http_parse_response(&h, b.data ? b.data : "", b.len, false, &err);
		if (n < 0)
			assert_true(err.kind == ERR_INVALID || err.kind == ERR_TOO_LARGE);
		assert_true(n <= (int)b.len);
		if (n <= 0) {
			assert_null(h.store);
			continue;
		}
		assert_memory_equal(b.data + n - 4, "\r\n\r\n", 4);
		assert_false(h.chunked && h.length >= 0);
		http_head_free(&h);
	}
}

/* Whatever the chunks and however the bytes arrive, the body is the same. */
static void any_chunks_give_the_body(void **state)
{
	struct random r = { 7 };

	for (int i = 0; i < 300; i++) {
		_sbuf_ struct sbuf coded = SBUF(1 << 16), plain = SBUF(1 << 16),
				   out = SBUF(1 << 16);
		size_t chunks = random_below(&r, 6);
		bool done = false;

		for (size_t k = 0; k < chunks; k++) {
			char data[300];
			size_t n = 1 + random_below(&r, sizeof(data) - 1);

			random_bytes(&r, data, n);
			sbuf_add(&plain, data, n);
			sbuf_printf(&coded, random_below(&r, 2) ? "%zx" : "000%zX", n);
			sbuf_puts(&coded, random_below(&r, 3) ? "\r\n" : ";ext=\"v\"\r\n");
			sbuf_add(&coded, data, n);
			sbuf_puts(&coded, "\r\n");
		}
		sbuf_puts(&coded, random_below(&r, 2) ? "0\r\n\r\n" : "00\r\nT: v\r\n\r\n");
		assert_int_equal(decode(coded.data, coded.len, 1 + random_below(&r, 100), &out,
					&done),
				 coded.len);
		assert_true(done);
		assert_int_equal(out.len, plain.len);
		if (plain.len)
			assert_memory_equal(out.data, plain.data, plain.len);
	}
}

static void a_body_until_the_end_is_never_done(void **state)
{
	struct http_head h = { .length = -1 };
	struct http_body b;
	const char *out;
	size_t len;
	struct err err;

	http_body_init(&b, &h);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(http_body_feed(&b, "abc", 3, &out, &len, &err), 3);
		assert_int_equal(len, 3);
		assert_false(b.done);
	}
	assert_int_equal(b.total, 30);
	assert_int_equal(http_body_feed(&b, "", 0, &out, &len, &err), 0);
	assert_null(out);
}

static void no_body_is_done_at_once(void **state)
{
	struct http_head h = { .length = 0 };
	struct http_body b;
	const char *out;
	size_t len;
	struct err err;

	http_body_init(&b, &h);
	assert_true(b.done);
	assert_int_equal(http_body_feed(&b, "GET", 3, &out, &len, &err), 0);
	assert_int_equal(len, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_request),
		cmocka_unit_test(reads_piece_by_piece),
		cmocka_unit_test(keep_alive),
		cmocka_unit_test(refuses_smuggling),
		cmocka_unit_test(refuses_nul),
		cmocka_unit_test(bounds_the_head),
		cmocka_unit_test(reads_responses),
		cmocka_unit_test(decodes_chunks),
		cmocka_unit_test(refuses_bad_chunks),
		cmocka_unit_test(bounds_trailers),
		cmocka_unit_test(counts_a_length),
		cmocka_unit_test(every_status_that_is_sent_has_a_text),
		cmocka_unit_test(lengths_have_a_limit),
		cmocka_unit_test(exactly_so_many_headers),
		cmocka_unit_test(any_bytes_are_an_answer),
		cmocka_unit_test(any_chunks_give_the_body),
		cmocka_unit_test(a_body_until_the_end_is_never_done),
		cmocka_unit_test(no_body_is_done_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
