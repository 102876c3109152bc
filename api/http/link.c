/* SPDX-License-Identifier: Apache-2.0 */
#include "api/http/link.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <uv.h>

#include "base/mem.h"
#include "base/net/tls.h"

#define CHUNK_MIN 4096
#define IOV_MAX_USED 16
/* Steps of handshakes of peers that nobody knows yet: about 1 ms each. Who is not served has its
 * turn when the descriptors are looked at again, in their order. */
#define HANDSHAKES_A_TURN 8

struct chunk {
	struct chunk *next;
	size_t at, len, room;
	char *data;
};

struct link {
	struct link_set *set;
	uv_poll_t *poll;
	int fd, events;
	struct ssl_st *ssl;
	const struct link_ops *ops;
	void *arg;
	struct chunk *head, *tail;
	size_t queued;
	bool incoming, connecting, handshaking, paused, eof, hung_up, closed, detached;
	bool want_out, end_wanted, end_done;
	bool in_dirty, in_again;
	struct link *next_dirty, *next_again, *next_dead;
	struct err why;
};

static void on_poll(uv_poll_t *p, int status, int events);
static void flush(struct link *l);

static void update_events(struct link *l)
{
	int events = 0;

	if (l->closed)
		return;
	if (l->connecting)
		events = UV_WRITABLE;
	else if (l->handshaking || (!l->paused && !l->eof))
		events = UV_READABLE;
	else if (!l->hung_up && !l->eof)
		events = UV_DISCONNECT;
	if (l->want_out)
		events |= UV_WRITABLE;
	if (events == l->events)
		return;
	l->events = events;
	if (events)
		uv_poll_start(l->poll, events, on_poll);
	else
		uv_poll_stop(l->poll);
}

struct link *link_new(struct link_set *set, int own_fd, struct ssl_st *own_ssl, bool connecting,
		      const struct link_ops *ops, void *arg)
{
	struct link *l = xnew(struct link);

	assert(own_fd >= 0);
	l->set = set;
	l->fd = own_fd;
	l->ssl = own_ssl;
	l->ops = ops;
	l->arg = arg;
	l->incoming = !connecting;
	l->connecting = connecting;
	l->handshaking = own_ssl != NULL;
	l->poll = xnew(uv_poll_t);
	uv_poll_init(set->loop, l->poll, own_fd);
	l->poll->data = l;
	update_events(l);
	return l;
}

struct ssl_st *link_ssl(struct link *l)
{
	return l->ssl;
}

bool link_established(const struct link *l)
{
	return !l->connecting && !l->handshaking;
}

/* --- ending ----------------------------------------------------------------------------------- */

static void on_handle_closed(uv_handle_t *h)
{
	free(h);
}

static void stop_polling(struct link *l)
{
	if (!l->poll)
		return;
	uv_poll_stop(l->poll);
	uv_close((uv_handle_t *)take_ptr(l->poll), on_handle_closed);
}

bool link_is_closed(const struct link *l)
{
	return l->closed;
}

void link_close(struct link *l, const struct err *why)
{
	if (l->closed)
		return;
	l->closed = true;
	if (why)
		l->why = *why;
	stop_polling(l);
	l->next_dead = l->set->dead;
	l->set->dead = l;
}

static void fail(struct link *l, const char *what)
{
	struct err e = { 0 };
	char text[160];

	if (l->ssl && !l->connecting)
		err_set(&e, ERR_UNAVAILABLE, "%s: %s", what, tls_error(text, sizeof(text)));
	else
		err_set(&e, ERR_UNAVAILABLE, "%s: %s", what, strerror(errno));
	link_close(l, &e);
}

void link_detach(struct link *l, int *ret_fd, struct ssl_st **ret_ssl)
{
	assert(!l->closed);
	assert(!l->queued);
	l->detached = true;
	*ret_fd = take_fd(&l->fd);
	*ret_ssl = take_ptr(l->ssl);
	link_close(l, NULL);
}

static void link_free(struct link *l)
{
	while (l->head) {
		struct chunk *c = l->head;

		l->head = c->next;
		free(c->data);
		free(c);
	}
	tls_session_free(l->ssl);
	if (l->fd >= 0)
		close(l->fd);
	free(l);
}

