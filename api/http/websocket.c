/* SPDX-License-Identifier: Apache-2.0 */
/* Websocket endpoints of the loop. What comes in goes through wslay; data messages that go out are
 * framed in the sender's thread (a server's frames are not masked) and moved into the link as they
 * are. */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>
#include <wslay/wslay.h>

#include "api/http/conn.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/net/handshake.h"
#include "base/str.h"

#define MESSAGE_MAX (8 << 20)
#define QUEUE_MAX (16 << 20)
#define PING_MS 10000
#define CLOSE_MS 5000
#define FRAME_HEAD_MAX 10

struct frame {
	struct frame *next;
	char *data;
	size_t len;
};

struct wsconn {
	struct post post;
	struct mailbox *mailbox;
	atomic_int refs;
	atomic_size_t in_link; /* bytes queued in the link */
	struct ws_callbacks cb;
	void *arg;
	/* Loop only. */
	struct conn *conn;
	wslay_event_context_ptr ctx;
	const char *src; /* what wslay may read now */
	size_t src_len;
	bool paused, close_sent, close_received;
	int64_t ping_at, close_by;
	/* Any thread. */
	pthread_mutex_t lock;
	struct frame *head, **tail;
	size_t waiting; /* bytes in frames */
	bool posted, want_close, closed;
};

/* --- wslay ------------------------------------------------------------------------------------ */

