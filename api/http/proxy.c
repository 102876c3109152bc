/* SPDX-License-Identifier: Apache-2.0 */
/* Forwards a request to the member that must answer it: head, body and answer stream through with
 * back-pressure; after a 101 bytes are relayed both ways. A GET whose kept connection turns out
 * dead is sent once more over a fresh one. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/http/conn.h"
#include "api/http/elsewhere.h"
#include "api/http/upstream.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/net/httpc.h"
#include "base/str.h"
#include "cluster/cluster.h"

/* A member whose processes stand still takes requests and says nothing. Meanwhile it may be shown
 * as offline, which ends the wait. */
#define ANSWER_MS 60000
#define SLOW_ANSWER_MS 600000 /* for routes that may wait */
#define STALL_MS 60000

#define HEAD_OUT_MAX (HTTP_HEAD_MAX + (8 << 10))

struct proxy {
	struct conn *conn;
	struct upstream *up;
	char member[64], address[256];
	struct sbuf in;        /* of the answer, while its head is incomplete */
	struct http_body body; /* of the answer */
	bool answered, keep, chunk_out, relay, up_ended, retried, body_begun;
	bool held;        /* the client's body: the member does not take what is queued */
	bool asked;       /* the member may have read the whole request, and done what it says */
	int64_t deadline; /* of the answer's head, of more of its body, or of being held; 0 none */
};

static void on_data(void *arg);
static void on_flushed(void *arg);
static void on_gone(void *arg, const struct err *why);

static const struct upstream_ops ops = { on_data, on_flushed, on_gone };

bool proxy_is_relay(const struct proxy *p)
{
	return p && p->relay;
}

void proxy_free(struct proxy *p)
{
	if (!p)
		return;
	if (p->up)
		upstream_drop(p->up);
	sbuf_free(&p->in);
	free(p);
}

/* --- the request ------------------------------------------------------------------------------ */

static bool is_hop_by_hop(const struct http_head *h, const char *name)
{
	static const char *const names[] = {
		"Connection", "Keep-Alive", "Proxy-Connection",  "Proxy-Authorization",
		"TE",         "Trailer",    "Transfer-Encoding", "Upgrade",
		"Expect",     "Host",       "Content-Length",    "X-Content-Type-Options",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcasecmp(name, names[i]) == 0)
			return true;
	}
	return http_connection_has(h, name);
}

static void add_headers(struct sbuf *b, const struct http_head *h)
{
	for (int i = 0; i < h->nheaders; i++) {
		const struct http_header *f = &h->headers[i];

		if (!is_hop_by_hop(h, f->name) &&
		    strncasecmp(f->name, FORWARDED, strlen(FORWARDED)) != 0)
			sbuf_printf(b, "%s: %s\r\n", f->name, f->value);
	}
	if (h->upgrade)
		sbuf_printf(b, "Connection: Upgrade\r\nUpgrade: %s\r\n", h->upgrade);
}

/* The other member trusts our word on who asks, for it sees our certificate, and the proof that
 * whoever has that one alone cannot make. */
static void add_caller(struct sbuf *b, const struct proxy *p, const struct caller *who)
{
	static const char *const kinds[] = {
		[CALLER_NOBODY] = "nobody",
		[CALLER_CLIENT] = "client",
		[CALLER_MEMBER] = "nobody",
		[CALLER_ADMIN] = "admin",
	};
	_free_ char *text = auth_caller_text(kinds[who->kind], who->fingerprint);
	struct cluster *c = p->conn->server->cluster;
	char to[SHA256_HEX_SIZE], proof[VOUCH_SIZE];
	struct err ignored;

	/* An unknown one is not connected to. */
	if (cluster_pin(c, p->address, to, &ignored) == 0) {
		cluster_vouch(c, to, text, proof);
		sbuf_printf(b, FORWARDED "Proof: %s\r\n", proof);
	}
	sbuf_printf(b, FORWARDED "Kind: %s\r\n", kinds[who->kind]);
	sbuf_printf(b, FORWARDED "Fingerprint: %s\r\n", who->fingerprint);
	sbuf_printf(b, FORWARDED "Address: %s\r\n", who->address);
	sbuf_puts(b, FORWARDED "Name: ");
	for (const char *s = who->name; *s; s++)
		sbuf_putc(b, (unsigned char)*s < 0x20 || *s == 0x7f ? '_' : *s);
	sbuf_puts(b, "\r\n");
}

