/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/api/http/ws_client.h - a websocket's client, which makes its frames by hand. */
#pragma once
#include "tests/unit/api/http/http_world.h"

enum { WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

#define WS_HEAD(path) "GET " path " HTTP/1.1\r\nHost: a\r\n"
#define WS_UPGRADE "Connection: Upgrade\r\nUpgrade: websocket\r\n"
#define WS_VERSION "Sec-WebSocket-Version: 13\r\n"
#define WS_KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static inline int ws_join(struct http_world *t, const char *path)
{
	_free_ char *request = xasprintf(WS_HEAD("%s") WS_UPGRADE WS_VERSION WS_KEY "\r\n", path);
	_free_ char *head = NULL;
	int fd = http_connect(t);

	http_say_text(fd, request);
	head = http_hear_head(fd);
	assert_true(str_starts(head, "HTTP/1.1 101 "));
	/* the example of the RFC, section 1.3 */
	assert_non_null(strstr(head, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
	return fd;
}

/* A client's frames are masked. */
static inline void ws_say(int fd, int opcode, const void *data, size_t len)
{
	static const unsigned char mask[4] = { 0x11, 0x22, 0x33, 0x44 };
	unsigned char head[14] = { (unsigned char)(0x80 | opcode) };
	_free_ unsigned char *body = xcalloc(1, len + 1);
	size_t n = 2;

	head[1] = (unsigned char)(0x80 | (len < 126 ? len : len <= 0xffff ? 126 : 127));
	for (int i = len < 126 ? 0 : len <= 0xffff ? 2 : 8; i > 0; i--)
		head[n++] = (unsigned char)((uint64_t)len >> (8 * (i - 1)));
	memcpy(head + n, mask, 4);
	for (size_t i = 0; i < len; i++)
		body[i] = ((const unsigned char *)data)[i] ^ mask[i % 4];
	http_say(fd, head, n + 4);
	http_say(fd, body, len);
}

/* A server's are not. Returns the opcode. */
static inline int ws_hear(int fd, struct sbuf *ret)
{
	unsigned char head[2], more[8];
	_free_ char *data = NULL;
	uint64_t len;
	int n;

	http_hear(fd, head, 2);
	assert_int_equal(head[0] & 0xf0, 0x80);
	assert_int_equal(head[1] & 0x80, 0);
	len = head[1];
	n = len == 126 ? 2 : len == 127 ? 8 : 0;
	http_hear(fd, more, (size_t)n);
	for (int i = 0; i < n; i++)
		len = (i ? len << 8 : 0) | more[i];
	/* in the shortest form */
	assert_true(len >= (n == 8 ? 65536 : n == 2 ? 126 : 0));
	data = xcalloc(1, len + 1);
	http_hear(fd, data, len);
	ret->len = 0;
	sbuf_add(ret, data, len);
	return head[0] & 0xf;
}