/* --- reading ---------------------------------------------------------------------------------- */

static ssize_t raw_read(struct link *l, void *buf, size_t len)
{
	ssize_t n;

	if (l->ssl)
		return tls_read(l->ssl, buf, len);
	do {
		n = recv(l->fd, buf, len, 0);
	} while (n < 0 && errno == EINTR);
	return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? TLS_WANT_READ : n;
}

ssize_t link_read(struct link *l, void *buf, size_t len)
{
	ssize_t n;

	if (l->closed || l->eof)
		return -1;
	if (!link_established(l))
		return 0;
	n = raw_read(l, buf, len);
	if (n > 0)
		return n;
	if (n == TLS_FAILED) {
		fail(l, "read from the connection");
		return -1;
	}
	if (n < 0)
		return 0;
	l->eof = true;
	update_events(l);
	return -1;
}

void link_read_again(struct link *l)
{
	if (l->closed || l->in_again)
		return;
	l->in_again = true;
	l->next_again = l->set->again;
	l->set->again = l;
}

void link_pause(struct link *l, bool pause)
{
	if (l->paused == pause)
		return;
	l->paused = pause;
	/* Data may wait inside TLS, where the descriptor does not show it. */
	if (!pause)
		link_read_again(l);
	update_events(l);
}

/* --- writing ---------------------------------------------------------------------------------- */

static void mark_dirty(struct link *l)
{
	if (l->in_dirty || l->closed)
		return;
	l->in_dirty = true;
	l->next_dirty = l->set->dirty;
	l->set->dirty = l;
}

static void append(struct link *l, char *own_data, size_t len, size_t room)
{
	struct chunk *c = xnew(struct chunk);

	assert(own_data);
	c->data = own_data;
	c->len = len;
	c->room = room;
	if (l->head)
		l->tail->next = c;
	else
		l->head = c;
	l->tail = c;
}

void link_send(struct link *l, const void *data, size_t len)
{
	struct chunk *c = l->head ? l->tail : NULL;

	if (l->closed || !len)
		return;
	if (!c || c->room - c->len < len) {
		size_t room = len > CHUNK_MIN ? len : CHUNK_MIN;

		append(l, xrealloc(NULL, room), 0, room);
		c = l->tail;
	}
	memcpy(c->data + c->len, data, len);
	c->len += len;
	l->queued += len;
	mark_dirty(l);
}

void link_send_own(struct link *l, char *own_data, size_t len)
{
	assert(own_data || !len);
	if (l->closed || !len) {
		free(own_data);
		return;
	}
	append(l, own_data, len, len);
	l->queued += len;
	mark_dirty(l);
}

size_t link_queued(const struct link *l)
{
	return l->queued;
}

void link_end_write(struct link *l)
{
	l->end_wanted = true;
	mark_dirty(l);
}

bool link_write_ended(const struct link *l)
{
	return l->end_done;
}

