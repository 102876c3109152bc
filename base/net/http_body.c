/* SPDX-License-Identifier: Apache-2.0 */
/* The body decoder of base/net/http1.h.
 *
 *   B_SIZE -> (B_EXT ->) B_SIZE_LF -> B_DATA -> B_DATA_CR -> B_DATA_LF -> B_SIZE
 *                                `-> B_LINE -> (B_TRAILER -> B_TRAILER_LF -> B_LINE) -> B_END_LF
 */
#include <assert.h>
#include <string.h>

#include "base/net/http1.h"

#define SIZE_DIGITS_MAX 15
#define EXT_MAX 256
#define TRAILER_MAX (8 << 10)

enum {
	B_DATA, /* also a body of known length */
	B_DATA_CR,
	B_DATA_LF,
	B_SIZE,
	B_EXT,
	B_SIZE_LF,
	B_LINE, /* at the start of a trailer line */
	B_TRAILER,
	B_TRAILER_LF,
	B_END_LF,
};

void http_body_init(struct http_body *b, const struct http_head *h)
{
	assert(h->length >= -1);
	*b = (struct http_body){ .chunked = h->chunked };
	b->state = h->chunked ? B_SIZE : B_DATA;
	b->left = h->chunked ? 0 : h->length;
	b->done = !h->chunked && h->length == 0;
}

static int bad(struct err *err, const char *what)
{
	return err_set(err, ERR_INVALID, "malformed chunked body: %s", what);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* `trailer` counts what the present line or the trailer section has used of its limit. */
static int size_byte(struct http_body *b, char c, struct err *err)
{
	int v = hex_value(c);

	assert(b->state == B_SIZE);
	if (v >= 0) {
		if (b->trailer++ == SIZE_DIGITS_MAX)
			return bad(err, "the chunk's size");
		b->left = b->left << 4 | v;
		return 0;
	}
	if (b->trailer == 0 || (c != '\r' && c != ';'))
		return bad(err, "the chunk's size");
	b->trailer = 0;
	b->state = c == ';' ? B_EXT : B_SIZE_LF;
	return 0;
}

static bool is_text(char c)
{
	unsigned char u = c;

	return u == '\t' || (u >= 0x20 && u != 0x7f);
}

static int ext_byte(struct http_body *b, char c, struct err *err)
{
	assert(b->state == B_EXT);
	if (c == '\r') {
		b->state = B_SIZE_LF;
		b->trailer = 0;
		return 0;
	}
	return is_text(c) && b->trailer++ < EXT_MAX ? 0 : bad(err, "the chunk's extension");
}

static int trailer_byte(struct http_body *b, char c, struct err *err)
{
	assert(b->state == B_TRAILER);
	if (c == '\r') {
		b->state = B_TRAILER_LF;
		return 0;
	}
	return is_text(c) && b->trailer++ < TRAILER_MAX ? 0 : bad(err, "the trailer");
}

static int line_byte(struct http_body *b, char c, struct err *err)
{
	assert(b->state == B_LINE);
	if (c == '\r') {
		b->state = B_END_LF;
		return 0;
	}
	if (c == ' ' || c == '\t')
		return bad(err, "a folded trailer line");
	b->state = B_TRAILER;
	return trailer_byte(b, c, err);
}

static int expect(struct http_body *b, char c, char want, int next, struct err *err)
{
	if (c != want)
		return bad(err, "a line does not end with CR LF");
	b->state = next;
	return 0;
}

static int frame_byte(struct http_body *b, char c, struct err *err)
{
	assert(b->chunked);
	switch (b->state) {
	case B_SIZE:
		return size_byte(b, c, err);
	case B_EXT:
		return ext_byte(b, c, err);
	case B_SIZE_LF:
		return expect(b, c, '\n', b->left ? B_DATA : B_LINE, err);
	case B_DATA_CR:
		return expect(b, c, '\r', B_DATA_LF, err);
	case B_DATA_LF:
		return expect(b, c, '\n', B_SIZE, err);
	case B_LINE:
		return line_byte(b, c, err);
	case B_TRAILER:
		return trailer_byte(b, c, err);
	case B_TRAILER_LF:
		return expect(b, c, '\n', B_LINE, err);
	default:
		b->done = true;
		return expect(b, c, '\n', B_END_LF, err);
	}
}

static size_t data_run(struct http_body *b, size_t len)
{
	size_t n = b->left >= 0 && (uint64_t)b->left < len ? (size_t)b->left : len;

	assert(b->state == B_DATA);
	b->total += n;
	if (b->left < 0)
		return n;
	b->left -= n;
	if (b->left == 0 && b->chunked)
		b->state = B_DATA_CR;
	else if (b->left == 0)
		b->done = true;
	return n;
}

int64_t http_body_feed(struct http_body *b, const char *data, size_t len, const char **ret_out,
		       size_t *ret_out_len, struct err *err)
{
	size_t i = 0;

	*ret_out = NULL;
	*ret_out_len = 0;
	while (i < len && !b->done) {
		if (b->state == B_DATA) {
			*ret_out = data + i;
			*ret_out_len = data_run(b, len - i);
			return (int64_t)(i + *ret_out_len);
		}
		if (frame_byte(b, data[i++], err) < 0)
			return -1;
	}
	return (int64_t)i;
}
