/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP heads and bodies: no crash, the same body however the bytes are cut, and a head that is
 * accepted is accepted with the same result when its bytes trickle in. The first byte chooses the
 * target. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/net/http1.h"
#include "base/sbuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
	bool failed, done;
	int64_t used;
	struct sbuf out;
};

static void decode(const struct http_head *h, const char *data, size_t len, size_t step,
		   struct outcome *o)
{
	struct http_body b;
	struct err err;

	memset(o, 0, sizeof(*o));
	o->out = SBUF(1 << 20);
	http_body_init(&b, h);
	while ((size_t)o->used < len && !b.done && !o->failed) {
		size_t n = len - o->used < step ? len - o->used : step, run_len;
		const char *run;
		int64_t used = http_body_feed(&b, data + o->used, n, &run, &run_len, &err);

		o->failed = used < 0;
		if (used < 0)
			break;
		assert(used > 0 && (size_t)used <= n);
		assert(!run_len || run >= data + o->used);
		assert(!run_len || run + run_len <= data + o->used + used);
		sbuf_add(&o->out, run, run_len);
		o->used += used;
	}
	o->done = b.done;
	assert(o->failed || b.total == (int64_t)o->out.len);
}

static void check_split(const struct http_head *h, const char *data, size_t len, size_t step)
{
	struct outcome whole, pieces;

	decode(h, data, len, len ? len : 1, &whole);
	decode(h, data, len, step, &pieces);
	assert(whole.failed == pieces.failed && whole.done == pieces.done);
	assert(whole.out.len == pieces.out.len);
	assert(!whole.out.len || memcmp(whole.out.data, pieces.out.data, whole.out.len) == 0);
	assert(whole.failed || whole.used == pieces.used);
	sbuf_free(&whole.out);
	sbuf_free(&pieces.out);
}

static int parse(int kind, struct http_head *h, const char *data, size_t len)
{
	struct err err;

	if (kind == 0)
		return http_parse_request(h, data, len, &err);
	return http_parse_response(h, data, len, kind == 2, &err);
}

static void check_head(const struct http_head *h, int kind)
{
	assert(h->nheaders >= 0 && h->nheaders <= HTTP_HEADERS_MAX);
	for (int i = 0; i < h->nheaders; i++) {
		assert(h->headers[i].name[0]);
		assert(!strpbrk(h->headers[i].value, "\r\n"));
	}
	if (kind == 0) {
		assert(h->target[0] == '/' && h->method[0]);
		assert(h->chunked ? h->length == -1 : h->length >= 0);
	}
}

/* Cut anywhere before its end, a good head asks for more. */
static void check_prefixes(int kind, const char *data, int whole)
{
	struct http_head h;

	for (int n = 0; n < whole; n += 1 + whole / 16)
		assert(parse(kind, &h, data, n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_head chunks = { .chunked = true, .length = -1 };
	struct http_head h;
	const char *text = (const char *)data + 1;
	int kind, n;

	if (size < 2)
		return 0;
	size--;
	kind = data[0] & 3;
	if (kind == 3) {
		check_split(&chunks, text, size, 1 + (data[0] >> 2));
		return 0;
	}
	n = parse(kind, &h, text, size);
	if (n > 0) {
		assert((size_t)n <= size);
		check_head(&h, kind);
		check_split(&h, text + n, size - n, 1 + (data[0] >> 2));
		check_prefixes(kind, text, n);
		http_head_free(&h);
	}
	return 0;
}
