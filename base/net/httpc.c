/* SPDX-License-Identifier: Apache-2.0 */
#include "base/net/httpc.h"

#include <assert.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"

#define IO_BYTES (64 << 10)
#define ERROR_BODY_MAX (1 << 20)

struct httpc {
	struct stream *stream;
	char *host;
	struct sbuf in; /* received and not yet used */
	bool reusable;
};

struct httpc *httpc_new(struct stream *own_stream, const char *host)
{
	struct httpc *c = xnew(struct httpc);

	assert(own_stream);
	c->stream = own_stream;
	c->host = xstrdup(host);
	c->in = SBUF(HTTP_HEAD_MAX + IO_BYTES);
	c->reusable = true;
	return c;
}

void httpc_free(struct httpc *c)
{
	if (!c)
		return;
	stream_free(c->stream);
	free(c->host);
	sbuf_free(&c->in);
	free(c);
}

bool httpc_reusable(const struct httpc *c)
{
	return c->reusable && c->stream;
}

void http_reply_free(struct http_reply *r)
{
	http_head_free(&r->head);
	sbuf_free(&r->body);
}

/* --- sending ---------------------------------------------------------------------------------- */

static bool has_header(const char *const *headers, const char *name)
{
	size_t n = strlen(name);

	for (; headers && *headers; headers++) {
		if (strncasecmp(*headers, name, n) == 0 && (*headers)[n] == ':')
			return true;
	}
	return false;
}

static int64_t body_size(const struct http_call *call)
{
	struct stat st;

	if (call->body)
		return (int64_t)call->body_len;
	if (call->body_fd < 0)
		return -1;
	return fstat(call->body_fd, &st) == 0 ? st.st_size : -1;
}

static int build_head(struct httpc *c, const struct http_call *call, int64_t size, struct sbuf *b,
		      struct err *err)
{
	sbuf_printf(b, "%s %s HTTP/1.1\r\nHost: %s\r\n", call->method, call->path, c->host);
	if (!has_header(call->headers, "User-Agent"))
		sbuf_puts(b, "User-Agent: dunlin/" DUNLIN_VERSION "\r\n");
	if (size >= 0 && !has_header(call->headers, "Content-Type"))
		sbuf_printf(b, "Content-Type: application/%s\r\n",
			    call->body ? "json" : "octet-stream");
	if (size >= 0 || (strcmp(call->method, "GET") != 0 && strcmp(call->method, "HEAD") != 0))
		sbuf_printf(b, "Content-Length: %lld\r\n", (long long)(size < 0 ? 0 : size));
	for (const char *const *h = call->headers; h && *h; h++)
		sbuf_printf(b, "%s\r\n", *h);
	sbuf_puts(b, "\r\n");
	return b->overflow ? err_set(err, ERR_INVALID, "the request's headers are too large") : 0;
}

/* Whether the answer has begun to arrive. Reads what there is, for TLS may have records without
 * data. */
static bool answered(struct httpc *c)
{
	struct err ignored;
	char buf[4096];
	ssize_t n;

	if (c->in.len)
		return true;
	stream_set_nonblock(c->stream, true);
	n = stream_read(c->stream, buf, sizeof(buf), &ignored);
	stream_set_nonblock(c->stream, false);
	if (n > 0)
		sbuf_add(&c->in, buf, n);
	return n > 0;
}

static int read_chunk(const struct http_call *call, char *buf, int64_t at, int64_t size,
		      const char **ret, struct err *err)
{
	int64_t n = size - at < IO_BYTES ? size - at : IO_BYTES;
	ssize_t got;

	*ret = call->body + at;
	if (call->body)
		return (int)n;
	*ret = buf;
	got = pread(call->body_fd, buf, n, at);
	if (got < 0)
		return err_sys(err, "read the file to send");
	return got ? (int)got : err_set(err, ERR_INTERNAL, "the file to send became shorter");
}

static int send_body(struct httpc *c, const struct http_call *call, int64_t size, struct err *err)
{
	_free_ char *buf = call->body ? NULL : xcalloc(IO_BYTES, 1);
	const char *p;

	for (int64_t at = 0; at < size;) {
		int n = read_chunk(call, buf, at, size, &p, err);

		if (n < 0 || (at && answered(c))) {
			c->reusable = false;
			return n < 0 ? -1 : 0;
		}
		if (stream_write(c->stream, p, n, err) < 0) {
			/* The answer that explains the refusal may have arrived before. */
			c->reusable = false;
			return answered(c) ? 0 : -1;
		}
		at += n;
		if (call->progress)
			call->progress(call->progress_arg, at, size);
	}
	return 0;
}

