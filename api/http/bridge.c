/* SPDX-License-Identifier: Apache-2.0 */
/* Joins a websocket and a descriptor: what reply_bridge() promises. Everything runs on the loop,
 * after the handler's reply was accepted. */
#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "api/http/req_int.h"
#include "api/http/server_int.h"
#include "base/io.h"
#include "base/mem.h"

#define READ_BYTES (32 << 10)

/* Counted: the loop holds it until the descriptor and the websocket are done, the owner until
 * bridge_unref(). */
struct bridge {
	struct post start, end;
	atomic_int refs;
	atomic_bool ending;
	atomic_uint_least64_t read_bytes;
	struct server *server;
	struct mailbox *mailbox; /* outlives the server */
	struct wsconn *own_ws; /* a reference */
	struct wsconn *ws;     /* the same; NULL once it has closed */
	struct bridge_opts o;
	uv_poll_t *poll; /* NULL before the start and when the descriptor is done */
	int events;
	bool out_ended, in_ended; /* fd to websocket, websocket to fd */
	bool in_closes; /* the client has sent its end: it follows what is in `in` */
	bool started, stalled, told, released;
	struct sbuf in; /* received, not yet written to the descriptor */
};

#define IN_MAX (16 << 20)

static void on_fd(uv_poll_t *p, int status, int events);

static void on_handle_closed(uv_handle_t *h)
{
	free(h);
}

static void update_events(struct bridge *b)
{
	int events = 0;

	if (!b->poll)
		return;
	if (!b->out_ended && !b->stalled)
		events |= UV_READABLE;
	if (b->in.len)
		events |= UV_WRITABLE;
	/* Notices that the reader of a pipe has gone. */
	if (!events && !b->in_ended && !b->o.fd_to_ws)
		events = UV_DISCONNECT;
	if (events == b->events)
		return;
	b->events = events;
	if (events)
		uv_poll_start(b->poll, events, on_fd);
	else
		uv_poll_stop(b->poll);
}

static void close_fd(struct bridge *b)
{
	if (b->poll) {
		uv_poll_stop(b->poll);
		uv_close((uv_handle_t *)take_ptr(b->poll), on_handle_closed);
	}
	if (b->o.own_fd >= 0)
		close(take_fd(&b->o.own_fd));
}

void bridge_unref(struct bridge *b)
{
	if (!b || --b->refs > 0)
		return;
	close_fd(b);
	sbuf_free(&b->in);
	wsconn_unref(b->own_ws);
	if (b->mailbox)
		mailbox_unref(b->mailbox);
	free(b);
}

/* Tells the owner once both directions have ended, and lets the websocket close. The last call of
 * each callback: the loop may let go of the bridge. */
static void settle(struct bridge *b)
{
	if (!b->out_ended || !b->in_ended)
		return;
	if (!b->told) {
		b->told = true;
		close_fd(b);
		if (b->o.done)
			b->o.done(b->o.arg);
		if (b->ws)
			wsconn_close(b->ws);
	}
	if (b->ws || !b->started || b->released)
		return;
	b->released = true;
	bridge_unref(b);
}

/* The descriptor gives no more: with it, a terminal takes no more either. */
static void end_out(struct bridge *b)
{
	if (b->out_ended)
		return;
	b->out_ended = true;
	b->in_ended = true;
	sbuf_free(&b->in);
	if (b->ws)
		wsconn_send(b->ws, true, "", 0);
	update_events(b);
}

static void end_in(struct bridge *b)
{
	b->in_ended = true;
	sbuf_free(&b->in);
	if (!b->o.fd_to_ws)
		close_fd(b);
	else
		shutdown(b->o.own_fd, SHUT_WR); /* a terminal has no such side: harmless */
	update_events(b);
}

static void read_fd(struct bridge *b)
{
	char buf[READ_BYTES];
	ssize_t n = read(b->o.own_fd, buf, sizeof(buf));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* A terminal whose other side was closed gives EIO. */
	if (n <= 0) {
		end_out(b);
		return;
	}
	b->read_bytes += (uint64_t)n;
	if (!b->ws || !wsconn_send(b->ws, false, buf, n))
		return;
	b->stalled = wsconn_queued(b->ws) > LINK_HIGH;
	update_events(b);
}

static void write_fd(struct bridge *b)
{
	size_t done = 0;

	while (done < b->in.len) {
		ssize_t n = write(b->o.own_fd, b->in.data + done, b->in.len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			end_in(b);
			return;
		}
		if (n < 0)
			break;
		done += n;
	}
	sbuf_consume(&b->in, done);
	if (b->in.len) {
		if (b->ws)
			wsconn_pause(b->ws, true);
	} else {
		sbuf_free(&b->in);
		if (b->in_closes)
			end_in(b);
		else if (b->ws)
			wsconn_pause(b->ws, false);
	}
	update_events(b);
}

