/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "api/http/conn.h"
#include "api/http/late.h"
#include "base/log.h"
#include "base/mem.h"

#define SMALL_BODY (16 << 10)
#define READ_BYTES (256 << 10)

/* Streams files into the link, one read ahead of it. */
struct file_sender {
	struct conn *conn; /* NULL: the client left, free when the read is through */
	struct file_part parts[FILE_PARTS_MAX];
	int nparts, part; /* part: which is read now */
	int64_t offset;
	char *buf;
	uv_fs_t fs;
	bool busy;
};

static const char *connection_line(const struct conn *c, const struct req *r)
{
	if (r->reply.status == 101)
		return "Connection: Upgrade\r\n";
	if (c->closing)
		return "Connection: close\r\n";
	return r->head.http10 ? "Connection: keep-alive\r\n" : "";
}

/* length: -1 none, -2 chunked. */
static void send_head(struct conn *c, struct req *r, int64_t length)
{
	const struct reply *p = &r->reply;
	char head[600], framing[64] = "", island[ISLAND_LINE_SIZE];
	int n;

	if (length >= 0)
		snprintf(framing, sizeof(framing), "Content-Length: %lld\r\n", (long long)length);
	else if (length == -2)
		snprintf(framing, sizeof(framing), "Transfer-Encoding: chunked\r\n");
	n = snprintf(head, sizeof(head),
		     "HTTP/1.1 %d %s\r\nDate: %s\r\n" NOSNIFF "%s%.200s%s%s%s%s", p->status,
		     http_status_text(p->status), server_date(c->server),
		     p->type ? "Content-Type: " : "", p->type ? p->type : "",
		     p->type ? "\r\n" : "", framing, connection_line(c, r),
		     server_island_line(c->server, island));
	link_send(c->link, head, n);
	if (p->headers.len)
		link_send(c->link, p->headers.data, p->headers.len);
	link_send(c->link, "\r\n", 2);
}

static bool is_head(const struct req *r)
{
	return r->head.method && strcmp(r->head.method, "HEAD") == 0;
}

static void send_bytes(struct conn *c, struct req *r)
{
	struct sbuf *b = &r->reply.body;
	size_t len = b->len;

	admit_answer(c, (int64_t)len);
	send_head(c, r, (int64_t)len);
	if (len && !is_head(r)) {
		if (len <= SMALL_BODY)
			link_send(c->link, b->data, len);
		else
			link_send_own(c->link, sbuf_take(b), len);
	}
	conn_reply_done(c);
}

/* --- files ------------------------------------------------------------------------------------ */

static void release(struct file_sender *f)
{
	file_parts_close(f->parts, f->nparts);
	free(f->buf);
	free(f);
}

void file_sender_free(struct file_sender *f)
{
	if (!f)
		return;
	f->conn = NULL;
	if (!f->busy)
		release(f);
}

static void send_more(struct conn *c);

static void on_read(uv_fs_t *fs)
{
	struct file_sender *f = fs->data;
	struct conn *c = f->conn;
	ssize_t n = fs->result;

	assert(f->busy);
	uv_fs_req_cleanup(fs);
	f->busy = false;
	if (!c) {
		release(f);
		return;
	}
	if (n <= 0) {
		/* The length was promised: only a broken connection tells the client. */
		conn_close(c, "the file became shorter while it was sent");
		return;
	}
	f->offset += n;
	link_send_own(c->link, take_ptr(f->buf), n);
	send_more(c);
}

static void read_more(struct conn *c, struct file_sender *f)
{
	const struct file_part *p = &f->parts[f->part];
	int64_t left = p->size - f->offset;
	size_t n = left < READ_BYTES ? (size_t)left : READ_BYTES;
	uv_buf_t buf;

	if (!f->buf)
		f->buf = xrealloc(NULL, n);
	buf = uv_buf_init(f->buf, n);
	f->busy = true;
	f->fs.data = f;
	uv_fs_read(c->server->loop, &f->fs, p->fd, &buf, 1, f->offset, on_read);
}