static ssize_t on_recv(wslay_event_context_ptr ctx, uint8_t *buf, size_t len, int flags, void *arg)
{
	struct wsconn *w = arg;

	if (!w->src_len || w->paused) {
		wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	len = len < w->src_len ? len : w->src_len;
	memcpy(buf, w->src, len);
	w->src += len;
	w->src_len -= len;
	return (ssize_t)len;
}

static ssize_t on_send(wslay_event_context_ptr ctx, const uint8_t *data, size_t len, int flags,
		       void *arg)
{
	struct wsconn *w = arg;

	link_send(w->conn->link, data, len);
	return (ssize_t)len;
}

static void on_message(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *m,
		       void *arg)
{
	struct wsconn *w = arg;

	if (m->opcode == WSLAY_TEXT_FRAME || m->opcode == WSLAY_BINARY_FRAME)
		w->cb.message(w->arg, m->opcode == WSLAY_TEXT_FRAME,
			      m->msg ? (const char *)m->msg : "", m->msg_length);
}

static const struct wslay_event_callbacks callbacks = {
	.recv_callback = on_recv,
	.send_callback = on_send,
	.on_msg_recv_callback = on_message,
};

/* --- life ------------------------------------------------------------------------------------- */

static int check_handshake(struct req *r)
{
	const char *key = req_header(r, "Sec-WebSocket-Key");
	const char *version = req_header(r, "Sec-WebSocket-Version");
	size_t n = 0;
	_free_ char *nonce = key ? base64_decode(key, &n) : NULL;

	if (!(r->route->flags & F_UPGRADE) || !r->head.upgrade ||
	    strcasecmp(r->head.upgrade, "websocket") != 0)
		return err_set(&r->err, ERR_INVALID, "%s must be asked for as a websocket",
			       req_path(r));
	if (!nonce || n != 16 || !str_eq(version, "13"))
		return err_set(&r->err, ERR_INVALID,
			       "the websocket handshake needs a key and version 13");
	return 0;
}

struct wsconn *reply_websocket(struct req *r, const struct ws_callbacks *cb, void *arg)
{
	char accept[WS_ACCEPT_SIZE];
	struct wsconn *w;

	if (check_handshake(r) < 0)
		return NULL;
	ws_accept_key(req_header(r, "Sec-WebSocket-Key"), accept);
	w = xnew(struct wsconn);
	w->mailbox = mailbox_ref(r->server->mailbox);
	w->refs = 1;
	w->cb = *cb;
	w->arg = arg;
	pthread_mutex_init(&w->lock, NULL);
	w->tail = &w->head;
	r->reply.kind = REPLY_WEBSOCKET;
	r->reply.status = 101;
	r->reply.ws = w;
	reply_header(r, "Upgrade", "websocket");
	reply_header(r, "Sec-WebSocket-Accept", accept);
	return w;
}

struct wsconn *wsconn_ref(struct wsconn *w)
{
	w->refs++;
	return w;
}

void wsconn_unref(struct wsconn *w)
{
	if (!w || --w->refs > 0)
		return;
	while (w->head) {
		struct frame *f = w->head;

		w->head = f->next;
		free(f->data);
		free(f);
	}
	mailbox_unref(w->mailbox);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static void end(struct wsconn *w)
{
	pthread_mutex_lock(&w->lock);
	w->closed = true;
	pthread_mutex_unlock(&w->lock);
	w->conn = NULL;
	if (w->cb.closed)
		w->cb.closed(w->arg);
	if (w->ctx)
		wslay_event_context_free(w->ctx);
	w->ctx = NULL;
	wsconn_unref(w);
}

void wsconn_abandon(struct wsconn *w)
{
	end(w);
}

void wsconn_gone(struct conn *c)
{
	assert(c->ws);
	end(take_ptr(c->ws));
}

/* --- sending ---------------------------------------------------------------------------------- */

static size_t frame_head(unsigned char *h, int opcode, size_t len)
{
	h[0] = 0x80 | opcode;
	if (len < 126) {
		h[1] = (unsigned char)len;
		return 2;
	}
	if (len <= 0xffff) {
		h[1] = 126;
		h[2] = (unsigned char)(len >> 8);
		h[3] = (unsigned char)len;
		return 4;
	}
	h[1] = 127;
	for (int i = 0; i < 8; i++)
		h[2 + i] = (unsigned char)((uint64_t)len >> (56 - 8 * i));
	return 10;
}

static struct frame *frame_new(int opcode, const void *data, size_t len)
{
	struct frame *f = xnew(struct frame);
	size_t n;

	f->data = xrealloc(NULL, len + FRAME_HEAD_MAX);
	n = frame_head((unsigned char *)f->data, opcode, len);
	if (len)
		memcpy(f->data + n, data, len);
	f->len = n + len;
	return f;
}

static struct frame *take_frames(struct wsconn *w, bool *ret_close)
{
	struct frame *f;

	pthread_mutex_lock(&w->lock);
	f = w->head;
	w->head = NULL;
	w->tail = &w->head;
	w->in_link += w->waiting;
	w->waiting = 0;
	*ret_close = w->want_close;
	pthread_mutex_unlock(&w->lock);
	return f;
}

static void send_close(struct wsconn *w, int code)
{
	if (w->close_sent)
		return;
	w->close_sent = true;
	w->close_by = deadline_in(CLOSE_MS);
	wslay_event_queue_close(w->ctx, code, NULL, 0);
	wslay_event_send(w->ctx);
}

/* Moves what waits into the link. */
static void pump(struct wsconn *w)
{
	bool want_close;
	struct frame *f = take_frames(w, &want_close);

	while (f) {
		struct frame *next = f->next;

		if (w->close_sent)
			free(f->data);
		else if (f->len > SCRATCH_BYTES / 4)
			link_send_own(w->conn->link, f->data, f->len);
		else {
			link_send(w->conn->link, f->data, f->len);
			free(f->data);
		}
		free(f);
		f = next;
	}
	w->in_link = link_queued(w->conn->link);
	if (want_close)
		send_close(w, WSLAY_CODE_NORMAL_CLOSURE);
}

static void on_posted(struct post *p)
{
	struct wsconn *w = container_of(p, struct wsconn, post);

	pthread_mutex_lock(&w->lock);
	w->posted = false;
	pthread_mutex_unlock(&w->lock);
	/* Before the 101 the frames wait for wsconn_start. */
	if (w->conn && w->ctx)
		pump(w);
	wsconn_unref(w);
}

/* With the lock held. */
static void post(struct wsconn *w)
{
	if (w->posted)
		return;
	w->posted = true;
	w->post.fn = on_posted;
	wsconn_ref(w);
	if (!mailbox_post(w->mailbox, &w->post))
		w->refs--;
}

bool wsconn_send(struct wsconn *w, bool text, const void *data, size_t len)
{
	struct frame *f = frame_new(text ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME, data, len);
	bool ok;

	pthread_mutex_lock(&w->lock);
	ok = !w->closed && !w->want_close && w->waiting + w->in_link <= QUEUE_MAX;
	if (ok) {
		*w->tail = f;
		w->tail = &f->next;
		w->waiting += f->len;
	} else if (!w->closed) {
		/* Who does not read is let go, rather than remembered for ever. */
		w->want_close = true;
	}
	if (!w->closed)
		post(w);
	pthread_mutex_unlock(&w->lock);
	if (!ok) {
		free(f->data);
		free(f);
	}
	return ok;
}

size_t wsconn_queued(struct wsconn *w)
{
	size_t n;

	pthread_mutex_lock(&w->lock);
	n = w->waiting + w->in_link;
	pthread_mutex_unlock(&w->lock);
	return n;
}

bool wsconn_was_lost(const struct wsconn *w)
{
	return !w->close_sent && !w->close_received;
}

void wsconn_close(struct wsconn *w)
{
	pthread_mutex_lock(&w->lock);
	w->want_close = true;
	if (!w->closed)
		post(w);
	pthread_mutex_unlock(&w->lock);
}

/* --- on the loop ------------------------------------------------------------------------------ */

void wsconn_start(struct conn *c)
{
	struct wsconn *w = c->req->reply.ws;

	c->req->reply.kind = REPLY_NONE;
	c->ws = w;
	w->conn = c;
	if (wslay_event_context_server_init(&w->ctx, &callbacks, w) != 0)
		abort(); /* out of memory */
	wslay_event_config_set_max_recv_msg_length(w->ctx, MESSAGE_MAX);
	w->ping_at = deadline_in(PING_MS);
	c->state = C_WEBSOCKET;
	c->deadline = 0;
	if (c->place.kind == CALLER_NOBODY)
		admit_vouched(c);
	pump(w);
	if (c->server->draining)
		wsconn_shut(c);
}

/* The peer has sent its close, or broke the protocol; wslay's answer is in the queue. */
static bool is_over(struct wsconn *w, int rc)
{
	return rc != 0 || !wslay_event_want_read(w->ctx);
}

size_t wsconn_take(struct conn *c, const char *data, size_t len)
{
	struct wsconn *w = c->ws;
	int rc;

	w->src = data;
	w->src_len = len;
	rc = wslay_event_recv(w->ctx);
	len -= w->src_len;
	w->src = NULL;
	w->src_len = 0;
	if (wslay_event_want_write(w->ctx))
		wslay_event_send(w->ctx);
	if (is_over(w, rc)) {
		w->close_received = wslay_event_get_close_received(w->ctx);
		wsconn_gone(c);
		conn_finish(c);
		return len ? len : 1;
	}
	return len;
}

void wsconn_flushed(struct conn *c)
{
	struct wsconn *w = c->ws;

	w->in_link = link_queued(c->link);
	if (w->in_link < LINK_LOW && w->cb.drained)
		w->cb.drained(w->arg);
}

void wsconn_pause(struct wsconn *w, bool pause)
{
	if (w->paused == pause)
		return;
	w->paused = pause;
	if (!pause && w->conn)
		conn_process(w->conn);
}

void wsconn_tick(struct conn *c, int64_t now)
{
	static const struct wslay_event_msg ping = {
		.opcode = WSLAY_PING,
		.msg = (const uint8_t *)"keepalive",
		.msg_length = 9,
	};
	struct wsconn *w = c->ws;

	if (w->close_by && now >= w->close_by) {
		conn_close(c, "the client did not answer the close of its websocket");
		return;
	}
	if (now < w->ping_at || w->close_sent)
		return;
	w->ping_at = now + PING_MS;
	wslay_event_queue_msg(w->ctx, &ping);
	wslay_event_send(w->ctx);
}

void wsconn_shut(struct conn *c)
{
	pump(c->ws);
	send_close(c->ws, WSLAY_CODE_GOING_AWAY);
}
