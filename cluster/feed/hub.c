/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "cluster/feed/hub_int.h"
#include "cluster/model/schema.h"

#define TICK_MS 250
#define TURN_AWAY_MS 1000
#define EVENTS 64

/* --- queueing, any thread --------------------------------------------------------------------- */

static void push(struct hub *h, const struct task *what)
{
	struct task *t = xnew(struct task);

	*t = *what;
	pthread_mutex_lock(&h->lock);
	*h->tasks_tail = t;
	h->tasks_tail = &t->next;
	pthread_mutex_unlock(&h->lock);
	wake_set(h->wake);
}

static bool leads(struct hub *h)
{
	bool on;

	pthread_mutex_lock(&h->lock);
	on = h->leading && !h->stopping;
	pthread_mutex_unlock(&h->lock);
	return on;
}

struct frame *hub_bye_frame(const char *why)
{
	_sbuf_ struct sbuf b = SBUF(FRAME_MAX);

	sbuf_printf(&b, "{\"t\":\"bye\",\"why\":\"%s\"}", why);
	return frame_new(&b);
}

static void turn_away(struct stream *own_stream)
{
	struct fconn *c = fconn_new(own_stream);
	struct err ignored;

	assert(own_stream);
	fconn_send(c, hub_bye_frame("leader"));
	stream_set_deadline(own_stream, deadline_in(TURN_AWAY_MS));
	stream_set_nonblock(own_stream, false);
	fconn_flush(c, &ignored);
	fconn_free(c);
}

void hub_serve(struct hub *h, struct stream *own_stream)
{
	assert(own_stream);
	if (leads(h))
		push(h, &(struct task){ .kind = TASK_PEER, .stream = own_stream });
	else
		turn_away(own_stream);
}

struct commit {
	struct hub *hub;
	int64_t revision;
};

static void push_rows(void *arg, struct frame *own_frame, bool last)
{
	struct commit *k = arg;

	assert(k->revision > 0);
	push(k->hub,
	     &(struct task){
		     .kind = TASK_ROWS, .frame = own_frame, .rev = k->revision, .last = last });
}

void hub_rows(struct hub *h, const struct change *v, size_t n, int64_t revision)
{
	struct list_head head = { .floor = replica_floor(h->c->replica) };
	struct commit k = { h, revision };
	struct feed_list l = { .put = push_rows, .arg = &k };

	rows_begin(&l, &head);
	for (size_t i = 0; i < n; i++)
		rows_add(&l, &v[i]);
	rows_end(&l, revision, false);
	feed_list_free(&l);
}

void hub_event(struct hub *h, const char *text)
{
	struct frame *f = event_frame(text);

	if (f)
		push(h, &(struct task){ .kind = TASK_EVENT, .frame = f });
}

void hub_wake(struct hub *h)
{
	wake_set(h->wake);
}

void hub_remove(struct hub *h, const char *fingerprint)
{
	struct task t = { .kind = TASK_REMOVE };

	str_copy(t.fingerprint, sizeof(t.fingerprint), fingerprint);
	push(h, &t);
}

void hub_lead(struct hub *h, bool on)
{
	if (on)
		hub_live_begin(h);
	pthread_mutex_lock(&h->lock);
	h->leading = on;
	h->term++;
	pthread_mutex_unlock(&h->lock);
	wake_set(h->wake);
}

/* --- the thread ------------------------------------------------------------------------------- */

static void put_facts(void *arg, struct frame *own_frame, bool last)
{
	struct hub *h = arg;

	assert(own_frame);
	for (struct peer *p = h->peers; p; p = p->next) {
		if (p != h->except && p->greeted && !p->listing)
			peer_facts(p, own_frame);
	}
	frame_unref(own_frame);
}

/* A list that is under way names what is there when it gets that far, so it only has to be told
 * what goes. */
static void put_gone(void *arg, struct frame *own_frame, bool last)
{
	struct hub *h = arg;

	assert(own_frame);
	for (struct peer *p = h->peers; p; p = p->next) {
		if (p != h->except && p->greeted && p->listing && p->listed)
			peer_other(p, own_frame);
	}
	frame_unref(own_frame);
}

void hub_facts_begin(struct hub *h, const struct peer *except)
{
	struct list_head head = { .full = false };

	h->except = except;
	facts_begin(&h->facts, &head);
	facts_begin(&h->gone, &head);
}

void hub_facts_add(struct hub *h, enum fact f, const char *key, const char *member,
		   const char *text)
{
	facts_add(&h->facts, f, key, member, text);
	if (!text)
		facts_add(&h->gone, f, key, member, NULL);
}

/* What goes first: who falls behind by the rest lists anew. */
void hub_facts_end(struct hub *h)
{
	facts_end(&h->gone, false);
	facts_end(&h->facts, false);
}

static void add_fact(void *arg, enum fact f, const char *key, const char *member, const char *text)
{
	hub_facts_add(arg, f, key, member, text);
}

/* A piece a turn: members are heard and written to between them. */
static void send_own_facts(struct hub *h)
{
	hub_facts_begin(h, NULL);
	h->unsaid = replica_take_dirty(h->c->replica, cluster_member_name(h->c), FEED_CHUNK,
				       add_fact, h);
	hub_facts_end(h);
}

static void remove_member(struct hub *h, const char *fingerprint)
{
	for (struct peer *p = h->peers; p; p = p->next) {
		if (str_eq(p->fingerprint, fingerprint) && !p->ending)
			peer_end(p, "removed");
	}
}

