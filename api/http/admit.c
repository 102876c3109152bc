/* SPDX-License-Identifier: Apache-2.0 */
/* Who may hold how much of the server. A connection is a stranger's until its certificate is known
 * to be a member's or a trusted client's; what strangers hold is little, bound by time, and theirs
 * alone (api/http/quota.def). */
#include <assert.h>

#include "api/http/conn.h"
#include "base/clock.h"

#define REQUEST_MS 30000       /* from a stranger's head to the end of its answer */
#define SLOW_REQUEST_MS 600000 /* when the handler may wait for others */
#define TAKE_BYTES_A_S (32 << 10) /* a stranger that takes less is cut */

static void join_strangers(struct conn *c)
{
	struct server *s = c->server;

	assert(!c->older);
	assert(!c->newer);
	c->older = s->newest_stranger;
	c->newer = NULL;
	if (c->older)
		c->older->newer = c;
	else
		s->oldest_stranger = c;
	s->newest_stranger = c;
}

static void leave_strangers(struct conn *c)
{
	struct server *s = c->server;

	if (c->newer)
		c->newer->older = c->older;
	else
		s->newest_stranger = c->older;
	if (c->older)
		c->older->newer = c->newer;
	else
		s->oldest_stranger = c->newer;
	c->newer = c->older = NULL;
}

void admit_gone(struct conn *c)
{
	if (c->place.held && c->place.kind == CALLER_NOBODY)
		leave_strangers(c);
	quota_drop(c->server->quota, &c->place, QUOTA_CONNS);
}

static void give_way(struct conn *c)
{
	admit_gone(c);
	conn_close(c, "too many connections");
}

static bool take_place(struct conn *c, enum caller_kind kind, enum quota_verdict *ret)
{
	*ret = quota_hold(c->server->quota, &c->place, kind, c->net, QUOTA_CONNS);
	if (*ret == QUOTA_OK && kind == CALLER_NOBODY)
		join_strangers(c);
	return *ret == QUOTA_OK;
}

/* The oldest stranger of the network that is at its bound, or has the most. */
static struct conn *stranger_to_go(struct server *s, uint64_t net)
{
	struct conn *c = s->oldest_stranger;

	while (c && c->net != net)
		c = c->newer;
	return c;
}

/* Others have done nothing to be cut while they are at work. */
static struct conn *idle_to_go(struct server *s, enum caller_kind kind)
{
	struct conn *found = NULL;

	for (struct conn *c = s->conns; c; c = c->next) {
		if (c->place.held && c->place.kind == kind && conn_is_idle(c))
			found = c;
	}
	return found;
}

static bool find_place(struct conn *c, enum caller_kind kind)
{
	struct server *s = c->server;
	enum quota_verdict v;
	struct conn *victim;

	if (take_place(c, kind, &v))
		return true;
	if (kind == CALLER_NOBODY)
		victim = stranger_to_go(s, v == QUOTA_NET_FULL ? c->net : quota_busiest(s->quota));
	else
		victim = idle_to_go(s, kind);
	if (victim)
		give_way(victim);
	return take_place(c, kind, &v);
}

void admit_conn(struct conn *c)
{
	if (!find_place(c, c->is_unix ? CALLER_ADMIN : CALLER_NOBODY))
		conn_close(c, "too many connections");
}

void admit_as(struct conn *c, enum caller_kind kind)
{
	if (c->is_unix || !c->place.held || c->place.kind == kind)
		return;
	admit_gone(c);
	if (!find_place(c, kind))
		conn_close(c, "too many connections");
}

int admit_request(struct conn *c, struct req *r)
{
	bool slow = r->route->flags & F_SLOW;
	uint64_t net = r->forwarded ? quota_net(r->caller.address) : c->net;

	if (r->caller.kind != CALLER_NOBODY)
		return 0;
	if (!r->forwarded)
		c->until = deadline_in(slow ? SLOW_REQUEST_MS : REQUEST_MS);
	if (!c->work.held &&
	    quota_hold(c->server->quota, &c->work, CALLER_NOBODY, net, QUOTA_REQUESTS) != QUOTA_OK)
		return err_set(&r->err, ERR_LIMIT,
			       "too many requests of callers who are not trusted; try again later");
	return 0;
}

void admit_request_over(struct conn *c)
{
	c->until = 0;
	quota_drop(c->server->quota, &c->work, QUOTA_REQUESTS);
}

void admit_vouched(struct conn *c)
{
	admit_as(c, CALLER_CLIENT);
	admit_request_over(c);
}

void admit_answer(struct conn *c, int64_t size)
{
	if (c->until)
		c->until = deadline_in(REQUEST_MS + size * 1000 / TAKE_BYTES_A_S);
}
