/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/db/dqclient.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/mem.h"
#include "base/str.h"

#define KEEP_BYTES (1 << 20) /* larger answer buffers are given back */

struct dqclient {
	int fd;
	bool broken;
	struct sbuf out, in;
};

static int unknown(struct dqclient *c, struct err *err, const char *why)
{
	c->broken = true;
	return err_set(err, ERR_UNKNOWN, "database: %s", why);
}

/* The failure codes that prove that a request changed nothing, and why; a code below 256 stands
 * for its extended codes, too. Every other one leaves open what becomes of it: once the pages are
 * handed to Raft, a failure here says nothing about the other nodes, which may hold the entry and
 * commit it under the next leader. Such are IOERR (10) for any failed apply, IOERR_WRITE (778) for
 * a full disk, IOERR_LEADERSHIP_LOST (10506, of older servers 8458), ABORT (4) of a node that
 * stops, the numbers at which Raft's codes meet SQLite's (7, 8, 13, 18), and what other releases
 * may add. */
static const struct {
	uint64_t code;
	enum err_kind kind;
} codes[] = {
	{ 10250, ERR_UNAVAILABLE }, /* IOERR_NOT_LEADER: asked before anything is executed */
	{ 8202, ERR_UNAVAILABLE },  /* the same, older servers */
	{ 5, ERR_BUSY },            /* BUSY: the lock was not had, nothing was written */
	{ 19, ERR_CONFLICT },       /* CONSTRAINT: the statement was undone before Raft had it */
	{ 1, ERR_INTERNAL },        /* ERROR: so was this one, or it was not even begun */
	{ 20, ERR_INTERNAL },       /* MISMATCH: likewise */
	{ 21, ERR_INTERNAL },       /* MISUSE: not begun */
	{ 25, ERR_INTERNAL },       /* RANGE: a parameter that the statement does not have */
	{ 100, ERR_INTERNAL },      /* ROW where none is taken: not begun */
	{ 1001, ERR_INTERNAL },     /* PROTO: the request was not understood */
	{ 1005, ERR_INTERNAL },     /* PARSE: likewise */
};

enum err_kind dq_error_kind(uint64_t code)
{
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		if (codes[i].code == code ||
		    (codes[i].code < 256 && codes[i].code == (code & 0xff)))
			return codes[i].kind;
	}
	return ERR_UNKNOWN;
}

static int send_all(struct dqclient *c, struct err *err)
{
	size_t done = 0;

	if (c->out.overflow)
		return err_set(err, ERR_TOO_LARGE, "database: the request is larger than %u MiB",
			       WIRE_BODY_MAX >> 20);
	while (done < c->out.len) {
		ssize_t n = send(c->fd, c->out.data + done, c->out.len - done, MSG_NOSIGNAL);

		if (n > 0)
			done += (size_t)n;
		else if (errno != EINTR)
			return unknown(c, err, "the local node does not take requests");
	}
	return 0;
}

static int recv_all(struct dqclient *c, void *to, size_t len, struct err *err)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = recv(c->fd, (char *)to + done, len - done, 0);

		if (n > 0)
			done += (size_t)n;
		else if (n == 0)
			return unknown(c, err, "the local node closed the connection");
		else if (errno == EAGAIN)
			return unknown(c, err, "no answer in time");
		else if (errno != EINTR)
			return unknown(c, err, strerror(errno));
	}
	return 0;
}

/* Reads one answer into c->in. */
static int recv_answer(struct dqclient *c, uint8_t *ret_type, struct err *err)
{
	unsigned char head[WIRE_HEAD];
	size_t len;

	if (recv_all(c, head, sizeof(head), err) < 0)
		return -1;
	if (!wire_head(head, ret_type, &len))
		return unknown(c, err, "malformed answer");
	if (len + 1 > c->in.room) {
		c->in.room = len + 1;
		c->in.data = xrealloc(c->in.data, c->in.room);
	}
	c->in.len = len;
	return recv_all(c, c->in.data, len, err);
}

static struct wire_cursor answer(const struct dqclient *c)
{
	return (struct wire_cursor){ (const unsigned char *)c->in.data, c->in.len };
}

