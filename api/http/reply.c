/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "api/http/conn.h"
#include "api/http/envelope.h"
#include "base/mem.h"
#include "base/net/httpc.h"
#include "base/str.h"

#define REPLY_MAX ((size_t)512 << 20)
#define HEADERS_MAX (16 << 10)
#define TYPE_JSON "application/json"

/* The reply starts anew; headers that were set before it stay. */
static struct reply *begin(struct req *r, int status, const char *type)
{
	struct reply *p = &r->reply;

	file_parts_close(p->parts, p->nparts);
	p->nparts = 0;
	sbuf_free(&p->body);
	p->body = SBUF(REPLY_MAX);
	p->kind = REPLY_BYTES;
	p->status = status;
	p->type = type;
	return p;
}

static int end(struct req *r)
{
	sbuf_putc(&r->reply.body, '\n');
	if (r->reply.body.overflow)
		return err_set(&r->err, ERR_TOO_LARGE, "the reply is too large");
	return 0;
}

void reply_header(struct req *r, const char *name, const char *value)
{
	struct sbuf *b = &r->reply.headers;
	size_t at;

	if (!b->cap)
		*b = SBUF(HEADERS_MAX);
	sbuf_puts(b, name);
	sbuf_puts(b, ": ");
	at = b->len;
	sbuf_puts(b, value);
	/* A value must not be able to end its line. */
	for (; at < b->len; at++) {
		if ((unsigned char)b->data[at] < 0x20 || b->data[at] == 0x7f)
			b->data[at] = '_';
	}
	sbuf_puts(b, "\r\n");
}

void reply_etag(struct req *r, const char *etag)
{
	_free_ char *quoted = xasprintf("\"%s\"", etag);

	reply_header(r, "ETag", quoted);
}

int reply_sync_text(struct req *r, const char *text, size_t len)
{
	struct reply *p = begin(r, 200, TYPE_JSON);

	sbuf_puts(&p->body, ENVELOPE_SYNC);
	sbuf_add(&p->body, text, len);
	sbuf_putc(&p->body, '}');
	return end(r);
}

int reply_sync(struct req *r, json_t *own_metadata)
{
	_json_ json_t *metadata = own_metadata;
	struct reply *p;

	if (!metadata)
		return reply_sync_text(r, "{}", 2);
	p = begin(r, 200, TYPE_JSON);
	sbuf_puts(&p->body, ENVELOPE_SYNC);
	json_append(&p->body, metadata);
	sbuf_putc(&p->body, '}');
	return end(r);
}

int reply_created(struct req *r, const char *location)
{
	reply_header(r, "Location", location);
	reply_sync_text(r, "null", 4);
	r->reply.status = 201;
	return 0;
}

int reply_bytes(struct req *r, int status, const char *type, const void *data, size_t len)
{
	struct reply *p = begin(r, status, NULL);

	free(r->own_type);
	r->own_type = xstrdup(type);
	p->type = r->own_type;
	sbuf_add(&p->body, data, len);
	return p->body.overflow ? err_set(&r->err, ERR_TOO_LARGE, "the reply is too large") : 0;
}

int reply_file(struct req *r, int own_fd, int64_t size, const char *type)
{
	assert(own_fd >= 0);
	return reply_files(r, &(struct file_part){ own_fd, size }, 1, type);
}

int reply_files(struct req *r, const struct file_part *own_parts, int n, const char *type)
{
	struct reply *p = begin(r, 200, NULL);

	free(r->own_type);
	r->own_type = xstrdup(type);
	p->type = r->own_type;
	p->kind = REPLY_FILE;
	assert(n <= FILE_PARTS_MAX);
	memcpy(p->parts, own_parts, n * sizeof(*own_parts));
	p->nparts = n;
	return 0;
}

void reply_error(struct req *r)
{
	enum err_kind kind = r->err.kind ? r->err.kind : ERR_INTERNAL;
	const char *text = r->err.msg[0] ? r->err.msg : err_sentence(kind);
	struct reply *p;

	sbuf_reset(&r->reply.headers);
	reply_header(r, HTTPC_KIND_HEADER, err_name(kind));
	if (kind == ERR_METHOD || kind == ERR_LIMIT || kind == ERR_UNAVAILABLE)
		reply_header(r, kind == ERR_METHOD ? "Allow" : "Retry-After",
			     kind == ERR_METHOD ? "GET, HEAD, POST, PUT, PATCH, DELETE" : "1");
	p = begin(r, err_http(kind), TYPE_JSON);
	sbuf_printf(&p->body, ENVELOPE_ERROR, p->status);
	sbuf_json_string(&p->body, text);
	sbuf_puts(&p->body, ",\"metadata\":null}\n");
}

const char *etag_of(const json_t *j, char hex[SHA256_HEX_SIZE])
{
	_free_ char *text = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);

	return sha256_hex(text ? text : "", text ? strlen(text) : 0, hex);
}

int reply_upgrade(struct req *r, const char *protocol, void (*fn)(void *arg, struct stream *own),
		  void *arg)
{
	struct reply *p;

	if (!(r->route->flags & F_UPGRADE) || !r->head.upgrade ||
	    strcasecmp(r->head.upgrade, protocol) != 0)
		return err_set(&r->err, ERR_INVALID,
			       "%s needs the headers \"Connection: Upgrade\" and \"Upgrade: %s\"",
			       req_path(r), protocol);
	p = begin(r, 101, NULL);
	p->kind = REPLY_UPGRADE;
	p->fn = fn;
	p->arg = arg;
	reply_header(r, "Upgrade", protocol);
	return 0;
}
