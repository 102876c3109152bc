/* SPDX-License-Identifier: Apache-2.0 */
/* The other end of a stream, which sends back what it gets. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/rng.h"
#include "base/str.h"
#include "tests/unit/base/net/tls_pair.h"

#define BIG (1 << 20)

static inline void echo(struct stream *s, void *arg)
{
	char buf[20000];
	struct err err;
	ssize_t n;

	if (arg)
		str_copy(arg, SHA256_HEX_SIZE, stream_peer(s));
	while ((n = stream_read(s, buf, sizeof(buf), &err)) > 0) {
		if (stream_write(s, buf, n, &err) < 0)
			break;
	}
	stream_free(s);
}

static inline void *echo_thread(void *arg)
{
	echo(arg, NULL);
	return NULL;
}

/* Sends in pieces, so that neither side's buffers fill up for good. */
static inline void echo_all(struct stream *s, size_t total)
{
	_free_ char *out = xcalloc(total, 1);
	_free_ char *in = xcalloc(total, 1);
	struct err err;

	rng_bytes(out, total);
	for (size_t at = 0; at < total;) {
		size_t n = total - at < 50000 ? total - at : 50000;

		assert_int_equal(stream_write(s, out + at, n, &err), 0);
		assert_int_equal(stream_read_full(s, in + at, n, &err), 0);
		at += n;
	}
	assert_memory_equal(in, out, total);
}
