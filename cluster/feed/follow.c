/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/feed/follow.h"

#include <assert.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/thread.h"
#include "cluster/feed/list.h"
#include "cluster/self/discover.h"

#define CONNECT_MS 1500
#define PING_MS 1000
#define SILENCE_MS 3000
#define RETRY_MS 25
#define RETRY_MAX_MS 1000
#define TRIES_PER_STEP 4 /* before the pause doubles */
#define STEPS_MAX 6
#define SLOW_MAX 4 /* how many times CONNECT_MS a connection may take */
#define EVENTS_MAX 1000

struct event {
	struct event *next;
	char *text;
};

struct follow {
	struct cluster *c;
	int wake;
	pthread_t thread;
	bool started;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stopping, rest, busy; /* busy: a session may apply changes */
	struct event *events, **events_tail;
	size_t n_events;

	/* The thread's own. */
	struct fconn *conn;
	struct sbuf text;
	bool current;            /* has been sent everything once in this session */
	bool over;               /* the leader said good-bye */
	bool removed;            /* because this is no member any more */
	struct fact_round round; /* of the leader's list */
	bool listing;            /* our own list is under way, up to `listed` */
	int64_t listed;
	bool unsaid; /* changed facts wait until the queue is shorter */
	unsigned asked;
	unsigned failed; /* attempts since there was a feed */
};

/* --- what the leader says --------------------------------------------------------------------- */

static int collect_rows(const json_t *rows, struct change **ret, size_t *ret_n, struct err *err)
{
	struct change *v = xcalloc(json_array_size(rows) + 1, sizeof(*v));
	size_t i, n = 0;
	json_t *item;

	json_array_foreach(rows, i, item) {
		if (!rows_item(item, &v[n])) {
			free(v);
			return err_set(err, ERR_INVALID, "feed: a malformed row");
		}
		n += v[n].e != ENT_MAX;
	}
	*ret = v;
	*ret_n = n;
	return 0;
}

static void apply_full(struct replica *r, const json_t *msg, const struct change *v, size_t n)
{
	if (json_bool(msg, "first", false))
		replica_full_begin(r);
	replica_full_rows(r, v, n);
	/* Tombstones below this copy are not known here. */
	if (!json_bool(msg, "more", false))
		replica_full_end(r, json_int(msg, "rev", 0), json_int(msg, "rev", 0));
}

static int got_rows(struct follow *f, const json_t *msg, struct err *err)
{
	struct replica *r = f->c->replica;
	bool more = json_bool(msg, "more", false);
	_free_ struct change *v = NULL;
	size_t n = 0;

	if (collect_rows(json_arr(msg, "rows"), &v, &n, err) < 0)
		return -1;
	if (json_bool(msg, "full", false)) {
		apply_full(r, msg, v, n);
	} else {
		replica_apply(r, v, n, json_int(msg, "rev", 0));
		replica_forget_gone(r, json_int(msg, "floor", 0));
	}
	if (!more && !f->current) {
		f->current = true;
		cluster_set_contact(f->c);
	}
	return 0;
}

static void take_fact(void *arg, enum fact kind, const char *key, const char *member,
		      const char *text)
{
	struct follow *f = arg;

	replica_fact_put(f->c->replica, kind, key, member, text, false);
}

static void got_facts(struct follow *f, const json_t *msg)
{
	const char *self = cluster_member_name(f->c);
	struct fact_item k;
	json_t *item;
	size_t i;

	json_array_foreach(json_arr(msg, "facts"), i, item) {
		if (facts_item(item, true, &k) && k.f != FACT_KINDS && !str_eq(k.member, self))
			take_fact(f, k.f, k.key, k.member, k.text);
	}
	fact_round_add(&f->round, msg, NULL);
	fact_round_end(&f->round, msg, f->c->replica, NULL, self, take_fact, f);
}

static void got_bye(struct follow *f, const json_t *msg)
{
	const char *why = json_str(msg, "why", "");

	f->over = true;
	if (str_eq(why, "removed"))
		f->removed = true;
	else if (str_eq(why, "protocol"))
		log_error("the leader speaks another version of the feed", "remedy",
			  "bring this member to the cluster's release");
	else
		cluster_set_leader(f->c, "", "");
}

static int got_message(void *arg, json_t *msg, struct err *err)
{
	struct follow *f = arg;
	const char *t = json_str(msg, "t", "");
	const json_t *leader = json_obj(msg, "leader");

	if (str_eq(t, "rows"))
		return got_rows(f, msg, err);
	if (str_eq(t, "facts"))
		got_facts(f, msg);
	else if (str_eq(t, "event") && json_str(msg, "text", NULL))
		notify_event(f->c->notifier, json_str(msg, "text", ""));
	else if (str_eq(t, "ping") && leader)
		cluster_set_leader(f->c, json_str(leader, "name", ""),
				   json_str(leader, "address", ""));
	else if (str_eq(t, "bye"))
		got_bye(f, msg);
	return 0;
}

/* --- what we say ------------------------------------------------------------------------------ */

