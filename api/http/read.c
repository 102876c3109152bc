/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include "api/http/conn.h"
#include "base/mem.h"

/* How much of a refused body is read and dropped, so that the client gets to read why. */
#define DRAIN_MAX (32 << 20)
/* Of a request by somebody who is not trusted. */
#define STRANGER_HEAD_MAX (16 << 10)

static void bad_head(struct conn *c, const struct err *err)
{
	struct http_head none = { 0 };

	c->req = req_new(c->server, c, &none);
	c->req->err = *err;
	c->closing = true;
	conn_refuse(c);
}

static size_t take_head(struct conn *c, const char *data, size_t len)
{
	struct http_head head;
	struct err err;
	int n;

	/* Replies that the client does not fetch hold up its next requests. */
	if (link_queued(c->link) > LINK_HIGH)
		return 0;
	n = http_parse_request(&head, data, len, &err);
	if (n < 0) {
		bad_head(c, &err);
		return len;
	}
	if (n == 0) {
		if (c->place.kind == CALLER_NOBODY && len > STRANGER_HEAD_MAX) {
			err_set(&err, ERR_TOO_LARGE, "the head of a request may have %d bytes",
				STRANGER_HEAD_MAX);
			bad_head(c, &err);
			return len;
		}
		if (!c->head_begun) {
			c->head_begun = true;
			conn_expect_head(c);
		}
		return 0;
	}
	c->head_begun = false;
	c->deadline = 0;
	c->req = req_new(c->server, c, &head);
	dispatch_head(c);
	return n;
}

static size_t take_body(struct conn *c, const char *data, size_t len)
{
	const char *out;
	size_t out_len;
	int64_t n;

	if (c->body.done || body_is_full(c))
		return 0;
	n = http_body_feed(&c->body, data, len, &out, &out_len, &c->req->err);
	if (n < 0 || (out_len && body_put(c, out, out_len) < 0)) {
		conn_refuse(c);
		return n < 0 ? len : (size_t)n;
	}
	if (c->body.done && body_end(c))
		dispatch_run(c);
	return n;
}

static size_t drop(struct conn *c, size_t len)
{
	c->drained += len;
	if (c->drained > DRAIN_MAX)
		link_close(c->link, NULL);
	return len;
}

size_t conn_take(struct conn *c, const char *data, size_t len)
{
	switch (c->state) {
	case C_HEAD:
		return take_head(c, data, len);
	case C_BODY:
		return take_body(c, data, len);
	case C_PROXY:
		return proxy_take(c, data, len);
	case C_WEBSOCKET:
		return wsconn_take(c, data, len);
	case C_DRAIN:
		return drop(c, len);
	case C_WAIT:
	case C_SEND:
	case C_UPGRADE:
		break;
	}
	return 0;
}

void conn_send_continue(struct conn *c)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	const char *expect = http_header(&c->req->head, "Expect");

	if (expect && strcasecmp(expect, "100-continue") == 0 && !c->req->head.http10)
		link_send(c->link, text, sizeof(text) - 1);
}
