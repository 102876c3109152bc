/* SPDX-License-Identifier: Apache-2.0 */
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
#include "cluster/thread.h"

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

	fconn_send(c, hub_bye_frame("leader"));
	stream_set_deadline(own_stream, deadline_in(TURN_AWAY_MS));
	stream_set_nonblock(own_stream, false);
	fconn_flush(c, &ignored);
	fconn_free(c);
}

void hub_serve(struct hub *h, struct stream *own_stream)
{
	if (leads(h))
		push(h, &(struct task){ .kind = TASK_PEER, .stream = own_stream });
	else
		turn_away(own_stream);
}

void hub_rows(struct hub *h, const struct change *v, size_t n, int64_t revision)
{
	struct rows_head head = { .rev = revision, .floor = replica_floor(h->c->replica) };
	_sbuf_ struct sbuf b = SBUF(FRAME_MAX);

	rows_begin(&b);
	for (size_t i = 0; i < n; i++) {
		rows_add(&b, &v[i]);
		if (b.len < HUB_CHUNK || i + 1 == n)
			continue;
		head.more = true;
		push(h, &(struct task){
				.kind = TASK_ROWS, .frame = rows_end(&b, &head), .rev = revision });
		head.more = false;
		rows_begin(&b);
	}
	push(h, &(struct task){ .kind = TASK_ROWS, .frame = rows_end(&b, &head), .rev = revision });
}

struct frame *hub_event_frame(const char *text)
{
	_sbuf_ struct sbuf b = SBUF(FRAME_MAX);

	sbuf_puts(&b, "{\"t\":\"event\",\"text\":");
	sbuf_json_string(&b, text);
	sbuf_putc(&b, '}');
	return frame_new(&b);
}

void hub_event(struct hub *h, const char *text)
{
	push(h, &(struct task){ .kind = TASK_OTHER, .frame = hub_event_frame(text) });
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
	pthread_mutex_lock(&h->lock);
	h->leading = on;
	h->term++;
	h->lead_ms = clock_ms();
	pthread_mutex_unlock(&h->lock);
	wake_set(h->wake);
}

/* --- the thread ------------------------------------------------------------------------------- */

static void fact_to_frame(void *arg, enum fact f, const char *key, const char *member,
			  const char *text)
{
	facts_add(arg, f, key, member, text);
}

static void send_own_facts(struct hub *h)
{
	facts_begin(&h->text);
	if (replica_take_dirty(h->c->replica, cluster_member_name(h->c), fact_to_frame, &h->text))
		hub_send_all(h, facts_end(&h->text, false), NULL);
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
		for (struct peer *p = h->peers; p; p = p->next) {
			if (p->greeted && t->rev > p->sent &&
			    fconn_queued(p->conn) <= HUB_QUEUE_MAX)
				peer_send(p, frame_ref(t->frame));
			else if (p->greeted && t->rev > p->sent)
				peer_drop(p, "it reads too slowly");
		}
		frame_unref(t->frame);
		return;
	case TASK_OTHER:
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

static void do_tasks(struct hub *h, struct task *list)
{
	while (list) {
		struct task *t = list;

		list = t->next;
		do_task(h, t);
		free(t);
	}
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
	if (leading && !h->led)
		hub_live_reset(h);
	h->led = leading;
	/* Those of an earlier term may have missed rows in between. */
	for (struct peer *p = h->peers; p; p = p->next) {
		if (!p->ending)
			peer_end(p, "leader");
	}
}

static void *run(void *arg)
{
	struct hub *h = arg;
	struct epoll_event ev[EVENTS];
	bool leading, stopping = false;
	unsigned term;

	while (!stopping) {
		int n = epoll_wait(h->epoll, ev, EVENTS, h->peers || h->led ? TICK_MS : -1);
		struct task *tasks;

		wake_clear(h->wake);
		tasks = take_tasks(h, &leading, &term, &stopping);
		take_role(h, leading && !stopping, term);
		do_tasks(h, tasks);
		for (int i = 0; i < n; i++) {
			if (ev[i].data.ptr)
				peer_io(ev[i].data.ptr);
		}
		if (h->led)
			send_own_facts(h);
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
	h->text = SBUF(FRAME_MAX);
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
	sbuf_free(&h->text);
	free(h->absent);
	close(h->epoll);
	close(h->wake);
	pthread_mutex_destroy(&h->lock);
	free(h);
}
