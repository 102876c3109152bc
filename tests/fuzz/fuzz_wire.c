/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of dqlite: decoders stay inside the body, and what they return is whole. The first byte
 * chooses the decoder. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "cluster/db/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const uint8_t *body, size_t len, const char *text)
{
	size_t at = (size_t)((const uint8_t *)text - body);

	assert((const uint8_t *)text >= body && at < len);
	assert(memchr(text, 0, len - at));
}

static void rows(const uint8_t *body, size_t len)
{
	struct wire_cursor c = { body, len };
	struct wire_value v[WIRE_COLUMNS_MAX];
	size_t columns;
	enum wire_row r;

	if (!wire_rows(&c, &columns))
		return;
	assert(columns > 0 && columns <= WIRE_COLUMNS_MAX);
	while ((r = wire_row(&c, columns, v)) == WIRE_ROW) {
		for (size_t i = 0; i < columns; i++) {
			if (v[i].type == WIRE_TEXT || v[i].type == WIRE_ISO8601)
				check_text(body, len, v[i].text);
			if (v[i].type == WIRE_BLOB)
				assert((const uint8_t *)v[i].text + v[i].len <= body + len);
		}
	}
	assert(r == WIRE_ROWS_BAD || c.left == 0);
}

static void servers(const uint8_t *body, size_t len)
{
	struct wire_node v[16];
	size_t n;

	if (!wire_servers((struct wire_cursor){ body, len }, v, ARRAY_SIZE(v), &n))
		return;
	assert(n <= ARRAY_SIZE(v));
	for (size_t i = 0; i < n; i++)
		check_text(body, len, v[i].address);
}

static void small(const uint8_t *body, size_t len)
{
	struct wire_cursor c = { body, len };
	const char *text;
	uint64_t a, b;
	uint32_t st;
	uint8_t type;
	size_t n;

	if (len >= WIRE_HEAD && wire_head(body, &type, &n))
		assert(n <= WIRE_BODY_MAX && n % 8 == 0);
	if (wire_failure(c, &a, &text))
		check_text(body, len, text);
	if (wire_server(c, &a, &text))
		check_text(body, len, text);
	if (wire_stmt(c, &st, &a) || wire_result(c, &a, &b))
		assert(len == 16);
}

/* Whatever is put into parameters makes whole words. */
static void build(const uint8_t *body, size_t len)
{
	_sbuf_ struct sbuf b = SBUF(1 << 20);
	_free_ char *text = xstrndup((const char *)body, len);
	struct wire_value v[] = { WIRE_T(text),
				  { .type = WIRE_BLOB, .text = (const char *)body, .len = len },
				  WIRE_I((int64_t)len) };
	uint8_t type;
	size_t n;

	wire_begin(&b, WIRE_REQ_EXEC);
	wire_params(&b, v, len % (ARRAY_SIZE(v) + 1));
	wire_end(&b);
	assert(b.len % 8 == 0 && wire_head(b.data, &type, &n) && n == b.len - WIRE_HEAD);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const targets[])(const uint8_t *body, size_t len) = { rows, servers, small,
									    build };

	if (size > 0)
		targets[data[0] % ARRAY_SIZE(targets)](data + 1, size - 1);
	return 0;
}