static int send_request(struct httpc *c, const struct http_call *call, struct err *err)
{
	_sbuf_ struct sbuf head = SBUF(HTTP_HEAD_MAX + IO_BYTES);
	int64_t size = body_size(call);

	if (!c->stream)
		return err_set(err, ERR_UNAVAILABLE, "the connection was given away");
	stream_set_deadline(c->stream, call->deadline);
	if (build_head(c, call, size, &head, err) < 0)
		return -1;
	/* A small body travels with its head. */
	if (call->body && size <= IO_BYTES) {
		sbuf_add(&head, call->body, size);
		size = 0;
	}
	if (stream_write(c->stream, head.data, head.len, err) < 0)
		return answered(c) ? 0 : -1;
	return send_body(c, call, size, err);
}

/* --- receiving -------------------------------------------------------------------------------- */

static ssize_t fill(struct httpc *c, struct err *err)
{
	_free_ char *buf = xcalloc(IO_BYTES, 1);
	ssize_t n = stream_read(c->stream, buf, IO_BYTES, err);

	if (n > 0)
		sbuf_add(&c->in, buf, n);
	return n;
}

static int receive_head(struct httpc *c, bool head_request, struct http_head *h, struct err *err)
{
	for (;;) {
		int n = http_parse_response(h, c->in.data ? c->in.data : "", c->in.len,
					    head_request, err);
		ssize_t got;

		if (n < 0)
			return -1;
		if (n > 0) {
			sbuf_consume(&c->in, n);
			if (h->status >= 200 || h->status == 101)
				return 0;
			http_head_free(h);
			continue;
		}
		got = fill(c, err);
		if (got < 0)
			return -1;
		if (got == 0)
			return err_set(err, ERR_UNAVAILABLE,
				       "the server closed the connection without an answer");
	}
}

struct sink {
	struct sbuf *memory; /* or */
	int fd;
	const struct http_call *call; /* for progress; may be NULL */
};

static int sink_put(const struct sink *s, const struct http_body *b, const char *data, size_t len,
		    int64_t total, struct err *err)
{
	if (s->memory) {
		sbuf_add(s->memory, data, len);
		if (s->memory->overflow)
			return err_set(err, ERR_TOO_LARGE, "the answer is larger than %zu bytes",
				       s->memory->cap);
	} else if (len && io_write_full(s->fd, data, len) < 0) {
		return err_sys(err, "write what was received");
	}
	if (len && s->call && s->call->progress)
		s->call->progress(s->call->progress_arg, b->total, total);
	return 0;
}

/* Uses what has been received. */
static int drain_in(struct httpc *c, struct http_body *b, const struct sink *s, int64_t total,
		    struct err *err)
{
	size_t at = 0;

	while (!b->done && at < c->in.len) {
		const char *out;
		size_t out_len;
		int64_t n = http_body_feed(b, c->in.data + at, c->in.len - at, &out, &out_len, err);

		if (n < 0 || sink_put(s, b, out, out_len, total, err) < 0)
			return -1;
		at += n;
	}
	if (at)
		sbuf_consume(&c->in, at);
	return 0;
}

static int receive_body(struct httpc *c, const struct http_head *h, const struct sink *s,
			struct err *err)
{
	int64_t total = h->chunked ? -1 : h->length;
	struct http_body b;

	http_body_init(&b, h);
	for (;;) {
		ssize_t n;

		if (drain_in(c, &b, s, total, err) < 0)
			return -1;
		if (b.done)
			return 0;
		n = fill(c, err);
		if (n < 0)
			return -1;
		if (n == 0 && b.left < 0)
			return 0;
		if (n == 0)
			return err_set(err, ERR_UNAVAILABLE, "the answer ended early");
	}
}

static int exchange(struct httpc *c, const struct http_call *call, const struct sink *s, size_t max,
		    struct http_reply *ret, struct err *err)
{
	struct sink into_reply = { .memory = &ret->body };
	bool keep;

	memset(ret, 0, sizeof(*ret));
	ret->body = SBUF(max);
	keep = c->reusable;
	c->reusable = false;
	if (!keep)
		return err_set(err, ERR_UNAVAILABLE, "the connection cannot be used again");
	c->reusable = true;
	if (send_request(c, call, err) < 0 ||
	    receive_head(c, strcmp(call->method, "HEAD") == 0, &ret->head, err) < 0 ||
	    receive_body(c, &ret->head, s && ret->head.status < 400 ? s : &into_reply, err) < 0) {
		c->reusable = false;
		http_reply_free(ret);
		return -1;
	}
	if (!ret->head.keep_alive || c->in.len)
		c->reusable = false;
	sbuf_free(&c->in);
	return 0;
}