static void put_facts(void *arg, struct frame *own_frame, bool last)
{
	struct follow *f = arg;

	assert(f->conn);
	fconn_send(f->conn, own_frame);
}

static void add_fact(void *arg, enum fact kind, const char *key, const char *member,
		     const char *text)
{
	facts_add(arg, kind, key, NULL, text);
}

/* A list of all that is ours follows, a piece at a time. */
static void say_hello(struct follow *f)
{
	sbuf_reset(&f->text);
	sbuf_puts(&f->text, "{\"t\":\"hello\",\"member\":");
	sbuf_json_string(&f->text, cluster_member_name(f->c));
	sbuf_printf(&f->text, ",\"rev\":%lld,\"protocol\":%d}",
		    (long long)replica_revision(f->c->replica), FEED_PROTOCOL);
	fconn_send(f->conn, frame_new(&f->text));
	replica_drop_dirty(f->c->replica);
	f->listing = true;
	f->listed = 0;
}

static void say_list(struct follow *f, struct feed_list *l)
{
	struct list_head head = { .full = true, .first = f->listed == 0 };

	facts_begin(l, &head);
	f->listing = replica_facts_since(f->c->replica, cluster_member_name(f->c), &f->listed,
					 FEED_CHUNK, add_fact, l);
	facts_end(l, f->listing);
}

static bool say_changes(struct follow *f, struct feed_list *l)
{
	struct list_head head = { .full = false };
	bool any;

	facts_begin(l, &head);
	any = replica_take_dirty(f->c->replica, cluster_member_name(f->c), FEED_CHUNK, add_fact, l);
	facts_end(l, false);
	return any;
}

static void say_facts(struct follow *f)
{
	struct feed_list l = { .put = put_facts, .arg = f };

	f->unsaid = true;
	while (f->unsaid && fconn_queued(f->conn) < FEED_CHUNK) {
		if (f->listing)
			say_list(f, &l);
		else
			f->unsaid = say_changes(f, &l);
	}
	feed_list_free(&l);
}

static struct event *take_events(struct follow *f)
{
	struct event *list;

	pthread_mutex_lock(&f->lock);
	list = take_ptr(f->events);
	f->events_tail = &f->events;
	f->n_events = 0;
	pthread_mutex_unlock(&f->lock);
	return list;
}

static void say_events(struct follow *f, struct event *own_list)
{
	while (own_list) {
		struct event *e = own_list;
		struct frame *frame = event_frame(e->text);

		own_list = e->next;
		if (frame)
			fconn_send(f->conn, frame);
		free(e->text);
		free(e);
	}
}

static void say_ping(struct follow *f)
{
	sbuf_reset(&f->text);
	sbuf_puts(&f->text, "{\"t\":\"ping\"}");
	fconn_send(f->conn, frame_new(&f->text));
}

/* --- a session -------------------------------------------------------------------------------- */

static bool resting(struct follow *f)
{
	bool rest;

	pthread_mutex_lock(&f->lock);
	rest = f->stopping || f->rest;
	pthread_mutex_unlock(&f->lock);
	return rest;
}

/* What the leader says is only applied while busy, and never while resting. */
static int apply(struct follow *f, struct err *err)
{
	bool rest;
	int rc;

	pthread_mutex_lock(&f->lock);
	rest = f->stopping || f->rest;
	f->busy = !rest;
	pthread_mutex_unlock(&f->lock);
	if (rest)
		return err_set(err, ERR_CANCELLED, "resting");
	rc = fconn_fill(f->conn, got_message, f, err);
	pthread_mutex_lock(&f->lock);
	f->busy = false;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
	return rc;
}

/* Who is told of an event finds what was changed before it: it comes after the facts. */
static void say(struct follow *f)
{
	struct event *events = take_events(f);

	say_facts(f);
	say_events(f, events);
	if (clock_ms() - fconn_said_ms(f->conn) >= PING_MS)
		say_ping(f);
}

static int turn(struct follow *f, struct err *err)
{
	struct pollfd p[2] = { { stream_fd(fconn_stream(f->conn)), fconn_events(f->conn), 0 },
			       { f->wake, POLLIN, 0 } };

	if (f->unsaid)
		p[0].events |= POLLOUT;
	if (!fconn_pending(f->conn))
		poll(p, 2, PING_MS);
	wake_clear(f->wake);
	if (apply(f, err) < 0)
		return -1;
	if (f->over)
		return err_set(err, ERR_UNAVAILABLE, "the leader closed the feed");
	if (fconn_silent_ms(f->conn) > SILENCE_MS)
		return err_set(err, ERR_TIMEOUT, "the leader is silent");
	say(f);
	return fconn_flush(f->conn, err);
}

