/* SPDX-License-Identifier: Apache-2.0 */
#include "api/http/conn.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define HEAD_MS 10000	/* from the first byte of a head to its end, and for the TLS handshake */
#define IDLE_MS 300000	/* between requests */
#define STRANGER_IDLE_MS 30000
#define STRANGER_SEND_MS 20000
#define SEND_MS 60000	/* without any progress of a reply */
#define DRAIN_MS 5000
#define BODY_MS 30000	/* in which a body must progress by BODY_STEP */
#define BODY_STEP 1024
#define READS_A_TURN 16
#define IN_MAX (HTTP_HEAD_MAX + SCRATCH_BYTES)

static void on_established(void *arg)
{
	struct conn *c = arg;

	if (!c->is_unix) {
		auth_peer_certificate(c);
		admit_as(c, auth_trust(c));
	}
	c->deadline = deadline_in(HEAD_MS);
}

/* What a state cannot take stays in `in`: the socket waits meanwhile. While a request is being
 * answered the next ones may be read ahead, up to a bound. */
static bool must_pause(const struct conn *c)
{
	switch (c->state) {
	case C_DRAIN:
		return false;
	case C_HEAD:
	case C_WAIT:
	case C_SEND:
	case C_UPGRADE:
		return c->in.len >= HTTP_HEAD_MAX;
	default:
		return c->in.len > 0;
	}
}

/* Runs what can run; afterwards `in` holds the rest. */
static void take(struct conn *c, const char *data, size_t len)
{
	bool ahead = data == c->in.data;
	size_t used = 0;

	c->in_process = true;
	while (used < len && !link_is_closed(c->link)) {
		size_t n = conn_take(c, data + used, len - used);

		if (n == 0)
			break;
		used += n;
	}
	c->in_process = false;
	if (ahead)
		sbuf_consume(&c->in, used);
	else if (used < len)
		sbuf_add(&c->in, data + used, len - used);
	if (!c->in.len)
		sbuf_free(&c->in);
	link_pause(c->link, must_pause(c));
}

static void received(struct conn *c, const char *data, size_t len)
{
	if (!c->in.len) {
		take(c, data, len);
		return;
	}
	sbuf_add(&c->in, data, len);
	take(c, c->in.data, c->in.len);
}

void conn_process(struct conn *c)
{
	if (c->in_process || link_is_closed(c->link))
		return;
	if (c->in.len)
		take(c, c->in.data, c->in.len);
	else
		link_pause(c->link, must_pause(c));
}

static void on_eof(void *arg)
{
	struct conn *c = arg;

	c->eof = true;
	if (c->state == C_PROXY) {
		proxy_client_eof(c);
	} else if (c->state == C_WAIT || c->state == C_SEND) {
		/* A half-closed client still gets its answer, but nobody waits long for one. */
		if (!c->req->running && c->req->reply.kind == REPLY_LATE)
			link_close(c->link, NULL);
	} else if (c->state == C_HEAD && link_queued(c->link)) {
		conn_finish(c);
	} else if (c->state != C_UPGRADE && !(c->state == C_DRAIN && link_queued(c->link))) {
		link_close(c->link, NULL);
	}
}

/* While reading is paused: what was sent before the end may still be unread. */
static void on_hangup(void *arg)
{
	struct conn *c = arg;
	bool waits = c->state == C_WAIT || c->state == C_SEND;

	if (waits || (c->state == C_PROXY && !proxy_is_relay(c->proxy) && c->body.done))
		on_eof(c);
}

static void on_readable(void *arg)
{
	struct conn *c = arg;

	for (int i = 0; i < READS_A_TURN && !must_pause(c); i++) {
		ssize_t n = link_read(c->link, c->server->scratch, SCRATCH_BYTES);

		if (n == 0)
			return;
		if (n < 0) {
			on_eof(c);
			return;
		}
		received(c, c->server->scratch, n);
	}
	if (!must_pause(c))
		link_read_again(c->link);
}

static void on_flushed(void *arg)
{
	struct conn *c = arg;

	c->progress_at = clock_ms();
	if (c->state == C_HEAD && !link_queued(c->link))
		admit_request_over(c);
	switch (c->state) {
	case C_PROXY:
		proxy_client_flushed(c);
		break;
	case C_WEBSOCKET:
		wsconn_flushed(c);
		break;
	case C_UPGRADE:
		upgrade_flushed(c);
		break;
	case C_DRAIN:
		if (link_write_ended(c->link) && c->eof)
			link_close(c->link, NULL);
		break;
	default:
		conn_flushed(c);
	}
}

void conn_finish(struct conn *c)
{
	c->state = C_DRAIN;
	c->drained = 0;
	link_end_write(c->link);
	c->deadline = deadline_in(DRAIN_MS);
}

static void unlink_conn(struct conn *c)
{
	if (c->next)
		c->next->prev = c->prev;
	if (c->prev)
		c->prev->next = c->next;
	else
		c->server->conns = c->next;
	admit_gone(c);
}

