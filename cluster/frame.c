/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/frame.h"

#include <arpa/inet.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/schema.h"

#define HEAD 4
#define READ_BYTES (64 << 10)

struct frame {
	int refs;
	size_t len;
	char data[];
};

struct frame *frame_new(const struct sbuf *text)
{
	uint32_t len = htonl((uint32_t)text->len);
	struct frame *f;

	if (text->overflow || text->len > FRAME_MAX)
		return NULL;
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
	if (f && __atomic_sub_fetch(&f->refs, 1, __ATOMIC_ACQ_REL) == 0)
		free(f);
}

/* --- lists ------------------------------------------------------------------------------------ */

void rows_begin(struct sbuf *b)
{
	sbuf_reset(b);
	sbuf_puts(b, "{\"t\":\"rows\",\"rows\":[");
}

static void add_comma(struct sbuf *b)
{
	if (b->data[b->len - 1] == ']')
		sbuf_putc(b, ',');
}

static void add_text(struct sbuf *b, const char *text)
{
	sbuf_putc(b, ',');
	if (text)
		sbuf_json_string(b, text);
	else
		sbuf_puts(b, "null");
	sbuf_putc(b, ']');
}

void rows_add(struct sbuf *b, const struct change *c)
{
	add_comma(b);
	sbuf_printf(b, "[\"%s\",", entity_table(c->e));
	sbuf_json_string(b, c->key);
	sbuf_printf(b, ",%lld", (long long)c->rev);
	add_text(b, c->text);
}

static const char *bool_text(bool v)
{
	return v ? "true" : "false";
}

struct frame *rows_end(struct sbuf *b, const struct rows_head *h)
{
	sbuf_printf(b, "],\"full\":%s,\"first\":%s,\"more\":%s,\"rev\":%lld,\"floor\":%lld}",
		    bool_text(h->full), bool_text(h->first), bool_text(h->more), (long long)h->rev,
		    (long long)h->floor);
	return frame_new(b);
}

void facts_begin(struct sbuf *b)
{
	sbuf_reset(b);
	sbuf_puts(b, "{\"t\":\"facts\",\"facts\":[");
}

void facts_add(struct sbuf *b, enum fact f, const char *key, const char *member, const char *text)
{
	add_comma(b);
	sbuf_printf(b, "[\"%s\",", fact_kind_name(f));
	sbuf_json_string(b, key);
	if (member) {
		sbuf_putc(b, ',');
		sbuf_json_string(b, member);
	}
	add_text(b, text);
}

struct frame *facts_end(struct sbuf *b, bool full)
{
	sbuf_printf(b, "],\"full\":%s}", bool_text(full));
	return frame_new(b);
}

static const char *item_str(const json_t *item, size_t i)
{
	return json_string_value(json_array_get(item, i));
}

static bool text_or_null(const json_t *item, size_t i)
{
	const json_t *v = json_array_get(item, i);

	return json_is_string(v) || json_is_null(v);
}

bool rows_item(const json_t *item, struct change *ret)
{
	const json_t *rev = json_array_get(item, 2);

	if (!item_str(item, 0) || !item_str(item, 1) || !json_is_integer(rev) ||
	    !text_or_null(item, 3))
		return false;
	*ret = (struct change){ entity_by_table(item_str(item, 0)), item_str(item, 1),
				json_integer_value(rev), item_str(item, 3) };
	return true;
}

char *fact_id(enum fact f, const char *key, const char *member)
{
	return xasprintf("%d/%s/%s", (int)f, member, key);
}

bool facts_item(const json_t *item, bool with_member, struct fact_item *ret)
{
	size_t last = with_member ? 3 : 2;

	if (!item_str(item, 0) || !item_str(item, 1) || (with_member && !item_str(item, 2)) ||
	    !text_or_null(item, last))
		return false;
	*ret = (struct fact_item){ fact_by_name(item_str(item, 0)), item_str(item, 1),
				   with_member ? item_str(item, 2) : NULL, item_str(item, last) };
	return true;
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
	struct out *o;

	if (!own_frame)
		return;
	o = xnew(struct out);
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
	for (;;) {
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
		sbuf_add(&c->in, buf, (size_t)n);
		if (parse(c, got, arg, err) < 0)
			return -1;
	}
}

short fconn_events(const struct fconn *c)
{
	return c->head || c->read_wants_write ? POLLIN | POLLOUT : POLLIN;
}