static void do_task(struct hub *h, struct task *t)
{
	switch (t->kind) {
	case TASK_PEER:
		peer_io(peer_add(h, t->stream));
		return;
	case TASK_ROWS:
		for (struct peer *p = h->peers; p; p = p->next)
			peer_rows(p, t);
		frame_unref(t->frame);
		return;
	case TASK_EVENT:
		hub_send_all(h, t->frame, NULL);
		return;
	case TASK_REMOVE:
		remove_member(h, t->fingerprint);
		return;
	}
}

static struct task *take_tasks(struct hub *h, bool *ret_leading, unsigned *ret_term,
			       bool *ret_stopping)
{
	struct task *list;

	pthread_mutex_lock(&h->lock);
	list = take_ptr(h->tasks);
	h->tasks_tail = &h->tasks;
	*ret_leading = h->leading;
	*ret_term = h->term;
	*ret_stopping = h->stopping;
	pthread_mutex_unlock(&h->lock);
	return list;
}

/* Those of events, or all others; returns what is left. */
static struct task *do_tasks(struct hub *h, struct task *list, bool events)
{
	struct task *left = NULL, **tail = &left;

	while (list) {
		struct task *t = list;

		list = t->next;
		t->next = NULL;
		if ((t->kind == TASK_EVENT) == events) {
			do_task(h, t);
			free(t);
		} else {
			*tail = t;
			tail = &t->next;
		}
	}
	return left;
}

/* Who is told of an event finds what was changed before it: rows, then facts, then events. */
static void say(struct hub *h, struct task *own_tasks)
{
	struct task *events = do_tasks(h, own_tasks, false);

	if (h->led)
		send_own_facts(h);
	do_tasks(h, events, true);
}

static void reap(struct hub *h)
{
	for (struct peer **pp = &h->peers; *pp;) {
		struct peer *p = *pp;

		if (!p->dead) {
			pp = &p->next;
			continue;
		}
		*pp = p->next;
		peer_free(p);
	}
}

static void tick(struct hub *h)
{
	int64_t now = clock_ms();

	if (now - h->ticked < TICK_MS)
		return;
	h->ticked = now;
	h->offline_ms = cluster_offline_ms(h->c);
	for (struct peer *p = h->peers; p; p = p->next)
		peer_check(p, now);
	if (h->led)
		hub_live_tick(h);
}

/* Starting and stopping to lead. */
static void take_role(struct hub *h, bool leading, unsigned term)
{
	if (term == h->seen_term)
		return;
	h->seen_term = term;
	h->led = leading;
	/* Those of an earlier term may have missed rows in between. */
	for (struct peer *p = h->peers; p; p = p->next) {
		if (!p->ending)
			peer_end(p, "leader");
	}
}

static int wait_ms(const struct hub *h)
{
	for (const struct peer *p = h->peers; p; p = p->next) {
		if (peer_pending(p))
			return 0;
	}
	if (h->led && h->unsaid)
		return 0;
	return h->peers || h->led ? TICK_MS : -1;
}

static void *run(void *arg)
{
	struct hub *h = arg;
	struct epoll_event ev[EVENTS];
	bool leading, stopping = false;
	unsigned term;

	while (!stopping) {
		int n = epoll_wait(h->epoll, ev, EVENTS, wait_ms(h));
		struct task *tasks;

		wake_clear(h->wake);
		tasks = take_tasks(h, &leading, &term, &stopping);
		take_role(h, leading && !stopping, term);
		say(h, tasks);
		for (int i = 0; i < n; i++) {
			if (ev[i].data.ptr)
				peer_io(ev[i].data.ptr);
		}
		for (struct peer *p = h->peers; p; p = p->next) {
			if (peer_pending(p))
				peer_io(p);
		}
		tick(h);
		for (struct peer *p = h->peers; p; p = p->next)
			peer_flush(p);
		reap(h);
	}
	return NULL;
}

/* --- life ------------------------------------------------------------------------------------- */

struct hub *hub_new(struct cluster *c)
{
	struct hub *h = xnew(struct hub);
	struct epoll_event ev = { .events = EPOLLIN };

	h->c = c;
	h->epoll = epoll_create1(EPOLL_CLOEXEC);
	h->wake = wake_new();
	epoll_ctl(h->epoll, EPOLL_CTL_ADD, h->wake, &ev);
	pthread_mutex_init(&h->lock, NULL);
	h->tasks_tail = &h->tasks;
	h->facts = (struct feed_list){ .put = put_facts, .arg = h };
	h->gone = (struct feed_list){ .put = put_gone, .arg = h };
	return h;
}

int hub_start(struct hub *h, struct err *err)
{
	if (thread_start(&h->thread, "feed-hub", run, h, err) < 0)
		return -1;
	h->started = true;
	return 0;
}

void hub_stop(struct hub *h)
{
	pthread_mutex_lock(&h->lock);
	h->stopping = true;
	pthread_mutex_unlock(&h->lock);
	wake_set(h->wake);
	if (h->started)
		pthread_join(h->thread, NULL);
	h->started = false;
}

void hub_free(struct hub *h)
{
	if (!h)
		return;
	assert(!h->started);
	for (struct peer *p = h->peers; p; p = p->next)
		p->dead = true;
	reap(h);
	while (h->tasks) {
		struct task *t = h->tasks;

		h->tasks = t->next;
		frame_unref(t->frame);
		stream_free(t->stream);
		free(t);
	}
	feed_list_free(&h->rows);
	feed_list_free(&h->facts);
	feed_list_free(&h->gone);
	free(h->absent);
	close(h->epoll);
	close(h->wake);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

void cluster_serve_feed(struct cluster *c, struct stream *own_stream)
{
	assert(own_stream);
	if (cluster_stopping(c))
		stream_free(own_stream);
	else
		hub_serve(c->hub, own_stream);
}