/* What the connection was doing learns that nobody is there any more. */
static void abandon(struct conn *c)
{
	struct req *r = c->req;

	if (c->ws)
		wsconn_gone(c);
	proxy_free(c->proxy);
	spool_free(c->spool);
	file_sender_free(c->file);
	if (r && r->running) {
		r->conn = NULL; /* the loop frees it when the handler is through */
		r->work = c->work;
		c->work.held = false;
	} else if (r) {
		reply_abandon(r);
		req_free(r);
	}
}

void conn_free(struct conn *c)
{
	abandon(c);
	admit_request_over(c);
	unlink_conn(c);
	sbuf_free(&c->in);
	free(c->peer_pem);
	free(c);
}

static void on_closed(void *arg, const struct err *why)
{
	struct conn *c = arg;

	if (why->kind)
		log_debug("connection failed", "address", c->peer.address, "cause", why->msg);
	conn_free(c);
}

static const struct link_ops ops = {
	.established = on_established,
	.readable = on_readable,
	.flushed = on_flushed,
	.hangup = on_hangup,
	.closed = on_closed,
};

void conn_new(struct server *s, int own_fd, struct ssl_st *own_ssl, bool is_unix)
{
	struct conn *c = xnew(struct conn);

	assert(is_unix == !own_ssl);
	c->server = s;
	c->is_unix = is_unix;
	c->progress_at = clock_ms();
	c->in = SBUF(IN_MAX);
	c->deadline = deadline_in(HEAD_MS);
	if (is_unix)
		auth_peer_unix(c, own_fd);
	else
		auth_peer_tls(c, own_fd);
	c->next = s->conns;
	if (c->next)
		c->next->prev = c;
	s->conns = c;
	c->net = quota_net(c->peer.address);
	c->link = link_new(&s->links, own_fd, own_ssl, false, &ops, c);
	admit_conn(c);
}

void conn_close(struct conn *c, const char *why)
{
	struct err e;

	err_set(&e, ERR_UNAVAILABLE, "%s", why);
	link_close(c->link, &e);
}

bool conn_is_idle(const struct conn *c)
{
	return c->state == C_HEAD || c->state == C_DRAIN;
}

void conn_wind_down(struct conn *c)
{
	c->closing = true;
	if (c->state == C_WEBSOCKET)
		wsconn_shut(c);
	else if (c->state == C_PROXY && proxy_is_relay(c->proxy))
		conn_close(c, "the server stops");
	else if (c->state == C_HEAD && link_queued(c->link))
		conn_finish(c);
	else if (c->state == C_HEAD)
		conn_close(c, "the server stops");
}

/* --- time-outs -------------------------------------------------------------------------------- */

/* A body that trickles in holds memory and a connection: it must go on at a certain pace. */
static bool body_is_slow(struct conn *c, int64_t now)
{
	if (c->body.total - c->body_mark >= BODY_STEP) {
		c->body_mark = c->body.total;
		c->deadline = now + BODY_MS;
		return false;
	}
	return true;
}

void conn_expect_body(struct conn *c)
{
	c->body_mark = c->body.total;
	c->deadline = deadline_in(BODY_MS);
	/* It may send little, and at once. */
	if (c->until && c->deadline < c->until)
		c->until = c->deadline;
}

void conn_expect_head(struct conn *c)
{
	bool stranger = c->place.kind == CALLER_NOBODY;

	c->deadline = deadline_in(c->head_begun ? HEAD_MS : stranger ? STRANGER_IDLE_MS : IDLE_MS);
}

void conn_expect_send(struct conn *c)
{
	c->deadline = deadline_in(SEND_MS);
}

/* Nothing of what is queued was taken for long. */
static bool is_stuck(struct conn *c, int64_t now)
{
	if (!link_queued(c->link) || c->state == C_UPGRADE || !link_established(c->link)) {
		c->progress_at = now;
		return false;
	}
	return now - c->progress_at >=
	       (c->place.kind == CALLER_NOBODY ? STRANGER_SEND_MS : SEND_MS);
}

static const char *const late_text[] = {
	[C_HEAD] = "no request came in time",
	[C_BODY] = "the body came too slowly",
	[C_SEND] = "the client does not take the reply",
	[C_PROXY] = "the body came too slowly",
};

void conn_tick(struct conn *c, int64_t now)
{
	bool lasting = c->state == C_WEBSOCKET || proxy_is_relay(c->proxy);

	if (lasting && auth_has_expired(c)) {
		conn_close(c, "its certificate has expired");
		return;
	}
	if (c->state == C_WEBSOCKET)
		wsconn_tick(c, now);
	else if (is_stuck(c, now)) {
		conn_close(c, "the client does not take the reply");
		return;
	}
	if (c->state == C_PROXY && proxy_tick(c, now))
		return;
	if (c->until && !lasting && now >= c->until) {
		conn_close(c, "a request of a stranger took too long");
		return;
	}
	if (!c->deadline || now < c->deadline)
		return;
	if ((c->state == C_BODY || c->state == C_PROXY) && !body_is_slow(c, now))
		return;
	if (c->state < sizeof(late_text) / sizeof(late_text[0]) && late_text[c->state])
		conn_close(c, late_text[c->state]);
	else
		link_close(c->link, NULL);
}
