/* SPDX-License-Identifier: Apache-2.0 */
/* One member's connection to the hub: what it is sent and what it says. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/hub_int.h"
#include "cluster/schema.h"

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
	/* Closing is not enough: a process that is being spawned may hold the socket a moment
	 * longer, and epoll would go on naming the peer. */
	epoll_ctl(p->hub->epoll, EPOLL_CTL_DEL, stream_fd(fconn_stream(p->conn)), NULL);
	fconn_free(p->conn);
	free(p);
}

void peer_send(struct peer *p, struct frame *own_frame)
{
	if (p->dead || p->ending) {
		frame_unref(own_frame);
		return;
	}
	fconn_send(p->conn, own_frame);
}

void hub_send_all(struct hub *h, struct frame *own_frame, const struct peer *except)
{
	for (struct peer *p = h->peers; own_frame && p; p = p->next) {
		if (p == except || !p->greeted)
			continue;
		if (fconn_queued(p->conn) > HUB_QUEUE_MAX)
			peer_drop(p, "it reads too slowly");
		else
			peer_send(p, frame_ref(own_frame));
	}
	frame_unref(own_frame);
}

/* What a newcomer missed, in chunks. */
struct copy {
	struct peer *peer;
	struct sbuf *b;
	struct rows_head head;
};

static void copy_chunk(struct copy *k, bool more)
{
	k->head.more = more;
	peer_send(k->peer, rows_end(k->b, &k->head));
	k->head.first = false;
	rows_begin(k->b);
}

static void copy_row(void *arg, const struct change *c)
{
	struct copy *k = arg;

	if (k->head.full && !c->text)
		return;
	if (k->b->len >= HUB_CHUNK)
		copy_chunk(k, true);
	rows_add(k->b, c);
}

static void send_missed(struct peer *p, int64_t have)
{
	struct hub *h = p->hub;
	struct replica *r = h->c->replica;
	struct copy k = { p, &h->text, { .first = true } };

	replica_lock(r);
	k.head.rev = p->sent = replica_revision(r);
	k.head.floor = replica_floor(r);
	k.head.full = have > k.head.rev || have < k.head.floor || have <= 0;
	rows_begin(k.b);
	replica_since(r, k.head.full ? -1 : have, copy_row, &k);
	replica_unlock(r);
	copy_chunk(&k, false);
}

static void copy_fact(void *arg, enum fact f, const char *key, const char *member, const char *text)
{
	facts_add(arg, f, key, member, text);
}

static void send_facts(struct peer *p)
{
	struct hub *h = p->hub;

	facts_begin(&h->text);
	replica_member_facts(h->c->replica, NULL, copy_fact, &h->text);
	peer_send(p, facts_end(&h->text, true));
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
	send_missed(p, json_int(msg, "rev", 0));
	send_facts(p);
	p->greeted = true;
	hub_live_seen(p->hub, p->name);
	log_info("member connected to the feed", "member", p->name);
	return 0;
}

/* A full report replaces all that the member said before. */
struct stale {
	json_t *named; /* a set */
	json_t *gone;
};

static void find_stale(void *arg, enum fact f, const char *key, const char *member,
		       const char *text)
{
	struct stale *s = arg;
	_free_ char *id = fact_id(f, key, member);

	if (!json_object_get(s->named, id))
		json_array_append_new(s->gone, json_pack("[s,s,n]", fact_kind_name(f), key));
}

static json_t *stale_facts(struct peer *p, const json_t *facts)
{
	_json_ json_t *named = json_object();
	struct stale s = { named, json_array() };
	struct fact_item f;
	json_t *item;
	size_t i;

	json_array_foreach(facts, i, item) {
		_free_ char *id = NULL;

		if (!facts_item(item, false, &f))
			continue;
		id = fact_id(f.f, f.key, p->name);
		json_object_set_new(named, id, json_true());
	}
	replica_member_facts(p->hub->c->replica, p->name, find_stale, &s);
	return s.gone;
}

static void take_facts(struct peer *p, const json_t *facts, struct sbuf *b)
{
	struct replica *r = p->hub->c->replica;
	struct fact_item f;
	json_t *item;
	size_t i;

	json_array_foreach(facts, i, item) {
		if (!facts_item(item, false, &f) || f.f == FACT_KINDS)
			continue;
		replica_fact_put(r, f.f, f.key, p->name, f.text, false);
		facts_add(b, f.f, f.key, p->name, f.text);
	}
}

static void got_facts(struct peer *p, const json_t *msg)
{
	const json_t *facts = json_arr(msg, "facts");
	struct hub *h = p->hub;
	_json_ json_t *gone = json_bool(msg, "full", false) ? stale_facts(p, facts) : NULL;

	facts_begin(&h->text);
	take_facts(p, gone, &h->text);
	take_facts(p, facts, &h->text);
	hub_send_all(h, facts_end(&h->text, false), p);
}

static void got_event(struct peer *p, const json_t *msg)
{
	const char *text = json_str(msg, "text", NULL);

	if (!text)
		return;
	notify_event(p->hub->c->notifier, text);
	hub_send_all(p->hub, hub_event_frame(text), p);
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

void peer_flush(struct peer *p)
{
	struct epoll_event ev = { .data.ptr = p };
	struct err err = { 0 };

	if (p->dead)
		return;
	if (fconn_flush(p->conn, &err) < 0) {
		peer_drop(p, err.msg);
		return;
	}
	if (p->ending && fconn_queued(p->conn) == 0) {
		peer_drop(p, "sent away");
		return;
	}
	ev.events = fconn_events(p->conn) & POLLOUT ? EPOLLIN | EPOLLOUT : EPOLLIN;
	if (ev.events == p->events)
		return;
	p->events = ev.events;
	epoll_ctl(p->hub->epoll, EPOLL_CTL_MOD, stream_fd(fconn_stream(p->conn)), &ev);
}

void peer_check(struct peer *p, int64_t now)
{
	int64_t limit = p->greeted ? SILENCE_MS : HELLO_MS;

	if (now - fconn_heard_ms(p->conn) > limit)
		peer_drop(p, "it is silent");
	else if (p->greeted && now - fconn_said_ms(p->conn) >= PING_MS)
		peer_send(p, ping_frame(p->hub));
}