static void send_request_head(struct proxy *p)
{
	const struct req *r = p->conn->req;
	const struct http_head *h = &r->head;
	_sbuf_ struct sbuf b = SBUF(HEAD_OUT_MAX);

	sbuf_printf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", h->method, h->target, p->address);
	add_headers(&b, h);
	add_caller(&b, p, &r->caller);
	if (h->chunked)
		sbuf_puts(&b, "Transfer-Encoding: chunked\r\n");
	else if (h->length > 0 || strcmp(h->method, "GET") != 0)
		sbuf_printf(&b, "Content-Length: %lld\r\n", (long long)h->length);
	sbuf_puts(&b, "\r\n");
	upstream_send(p->up, b.data, b.len);
}

static bool only_reads(const struct conn *c)
{
	const char *method = c->req->head.method;

	return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

/* The member gives no answer: our own one says so, and whether it may have done what was asked. */
static void fail(struct conn *c, const struct err *why)
{
	struct proxy *p = c->proxy;
	const char *cause = why->msg[0] ? why->msg : "the connection was closed";

	if (p->asked && !only_reads(c))
		err_set(&c->req->err, ERR_UNKNOWN,
			"member %s (%s) did not answer: %s; it is not known whether it did what "
			"was asked: look before you ask again",
			p->member, p->address, cause);
	else
		err_set(&c->req->err, ERR_UNAVAILABLE, "member %s (%s) cannot be reached: %s",
			p->member, p->address, cause);
	c->proxy = NULL;
	proxy_free(p);
	conn_refuse(c);
	conn_process(c);
}

static void expect_answer(struct proxy *p)
{
	bool slow = p->conn->req->route->flags & F_SLOW;

	p->deadline = deadline_in(slow ? SLOW_ANSWER_MS : ANSWER_MS);
}

static int begin(struct proxy *p, bool fresh)
{
	struct conn *c = p->conn;
	struct err e = { 0 };

	p->up = upstream_get(c->server, p->address, fresh, &ops, p, &e);
	if (!p->up) {
		fail(c, &e);
		return -1;
	}
	send_request_head(p);
	if (c->body.done)
		expect_answer(p);
	return 0;
}

void proxy_start(struct conn *c, const char *address, const char *member)
{
	struct proxy *p = xnew(struct proxy);

	assert(c->req);
	p->conn = c;
	snprintf(p->address, sizeof(p->address), "%s", address);
	snprintf(p->member, sizeof(p->member), "%s", member);
	p->in = SBUF(HTTP_HEAD_MAX + SCRATCH_BYTES);
	c->proxy = p;
	c->state = C_PROXY;
	c->deadline = 0;
	if (!c->body.done)
		conn_expect_body(c);
	if (begin(p, false) == 0 && !c->body.done)
		conn_send_continue(c);
}

static void send_chunk(struct upstream *u, const char *data, size_t len)
{
	char size[24];

	upstream_send(u, size, snprintf(size, sizeof(size), "%zx\r\n", len));
	upstream_send(u, data, len);
	upstream_send(u, "\r\n", 2);
}

static size_t take_body(struct conn *c, const char *data, size_t len)
{
	struct proxy *p = c->proxy;
	const char *out;
	size_t out_len;
	int64_t n = http_body_feed(&c->body, data, len, &out, &out_len, &c->req->err);

	if (n < 0) {
		c->proxy = NULL;
		proxy_free(p);
		c->closing = true;
		conn_refuse(c);
		return len;
	}
	p->body_begun = true;
	if (out_len && c->body.chunked)
		send_chunk(p->up, out, out_len);
	else if (out_len)
		upstream_send(p->up, out, out_len);
	if (c->body.done) {
		c->deadline = 0;
		expect_answer(p);
		if (c->body.chunked)
			upstream_send(p->up, "0\r\n\r\n", 5);
	}
	return n;
}

/* From here on it is the member that is waited for: the client is not slow. */
static void hold_body(struct proxy *p)
{
	if (p->relay || p->held)
		return;
	p->held = true;
	p->conn->deadline = 0;
	p->deadline = deadline_in(STALL_MS);
}

static void go_on_with_body(struct proxy *p)
{
	p->held = false;
	p->deadline = 0;
	conn_expect_body(p->conn);
}

size_t proxy_take(struct conn *c, const char *data, size_t len)
{
	struct proxy *p = c->proxy;

	if (upstream_queued(p->up) > LINK_HIGH) {
		hold_body(p);
		return 0;
	}
	if (p->relay) {
		upstream_send(p->up, data, len);
		return len;
	}
	return c->body.done ? 0 : take_body(c, data, len);
}

/* --- the answer ------------------------------------------------------------------------------- */

static void finish(struct proxy *p)
{
	struct conn *c = p->conn;

	assert(c->proxy == p);
	if (!c->body.done)
		c->closing = true; /* answered early: what is left of the body is not wanted */
	if (p->keep && c->body.done && !p->in.len)
		upstream_put(take_ptr(p->up));
	c->proxy = NULL;
	proxy_free(p);
	conn_reply_done(c);
	conn_process(c);
}

/* An operation began over there: its id is at the end of the Location. */
static void note_operation(struct proxy *p, const struct http_head *h)
{
	static const char prefix[] = "/1.0/operations/";
	const char *location = http_header(h, "Location");

	if (h->status == 202 && str_starts(location, prefix))
		elsewhere_note(p->conn->server->elsewhere, location + strlen(prefix), p->member);
}

static void send_answer_head(struct proxy *p, const struct http_head *h)
{
	struct conn *c = p->conn;
	_sbuf_ struct sbuf b = SBUF(HEAD_OUT_MAX);
	char island[ISLAND_LINE_SIZE];
	bool head_only = strcmp(c->req->head.method, "HEAD") == 0;
	const char *length = http_header(h, "Content-Length");

	if (!c->req->head.keep_alive || c->server->draining || !c->body.done)
		c->closing = true;
	sbuf_printf(&b, "HTTP/1.1 %d %s\r\n", h->status, h->reason);
	add_headers(&b, h);
	sbuf_puts(&b, NOSNIFF);
	if (!http_header(h, HTTPC_ISLAND_HEADER))
		sbuf_puts(&b, server_island_line(c->server, island));
	p->chunk_out = !p->body.done && p->body.left < 0 ? true : h->chunked;
	if (p->chunk_out && c->req->head.http10) {
		p->chunk_out = false;
		c->closing = true;
	} else if (p->chunk_out) {
		sbuf_puts(&b, "Transfer-Encoding: chunked\r\n");
	} else if (head_only && length) {
		sbuf_printf(&b, "Content-Length: %s\r\n", length);
	} else if (h->status >= 200 && h->status != 204 && h->status != 304) {
		sbuf_printf(&b, "Content-Length: %lld\r\n", (long long)h->length);
	}
	if (c->closing && h->status != 101)
		sbuf_puts(&b, "Connection: close\r\n");
	sbuf_puts(&b, "\r\n");
	link_send(c->link, b.data, b.len);
}

static void take_answer_body(struct proxy *p, const char *data, size_t len)
{
	struct conn *c = p->conn;
	char size[24];
	size_t at = 0;
	struct err e;

	while (at < len && !p->body.done) {
		const char *out;
		size_t out_len;
		int64_t n = http_body_feed(&p->body, data + at, len - at, &out, &out_len, &e);

		if (n < 0) {
			conn_close(c, e.msg);
			return;
		}
		at += n;
		if (!out_len)
			continue;
		if (p->chunk_out)
			link_send(c->link, size, snprintf(size, sizeof(size), "%zx\r\n", out_len));
		link_send(c->link, out, out_len);
		if (p->chunk_out)
			link_send(c->link, "\r\n", 2);
	}
	if (at < len)
		p->keep = false; /* more than one answer */
	if (!p->body.done)
		return;
	if (p->chunk_out)
		link_send(c->link, "0\r\n\r\n", 5);
	finish(p);
}

static void switch_to_relay(struct proxy *p, const struct http_head *h)
{
	struct conn *c = p->conn;

	p->relay = true;
	if (c->place.kind == CALLER_NOBODY)
		admit_vouched(c);
	send_answer_head(p, h);
	link_send(c->link, p->in.data, p->in.len);
	sbuf_free(&p->in);
	conn_process(c);
}

/* False when more is needed. */
static bool take_answer_head(struct proxy *p)
{
	struct conn *c = p->conn;
	struct http_head h;
	struct err e;
	int n = http_parse_response(&h, p->in.data, p->in.len,
				    strcmp(c->req->head.method, "HEAD") == 0, &e);

	if (n < 0) {
		p->asked = true;
		fail(c, &e);
		return false;
	}
	if (n == 0)
		return false;
	sbuf_consume(&p->in, n);
	if (h.status < 200 && h.status != 101) {
		http_head_free(&h);
		return p->in.len > 0;
	}
	p->answered = true;
	p->deadline = deadline_in(STALL_MS);
	admit_answer(c, h.length);
	p->keep = h.keep_alive;
	http_body_init(&p->body, &h);
	note_operation(p, &h);
	if (h.status == 101)
		switch_to_relay(p, &h);
	else
		send_answer_head(p, &h);
	http_head_free(&h);
	return true;
}

static void take_answer(struct proxy *p, const char *data, size_t len)
{
	struct conn *c = p->conn;
	struct sbuf rest;

	if (p->relay) {
		link_send(c->link, data, len);
		return;
	}
	if (p->answered) {
		take_answer_body(p, data, len);
		return;
	}
	sbuf_add(&p->in, data, len);
	while (c->proxy == p && !p->answered && take_answer_head(p))
		;
	if (c->proxy != p || !p->answered || p->relay)
		return;
	rest = p->in;
	p->in = SBUF(rest.cap);
	if (rest.len || p->body.done)
		take_answer_body(p, rest.data, rest.len);
	sbuf_free(&rest);
}

/* A relay lasts until both sides have ended and everything is sent. */
static void check_relay_over(struct proxy *p)
{
	struct conn *c = p->conn;

	if (p->relay && p->up_ended && c->eof && !link_queued(c->link) && !upstream_queued(p->up))
		link_close(c->link, NULL);
}

static void ended(struct proxy *p)
{
	struct conn *c = p->conn;
	struct err none = { 0 };

	if (!p->relay) {
		on_gone(p, &none);
		return;
	}
	p->up_ended = true;
	link_end_write(c->link);
	check_relay_over(p);
}

static void on_data(void *arg)
{
	struct proxy *p = arg;
	struct conn *c = p->conn;

	/* The last answer may have begun a next request, whose member is still being looked up. */
	while (p->up && upstream_link(p->up)) {
		ssize_t n;

		if (link_queued(c->link) > LINK_HIGH) {
			link_pause(upstream_link(p->up), true);
			return;
		}
		n = link_read(upstream_link(p->up), c->server->scratch, SCRATCH_BYTES);
		if (n == 0)
			return;
		if (p->answered)
			p->deadline = deadline_in(STALL_MS);
		if (n < 0) {
			/* When it failed, on_gone follows. */
			if (!link_is_closed(upstream_link(p->up)))
				ended(p);
			return;
		}
		take_answer(p, c->server->scratch, n);
		if (c->proxy != p || link_is_closed(c->link))
			return;
	}
}

static void on_flushed(void *arg)
{
	struct proxy *p = arg;

	check_relay_over(p);
	if (p->held)
		p->deadline = deadline_in(STALL_MS);
	if (upstream_queued(p->up) >= LINK_LOW)
		return;
	if (p->held)
		go_on_with_body(p);
	conn_process(p->conn);
}

static bool may_retry(const struct proxy *p)
{
	return upstream_was_idle(p->up) && !p->retried && !p->body_begun && !p->in.len &&
	       only_reads(p->conn);
}

static bool may_be_asked(const struct proxy *p)
{
	return upstream_reached(p->up) && p->conn->body.done && !upstream_queued(p->up);
}

/* The connection to the member has ended. */
static void on_gone(void *arg, const struct err *why)
{
	struct proxy *p = arg;
	struct conn *c = p->conn;
	struct upstream *up = p->up;
	bool retry = !p->answered && may_retry(p);

	p->asked = may_be_asked(p);
	p->up = NULL;
	upstream_drop(up);
	if (retry) {
		p->retried = true;
		begin(p, true);
	} else if (!p->answered) {
		fail(c, why);
	} else if (!p->relay && p->body.left < 0 && !p->body.chunked) {
		/* The end of the connection is the end of such an answer. */
		if (p->chunk_out)
			link_send(c->link, "0\r\n\r\n", 5);
		finish(p);
	} else {
		conn_close(c, "the member closed the connection");
	}
}

static bool is_offline(const struct proxy *p, struct err *err)
{
	char address[sizeof(p->address)];
	struct cluster *cluster = p->conn->server->cluster;

	return cluster_member_address(cluster, p->member, address, sizeof(address), err) < 0 &&
	       err->kind == ERR_UNAVAILABLE;
}

bool proxy_tick(struct conn *c, int64_t now)
{
	struct proxy *p = c->proxy;
	bool waits = p->deadline && !p->relay && !link_queued(c->link);
	struct err why = { 0 };

	if (!waits || (now < p->deadline && !is_offline(p, &why)))
		return false;
	if (p->answered) {
		conn_close(c, "the member does not go on with its answer");
		return true;
	}
	if (!why.kind)
		err_set(&why, ERR_UNAVAILABLE, "%s",
			p->held ? "it does not take the body" : "it does not answer");
	p->asked = may_be_asked(p);
	fail(c, &why);
	return true;
}

/* --- the client ------------------------------------------------------------------------------- */

void proxy_client_flushed(struct conn *c)
{
	struct proxy *p = c->proxy;

	if (!p->up || !upstream_link(p->up))
		return;
	if (link_queued(c->link) < LINK_LOW) {
		link_pause(upstream_link(p->up), false);
		if (p->answered)
			p->deadline = deadline_in(STALL_MS);
	}
	check_relay_over(p);
}

void proxy_client_eof(struct conn *c)
{
	struct proxy *p = c->proxy;

	if (!p->relay) {
		link_close(c->link, NULL);
		return;
	}
	link_end_write(upstream_link(p->up));
	check_relay_over(p);
}