static void send_more(struct conn *c)
{
	struct file_sender *f = c->file;

	if (f->busy || link_queued(c->link) > LINK_HIGH)
		return;
	while (f->part < f->nparts && f->offset == f->parts[f->part].size) {
		f->part++;
		f->offset = 0;
	}
	if (f->part < f->nparts) {
		read_more(c, f);
		return;
	}
	c->file = NULL;
	release(f);
	conn_reply_done(c);
	conn_process(c);
}

static void send_file(struct conn *c, struct req *r)
{
	struct file_sender *f;
	int64_t size = 0;

	for (int i = 0; i < r->reply.nparts; i++)
		size += r->reply.parts[i].size;
	admit_answer(c, size);
	send_head(c, r, size);
	if (is_head(r) || size == 0) {
		conn_reply_done(c);
		return;
	}
	assert(!c->file);
	f = xnew(struct file_sender);
	f->conn = c;
	f->nparts = r->reply.nparts;
	memcpy(f->parts, r->reply.parts, sizeof(f->parts));
	r->reply.nparts = 0;
	c->file = f;
	c->state = C_SEND;
	conn_expect_send(c);
	send_more(c);
}

/* --- late ------------------------------------------------------------------------------------- */

static void send_late_head(struct conn *c, struct req *r)
{
	r->reply.status = 200;
	r->reply.type = "application/json";
	/* HTTP/1.0 knows no chunks: there the end of the connection is the end of the body. */
	if (r->head.http10)
		c->closing = true;
	send_head(c, r, r->head.http10 ? -1 : -2);
	c->state = C_WAIT;
}

void conn_late_done(struct conn *c, const char *text, size_t len)
{
	char size[24];

	assert(c->state == C_WAIT);
	if (!c->req->head.http10 && len) {
		link_send(c->link, size, snprintf(size, sizeof(size), "%zx\r\n", len));
		link_send(c->link, text, len);
		link_send(c->link, "\r\n", 2);
	} else {
		link_send(c->link, text, len);
	}
	if (!c->req->head.http10)
		link_send(c->link, "0\r\n\r\n", 5);
	conn_reply_done(c);
}

/* --- all -------------------------------------------------------------------------------------- */

void conn_reply(struct conn *c)
{
	struct req *r = c->req;

	assert(c->req);
	if (!r->head.keep_alive || c->server->draining)
		c->closing = true;
	switch (r->reply.kind) {
	case REPLY_LATE:
		send_late_head(c, r);
		late_attach(r->reply.late, c);
		return;
	case REPLY_FILE:
		send_file(c, r);
		return;
	case REPLY_UPGRADE:
		send_head(c, r, -1);
		c->state = C_UPGRADE;
		conn_expect_send(c);
		return;
	case REPLY_WEBSOCKET:
		send_head(c, r, -1);
		wsconn_start(c);
		return;
	default:
		send_bytes(c, r);
	}
}

void conn_refuse(struct conn *c)
{
	/* Without its body, where the next request begins is not to be trusted. */
	if (!c->body.done)
		c->closing = true;
	log_debug("request refused", "method", c->req->head.method ? c->req->head.method : "",
		  "address", c->peer.address, "cause", c->req->err.msg);
	reply_error(c->req);
	conn_reply(c);
}

void conn_reply_done(struct conn *c)
{
	assert(c->req);
	spool_free(take_ptr(c->spool));
	req_free(take_ptr(c->req));
	memset(&c->body, 0, sizeof(c->body));
	if (c->closing || (c->eof && !c->in.len)) {
		conn_finish(c);
		return;
	}
	c->state = C_HEAD;
	if (!link_queued(c->link))
		admit_request_over(c);
	conn_expect_head(c);
}

void conn_flushed(struct conn *c)
{
	if (c->file) {
		conn_expect_send(c);
		send_more(c);
	} else if (c->state == C_HEAD && link_queued(c->link) < LINK_LOW) {
		conn_process(c);
	}
}

void reply_abandon(struct req *r)
{
	switch (r->reply.kind) {
	case REPLY_LATE:
		late_abandon(r->reply.late);
		break;
	case REPLY_UPGRADE:
		upgrade_abandon(r->server, r->reply.fn, r->reply.arg);
		break;
	case REPLY_WEBSOCKET:
		wsconn_abandon(r->reply.ws);
		break;
	default:
		break;
	}
	r->reply.kind = REPLY_NONE;
}
