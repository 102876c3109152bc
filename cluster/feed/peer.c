/* SPDX-License-Identifier: Apache-2.0 */
/* One member's connection to the hub: what it is sent and what it says. */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/feed/hub_int.h"
#include "cluster/model/schema.h"

#define PING_MS 1000
#define SILENCE_MS 5000
#define HELLO_MS 5000

bool hub_connected(const struct hub *h, const char *name)
{
	for (const struct peer *p = h->peers; p; p = p->next) {
		if (p->greeted && !p->dead && strcmp(p->name, name) == 0)
			return true;
	}
	return false;
}

void peer_drop(struct peer *p, const char *why)
{
	if (p->dead)
		return;
	log_info("member disconnected from the feed", "member", p->name, "why", why);
	if (p->greeted)
		hub_live_lost(p->hub, p->name, fconn_heard_ms(p->conn));
	p->dead = true;
}

void peer_end(struct peer *p, const char *why)
{
	fconn_send(p->conn, hub_bye_frame(why));
	p->ending = true;
}

struct peer *peer_add(struct hub *h, struct stream *own_stream)
{
	struct peer *p = xnew(struct peer);
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = p };

	assert(own_stream);
	p->hub = h;
	p->conn = fconn_new(own_stream);
	p->events = EPOLLIN;
	str_copy(p->fingerprint, sizeof(p->fingerprint), stream_peer(own_stream));
	p->next = h->peers;
	h->peers = p;
	if (!h->led)
		peer_end(p, "leader");
	else if (!cluster_is_member_cert(h->c, p->fingerprint, p->name))
		peer_end(p, "removed");
	if (epoll_ctl(h->epoll, EPOLL_CTL_ADD, stream_fd(own_stream), &ev) < 0)
		peer_drop(p, strerror(errno));
	return p;
}

void peer_free(struct peer *p)
{
	assert(p->dead);
	/* Closing is not enough: a process that is being spawned may hold the socket a moment
	 * longer, and epoll would go on naming the peer. */
	epoll_ctl(p->hub->epoll, EPOLL_CTL_DEL, stream_fd(fconn_stream(p->conn)), NULL);
	fact_round_free(&p->round);
	fconn_free(p->conn);
	free(p);
}

void peer_send(struct peer *p, struct frame *own_frame)
{
	assert(own_frame);
	if (p->dead || p->ending) {
		frame_unref(own_frame);
		return;
	}
	fconn_send(p->conn, own_frame);
}

void peer_other(struct peer *p, struct frame *borrowed)
{
	if (fconn_queued(p->conn) > HUB_QUEUE_MAX)
		peer_drop(p, "it reads too slowly");
	else
		peer_send(p, frame_ref(borrowed));
}

void hub_send_all(struct hub *h, struct frame *own_frame, const struct peer *except)
{
	assert(own_frame);
	for (struct peer *p = h->peers; p; p = p->next) {
		if (p != except && p->greeted)
			peer_other(p, own_frame);
	}
	frame_unref(own_frame);
}

static bool lags(const struct peer *p)
{
	return fconn_queued(p->conn) > HUB_LAG_MAX;
}

void peer_rows(struct peer *p, const struct task *t)
{
	if (!p->greeted || p->behind || t->rev <= p->sent)
		return;
	p->behind = lags(p);
	if (p->behind)
		return;
	peer_send(p, frame_ref(t->frame));
	if (t->last)
		p->sent = t->rev;
}

void peer_facts(struct peer *p, struct frame *borrowed)
{
	p->listing = lags(p);
	p->listed = 0;
	if (!p->listing)
		peer_send(p, frame_ref(borrowed));
}

/* --- copies ----------------------------------------------------------------------------------- */

static void put_copy(void *arg, struct frame *own_frame, bool last)
{
	assert(own_frame);
	peer_send(arg, own_frame);
}

static void start_copy(struct peer *p, int64_t have)
{
	struct replica *r = p->hub->c->replica;
	int64_t revision = replica_revision(r);

	p->full = have > revision || have < replica_floor(r) || have <= 0;
	p->sent = p->full ? -1 : have;
	p->since = revision;
	p->first = p->behind = true;
}

static void copy_row(void *arg, const struct change *c)
{
	struct peer *p = arg;

	/* Who starts from nothing only misses what went after it did. */
	if (c->text || !p->full || c->rev > p->since)
		rows_add(&p->hub->rows, c);
}

static void copy_rows(struct peer *p)
{
	struct replica *r = p->hub->c->replica;
	struct feed_list *l = &p->hub->rows;
	struct list_head head = { 0 };

	replica_lock(r);
	/* Tombstones that it still needed may have been forgotten. */
	if (replica_floor(r) > (p->full && p->since > p->sent ? p->since : p->sent))
		start_copy(p, 0);
	head = (struct list_head){ p->full, p->first, replica_floor(r) };
	l->put = put_copy;
	l->arg = p;
	rows_begin(l, &head);
	p->behind = replica_since(r, &p->sent, FEED_CHUNK, copy_row, p);
	replica_unlock(r);
	rows_end(l, p->sent, p->behind);
	p->first = false;
	p->full = p->full && p->behind;
}

static void copy_fact(void *arg, enum fact f, const char *key, const char *member, const char *text)
{
	facts_add(arg, f, key, member, text);
}

