/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "api/conn.h"
#include "api/elsewhere.h"
#include "api/query.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/str.h"

#define LOOK_UP_MS 2000
/* A commit without quorum may last so long; nothing else may in a worker that is not for it. */
#define FAST_MS 25000

/* Where a request must be answered; an empty member is this one. */
struct where {
	char member[64], address[256];
	bool known; /* also to be so for those who were sent here */
};

static int at_member(struct req *r, const char *name, struct where *w)
{
	struct cluster *c = r->env->cluster;

	if (str_empty(name) || str_eq(name, cluster_member_name(c)))
		return 0;
	str_copy(w->member, sizeof(w->member), name);
	return cluster_member_address(c, name, w->address, sizeof(w->address), &r->err);
}

/* Without a row the handler here says that there is none. */
static int at_instance(struct req *r, struct where *w)
{
	_row_ struct row row = { 0 };
	struct err ignored;

	if (store_get(r->env->store, ENT_INSTANCE, r->params[0], &row, &ignored) < 0)
		return 0;
	w->known = r->waited;
	return at_member(r, json_str(row.doc, "member", ""), w);
}

static int at_operation(struct req *r, struct where *w)
{
	char member[64] = "";
	_json_ json_t *fact = store_fact_get(r->env->store, FACT_OPERATION, r->params[0], member);

	/* It began by way of this member, which was asked by another one. */
	w->known = elsewhere_find(r->server->elsewhere, r->params[0], w->member);
	if (!fact)
		str_copy(member, sizeof(member), w->member);
	w->member[0] = '\0';
	return at_member(r, member, w);
}

static int find_target(struct req *r, struct where *w)
{
	const char *named;

	switch (r->route->target) {
	case T_HERE:
		return 0;
	case T_INSTANCE:
		return at_instance(r, w);
	case T_NAMED:
		named = req_query(r, "target");
		/* "@group" is for the scheduler, wherever it runs. */
		return named && *named != '@' ? at_member(r, named, w) : 0;
	case T_OPERATION:
		return at_operation(r, w);
	}
	return 0;
}

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
	if (req_route(r) < 0 || auth_check(r) < 0 || check_state(r) < 0 ||
	    query_check(r) < 0 || admit_request(c, r) < 0)
		return -1;
	return body_check(r);
}

static int locate(struct req *r, struct where *w)
{
	return find_target(r, w) < 0 ? -1 : check_loop(r, w);
}

/* --- a row that is not here yet
 * ---------------------------------------------------------------- */

static bool row_is_missing(const struct req *r)
{
	_row_ struct row row = { 0 };
	struct err ignored;

	return r->route->target == T_INSTANCE && !r->looked_up &&
	       cluster_enabled(r->env->cluster) &&
	       store_get(r->env->store, ENT_INSTANCE, r->params[0], &row, &ignored) < 0;
}

static void ask_leader(void *arg)
{
	struct req *r = arg;
	_row_ struct row row = { 0 };

	if (store_get_leaders(r->env->store, ENT_INSTANCE, r->params[0], &row,
			     deadline_in(LOOK_UP_MS), &r->err) < 0 &&
	    r->err.kind != ERR_NOT_FOUND)
		err_wrap(&r->err, "whether there is an instance \"%.63s\" is not known here",
			 r->params[0]);
	else
		r->err.kind = ERR_NONE;
	mailbox_post(r->server->mailbox, &r->post);
}

static void go_on(struct conn *c);

static void on_looked_up(struct post *p)
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

/* Goes on with the request, or refuses it when `work` has left an error. */
static bool do_first(struct conn *c, enum pool_lane lane, void (*work)(void *arg))
{
	struct req *r = c->req;

	r->post.fn = on_looked_up;
	if (pool_submit(r->env->pool, lane, 0, work, r, &r->err) < 0)
		return false;
	c->state = C_WAIT;
	c->deadline = 0;
	r->running = true;
	r->server->nworkers++;
	return true;
}

/* What a client made through another member a moment ago may not have arrived: before it hears
 * that there is no such instance, the leader is asked; by this member, too, when another one that
 * knows the row sent the client's request here and this one has only just started. */
static bool look_up(struct conn *c)
{
	c->req->looked_up = true;
	return do_first(c, POOL_FAST, ask_leader);
}

static bool is_leaving(const struct req *r)
{
	return (r->route->flags & F_ENTERS) && !r->waited &&
	       container_is_closed(r->env->node, r->params[0]);
}

static void await_move(void *arg)
{
	struct req *r = arg;

	if (container_await_open(r->env->node, r->params[0], &r->err) == 0)
		r->err.kind = ERR_NONE;
	mailbox_post(r->server->mailbox, &r->post);
}

/* It is answered where the container is afterwards. */
static bool wait_for_move(struct conn *c)
{
	c->req->waited = true;
	return do_first(c, POOL_SLOW, await_move);
}

static void go_on(struct conn *c)
{
	struct where w = { "", "", false };
	struct req *r = c->req;

	if (is_leaving(r) && wait_for_move(c))
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
	else if (!row_is_missing(r) || !look_up(c))
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
		log_warn("a request held a fast worker for long", "method",
			 r->route->method, "path", r->route->path, "ms", text);
	}
	/* The loop outlives its workers: this cannot be refused. */
	mailbox_post(r->server->mailbox, &r->post);
}

void dispatch_run(struct conn *c)
{
	struct req *r = c->req;

	c->state = C_WAIT;
	c->deadline = 0;
	if (r->route->flags & F_INLINE) {
		handle(r);
		conn_reply(c);
		return;
	}
	r->running = true;
	r->post.fn = on_finished;
	if (pool_submit(r->env->pool, lane_of(r), 0, run_in_worker, r, &r->err) < 0) {
		r->running = false;
		reply_error(r);
		conn_reply(c);
		return;
	}
	r->server->nworkers++;
}
