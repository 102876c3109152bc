/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies: chunks, lengths, and those that end with the connection. */
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
		"\r\n",
		"5 \r\nhello",
		" 5\r\nhello",
		"+5\r\nhello",
		"0x5\r\nhello",
		"5\nhello",
		"5\r\nhelloX",
		"5\r\nhello\n0\r\n",
		"-1\r\n",
		"ffffffffffffffff1\r\n",
		"5;a\nb\r\nhello",
		"5;a\x01\r\nhello",
		"0\r\n a: b\r\n\r\n",
		"0\r\na\x01: b\r\n",
		"0\r\n\rX",
		"g\r\n",
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

/* Each part of a chunk has a limit: what is one byte longer is refused. */
static void bounds_each_part(void **state)
{
	static const struct {
		const char *before, *after;
		size_t most; /* of 'a's between them */
	} cases[] = {
		{ "5;", "\r\nhello\r\n0\r\n\r\n", 256 },
		{ "0\r\n", "\r\n\r\n", 8 << 10 },
		{ "00000", "\r\n", 10 }, /* digits of a size */
	};
	bool done;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t over = 0; over < 2; over++) {
			_sbuf_ struct sbuf text = SBUF(1 << 20), out = SBUF(1 << 20);
			int64_t used;

			sbuf_puts(&text, cases[i].before);
			for (size_t k = 0; k < cases[i].most + over; k++)
				sbuf_putc(&text, 'a');
			sbuf_puts(&text, cases[i].after);
			used = decode(text.data, text.len, 1000, &out, &done);
			if ((used < 0) != (over > 0))
				fail_msg("case %zu with %zu more: %lld", i, over,
					 (long long)used);
		}
	}
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
		cmocka_unit_test(decodes_chunks),
		cmocka_unit_test(refuses_bad_chunks),
		cmocka_unit_test(bounds_trailers),
		cmocka_unit_test(bounds_each_part),
		cmocka_unit_test(counts_a_length),
		cmocka_unit_test(any_chunks_give_the_body),
		cmocka_unit_test(a_body_until_the_end_is_never_done),
		cmocka_unit_test(no_body_is_done_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