static void copy_facts(struct peer *p)
{
	struct feed_list l = { .put = put_copy, .arg = p };
	struct list_head head = { .full = true, .first = p->listed == 0 };

	facts_begin(&l, &head);
	p->listing = replica_facts_since(p->hub->c->replica, NULL, &p->listed, FEED_CHUNK,
					 copy_fact, &l);
	facts_end(&l, p->listing);
	feed_list_free(&l);
}

static bool is_copying(const struct peer *p)
{
	return p->greeted && !p->ending && (p->behind || p->listing);
}

/* The rows first: facts are about them. */
static void copy_more(struct peer *p)
{
	if (!is_copying(p) || fconn_queued(p->conn) >= FEED_CHUNK)
		return;
	if (p->behind)
		copy_rows(p);
	else
		copy_facts(p);
}

static struct frame *ping_frame(struct hub *h)
{
	_json_ json_t *leader = json_object(), *j = json_object();
	_sbuf_ struct sbuf b = SBUF(FRAME_MAX);

	json_put_str(leader, "name", cluster_member_name(h->c));
	json_put_str(leader, "address", cluster_address(h->c));
	json_put_str(j, "t", "ping");
	json_put_int(j, "rev", replica_revision(h->c->replica));
	json_object_set(j, "leader", leader);
	json_append(&b, j);
	return frame_new(&b);
}

/* --- what members say ------------------------------------------------------------------------- */

static void replace_older(struct peer *p)
{
	for (struct peer *q = p->hub->peers; q; q = q->next) {
		if (q != p && strcmp(q->name, p->name) == 0)
			peer_drop(q, "it connected again");
	}
}

static int got_hello(struct peer *p, const json_t *msg, struct err *err)
{
	if (json_int(msg, "protocol", 0) != FEED_PROTOCOL) {
		peer_end(p, "protocol");
		return 0;
	}
	replace_older(p);
	peer_send(p, ping_frame(p->hub));
	start_copy(p, json_int(msg, "rev", 0));
	p->listing = p->greeted = true;
	hub_live_seen(p->hub, p->name);
	log_info("member connected to the feed", "member", p->name);
	return 0;
}

static void take_fact(void *arg, enum fact f, const char *key, const char *member, const char *text)
{
	struct peer *p = arg;

	/* Who has it does not need it again: after an election all report all they have. */
	if (replica_fact_put(p->hub->c->replica, f, key, p->name, text, false))
		hub_facts_add(p->hub, f, key, p->name, text);
}

static void got_facts(struct peer *p, const json_t *msg)
{
	struct fact_item f;
	json_t *item;
	size_t i;

	hub_facts_begin(p->hub, p);
	json_array_foreach(json_arr(msg, "facts"), i, item) {
		if (facts_item(item, false, &f) && f.f != FACT_KINDS)
			take_fact(p, f.f, f.key, p->name, f.text);
	}
	fact_round_add(&p->round, msg, p->name);
	fact_round_end(&p->round, msg, p->hub->c->replica, p->name, NULL, take_fact, p);
	hub_facts_end(p->hub);
}

static void got_event(struct peer *p, const json_t *msg)
{
	const char *text = json_str(msg, "text", NULL);
	struct frame *f = text ? event_frame(text) : NULL;

	if (!f)
		return;
	notify_event(p->hub->c->notifier, text);
	hub_send_all(p->hub, f, p);
}

static int got_message(void *arg, json_t *msg, struct err *err)
{
	struct peer *p = arg;
	const char *t = json_str(msg, "t", "");

	if (p->ending)
		return 0;
	if (str_eq(t, "hello") && !p->greeted)
		return got_hello(p, msg, err);
	if (!p->greeted)
		return err_set(err, ERR_INVALID, "a greeting is expected first");
	if (str_eq(t, "facts"))
		got_facts(p, msg);
	else if (str_eq(t, "event"))
		got_event(p, msg);
	return 0;
}

/* Also right after it was added: bytes may have been read ahead. */
void peer_io(struct peer *p)
{
	struct err err = { 0 };

	if (p->dead)
		return;
	if (fconn_fill(p->conn, got_message, p, &err) < 0)
		peer_drop(p, err.msg);
}

bool peer_pending(const struct peer *p)
{
	return !p->dead && fconn_pending(p->conn);
}

void peer_flush(struct peer *p)
{
	struct epoll_event ev = { .data.ptr = p };
	struct err err = { 0 };

	if (p->dead)
		return;
	copy_more(p);
	if (fconn_flush(p->conn, &err) < 0) {
		peer_drop(p, err.msg);
		return;
	}
	if (p->ending && fconn_queued(p->conn) == 0) {
		peer_drop(p, "sent away");
		return;
	}
	ev.events = fconn_events(p->conn) & POLLOUT || is_copying(p) ? EPOLLIN | EPOLLOUT : EPOLLIN;
	if (ev.events == p->events)
		return;
	p->events = ev.events;
	epoll_ctl(p->hub->epoll, EPOLL_CTL_MOD, stream_fd(fconn_stream(p->conn)), &ev);
}

void peer_check(struct peer *p, int64_t now)
{
	int64_t silence = p->hub->offline_ms < SILENCE_MS ? p->hub->offline_ms : SILENCE_MS;
	int64_t limit = p->greeted ? silence : HELLO_MS;

	if (fconn_silent_ms(p->conn) > limit)
		peer_drop(p, "it is silent");
	else if (p->greeted && now - fconn_said_ms(p->conn) >= PING_MS)
		peer_send(p, ping_frame(p->hub));
}
