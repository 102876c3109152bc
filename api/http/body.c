/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <uv.h>

#include "api/http/conn.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"

#define WRITE_BYTES (256 << 10)
/* A body that nobody asked for is read and dropped when it is small. */
#define UNASKED_MAX (64 << 10)
/* What an upload must leave free on the daemon's file system. */
#define DISK_RESERVE (64 << 20)

/* Writes a body to an unlinked file: one write in flight, one buffer filling up. */
struct spool {
	struct conn *conn; /* NULL: the client left, free when the write is through */
	int fd;
	int64_t offset;
	struct sbuf filling, flying;
	uv_fs_t fs;
	bool busy;
};

static int64_t limit_of(const struct route *route)
{
	return route->body == BODY_NONE ? UNASKED_MAX : route->body_max;
}

static int too_large(struct req *r, int64_t limit)
{
	return err_set(&r->err, ERR_TOO_LARGE,
		       "the body of %s %s may have %lld bytes at most", r->head.method,
		       r->route->path, (long long)limit);
}

static int no_room(struct req *r, int64_t bytes)
{
	return err_set(&r->err, ERR_NO_SPACE, "%s has no room for a body of %lld bytes",
		       r->server->dir, (long long)bytes);
}

static bool is_type(const char *given, const char *type)
{
	size_t n = strlen(type);

	return strncasecmp(given, type, n) == 0 && (!given[n] || strchr(" ;\t", given[n]));
}

/* A page of any site can make a browser send text and forms, without asking first. On the unix
 * socket there are no browsers, but users of curl, which calls all data a form. What was passed on
 * was looked at by the member that the client called. */
static int check_type(struct req *r)
{
	const char *type = http_header(&r->head, "Content-Type");
	bool local = r->conn->is_unix || r->forwarded;

	if (r->route->body != BODY_MEM || str_empty(type) ||
	    (!r->head.chunked && r->head.length <= 0))
		return 0;
	if (is_type(type, "application/json") ||
	    (local && is_type(type, "application/x-www-form-urlencoded")))
		return 0;
	return err_set(&r->err, ERR_MEDIA_TYPE,
		       "%s %s takes a body of type application/json, not %.80s", r->head.method,
		       r->route->path, type);
}

int body_check(struct req *r)
{
	int64_t limit = limit_of(r->route);
	uint64_t room;

	if (check_type(r) < 0)
		return -1;
	if (r->head.length > limit)
		return too_large(r, limit);
	if (r->route->body != BODY_FILE || r->head.length <= 0)
		return 0;
	room = io_free_bytes(r->server->dir);
	if (room != UINT64_MAX && (uint64_t)r->head.length + DISK_RESERVE > room)
		return no_room(r, r->head.length);
	return 0;
}

int body_begin(struct conn *c)
{
	struct req *r = c->req;
	int fd;

	conn_expect_body(c);
	if (r->route->body != BODY_FILE) {
		r->body = SBUF((size_t)limit_of(r->route));
		return 0;
	}
	fd = io_temp_fd(r->server->dir, &r->err);
	if (fd < 0)
		return -1;
	assert(!c->spool);
	c->spool = xnew(struct spool);
	c->spool->conn = c;
	c->spool->fd = fd;
	c->spool->filling = SBUF(WRITE_BYTES + SCRATCH_BYTES + HTTP_HEAD_MAX);
	return 0;
}

static void release(struct spool *s)
{
	if (s->fd >= 0)
		close(s->fd);
	sbuf_free(&s->filling);
	sbuf_free(&s->flying);
	free(s);
}

void spool_free(struct spool *s)
{
	if (!s)
		return;
	s->conn = NULL;
	if (!s->busy)
		release(s);
}

static void start_write(struct spool *s);

/* All bytes are in the file: the request takes it over. */
static void hand_over(struct conn *c)
{
	struct spool *s = c->spool;

	assert(!s->busy);
	c->req->body_fd = take_fd(&s->fd);
	c->req->body_size = s->offset;
	c->spool = NULL;
	release(s);
}

static void refuse(struct conn *c)
{
	conn_refuse(c);
	conn_process(c);
}

/* One of known length was checked before. */
static bool is_tight(const struct req *r)
{
	return r->head.chunked && io_free_bytes(r->server->dir) < DISK_RESERVE;
}

static void on_written(uv_fs_t *fs)
{
	struct spool *s = fs->data;
	struct conn *c = s->conn;
	ssize_t n = fs->result;

	uv_fs_req_cleanup(fs);
	s->busy = false;
	if (!c) {
		release(s);
		return;
	}
	if (n < 0) {
		errno = (int)-n;
		err_sys(&c->req->err, "store the body in %s", c->server->dir);
		refuse(c);
		return;
	}
	s->offset += n;
	sbuf_consume(&s->flying, n);
	if (!s->flying.len && s->filling.len >= WRITE_BYTES && is_tight(c->req)) {
		no_room(c->req, s->offset);
		refuse(c);
		return;
	}
	if (s->flying.len || s->filling.len >= WRITE_BYTES || (c->body.done && s->filling.len))
		start_write(s);
	else if (c->body.done) {
		hand_over(c);
		dispatch_run(c);
	}
	conn_process(c);
}

static void start_write(struct spool *s)
{
	uv_buf_t buf;

	assert(!s->busy);
	if (!s->flying.len) {
		struct sbuf empty = s->flying;

		s->flying = s->filling;
		s->filling = empty;
		s->filling.cap = s->flying.cap;
	}
	buf = uv_buf_init(s->flying.data, s->flying.len);
	s->busy = true;
	s->fs.data = s;
	uv_fs_write(s->conn->server->loop, &s->fs, s->fd, &buf, 1, s->offset, on_written);
}

bool body_is_full(const struct conn *c)
{
	return c->spool && c->spool->busy && c->spool->filling.len >= WRITE_BYTES;
}

static int add_to_memory(struct req *r, const char *data, size_t len)
{
	if (quota_take(r->server->quota, r->caller.kind, quota_net(r->caller.address), QUOTA_BODY,
		       len) != QUOTA_OK)
		return err_set(&r->err, ERR_LIMIT, "too many large requests at a time");
	r->body_counted += len;
	sbuf_add(&r->body, data, len);
	return 0;
}

int body_put(struct conn *c, const char *data, size_t len)
{
	struct req *r = c->req;
	struct spool *s = c->spool;
	int64_t limit = limit_of(r->route);

	if (c->body.total > limit)
		return too_large(r, limit);
	if (!s && r->route->body == BODY_NONE)
		return 0;
	if (!s)
		return add_to_memory(r, data, len);
	if (!s->busy && s->filling.len + len >= WRITE_BYTES && is_tight(r))
		return no_room(r, s->offset);
	sbuf_add(&s->filling, data, len);
	if (!s->busy && s->filling.len >= WRITE_BYTES)
		start_write(s);
	return 0;
}

bool body_end(struct conn *c)
{
	struct spool *s = c->spool;

	c->deadline = 0;
	if (!s)
		return true;
	if (!s->busy && s->filling.len)
		start_write(s);
	if (s->busy)
		return false;
	hand_over(c);
	return true;
}
