/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/db/wire.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#define ROWS_DONE UINT64_MAX
#define ROWS_MORE 0xeeeeeeeeeeeeeeeeULL

static const char zeros[8];

static size_t padding(size_t len)
{
	return (8 - len % 8) % 8;
}

static void pad(struct sbuf *b)
{
	sbuf_add(b, zeros, padding(b->len));
}

void wire_begin(struct sbuf *b, enum wire_request type)
{
	unsigned char head[WIRE_HEAD] = { [4] = (unsigned char)type };

	sbuf_reset(b);
	sbuf_add(b, head, sizeof(head));
}

void wire_u32(struct sbuf *b, uint32_t v)
{
	v = htole32(v);
	sbuf_add(b, &v, sizeof(v));
}

void wire_u64(struct sbuf *b, uint64_t v)
{
	v = htole64(v);
	sbuf_add(b, &v, sizeof(v));
}

void wire_text(struct sbuf *b, const char *s)
{
	sbuf_add(b, s, strlen(s) + 1);
	pad(b);
}

static void add_value(struct sbuf *b, const struct wire_value *v)
{
	uint64_t bits;

	switch (v->type) {
	case WIRE_TEXT:
	case WIRE_ISO8601:
		wire_text(b, v->text);
		return;
	case WIRE_BLOB:
		wire_u64(b, v->len);
		sbuf_add(b, v->text, v->len);
		pad(b);
		return;
	case WIRE_DOUBLE:
		memcpy(&bits, &v->d, sizeof(bits));
		wire_u64(b, bits);
		return;
	case WIRE_NULL:
		wire_u64(b, 0);
		return;
	case WIRE_INT:
	case WIRE_UNIXTIME:
	case WIRE_BOOL:
		wire_u64(b, (uint64_t)v->i);
		return;
	}
}

void wire_params(struct sbuf *b, const struct wire_value *v, size_t n)
{
	if (n == 0)
		return;
	if (n > WIRE_PARAMS_MAX) {
		b->overflow = true;
		return;
	}
	sbuf_putc(b, (char)n);
	for (size_t i = 0; i < n; i++)
		sbuf_putc(b, (char)v[i].type);
	pad(b);
	for (size_t i = 0; i < n; i++)
		add_value(b, &v[i]);
}

void wire_end(struct sbuf *b)
{
	uint32_t words;

	assert(b->len >= WIRE_HEAD);
	pad(b);
	words = htole32((uint32_t)((b->len - WIRE_HEAD) / 8));
	memcpy(b->data, &words, sizeof(words));
}

bool wire_head(const void *head, uint8_t *ret_type, size_t *ret_len)
{
	uint32_t words;

	memcpy(&words, head, sizeof(words));
	words = le32toh(words);
	if (words > WIRE_BODY_MAX / 8)
		return false;
	*ret_type = ((const uint8_t *)head)[4];
	*ret_len = (size_t)words * 8;
	return true;
}

static bool take(struct wire_cursor *c, void *to, size_t n)
{
	if (c->left < n)
		return false;
	memcpy(to, c->p, n);
	c->p += n;
	c->left -= n;
	return true;
}

bool wire_get_u32(struct wire_cursor *c, uint32_t *ret)
{
	if (!take(c, ret, sizeof(*ret)))
		return false;
	*ret = le32toh(*ret);
	return true;
}

bool wire_get_u64(struct wire_cursor *c, uint64_t *ret)
{
	if (!take(c, ret, sizeof(*ret)))
		return false;
	*ret = le64toh(*ret);
	return true;
}

static bool skip(struct wire_cursor *c, size_t n)
{
	if (c->left < n)
		return false;
	c->p += n;
	c->left -= n;
	return true;
}

bool wire_get_text(struct wire_cursor *c, const char **ret)
{
	const unsigned char *nul = c->left ? memchr(c->p, 0, c->left) : NULL;
	size_t len;

	if (!nul)
		return false;
	*ret = (const char *)c->p;
	len = (size_t)(nul - c->p) + 1;
	return skip(c, len + padding(len));
}

bool wire_failure(struct wire_cursor c, uint64_t *ret_code, const char **ret_message)
{
	return wire_get_u64(&c, ret_code) && wire_get_text(&c, ret_message) && c.left == 0;
}

