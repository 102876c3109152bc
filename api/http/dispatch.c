/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "api/http/conn.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pool.h"

/* A commit without quorum may last so long; nothing else may in a worker that is not for it. */
#define FAST_MS 25000

static int check_state(struct req *r)
{
	bool reads = strcmp(r->route->method, "GET") == 0 && !(r->route->flags & F_UPGRADE);

	if (!r->server->draining || reads || (r->route->flags & F_SHUTDOWN))
		return 0;
	return err_set(&r->err, ERR_UNAVAILABLE, "the daemon is shutting down");
}

static int check_loop(struct req *r, const struct where *w)
{
	if (!w->address[0] || !r->forwarded || w->known)
		return 0;
	return err_set(&r->err, ERR_UNAVAILABLE, "%s has moved to member %s meanwhile; ask again",
		       req_path(r), w->member);
}

static int check(struct conn *c)
{
	struct req *r = c->req;

	auth_identify(c, r);
	if (req_route(r) < 0 || auth_check(r) < 0 || check_state(r) < 0 || admit_request(c, r) < 0)
		return -1;
	return body_check(r);
}

static int locate(struct req *r, struct where *w)
{
	/* Which members there are may have had to be waited for. */
	if (r->server->hooks->check(r) < 0 || r->server->hooks->locate(r, w) < 0)
		return -1;
	return check_loop(r, w);
}

/* --- what has to be waited for first ---------------------------------------------------------- */

static void wait_first(void *arg)
{
	struct req *r = arg;

	if (r->first->work(r) == 0)
		r->err.kind = ERR_NONE;
	mailbox_post(r->server->mailbox, &r->post);
}

static void go_on(struct conn *c);

static void on_waited(struct post *p)
{
	struct req *r = container_of(p, struct req, post);
	struct conn *c = r->conn;

	r->running = false;
	r->server->nworkers--;
	if (!c) {
		req_free(r);
		return;
	}
	if (r->err.kind)
		conn_refuse(c);
	else
		go_on(c);
	conn_process(c);
}

/* False when nothing has to be, or nobody can: the request goes on as things are. */
static bool waits(struct conn *c)
{
	struct req *r = c->req;

	r->first = r->server->hooks->first(r);
	r->post.fn = on_waited;
	if (!r->first ||
	    pool_submit(r->server->pool, r->first->lane, 0, wait_first, r, &r->err) < 0)
		return false;
	c->state = C_WAIT;
	c->deadline = 0;
	r->running = true;
	r->server->nworkers++;
	return true;
}

static void go_on(struct conn *c)
{
	struct where w = { "", "", false };
	struct req *r = c->req;

	assert(c->req);
	if (waits(c))
		return;
	if (locate(r, &w) < 0) {
		conn_refuse(c);
		return;
	}
	if (w.address[0]) {
		proxy_start(c, w.address, w.member);
		return;
	}
	/* An empty file is a file, too. */
	if ((!c->body.done || r->route->body == BODY_FILE) && body_begin(c) < 0) {
		conn_refuse(c);
		return;
	}
	if (c->body.done) {
		body_end(c);
		dispatch_run(c);
		return;
	}
	conn_send_continue(c);
	c->state = C_BODY;
}

void dispatch_head(struct conn *c)
{
	struct req *r = c->req;

	http_body_init(&c->body, &r->head);
	if (check(c) < 0)
		conn_refuse(c);
	else
		go_on(c);
}

/* What strangers ask and what takes long holds no worker that commits need. */
static enum pool_lane lane_of(const struct req *r)
{
	bool slow = r->route->flags & F_SLOW;

	if (r->caller.kind == CALLER_NOBODY)
		return slow ? POOL_GUEST_SLOW : POOL_GUEST;
	if (slow)
		return POOL_SLOW;
	return r->route->role == ROLE_MEMBER ? POOL_MEMBER : POOL_FAST;
}

static void handle(struct req *r)
{
	if (r->route->handler(r) < 0 && r->reply.kind < REPLY_LATE)
		reply_error(r);
	else if (r->reply.kind == REPLY_NONE) {
		err_set(&r->err, ERR_INTERNAL, "%s %s gave no reply", r->head.method,
			r->route->path);
		reply_error(r);
	}
}

static void on_finished(struct post *p)
{
	struct req *r = container_of(p, struct req, post);
	struct conn *c = r->conn;

	r->running = false;
	r->server->nworkers--;
	if (!c) {
		reply_abandon(r);
		req_free(r);
		return;
	}
	conn_reply(c);
	conn_process(c);
}

static void run_in_worker(void *arg)
{
	struct req *r = arg;
	bool slow = r->route->flags & F_SLOW;
	int64_t began = clock_ms(), took;
	char text[32];

	handle(r);
	took = clock_ms() - began;
	if (!slow && took > FAST_MS) {
		snprintf(text, sizeof(text), "%lld", (long long)took);
		log_warn("a request held a fast worker for long", "method", r->route->method,
			 "path", r->route->path, "ms", text);
	}
	/* The loop outlives its workers: this cannot be refused. */
	mailbox_post(r->server->mailbox, &r->post);
}

void dispatch_run(struct conn *c)
{
	struct req *r = c->req;

	assert(c->req);
	c->state = C_WAIT;
	c->deadline = 0;
	if (r->route->flags & F_INLINE) {
		handle(r);
		conn_reply(c);
		return;
	}
	r->running = true;
	r->post.fn = on_finished;
	if (pool_submit(r->server->pool, lane_of(r), 0, run_in_worker, r, &r->err) < 0) {
		r->running = false;
		reply_error(r);
		conn_reply(c);
		return;
	}
	r->server->nworkers++;
}