static int failure(struct dqclient *c, struct err *err)
{
	const char *text;
	uint64_t code;

	if (!wire_failure(answer(c), &code, &text))
		return unknown(c, err, "malformed answer");
	if (dq_error_kind(code) == ERR_UNKNOWN)
		c->broken = true;
	return err_set(err, dq_error_kind(code), "database: %s (%llu)", text,
		       (unsigned long long)code);
}

static int expect(struct dqclient *c, enum wire_response want, struct err *err)
{
	uint8_t type;

	if (recv_answer(c, &type, err) < 0)
		return -1;
	if (type == WIRE_RES_FAILURE)
		return failure(c, err);
	return type == want ? 0 : unknown(c, err, "unexpected answer");
}

static int call(struct dqclient *c, enum wire_response want, struct err *err)
{
	wire_end(&c->out);
	if (c->in.room > KEEP_BYTES)
		sbuf_free(&c->in);
	if (send_all(c, err) < 0)
		return -1;
	return expect(c, want, err);
}

struct dqclient *dq_connect(const char *socket_name, int timeout_ms, struct err *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t len = strlen(socket_name);
	struct dqclient *c;
	_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert(*socket_name);
	if (fd < 0 || len >= sizeof(sa.sun_path)) {
		err_sys(err, "connect to the local database node");
		return NULL;
	}
	memcpy(sa.sun_path, socket_name, len);
	sa.sun_path[0] = '\0';
	if (connect(fd, (struct sockaddr *)&sa,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0) {
		err_sys(err, "connect to the local database node");
		err->kind = ERR_UNAVAILABLE;
		return NULL;
	}
	c = xnew(struct dqclient);
	c->fd = take_fd(&fd);
	c->out = SBUF(WIRE_BODY_MAX);
	c->in = SBUF(WIRE_BODY_MAX);
	dq_timeout(c, timeout_ms);
	wire_u64(&c->out, WIRE_PROTOCOL);
	if (send_all(c, err) < 0) {
		err->kind = ERR_UNAVAILABLE;
		dq_free(c);
		return NULL;
	}
	return c;
}

void dq_free(struct dqclient *c)
{
	if (!c)
		return;
	close(c->fd);
	sbuf_free(&c->out);
	sbuf_free(&c->in);
	free(c);
}

bool dq_broken(const struct dqclient *c)
{
	return c->broken;
}

void dq_timeout(struct dqclient *c, int timeout_ms)
{
	struct timeval tv = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };

	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

int dq_open(struct dqclient *c, const char *name, struct err *err)
{
	wire_begin(&c->out, WIRE_REQ_OPEN);
	wire_text(&c->out, name);
	wire_u64(&c->out, 0);
	wire_text(&c->out, "");
	return call(c, WIRE_RES_DB, err);
}

int dq_script(struct dqclient *c, const char *sql, struct err *err)
{
	wire_begin(&c->out, WIRE_REQ_EXEC_SQL);
	wire_u64(&c->out, 0);
	wire_text(&c->out, sql);
	return call(c, WIRE_RES_RESULT, err);
}

int dq_prepare(struct dqclient *c, const char *sql, uint32_t *ret_stmt, struct err *err)
{
	uint64_t params;

	wire_begin(&c->out, WIRE_REQ_PREPARE);
	wire_u64(&c->out, 0);
	wire_text(&c->out, sql);
	if (call(c, WIRE_RES_STMT, err) < 0)
		return -1;
	return wire_stmt(answer(c), ret_stmt, &params) ? 0 : unknown(c, err, "malformed answer");
}

int dq_exec(struct dqclient *c, uint32_t stmt, const struct wire_value *params, size_t n,
	    struct err *err)
{
	wire_begin(&c->out, WIRE_REQ_EXEC);
	wire_u32(&c->out, 0);
	wire_u32(&c->out, stmt);
	wire_params(&c->out, params, n);
	return call(c, WIRE_RES_RESULT, err);
}

/* The first part of the rows is in c->in. */
static int take_rows(struct dqclient *c, dq_row_fn row, void *arg, struct err *err)
{
	struct wire_value v[WIRE_COLUMNS_MAX];
	struct wire_cursor cur = answer(c);
	enum wire_row r;
	size_t columns;

	for (;;) {
		if (!wire_rows(&cur, &columns))
			return unknown(c, err, "malformed rows");
		while ((r = wire_row(&cur, columns, v)) == WIRE_ROW)
			row(arg, v, columns);
		if (r == WIRE_ROWS_DONE)
			return 0;
		if (r == WIRE_ROWS_BAD)
			return unknown(c, err, "malformed rows");
		if (expect(c, WIRE_RES_ROWS, err) < 0)
			return -1;
		cur = answer(c);
	}
}

int dq_query(struct dqclient *c, uint32_t stmt, const struct wire_value *params, size_t n,
	     dq_row_fn row, void *arg, struct err *err)
{
	wire_begin(&c->out, WIRE_REQ_QUERY);
	wire_u32(&c->out, 0);
	wire_u32(&c->out, stmt);
	wire_params(&c->out, params, n);
	return call(c, WIRE_RES_ROWS, err) < 0 ? -1 : take_rows(c, row, arg, err);
}

int dq_query_sql(struct dqclient *c, const char *sql, const struct wire_value *params, size_t n,
		 dq_row_fn row, void *arg, struct err *err)
{
	wire_begin(&c->out, WIRE_REQ_QUERY_SQL);
	wire_u64(&c->out, 0);
	wire_text(&c->out, sql);
	wire_params(&c->out, params, n);
	return call(c, WIRE_RES_ROWS, err) < 0 ? -1 : take_rows(c, row, arg, err);
}

int dq_leader(struct dqclient *c, struct dq_node *ret, struct err *err)
{
	const char *address;

	wire_begin(&c->out, WIRE_REQ_LEADER);
	wire_u64(&c->out, 0);
	if (call(c, WIRE_RES_SERVER, err) < 0)
		return -1;
	*ret = (struct dq_node){ .role = DQ_VOTER };
	if (!wire_server(answer(c), &ret->id, &address) ||
	    !str_copy(ret->address, sizeof(ret->address), address))
		return unknown(c, err, "malformed answer");
	return 0;
}

int dq_nodes(struct dqclient *c, struct dq_node v[DQ_NODES_MAX], size_t *ret_n, struct err *err)
{
	struct wire_node nodes[DQ_NODES_MAX];

	wire_begin(&c->out, WIRE_REQ_CLUSTER);
	wire_u64(&c->out, 1);
	if (call(c, WIRE_RES_SERVERS, err) < 0)
		return -1;
	if (!wire_servers(answer(c), nodes, DQ_NODES_MAX, ret_n))
		return unknown(c, err, "malformed list of nodes");
	for (size_t i = 0; i < *ret_n; i++) {
		if (nodes[i].role > DQ_SPARE ||
		    !str_copy(v[i].address, sizeof(v[i].address), nodes[i].address))
			return unknown(c, err, "malformed list of nodes");
		v[i].id = nodes[i].id;
		v[i].role = (enum dq_role)nodes[i].role;
	}
	return 0;
}

int dq_add(struct dqclient *c, uint64_t id, const char *address, struct err *err)
{
	wire_begin(&c->out, WIRE_REQ_ADD);
	wire_u64(&c->out, id);
	wire_text(&c->out, address);
	return call(c, WIRE_RES_EMPTY, err);
}

int dq_assign(struct dqclient *c, uint64_t id, enum dq_role role, struct err *err)
{
	wire_begin(&c->out, WIRE_REQ_ASSIGN);
	wire_u64(&c->out, id);
	wire_u64(&c->out, role);
	return call(c, WIRE_RES_EMPTY, err);
}

int dq_remove(struct dqclient *c, uint64_t id, struct err *err)
{
	wire_begin(&c->out, WIRE_REQ_REMOVE);
	wire_u64(&c->out, id);
	return call(c, WIRE_RES_EMPTY, err);
}

int dq_transfer(struct dqclient *c, uint64_t id, struct err *err)
{
	wire_begin(&c->out, WIRE_REQ_TRANSFER);
	wire_u64(&c->out, id);
	return call(c, WIRE_RES_EMPTY, err);
}
