/* SPDX-License-Identifier: Apache-2.0 */
/* base/sbuf.h - a growing byte buffer with a mandatory cap.
 *
 * Appending beyond the cap marks the buffer `overflow` and drops the bytes; the builder checks
 * once, at the end. `data` is always NUL-terminated (NULL only before the first append).
 */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct sbuf {
	char *data;
	size_t len, room, cap;
	bool overflow;
};

#define SBUF(cap_bytes) ((struct sbuf){ .cap = (cap_bytes) })

void sbuf_add(struct sbuf *b, const void *data, size_t len);
void sbuf_puts(struct sbuf *b, const char *s);
void sbuf_putc(struct sbuf *b, char c);
void sbuf_printf(struct sbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sbuf_vprintf(struct sbuf *b, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
/* A JSON string literal, quotes included. */
void sbuf_json_string(struct sbuf *b, const char *s);
/* Drops the first n bytes. */
void sbuf_consume(struct sbuf *b, size_t n);
void sbuf_reset(struct sbuf *b); /* keeps the memory */
void sbuf_free(struct sbuf *b);
/* Hands the bytes over; "" when nothing was added. */
char *sbuf_take(struct sbuf *b);

#define _sbuf_ __attribute__((cleanup(sbuf_free)))
