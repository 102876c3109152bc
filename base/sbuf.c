/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sbuf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static bool reserve(struct sbuf *b, size_t more)
{
	if (b->overflow || more > b->cap || b->len > b->cap - more) {
		b->overflow = true;
		return false;
	}
	if (b->len + more + 1 > b->room) {
		size_t room = b->room ? b->room : 128;

		while (room < b->len + more + 1)
			room *= 2;
		b->data = xrealloc(b->data, room);
		b->room = room;
	}
	return true;
}

void sbuf_add(struct sbuf *b, const void *data, size_t len)
{
	if (!reserve(b, len))
		return;
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void sbuf_puts(struct sbuf *b, const char *s)
{
	sbuf_add(b, s, strlen(s));
}

void sbuf_putc(struct sbuf *b, char c)
{
	sbuf_add(b, &c, 1);
}

void sbuf_vprintf(struct sbuf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	if (n >= 0 && reserve(b, n)) {
		vsnprintf(b->data + b->len, n + 1, fmt, again);
		b->len += n;
	}
	va_end(again);
}

void sbuf_printf(struct sbuf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	sbuf_vprintf(b, fmt, ap);
	va_end(ap);
}

static void add_escaped(struct sbuf *b, char c)
{
	char pair[2] = { '\\', c };

	if (c == '\n')
		pair[1] = 'n';
	if (c == '"' || c == '\\' || c == '\n')
		sbuf_add(b, pair, sizeof(pair));
	else
		sbuf_printf(b, "\\u%04x", (unsigned char)c);
}

void sbuf_json_string(struct sbuf *b, const char *s)
{
	const char *plain = s;

	sbuf_putc(b, '"');
	for (; *s; s++) {
		if (*s != '"' && *s != '\\' && (unsigned char)*s >= 0x20)
			continue;
		sbuf_add(b, plain, (size_t)(s - plain));
		add_escaped(b, *s);
		plain = s + 1;
	}
	sbuf_add(b, plain, (size_t)(s - plain));
	sbuf_putc(b, '"');
}

void sbuf_consume(struct sbuf *b, size_t n)
{
	if (n > b->len)
		n = b->len;
	if (n == 0)
		return;
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
	if (b->data)
		b->data[b->len] = '\0';
}

void sbuf_reset(struct sbuf *b)
{
	b->len = 0;
	b->overflow = false;
	if (b->data)
		b->data[0] = '\0';
}

void sbuf_free(struct sbuf *b)
{
	assert(!b->data || b->len < b->room);
	free(b->data);
	*b = SBUF(b->cap);
}

char *sbuf_take(struct sbuf *b)
{
	char *s = b->data ? b->data : xstrdup("");

	b->data = NULL;
	sbuf_free(b);
	return s;
}