static void on_fd(uv_poll_t *p, int status, int events)
{
	struct bridge *b = p->data;

	b->refs++; /* resuming the websocket may close it */
	if (status < 0) {
		/* EPOLLERR: the reader of the pipe has gone, or there is an error to be read. */
		b->events = 0;
		if (b->o.fd_to_ws && !b->out_ended)
			read_fd(b);
		else
			end_in(b);
	} else {
		if ((events & UV_WRITABLE) && b->in.len)
			write_fd(b);
		if (b->poll && (events & UV_READABLE) && !b->out_ended)
			read_fd(b);
		if (b->poll && (events & UV_DISCONNECT) && !b->o.fd_to_ws)
			end_in(b);
	}
	update_events(b);
	settle(b);
	bridge_unref(b);
}

static void on_message(void *arg, bool text, const char *data, size_t len)
{
	struct bridge *b = arg;

	if (b->in_ended || b->in_closes || !b->o.ws_to_fd)
		return;
	if (text) {
		b->in_closes = true;
		if (!b->in.len)
			end_in(b);
		settle(b);
		return;
	}
	sbuf_add(&b->in, data, len);
	b->refs++;
	/* The 101 may still be on its way out, and the descriptor not yet watched. */
	if (b->poll)
		write_fd(b);
	settle(b);
	bridge_unref(b);
}

static void on_drained(void *arg)
{
	struct bridge *b = arg;

	b->stalled = false;
	update_events(b);
}

/* What was received still goes to the descriptor, as it would from a client that stays. */
static void on_closed(void *arg)
{
	struct bridge *b = arg;
	bool lost = wsconn_was_lost(b->ws);

	b->ws = NULL;
	b->stalled = false;
	b->in_closes = true;
	if (!b->in.len && !b->in_ended)
		end_in(b);
	if (!b->o.outlives)
		b->out_ended = b->in_ended = true;
	if (b->poll) /* the loop may end without it */
		uv_unref((uv_handle_t *)b->poll);
	if (lost && b->o.lost && !b->told)
		b->o.lost(b->o.arg);
	update_events(b);
	settle(b);
}

static void watch(struct bridge *b)
{
	assert(!b->poll);
	b->poll = xnew(uv_poll_t);
	if (uv_poll_init(b->server->loop, b->poll, b->o.own_fd) < 0) {
		free(take_ptr(b->poll));
		end_out(b);
		return;
	}
	b->poll->data = b;
	if (!b->ws)
		uv_unref((uv_handle_t *)b->poll);
	if (b->in.len)
		write_fd(b);
	update_events(b);
}

/* The handler runs in a worker: watching begins on the loop. */
static void on_start(struct post *p)
{
	struct bridge *b = container_of(p, struct bridge, start);

	b->refs++;
	b->started = true;
	if (!b->told)
		watch(b);
	settle(b);
	bridge_unref(b);
}

static void on_end(struct post *p)
{
	struct bridge *b = container_of(p, struct bridge, end);

	if (!b->told) {
		end_out(b);
		b->out_ended = b->in_ended = true;
		settle(b);
	}
	bridge_unref(b);
}

void bridge_end(struct bridge *b)
{
	if (atomic_exchange(&b->ending, true))
		return;
	b->refs++;
	b->end.fn = on_end;
	if (!mailbox_post(b->mailbox, &b->end))
		b->refs--;
}

uint64_t bridge_read_bytes(const struct bridge *b)
{
	return b->read_bytes;
}

size_t bridge_queued(const struct bridge *b)
{
	return wsconn_queued(b->own_ws);
}

static const struct ws_callbacks callbacks = { on_message, on_closed, on_drained };

struct bridge *reply_bridge(struct req *r, const struct bridge_opts *o)
{
	struct bridge *b = xnew(struct bridge);

	b->o = *o;
	b->server = r->server;
	b->in = SBUF(IN_MAX);
	b->refs = 1;
	b->out_ended = !o->fd_to_ws;
	b->in_ended = !o->ws_to_fd;
	b->ws = reply_websocket(r, &callbacks, b);
	if (!b->ws) {
		bridge_unref(b);
		return NULL;
	}
	b->own_ws = wsconn_ref(b->ws);
	b->mailbox = mailbox_ref(r->server->mailbox);
	b->refs++;
	io_set_nonblock(o->own_fd, true);
	b->start.fn = on_start;
	mailbox_post(r->server->mailbox, &b->start);
	return b;
}
