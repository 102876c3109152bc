/* SPDX-License-Identifier: Apache-2.0 */
#include "api/http/late.h"

#include <assert.h>
#include <stdatomic.h>

#include "base/mem.h"

#define TEXT_MAX (64 << 20)

/* Lives until both have happened: reply_late_end, and the reply was sent or abandoned. */
struct late {
	struct post post;
	struct mailbox *mailbox;
	struct conn *conn; /* once the head was sent */
	bool ended;
	atomic_bool abandoned;
	void (*gone)(void *arg);
	void *arg;
	struct sbuf text;
};

struct late *reply_late(struct req *r, void (*gone)(void *arg), void *arg)
{
	struct late *l = xnew(struct late);

	l->mailbox = mailbox_ref(r->server->mailbox);
	l->gone = gone;
	l->arg = arg;
	r->reply.kind = REPLY_LATE;
	r->reply.late = l;
	return l;
}

static void late_free(struct late *l)
{
	mailbox_unref(l->mailbox);
	sbuf_free(&l->text);
	free(l);
}

static void deliver(struct late *l)
{
	struct conn *c = l->conn;

	c->req->reply.kind = REPLY_NONE;
	conn_late_done(c, l->text.data ? l->text.data : "", l->text.len);
	late_free(l);
	conn_process(c);
}

static void on_end(struct post *p)
{
	struct late *l = container_of(p, struct late, post);

	assert(!l->ended);
	l->ended = true;
	if (l->conn)
		deliver(l);
	else if (l->abandoned)
		late_free(l);
}

void reply_late_end(struct late *l, const char *text, size_t len)
{
	l->text = SBUF(TEXT_MAX);
	sbuf_add(&l->text, text, len);
	l->post.fn = on_end;
	if (!mailbox_post(l->mailbox, &l->post))
		late_free(l);
}

bool late_is_abandoned(const struct late *l)
{
	return l->abandoned;
}

void late_attach(struct late *l, struct conn *c)
{
	assert(!l->conn);
	assert(!l->abandoned);
	l->conn = c;
	if (l->ended)
		deliver(l);
}

void late_abandon(struct late *l)
{
	assert(!l->abandoned);
	l->conn = NULL;
	l->abandoned = true;
	if (l->gone)
		l->gone(l->arg);
	if (l->ended)
		late_free(l);
}