static void session(struct follow *f, const char *address)
{
	/* A busy leader gets more time than one that may be dead. */
	unsigned slow = f->failed < SLOW_MAX ? f->failed + 1 : SLOW_MAX;
	int64_t deadline = deadline_in(CONNECT_MS * (int)slow);
	struct err err = { 0 };
	struct stream *s;

	assert(!f->conn);
	s = cluster_connect(f->c, address, "/internal/feed", "dunlin-feed", deadline, &err);
	if (!s) {
		log_debug("no feed", "from", address, "why", err.msg);
		cluster_forget_leader(f->c, address);
		if (err.kind == ERR_FORBIDDEN)
			discover_refused(f->c, address);
		return;
	}
	f->conn = fconn_new(s);
	f->current = f->over = f->removed = false;
	fact_round_free(&f->round);
	say_hello(f);
	while (turn(f, &err) == 0)
		;
	if (f->current)
		f->failed = 0;
	if (f->current)
		log_info("the feed ended", "from", address, "why", err.msg);
	cluster_lose_contact(f->c, f->current ? fconn_heard_ms(f->conn) : 0);
	fconn_free(take_ptr(f->conn));
	sbuf_free(&f->text);
	cluster_forget_leader(f->c, address);
	if (f->removed)
		discover_refused(f->c, address);
}

/* --- the thread ------------------------------------------------------------------------------- */

static bool wait_ms(struct follow *f, int ms)
{
	struct pollfd p = { f->wake, POLLIN, 0 };
	bool stopping;

	poll(&p, 1, ms);
	wake_clear(f->wake);
	pthread_mutex_lock(&f->lock);
	stopping = f->stopping;
	pthread_mutex_unlock(&f->lock);
	return !stopping;
}

int follow_pause_ms(unsigned failed)
{
	unsigned step = failed / TRIES_PER_STEP;
	int ms = RETRY_MS << (step < STEPS_MAX ? step : STEPS_MAX);

	return ms < RETRY_MAX_MS ? ms : RETRY_MAX_MS;
}

/* Between two attempts: longer from time to time, and not with all others at once. Ends early when
 * somebody else found out who leads. */
static bool pause_between(struct follow *f)
{
	int ms = follow_pause_ms(f->failed);
	int64_t until = deadline_in((int)(ms / 2 + (int64_t)(rng_u64() % (uint64_t)ms)));
	char address[ADDRESS_SIZE];
	bool go_on;

	go_on = wait_ms(f, RETRY_MS);
	while (go_on && !resting(f) && clock_ms() < until &&
	       !cluster_leader_address(f->c, address, sizeof(address)))
		go_on = wait_ms(f, (int)deadline_left(until));
	return go_on;
}

static bool has_others(struct follow *f)
{
	struct cluster *c = f->c;
	bool others;

	pthread_mutex_lock(&c->lock);
	others = c->id.enabled && !c->id.removed && !c->switching;
	pthread_mutex_unlock(&c->lock);
	return others;
}

static void *run(void *arg)
{
	struct follow *f = arg;
	char address[ADDRESS_SIZE];
	bool go_on = true;

	while (go_on) {
		if (resting(f) || !has_others(f)) {
			go_on = wait_ms(f, -1);
			continue;
		}
		f->failed++;
		if (discover_leader(f->c, &f->asked, address, sizeof(address)))
			session(f, address);
		go_on = pause_between(f);
	}
	return NULL;
}

/* --- life and others' threads ----------------------------------------------------------------- */

struct follow *follow_new(struct cluster *c)
{
	struct follow *f = xnew(struct follow);

	f->c = c;
	f->wake = wake_new();
	pthread_mutex_init(&f->lock, NULL);
	cond_init(&f->changed);
	f->events_tail = &f->events;
	f->text = SBUF(FRAME_MAX);
	f->asked = (unsigned)rng_u64();
	return f;
}

int follow_start(struct follow *f, struct err *err)
{
	if (thread_start(&f->thread, "feed", run, f, err) < 0)
		return -1;
	f->started = true;
	return 0;
}

void follow_stop(struct follow *f)
{
	pthread_mutex_lock(&f->lock);
	f->stopping = true;
	pthread_mutex_unlock(&f->lock);
	wake_set(f->wake);
	if (f->started)
		pthread_join(f->thread, NULL);
	f->started = false;
}

void follow_free(struct follow *f)
{
	if (!f)
		return;
	assert(!f->started);
	while (f->events) {
		struct event *e = f->events;

		f->events = e->next;
		free(e->text);
		free(e);
	}
	sbuf_free(&f->text);
	fact_round_free(&f->round);
	close(f->wake);
	pthread_mutex_destroy(&f->lock);
	pthread_cond_destroy(&f->changed);
	free(f);
}

void follow_wake(struct follow *f)
{
	wake_set(f->wake);
}

void follow_rest(struct follow *f, bool on)
{
	pthread_mutex_lock(&f->lock);
	f->rest = on;
	wake_set(f->wake);
	while (on && f->busy && f->started && !f->stopping)
		pthread_cond_wait(&f->changed, &f->lock);
	pthread_mutex_unlock(&f->lock);
}

void follow_event(struct follow *f, const char *text)
{
	struct event *e;

	pthread_mutex_lock(&f->lock);
	if (f->n_events < EVENTS_MAX) {
		e = xnew(struct event);
		e->text = xstrdup(text);
		*f->events_tail = e;
		f->events_tail = &e->next;
		f->n_events++;
	}
	pthread_mutex_unlock(&f->lock);
	wake_set(f->wake);
}
