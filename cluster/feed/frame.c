/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/feed/frame.h"

#include <arpa/inet.h>
#include <assert.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define HEAD 4
#define READ_BYTES (64 << 10)
#define FILL_BYTES (512 << 10)

struct frame {
	int refs;
	size_t len;
	char data[];
};

struct frame *frame_new(const struct sbuf *text)
{
	uint32_t len = htonl((uint32_t)text->len);
	struct frame *f;

	assert(!text->overflow);
	assert(text->len <= FRAME_MAX);
	f = xcalloc(1, sizeof(*f) + HEAD + text->len);
	f->refs = 1;
	f->len = HEAD + text->len;
	memcpy(f->data, &len, HEAD);
	memcpy(f->data + HEAD, text->data, text->len);
	return f;
}

struct frame *frame_ref(struct frame *f)
{
	__atomic_add_fetch(&f->refs, 1, __ATOMIC_RELAXED);
	return f;
}

void frame_unref(struct frame *f)
{
	int left = f ? __atomic_sub_fetch(&f->refs, 1, __ATOMIC_ACQ_REL) : 1;

	assert(left >= 0);
	if (left == 0)
		free(f);
}

/* --- connection ------------------------------------------------------------------------------- */

struct out {
	struct frame *frame;
	struct out *next;
};

struct fconn {
	struct stream *stream;
	struct sbuf in;
	struct out *head, **tail;
	size_t at, queued; /* bytes of the head that are written; of all that are not */
	int64_t heard, said;
	bool read_wants_write;
};

struct fconn *fconn_new(struct stream *own_stream)
{
	struct fconn *c = xnew(struct fconn);

	assert(own_stream);
	c->stream = own_stream;
	stream_set_nonblock(own_stream, true);
	c->in = SBUF(HEAD + FRAME_MAX + READ_BYTES);
	c->tail = &c->head;
	c->heard = c->said = clock_ms();
	return c;
}

static void pop(struct fconn *c)
{
	struct out *o = c->head;

	c->head = o->next;
	if (!c->head)
		c->tail = &c->head;
	frame_unref(o->frame);
	free(o);
	c->at = 0;
}

void fconn_free(struct fconn *c)
{
	if (!c)
		return;
	while (c->head)
		pop(c);
	sbuf_free(&c->in);
	stream_free(c->stream);
	free(c);
}

struct stream *fconn_stream(struct fconn *c)
{
	return c->stream;
}

void fconn_send(struct fconn *c, struct frame *own_frame)
{
	struct out *o = xnew(struct out);

	assert(own_frame);
	o->frame = own_frame;
	*c->tail = o;
	c->tail = &o->next;
	c->queued += own_frame->len;
	c->said = clock_ms();
}

size_t fconn_queued(const struct fconn *c)
{
	return c->queued;
}

int64_t fconn_heard_ms(const struct fconn *c)
{
	return c->heard;
}

int64_t fconn_said_ms(const struct fconn *c)
{
	return c->said;
}

int fconn_flush(struct fconn *c, struct err *err)
{
	while (c->head) {
		struct frame *f = c->head->frame;
		ssize_t n = stream_write_some(c->stream, f->data + c->at, f->len - c->at, err);

		if (n < 0)
			return err->kind == ERR_BUSY ? 0 : -1;
		c->at += (size_t)n;
		c->queued -= (size_t)n;
		if (c->at == f->len)
			pop(c);
	}
	return 0;
}

/* Hands over every whole frame that is buffered. */
static int parse(struct fconn *c, int (*got)(void *arg, json_t *msg, struct err *err), void *arg,
		 struct err *err)
{
	size_t at = 0;
	int rc = 0;

	while (rc == 0 && c->in.len - at >= HEAD) {
		json_t *msg;
		uint32_t len;

		memcpy(&len, c->in.data + at, HEAD);
		len = ntohl(len);
		if (len > FRAME_MAX)
			return err_set(err, ERR_INVALID, "feed: a frame of %u bytes", len);
		if (c->in.len - at - HEAD < len)
			break;
		msg = json_parse(c->in.data + at + HEAD, len, "feed", err);
		rc = msg ? got(arg, msg, err) : -1;
		json_decref(msg);
		at += HEAD + len;
	}
	sbuf_consume(&c->in, at);
	if (c->in.len == 0)
		sbuf_free(&c->in);
	return rc;
}

int fconn_fill(struct fconn *c, int (*got)(void *arg, json_t *msg, struct err *err), void *arg,
	       struct err *err)
{
	_free_ char *buf = xcalloc(1, READ_BYTES);

	c->read_wants_write = false;
	for (size_t taken = 0; taken < FILL_BYTES;) {
		ssize_t n = stream_read(c->stream, buf, READ_BYTES, err);

		if (n < 0 && err->kind == ERR_BUSY) {
			c->read_wants_write = stream_poll_events(c->stream) & POLLOUT;
			return 0;
		}
		if (n < 0)
			return -1;
		if (n == 0)
			return err_set(err, ERR_UNAVAILABLE, "feed: the other side left");
		c->heard = clock_ms();
		taken += (size_t)n;
		sbuf_add(&c->in, buf, (size_t)n);
		if (parse(c, got, arg, err) < 0)
			return -1;
	}
	return 0;
}

bool fconn_pending(const struct fconn *c)
{
	return stream_pending(c->stream);
}

int64_t fconn_silent_ms(const struct fconn *c)
{
	struct pollfd p = { stream_fd(c->stream), POLLIN, 0 };

	return fconn_pending(c) || poll(&p, 1, 0) > 0 ? 0 : clock_ms() - c->heard;
}

short fconn_events(const struct fconn *c)
{
	return c->head || c->read_wants_write ? POLLIN | POLLOUT : POLLIN;
}