static ssize_t write_plain(struct link *l)
{
	struct iovec iov[IOV_MAX_USED];
	struct msghdr m = { .msg_iov = iov };
	ssize_t n;

	for (struct chunk *c = l->head; c && m.msg_iovlen < IOV_MAX_USED; c = c->next)
		iov[m.msg_iovlen++] = (struct iovec){ c->data + c->at, c->len - c->at };
	do {
		n = sendmsg(l->fd, &m, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? TLS_WANT_WRITE : n;
}

static void consume(struct link *l, size_t n)
{
	l->queued -= n;
	while (n) {
		struct chunk *c = l->head;
		size_t part = c->len - c->at < n ? c->len - c->at : n;

		c->at += part;
		n -= part;
		if (c->at < c->len)
			return;
		l->head = c->next;
		free(c->data);
		free(c);
	}
}

static void end_write_now(struct link *l)
{
	if (l->end_done)
		return;
	l->end_done = true;
	if (l->ssl)
		tls_end_write(l->ssl);
	else
		shutdown(l->fd, SHUT_WR);
}

static void flush(struct link *l)
{
	size_t before = l->queued;
	bool ended = l->end_done;

	if (!link_established(l))
		return;
	l->want_out = false;
	while (l->queued && !l->want_out) {
		struct chunk *c = l->head;
		ssize_t n = l->ssl ? tls_write(l->ssl, c->data + c->at, c->len - c->at) :
				     write_plain(l);

		if (n == TLS_FAILED) {
			fail(l, "write to the connection");
			return;
		}
		if (n > 0)
			consume(l, n);
		else
			l->want_out = true;
	}
	if (!l->queued && l->end_wanted)
		end_write_now(l);
	update_events(l);
	if ((l->queued < before || l->end_done != ended) && l->ops->flushed)
		l->ops->flushed(l->arg);
}

/* --- events ----------------------------------------------------------------------------------- */

static bool finish_connect(struct link *l)
{
	socklen_t n = sizeof(int);
	int error = 0;

	getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &n);
	if (error) {
		errno = error;
		fail(l, "connect");
		return false;
	}
	l->connecting = false;
	return true;
}

/* True once it is over. */
static bool go_on_handshake(struct link *l)
{
	int rc = tls_handshake(l->ssl);

	if (rc == TLS_FAILED) {
		fail(l, "TLS");
		return false;
	}
	l->handshaking = rc != 1;
	l->want_out = rc == TLS_WANT_WRITE;
	update_events(l);
	return rc == 1;
}

static void establish(struct link *l)
{
	if (l->connecting && !finish_connect(l))
		return;
	if (l->handshaking && l->incoming && l->set->handshakes++ >= HANDSHAKES_A_TURN)
		return;
	if (l->handshaking && !go_on_handshake(l))
		return;
	update_events(l);
	if (l->ops->established)
		l->ops->established(l->arg);
	if (l->queued || l->end_wanted)
		mark_dirty(l);
	/* The client's first bytes may have come with the end of its handshake. */
	link_read_again(l);
}

static void hangup(struct link *l)
{
	l->hung_up = true;
	update_events(l);
	if (l->ops->hangup)
		l->ops->hangup(l->arg);
}

static void on_poll(uv_poll_t *p, int status, int events)
{
	struct link *l = p->data;

	if (status < 0) {
		/* libuv reports EPOLLERR so, and has stopped watching: reading tells the cause. */
		l->events = 0;
		l->paused = false;
		events = UV_READABLE;
	}
	if (!l->closed && !link_established(l)) {
		establish(l);
		return;
	}
	if (!l->closed && (events & UV_WRITABLE))
		flush(l);
	if (!l->closed && (events & UV_DISCONNECT) && l->paused && !l->hung_up)
		hangup(l);
	if (!l->closed && (events & UV_READABLE) && !l->paused)
		l->ops->readable(l->arg);
	if (status < 0 && !l->closed)
		update_events(l);
}

static void turn_again(struct link_set *set)
{
	struct link *l = set->again;

	set->again = NULL;
	while (l) {
		struct link *next = l->next_again;

		l->in_again = false;
		if (!l->closed && !l->paused && link_established(l))
			l->ops->readable(l->arg);
		l = next;
	}
}

static void turn_dirty(struct link_set *set)
{
	struct link *l = set->dirty;

	set->dirty = NULL;
	while (l) {
		struct link *next = l->next_dirty;

		l->in_dirty = false;
		if (!l->closed)
			flush(l);
		l = next;
	}
}

static void turn_dead(struct link_set *set)
{
	struct link *keep = NULL;

	while (set->dead) {
		struct link *l = set->dead;

		set->dead = l->next_dead;
		if (l->in_again || l->in_dirty) {
			/* Still on a list: its turn comes first. */
			l->next_dead = keep;
			keep = l;
			continue;
		}
		if (!l->detached)
			l->ops->closed(l->arg, &l->why);
		link_free(l);
	}
	set->dead = keep;
}

bool link_set_turn(struct link_set *set)
{
	set->handshakes = 0;
	turn_again(set);
	turn_dirty(set);
	turn_dead(set);
	return set->again || set->dirty || set->dead;
}
