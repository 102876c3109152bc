/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "tests/unit/base/random.h"

static void grows_and_stays_terminated(void **state)
{
	_sbuf_ struct sbuf b = SBUF(10000);

	assert_null(b.data);
	for (int i = 0; i < 10000; i++) {
		sbuf_putc(&b, (char)('a' + i % 26));
		assert_int_equal(b.len, i + 1);
		assert_int_equal(b.data[b.len], '\0');
		assert_true(b.room > b.len);
	}
	assert_false(b.overflow);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(b.data[i], 'a' + i % 26);
}

static void the_cap_is_exact(void **state)
{
	static const struct {
		size_t cap, first, second;
		bool overflow;
		size_t len;
	} cases[] = {
		{ 4, 4, 0, false, 4 }, { 4, 5, 0, true, 0 },  { 4, 2, 2, false, 4 },
		{ 4, 2, 3, true, 2 },  { 0, 0, 0, false, 0 }, { 0, 1, 0, true, 0 },
		{ 4, 4, 1, true, 4 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_sbuf_ struct sbuf b = SBUF(cases[i].cap);

		sbuf_add(&b, "12345", cases[i].first);
		sbuf_add(&b, "12345", cases[i].second);
		assert_int_equal(b.overflow, cases[i].overflow);
		assert_int_equal(b.len, cases[i].len);
	}
}

/* What follows a piece that did not fit must not be taken for what comes next. */
static void nothing_is_added_after_an_overflow(void **state)
{
	_sbuf_ struct sbuf b = SBUF(5);

	sbuf_puts(&b, "ab");
	sbuf_puts(&b, "cdef");
	sbuf_putc(&b, 'x');
	sbuf_printf(&b, "%d", 1);
	sbuf_json_string(&b, "");
	assert_true(b.overflow);
	assert_string_equal(b.data, "ab");
	sbuf_reset(&b);
	assert_false(b.overflow);
	sbuf_puts(&b, "12345");
	assert_string_equal(b.data, "12345");
	assert_false(b.overflow);
}

static void sizes_near_the_end_of_size_t_overflow(void **state)
{
	_sbuf_ struct sbuf b = SBUF(100);

	sbuf_puts(&b, "abc");
	sbuf_add(&b, "x", SIZE_MAX);
	assert_true(b.overflow);
	assert_int_equal(b.len, 3);
}

static void formats(void **state)
{
	_sbuf_ struct sbuf b = SBUF(1000);
	char want[600];

	sbuf_printf(&b, "%s", "");
	assert_string_equal(b.data, "");
	sbuf_printf(&b, "%d-%s-%5.1f|", 7, "x", 2.25);
	assert_string_equal(b.data, "7-x-  2.2|");
	sbuf_reset(&b);
	/* longer than the first room */
	memset(want, 'w', sizeof(want) - 1);
	want[sizeof(want) - 1] = '\0';
	sbuf_printf(&b, "%s", want);
	assert_string_equal(b.data, want);
	sbuf_printf(&b, "%s", want);
	assert_true(b.overflow);
	assert_int_equal(b.len, sizeof(want) - 1);
}

static void consumes_from_the_front(void **state)
{
	_sbuf_ struct sbuf b = SBUF(100);

	sbuf_consume(&b, 0);
	sbuf_consume(&b, 5);
	assert_int_equal(b.len, 0);
	sbuf_puts(&b, "abcdef");
	sbuf_consume(&b, 2);
	assert_string_equal(b.data, "cdef");
	sbuf_consume(&b, 0);
	assert_string_equal(b.data, "cdef");
	sbuf_consume(&b, 4);
	assert_string_equal(b.data, "");
	sbuf_puts(&b, "xy");
	sbuf_consume(&b, 100);
	assert_int_equal(b.len, 0);
	assert_string_equal(b.data, "");
}

static void hands_its_bytes_over(void **state)
{
	_sbuf_ struct sbuf b = SBUF(100);
	_free_ char *none = sbuf_take(&b);
	_free_ char *some = NULL;

	assert_string_equal(none, "");
	sbuf_add(&b, "a\0b", 3);
	some = sbuf_take(&b);
	assert_memory_equal(some, "a\0b\0", 4);
	assert_null(b.data);
	assert_int_equal(b.len, 0);
	assert_int_equal(b.room, 0);
	assert_int_equal(b.cap, 100);
	sbuf_puts(&b, "again");
	assert_string_equal(b.data, "again");
}

static void freed_buffers_can_be_used_again(void **state)
{
	struct sbuf b = SBUF(3);

	sbuf_puts(&b, "much too long");
	sbuf_free(&b);
	sbuf_free(&b);
	assert_false(b.overflow);
	sbuf_puts(&b, "abc");
	assert_string_equal(b.data, "abc");
	sbuf_free(&b);
}

static void json_strings_are_escaped(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "", "\"\"" },
		{ "plain", "\"plain\"" },
		{ "a\"b\\c", "\"a\\\"b\\\\c\"" },
		{ "\n", "\"\\n\"" },
		{ "\t\r\x01\x1f", "\"\\u0009\\u000d\\u0001\\u001f\"" },
		{ "caf\xc3\xa9", "\"caf\xc3\xa9\"" },
		{ "/", "\"/\"" },
		{ "\\n", "\"\\\\n\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_sbuf_ struct sbuf b = SBUF(100);

		sbuf_json_string(&b, cases[i].in);
		assert_string_equal(b.data, cases[i].out);
	}
}

/* A JSON parser reads back what was meant, whatever bytes of ASCII it was. */
static void json_strings_read_back(void **state)
{
	struct random r = { 20261128 };

	for (int i = 0; i < 500; i++) {
		_sbuf_ struct sbuf b = SBUF(1000);
		_json_ json_t *j = NULL;
		char text[40];
		size_t n = random_below(&r, sizeof(text));
		struct err err;

		for (size_t k = 0; k < n; k++)
			text[k] = (char)(1 + random_below(&r, 127));
		text[n] = '\0';
		sbuf_json_string(&b, text);
		j = json_parse(b.data, b.len, "text", &err);
		assert_non_null(j);
		assert_string_equal(json_string_value(j), text);
	}
}

/* Any mix of additions and removals equals the same on a plain array. */
static void behaves_as_a_queue_of_bytes(void **state)
{
	struct random r = { 7 };
	_sbuf_ struct sbuf b = SBUF(4096);
	char model[4096], piece[300];
	size_t len = 0;

	for (int i = 0; i < 3000; i++) {
		size_t n = random_below(&r, sizeof(piece));

		if (random_below(&r, 2) && len + n <= sizeof(model)) {
			random_bytes(&r, piece, n);
			sbuf_add(&b, piece, n);
			memcpy(model + len, piece, n);
			len += n;
		} else {
			n = n < len ? n : len;
			sbuf_consume(&b, n);
			memmove(model, model + n, len - n);
			len -= n;
		}
		assert_int_equal(b.len, len);
		if (len)
			assert_memory_equal(b.data, model, len);
	}
	assert_false(b.overflow);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_and_stays_terminated),
		cmocka_unit_test(the_cap_is_exact),
		cmocka_unit_test(nothing_is_added_after_an_overflow),
		cmocka_unit_test(sizes_near_the_end_of_size_t_overflow),
		cmocka_unit_test(formats),
		cmocka_unit_test(consumes_from_the_front),
		cmocka_unit_test(hands_its_bytes_over),
		cmocka_unit_test(freed_buffers_can_be_used_again),
		cmocka_unit_test(json_strings_are_escaped),
		cmocka_unit_test(json_strings_read_back),
		cmocka_unit_test(behaves_as_a_queue_of_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
