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
		cmocka_unit_test(every_status_that_is_sent_has_a_text),
		cmocka_unit_test(lengths_have_a_limit),
		cmocka_unit_test(exactly_so_many_headers),
		cmocka_unit_test(any_bytes_are_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
