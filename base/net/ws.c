/* SPDX-License-Identifier: Apache-2.0 */
#include "base/net/ws.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <wslay/wslay.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/net/handshake.h"
#include "base/rng.h"

#define MESSAGE_MAX (16 << 20)
#define OUT_MAX (256 << 10)

struct message {
	struct message *next;
	enum ws_op op;
	char *data;
	size_t len;
};

/* One lock guards everything: TLS allows one user at a time, so nobody waits while holding it. */
struct ws {
	pthread_mutex_t lock;
	struct stream *stream; /* non-blocking */
	wslay_event_context_ptr ctx;
	struct sbuf out; /* framed, not yet sent */
	struct message *head, **tail;
	bool ended;         /* the peer closed or left */
	struct err failure; /* kind is ERR_NONE while all is well */
};

static ssize_t on_recv(wslay_event_context_ptr ctx, uint8_t *buf, size_t len, int flags, void *arg)
{
	struct ws *w = arg;
	struct err e = { 0 };
	ssize_t n = stream_read(w->stream, buf, len, &e);

	if (n > 0)
		return n;
	if (n < 0 && e.kind == ERR_BUSY) {
		wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	w->ended = true;
	if (n < 0)
		w->failure = e;
	wslay_event_set_error(ctx, WSLAY_ERR_CALLBACK_FAILURE);
	return -1;
}

static ssize_t on_send(wslay_event_context_ptr ctx, const uint8_t *data, size_t len, int flags,
		       void *arg)
{
	struct ws *w = arg;
	size_t room = w->out.len < OUT_MAX ? OUT_MAX - w->out.len : 0;

	if (!room) {
		wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	len = len < room ? len : room;
	sbuf_add(&w->out, data, len);
	return (ssize_t)len;
}

static int on_mask(wslay_event_context_ptr ctx, uint8_t *buf, size_t len, void *arg)
{
	rng_bytes(buf, len);
	return 0;
}

static void on_message(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *m,
		       void *arg)
{
	struct ws *w = arg;
	struct message *msg;

	if (m->opcode == WSLAY_CONNECTION_CLOSE)
		w->ended = true;
	if (m->opcode != WSLAY_TEXT_FRAME && m->opcode != WSLAY_BINARY_FRAME)
		return;
	msg = xnew(struct message);
	msg->op = m->opcode == WSLAY_TEXT_FRAME ? WS_TEXT : WS_BINARY;
	msg->data = xcalloc(m->msg_length + 1, 1);
	if (m->msg_length)
		memcpy(msg->data, m->msg, m->msg_length);
	msg->len = m->msg_length;
	*w->tail = msg;
	w->tail = &msg->next;
}

static const struct wslay_event_callbacks callbacks = {
	.recv_callback = on_recv,
	.send_callback = on_send,
	.genmask_callback = on_mask,
	.on_msg_recv_callback = on_message,
};

static struct ws *ws_new(struct stream *own_stream)
{
	struct ws *w = xnew(struct ws);

	assert(own_stream);
	pthread_mutex_init(&w->lock, NULL);
	w->stream = own_stream;
	stream_set_nonblock(own_stream, true);
	w->out = SBUF(2 * OUT_MAX);
	w->tail = &w->head;
	if (wslay_event_context_client_init(&w->ctx, &callbacks, w) != 0)
		abort(); /* out of memory */
	wslay_event_config_set_max_recv_msg_length(w->ctx, MESSAGE_MAX);
	return w;
}

static int check_accept(const struct http_head *h, const char *key, struct err *err)
{
	const char *got = http_header(h, "Sec-WebSocket-Accept");
	char want[WS_ACCEPT_SIZE];

	ws_accept_key(key, want);
	if (got && strcmp(got, want) == 0)
		return 0;
	return err_set(err, ERR_UNAVAILABLE, "the server is not a websocket server");
}

struct ws *ws_connect(struct httpc *c, const char *path, int64_t deadline, struct err *err)
{
	unsigned char nonce[16];
	_free_ char *key = NULL;
	_free_ char *key_header = NULL;
	struct http_head h;
	struct stream *s;

	rng_bytes(nonce, sizeof(nonce));
	key = base64_encode(nonce, sizeof(nonce));
	key_header = xasprintf("Sec-WebSocket-Key: %s", key);
	s = httpc_upgrade_head(c, path, "websocket",
			       (const char *const[]){ "Sec-WebSocket-Version: 13", key_header,
						      NULL },
			       deadline, &h, err);
	if (!s)
		return NULL;
	if (check_accept(&h, key, err) < 0) {
		http_head_free(&h);
		stream_free(s);
		return NULL;
	}
	http_head_free(&h);
	return ws_new(s);
}

void ws_free(struct ws *w)
{
	if (!w)
		return;
	while (w->head) {
		struct message *m = w->head;

		w->head = m->next;
		free(m->data);
		free(m);
	}
	wslay_event_context_free(w->ctx);
	stream_free(w->stream);
	sbuf_free(&w->out);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

int ws_fd(const struct ws *w)
{
	return stream_fd(w->stream);
}

bool ws_pending(const struct ws *w)
{
	struct ws *m = (struct ws *)w;
	bool pending;

	pthread_mutex_lock(&m->lock);
	pending = w->head || w->ended || stream_pending(w->stream);
	pthread_mutex_unlock(&m->lock);
	return pending;
}

/* Sends what it can: 1 when all is out, 0 when the socket is full, -1 failed. */
static int flush(struct ws *w, struct err *err)
{
	for (;;) {
		size_t sent = 0;
		ssize_t n = 0;

		if (wslay_event_want_write(w->ctx) && wslay_event_send(w->ctx) != 0)
			return err_set(err, ERR_UNAVAILABLE, "the websocket failed");
		while (sent < w->out.len && n >= 0) {
			n = stream_write_some(w->stream, w->out.data + sent, w->out.len - sent,
					      err);
			sent += n > 0 ? n : 0;
		}
		if (sent)
			sbuf_consume(&w->out, sent);
		if (n < 0)
			return err->kind == ERR_BUSY ? 0 : -1;
		if (!wslay_event_want_write(w->ctx)) {
			sbuf_free(&w->out);
			return 1;
		}
	}
}

static int wait_fd(struct ws *w, short events, int64_t deadline, struct err *err)
{
	struct pollfd p = { stream_fd(w->stream), events, 0 };
	int rc;

	do {
		rc = poll(&p, 1, deadline_left(deadline));
	} while (rc < 0 && errno == EINTR);
	return rc != 0 ? 0 : err_set(err, ERR_TIMEOUT, "no message came in time");
}

static bool take_message(struct ws *w, char **ret, size_t *ret_len, enum ws_op *ret_op)
{
	struct message *m = w->head;

	if (!m)
		return false;
	w->head = m->next;
	if (!w->head)
		w->tail = &w->head;
	*ret = m->data;
	*ret_len = m->len;
	*ret_op = m->op;
	free(m);
	return true;
}

/* A message, the end, or -1; 0 when the socket must be waited for. */
static int receive(struct ws *w, char **ret, size_t *ret_len, struct err *err)
{
	enum ws_op op;

	if (!w->head && !w->ended) {
		bool failed = wslay_event_recv(w->ctx) != 0 || !wslay_event_want_read(w->ctx);

		if (failed && !w->ended) {
			w->ended = true;
			err_set(&w->failure, ERR_UNAVAILABLE,
				"the other side broke the websocket protocol");
		}
		/* Pongs, and the answer to a close. A full socket takes them next time. */
		if (flush(w, err) < 0)
			w->ended = true;
	}
	if (take_message(w, ret, ret_len, &op))
		return op;
	if (w->ended && w->failure.kind) {
		*err = w->failure;
		return -1;
	}
	return w->ended ? WS_CLOSE : 0;
}

int ws_recv(struct ws *w, char **ret, size_t *ret_len, int64_t deadline, struct err *err)
{
	*ret = NULL;
	*ret_len = 0;
	for (;;) {
		short events;
		int rc;

		pthread_mutex_lock(&w->lock);
		rc = receive(w, ret, ret_len, err);
		events = POLLIN | (w->out.len ? POLLOUT : 0);
		pthread_mutex_unlock(&w->lock);
		if (rc)
			return rc;
		if (wait_fd(w, events, deadline, err) < 0)
			return -1;
	}
}

static int flush_all(struct ws *w, struct err *err)
{
	for (;;) {
		int rc;

		pthread_mutex_lock(&w->lock);
		rc = flush(w, err);
		pthread_mutex_unlock(&w->lock);
		if (rc)
			return rc < 0 ? -1 : 0;
		if (wait_fd(w, POLLOUT, 0, err) < 0)
			return -1;
	}
}

int ws_send(struct ws *w, enum ws_op op, const void *data, size_t len, struct err *err)
{
	struct wslay_event_msg m = {
		.opcode = op == WS_TEXT ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME,
		.msg = data,
		.msg_length = len,
	};
	int rc;

	pthread_mutex_lock(&w->lock);
	rc = wslay_event_queue_msg(w->ctx, &m);
	pthread_mutex_unlock(&w->lock);
	if (rc != 0)
		return err_set(err, ERR_UNAVAILABLE, "the websocket is closed");
	return flush_all(w, err);
}

int ws_close(struct ws *w, struct err *err)
{
	pthread_mutex_lock(&w->lock);
	wslay_event_queue_close(w->ctx, WSLAY_CODE_NORMAL_CLOSURE, NULL, 0);
	pthread_mutex_unlock(&w->lock);
	return flush_all(w, err);
}