bool wire_server(struct wire_cursor c, uint64_t *ret_id, const char **ret_address)
{
	return wire_get_u64(&c, ret_id) && wire_get_text(&c, ret_address) && c.left == 0;
}

bool wire_stmt(struct wire_cursor c, uint32_t *ret_stmt, uint64_t *ret_params)
{
	uint32_t db;

	return wire_get_u32(&c, &db) && wire_get_u32(&c, ret_stmt) &&
	       wire_get_u64(&c, ret_params) && c.left == 0;
}

bool wire_result(struct wire_cursor c, uint64_t *ret_last_id, uint64_t *ret_affected)
{
	return wire_get_u64(&c, ret_last_id) && wire_get_u64(&c, ret_affected) && c.left == 0;
}

bool wire_servers(struct wire_cursor c, struct wire_node *v, size_t max, size_t *ret_n)
{
	uint64_t n;

	if (!wire_get_u64(&c, &n) || n > max)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!wire_get_u64(&c, &v[i].id) || !wire_get_text(&c, &v[i].address) ||
		    !wire_get_u64(&c, &v[i].role))
			return false;
	}
	*ret_n = n;
	return c.left == 0;
}

bool wire_rows(struct wire_cursor *c, size_t *ret_columns)
{
	const char *name;
	uint64_t n;

	if (!wire_get_u64(c, &n) || n == 0 || n > WIRE_COLUMNS_MAX)
		return false;
	for (uint64_t i = 0; i < n; i++) {
		if (!wire_get_text(c, &name))
			return false;
	}
	*ret_columns = n;
	return true;
}

static bool get_blob(struct wire_cursor *c, struct wire_value *v)
{
	uint64_t len;

	if (!wire_get_u64(c, &len) || len > c->left)
		return false;
	v->text = (const char *)c->p;
	v->len = len;
	return skip(c, len) && skip(c, padding(len));
}

static bool get_value(struct wire_cursor *c, struct wire_value *v)
{
	uint64_t bits;

	switch (v->type) {
	case WIRE_TEXT:
	case WIRE_ISO8601:
		if (!wire_get_text(c, &v->text))
			return false;
		v->len = strlen(v->text);
		return true;
	case WIRE_BLOB:
		return get_blob(c, v);
	case WIRE_INT:
	case WIRE_DOUBLE:
	case WIRE_NULL:
	case WIRE_UNIXTIME:
	case WIRE_BOOL:
		if (!wire_get_u64(c, &bits))
			return false;
		v->i = (int64_t)bits;
		memcpy(&v->d, &bits, sizeof(bits));
		return true;
	}
	return false;
}

/* A row starts with a nibble of type per column, padded to a word. */
static bool get_types(struct wire_cursor *c, size_t columns, struct wire_value *v)
{
	unsigned char nibbles[WIRE_COLUMNS_MAX / 2 + 8];
	size_t len = (columns + 1) / 2;

	if (!take(c, nibbles, len + padding(len)))
		return false;
	for (size_t i = 0; i < columns; i++) {
		int nibble = nibbles[i / 2] >> (i % 2 ? 4 : 0) & 0xf;

		v[i] = (struct wire_value){ .type = (enum wire_type)nibble };
	}
	return true;
}

enum wire_row wire_row(struct wire_cursor *c, size_t columns, struct wire_value *v)
{
	struct wire_cursor ahead = *c;
	uint64_t marker;

	if (columns > WIRE_COLUMNS_MAX || !wire_get_u64(&ahead, &marker))
		return WIRE_ROWS_BAD;
	if (marker == ROWS_DONE || marker == ROWS_MORE) {
		if (ahead.left != 0)
			return WIRE_ROWS_BAD;
		*c = ahead;
		return marker == ROWS_DONE ? WIRE_ROWS_DONE : WIRE_ROWS_MORE;
	}
	if (!get_types(c, columns, v))
		return WIRE_ROWS_BAD;
	for (size_t i = 0; i < columns; i++) {
		if (!get_value(c, &v[i]))
			return WIRE_ROWS_BAD;
	}
	return WIRE_ROW;
}
