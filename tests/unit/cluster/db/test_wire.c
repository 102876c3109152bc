/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cluster/db/wire.h"

static struct wire_cursor cursor(const void *data, size_t len)
{
	return (struct wire_cursor){ data, len };
}

static void test_request(void **state)
{
	_sbuf_ struct sbuf b = SBUF(4096);
	const unsigned char want[] = { 3, 0, 0, 0, 3, 0, 0, 0, 'd', 'b', 0, 0, 0, 0, 0, 0,
				       7, 0, 0, 0, 0, 0, 0, 0, 0,   0,   0, 0, 0, 0, 0, 0 };

	wire_begin(&b, WIRE_REQ_OPEN);
	wire_text(&b, "db");
	wire_u64(&b, 7);
	wire_text(&b, "");
	wire_end(&b);
	assert_int_equal(b.len, sizeof(want));
	assert_memory_equal(b.data, want, sizeof(want));
}

static void test_params(void **state)
{
	struct wire_value v[] = { WIRE_I(-2),
				  WIRE_T("seven b"),
				  WIRE_N,
				  { .type = WIRE_BLOB, .text = "xyz", .len = 3 },
				  { .type = WIRE_DOUBLE, .d = 1.5 } };
	_sbuf_ struct sbuf b = SBUF(4096);
	static struct wire_value many[WIRE_PARAMS_MAX + 1];
	int64_t first;

	wire_begin(&b, WIRE_REQ_EXEC);
	wire_params(&b, v, 0);
	assert_int_equal(b.len, WIRE_HEAD);
	wire_params(&b, v, ARRAY_SIZE(v));
	wire_end(&b);
	/* types in one word, 8 + 8 + 8 + 16 + 8 bytes of values */
	assert_int_equal(b.len, WIRE_HEAD + 8 + 48);
	assert_memory_equal(b.data + WIRE_HEAD, "\5\1\3\5\4\2\0\0", 8);
	memcpy(&first, b.data + WIRE_HEAD + 8, 8);
	assert_int_equal(first, -2);
	assert_string_equal(b.data + WIRE_HEAD + 16, "seven b");

	wire_begin(&b, WIRE_REQ_EXEC);
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = WIRE_N;
	wire_params(&b, many, ARRAY_SIZE(many));
	assert_true(b.overflow);
}

static void test_head(void **state)
{
	unsigned char h[8] = { 2, 0, 0, 0, WIRE_RES_ROWS, 0, 0, 0 };
	uint8_t type;
	size_t len;

	assert_true(wire_head(h, &type, &len));
	assert_int_equal(type, WIRE_RES_ROWS);
	assert_int_equal(len, 16);
	h[3] = 0xff;
	assert_false(wire_head(h, &type, &len));
}

static void test_strict_answers(void **state)
{
	static const unsigned char failure[] = { 10,  40,  0, 0, 0, 0, 0, 0,
						 'n', 'o', 0, 0, 0, 0, 0, 0 };
	static const unsigned char result[16] = { 9, 0, 0, 0, 0, 0, 0, 0, 3 };
	uint64_t a, b;
	const char *text;

	assert_true(wire_failure(cursor(failure, sizeof(failure)), &a, &text));
	assert_int_equal(a, 10250);
	assert_string_equal(text, "no");
	assert_true(wire_result(cursor(result, 16), &a, &b));
	assert_int_equal(b, 3);
	/* Any byte too few or too many is an error. */
	for (size_t len = 0; len < sizeof(failure); len++) {
		assert_false(wire_failure(cursor(failure, len), &a, &text));
		assert_false(wire_result(cursor(failure, len), &a, &b));
	}
}

static void add_u64(struct sbuf *b, uint64_t v)
{
	wire_u64(b, v);
}

static void test_servers(void **state)
{
	_sbuf_ struct sbuf b = SBUF(4096);
	struct wire_node v[2];
	size_t n;

	add_u64(&b, 2);
	for (uint64_t i = 0; i < 2; i++) {
		add_u64(&b, 100 + i);
		wire_text(&b, i ? "second-address" : "first");
		add_u64(&b, i);
	}
	assert_true(wire_servers(cursor(b.data, b.len), v, 2, &n));
	assert_int_equal(n, 2);
	assert_int_equal(v[1].id, 101);
	assert_string_equal(v[1].address, "second-address");
	assert_int_equal(v[1].role, 1);
	assert_false(wire_servers(cursor(b.data, b.len), v, 1, &n));
	assert_false(wire_servers(cursor(b.data, b.len - 8), v, 2, &n));
}

static void test_rows(void **state)
{
	_sbuf_ struct sbuf b = SBUF(4096);
	struct wire_value v[WIRE_COLUMNS_MAX];
	struct wire_cursor c;
	size_t columns;

	add_u64(&b, 3);
	wire_text(&b, "key");
	wire_text(&b, "rev");
	wire_text(&b, "doc");
	add_u64(&b, 0x0513); /* text, int, null: a nibble each */
	wire_text(&b, "k1");
	add_u64(&b, 42);
	add_u64(&b, 0);
	add_u64(&b, UINT64_MAX);
	c = cursor(b.data, b.len);
	assert_true(wire_rows(&c, &columns));
	assert_int_equal(columns, 3);
	assert_int_equal(wire_row(&c, columns, v), WIRE_ROW);
	assert_string_equal(v[0].text, "k1");
	assert_int_equal(v[1].i, 42);
	assert_int_equal(v[2].type, WIRE_NULL);
	assert_int_equal(wire_row(&c, columns, v), WIRE_ROWS_DONE);
	assert_int_equal(c.left, 0);

	/* Cut anywhere it is bad, never read past its end. */
	for (size_t len = 0; len < b.len; len++) {
		enum wire_row r = WIRE_ROWS_BAD;

		c = cursor(b.data, len);
		if (wire_rows(&c, &columns))
			while ((r = wire_row(&c, columns, v)) == WIRE_ROW)
				;
		assert_int_equal(r, WIRE_ROWS_BAD);
	}
}

static void test_more_rows(void **state)
{
	_sbuf_ struct sbuf b = SBUF(4096);
	struct wire_value v[WIRE_COLUMNS_MAX];
	struct wire_cursor c;
	size_t columns;

	add_u64(&b, 1);
	wire_text(&b, "x");
	add_u64(&b, 0xeeeeeeeeeeeeeeeeULL);
	c = cursor(b.data, b.len);
	assert_true(wire_rows(&c, &columns));
	assert_int_equal(wire_row(&c, columns, v), WIRE_ROWS_MORE);
	add_u64(&b, 1);
	c = cursor(b.data, b.len);
	assert_true(wire_rows(&c, &columns));
	assert_int_equal(wire_row(&c, columns, v), WIRE_ROWS_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),   cmocka_unit_test(test_params),
		cmocka_unit_test(test_head),      cmocka_unit_test(test_strict_answers),
		cmocka_unit_test(test_servers),   cmocka_unit_test(test_rows),
		cmocka_unit_test(test_more_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