int httpc_do(struct httpc *c, const struct http_call *call, size_t max, struct http_reply *ret,
	     struct err *err)
{
	return exchange(c, call, NULL, max, ret, err);
}

int httpc_download(struct httpc *c, const struct http_call *call, int out_fd,
		   struct http_reply *ret, struct err *err)
{
	struct sink s = { .fd = out_fd, .call = call };

	return exchange(c, call, &s, ERROR_BODY_MAX, ret, err);
}

/* --- upgrade ---------------------------------------------------------------------------------- */

/* The answer was not 101: its message becomes the error. */
static int refused(struct httpc *c, struct http_head *h, struct err *err)
{
	struct http_reply r = { .head = *h, .body = SBUF(ERROR_BODY_MAX) };
	struct sink s = { .memory = &r.body };
	json_t *m;

	memset(h, 0, sizeof(*h));
	c->reusable = false;
	if (receive_body(c, &r.head, &s, err) == 0) {
		m = http_reply_metadata(&r, err);
		if (m)
			err_set(err, ERR_UNAVAILABLE, "the server did not switch protocols");
		json_decref(m);
	}
	http_reply_free(&r);
	return -1;
}

static int upgrade_exchange(struct httpc *c, const struct http_call *call, const char *protocol,
			    struct http_head *h, struct err *err)
{
	if (send_request(c, call, err) < 0 || receive_head(c, false, h, err) < 0)
		return -1;
	if (h->status != 101)
		return refused(c, h, err);
	if (!h->upgrade || strcasecmp(h->upgrade, protocol) != 0)
		return err_set(err, ERR_UNAVAILABLE, "the server switched to another protocol");
	return 0;
}

#define UPGRADE_HEADERS_MAX 16

struct stream *httpc_upgrade_head(struct httpc *c, const char *path, const char *protocol,
				  const char *const *headers, int64_t deadline,
				  struct http_head *ret_head, struct err *err)
{
	_free_ char *upgrade = xasprintf("Upgrade: %s", protocol);
	const char *all[UPGRADE_HEADERS_MAX + 3] = { "Connection: Upgrade", upgrade };
	struct http_call call = HTTP_CALL("GET", path);
	struct stream *s;

	for (int i = 0; headers && headers[i] && i < UPGRADE_HEADERS_MAX; i++)
		all[i + 2] = headers[i];
	call.headers = all;
	call.deadline = deadline;
	memset(ret_head, 0, sizeof(*ret_head));
	if (upgrade_exchange(c, &call, protocol, ret_head, err) < 0) {
		c->reusable = false;
		http_head_free(ret_head);
		return NULL;
	}
	assert(c->stream);
	s = take_ptr(c->stream);
	stream_set_deadline(s, 0);
	stream_unread(s, c->in.data, c->in.len);
	sbuf_free(&c->in);
	return s;
}

struct stream *httpc_upgrade(struct httpc *c, const char *path, const char *protocol,
			     const char *const *headers, int64_t deadline, struct err *err)
{
	struct http_head h;
	struct stream *s = httpc_upgrade_head(c, path, protocol, headers, deadline, &h, err);

	http_head_free(&h);
	return s;
}

/* --- envelopes -------------------------------------------------------------------------------- */

static enum err_kind kind_of(const struct http_reply *r, const json_t *envelope)
{
	const char *name = http_header(&r->head, HTTPC_KIND_HEADER);

	if (name)
		return err_from_name(name);
	return err_from_http((int)json_int(envelope, "error_code", r->head.status));
}

json_t *http_reply_metadata(const struct http_reply *r, struct err *err)
{
	struct err parse_err;
	_json_ json_t *j =
		json_parse(r->body.data ? r->body.data : "", r->body.len, "the answer", &parse_err);
	json_t *metadata;

	if (!json_is_object(j)) {
		err_set(err, r->head.status >= 400 ? err_from_http(r->head.status) : ERR_INTERNAL,
			"the server answered HTTP %d without a readable message", r->head.status);
		return NULL;
	}
	if (r->head.status >= 400 || str_eq(json_str(j, "type", ""), "error")) {
		const char *text = json_str(j, "error", "");

		err_set(err, kind_of(r, j), "%s", *text ? text : http_status_text(r->head.status));
		return NULL;
	}
	metadata = json_object_get(j, "metadata");
	return metadata ? json_incref(metadata) : json_null();
}
