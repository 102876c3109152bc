/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/store/writer.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "cluster/store/batch.h"

#define BUSY_WAIT_MS 10
#define BUSY_TRIES 200
/* An attempt that comes later than this after the first is refused (tx.h, base). */
#define DONE_KEEP_MS 150000
#define MARK_EVERY_MS 10000
#define MARKS 32
#define GONE_KEEP 20000
/* dqlite preallocates its log in segments of 8 MiB and dies on a full disk, so it never gets there.
 * New objects are refused first: what frees room must still be possible. */
#define ROOM_FOR_NEW (96ull << 20)
#define ROOM_FOR_ANY (40ull << 20)

enum state { FRESH, QUEUED, RUNNING, ANSWERED };

struct wreq {
	int refs;
	enum state state;
	struct tx *tx; /* NULL: burn */
	char id[TX_ID_SIZE];
	int64_t base, deadline, revision;
	struct err err;
	struct wreq *next;
};

struct writer {
	struct replica *replica;
	struct writer_hooks hooks;
	struct batch *batch;
	struct done *done;
	pthread_mutex_t lock;
	pthread_cond_t work, answered;
	struct wreq *head, **tail;
	bool open, woken;
	/* The draining thread's: when which revision was reached, for pruning. */
	struct {
		int64_t ms, revision;
	} marks[MARKS];
	size_t n_marks;
	int64_t pruned;
};

struct writer *writer_new(struct replica *borrowed, const struct writer_hooks *h)
{
	struct writer *w = xnew(struct writer);

	w->replica = borrowed;
	w->hooks = *h;
	w->batch = batch_new(borrowed);
	w->done = done_new();
	pthread_mutex_init(&w->lock, NULL);
	cond_init(&w->work);
	cond_init(&w->answered);
	w->tail = &w->head;
	return w;
}

void writer_free(struct writer *w)
{
	if (!w)
		return;
	writer_open(w, false);
	assert(!w->head);
	batch_free(w->batch);
	done_free(w->done);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->work);
	pthread_cond_destroy(&w->answered);
	free(w);
}

/* --- requests --------------------------------------------------------------------------------- */

struct wreq *wreq_new(struct tx *t, int64_t deadline)
{
	struct wreq *q = xnew(struct wreq);

	q->refs = 1;
	q->tx = tx_ref(t);
	str_copy(q->id, sizeof(q->id), t->id);
	q->base = t->base;
	q->deadline = deadline;
	return q;
}

struct wreq *wreq_burn(const char *id, int64_t base, int64_t deadline)
{
	struct wreq *q = xnew(struct wreq);

	q->refs = 1;
	str_copy(q->id, sizeof(q->id), id);
	q->base = base;
	q->deadline = deadline;
	return q;
}

void wreq_unref(struct wreq *q)
{
	int left = q ? __atomic_sub_fetch(&q->refs, 1, __ATOMIC_ACQ_REL) : 1;

	assert(left >= 0);
	if (left > 0)
		return;
	tx_free(q->tx);
	free(q);
}

static void enqueue(struct writer *w, struct wreq *q)
{
	assert(q->state == FRESH);
	q->state = QUEUED;
	q->next = NULL;
	*w->tail = q;
	w->tail = &q->next;
}

void writer_submit(struct writer *w, struct wreq *q)
{
	pthread_mutex_lock(&w->lock);
	assert(q->state == FRESH);
	if (w->open) {
		__atomic_add_fetch(&q->refs, 1, __ATOMIC_RELAXED);
		enqueue(w, q);
		pthread_cond_signal(&w->work);
	} else {
		q->state = ANSWERED;
		err_set(&q->err, ERR_UNAVAILABLE, "this member does not lead the cluster");
	}
	pthread_mutex_unlock(&w->lock);
}

static bool unqueue(struct writer *w, struct wreq *q)
{
	for (struct wreq **pp = &w->head; *pp; pp = &(*pp)->next) {
		if (*pp != q)
			continue;
		*pp = q->next;
		if (!q->next)
			w->tail = pp;
		wreq_unref(q);
		return true;
	}
	return false;
}

/* Under the lock, at the deadline. */
static void give_up(struct writer *w, struct wreq *q)
{
	assert(q->state != ANSWERED);
	if (q->state == QUEUED && unqueue(w, q)) {
		q->state = ANSWERED;
		err_set(&q->err, ERR_UNAVAILABLE, "the leader did not get to it in time");
	}
}

int writer_wait(struct writer *w, struct wreq *q, int64_t *ret_rev, struct err *err)
{
	int rc = -1;

	pthread_mutex_lock(&w->lock);
	assert(q->state != FRESH);
	while (q->state != ANSWERED) {
		if (cond_wait_until(&w->answered, &w->lock, q->deadline) ||
		    clock_ms() < q->deadline)
			continue;
		give_up(w, q);
		break;
	}
	if (q->state != ANSWERED) {
		err_set(err, ERR_UNKNOWN, "no answer from the database in time");
	} else if (q->err.kind != ERR_NONE) {
		*err = q->err;
	} else {
		*ret_rev = q->revision;
		rc = 0;
	}
	pthread_mutex_unlock(&w->lock);
	return rc;
}

/* --- the draining thread ---------------------------------------------------------------------- */

void writer_open(struct writer *w, bool open)
{
	struct wreq *q;

	pthread_mutex_lock(&w->lock);
	w->open = open;
	w->n_marks = 0;
	w->pruned = 0;
	while (!open && (q = w->head)) {
		assert(q->state == QUEUED);
		w->head = q->next;
		q->state = ANSWERED;
		err_set(&q->err, ERR_UNAVAILABLE, "this member stopped leading the cluster");
		wreq_unref(q);
	}
	if (!w->head)
		w->tail = &w->head;
	pthread_cond_broadcast(&w->answered);
	pthread_mutex_unlock(&w->lock);
}

bool writer_idle(struct writer *w, int64_t deadline)
{
	bool work;

	pthread_mutex_lock(&w->lock);
	while (!w->head && !w->woken) {
		if (!cond_wait_until(&w->work, &w->lock, deadline) && clock_ms() >= deadline)
			break;
	}
	work = w->head != NULL;
	w->woken = false;
	pthread_mutex_unlock(&w->lock);
	return work;
}

void writer_wake(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->woken = true;
	pthread_cond_signal(&w->work);
	pthread_mutex_unlock(&w->lock);
}

/* Two attempts of one transaction in the same batch: the second waits for the next. */
static bool in_batch(struct wreq **v, size_t n, const struct wreq *q)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(v[i]->id, q->id) == 0)
			return true;
	}
	return false;
}

static size_t drain(struct writer *w, struct wreq **v)
{
	size_t n = 0, bytes = 0;

	pthread_mutex_lock(&w->lock);
	while (w->head && n < BATCH_TX_MAX) {
		struct wreq *q = w->head;
		size_t size = q->tx ? q->tx->bytes : 0;

		if (n > 0 && (bytes + size > BATCH_BYTES_MAX || in_batch(v, n, q)))
			break;
		assert(q->state == QUEUED);
		w->head = q->next;
		q->state = RUNNING;
		bytes += size;
		v[n++] = q;
	}
	if (!w->head)
		w->tail = &w->head;
	pthread_mutex_unlock(&w->lock);
	return n;
}

/* Answers those of v whose result is set; drops the queue's references. */
static void answer(struct writer *w, struct wreq **v, size_t n)
{
	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < n; i++) {
		assert(v[i]->state == RUNNING);
		v[i]->state = ANSWERED;
	}
	pthread_cond_broadcast(&w->answered);
	pthread_mutex_unlock(&w->lock);
	for (size_t i = 0; i < n; i++)
		wreq_unref(v[i]);
}

static void fail_all(struct wreq **v, size_t n, const struct err *err)
{
	for (size_t i = 0; i < n; i++)
		v[i]->err = *err;
}

/* Was it committed or burnt before, or can nobody tell any more? Then it is answered. */
static bool look_up(struct writer *w, struct wreq *q)
{
	bool burnt = false;

	if (!done_find(w->done, q->id, &q->revision, &burnt)) {
		if (q->base >= done_floor(w->done))
			return false;
		err_set(&q->err, q->tx ? ERR_UNAVAILABLE : ERR_UNKNOWN,
			"transaction %s is older than what the leader remembers", q->id);
		return true;
	}
	if (burnt)
		err_set(&q->err, ERR_CANCELLED, "transaction %s was given up", q->id);
	return true;
}

static bool makes_new(const struct tx *t)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->v[i].op == TX_PUT && t->v[i].seen == REV_NONE)
			return true;
	}
	return false;
}

static bool has_room(struct writer *w, const struct tx *t, struct err *err)
{
	uint64_t room = io_free_bytes(w->hooks.dir);

	if (room >= (makes_new(t) ? ROOM_FOR_NEW : ROOM_FOR_ANY))
		return true;
	err_set(err, ERR_NO_SPACE,
		"the leader's disk is nearly full: %llu MiB are left for the database in %s; free "
		"some room there",
		(unsigned long long)room >> 20, w->hooks.dir);
	return false;
}

static void add_one(struct writer *w, struct wreq *q)
{
	q->err.kind = ERR_NONE;
	if (look_up(w, q) || (q->tx && !has_room(w, q->tx, &q->err)))
		return;
	if (q->tx) {
		batch_add(w->batch, q->tx, &q->revision, &q->err);
		return;
	}
	batch_add_burnt(w->batch, q->id, &q->revision);
	err_set(&q->err, ERR_CANCELLED, "transaction %s was given up", q->id);
}

/* Whatever is submitted meanwhile waits as well. */
static void pause_for(struct writer *w, int ms)
{
	int64_t until = deadline_in(ms);

	pthread_mutex_lock(&w->lock);
	while (clock_ms() < until)
		cond_wait_until(&w->work, &w->lock, until);
	pthread_mutex_unlock(&w->lock);
}

static int exec_batch(struct writer *w, struct db *d, struct err *err)
{
	struct wire_value params[BATCH_PARAMS];

	if (batch_params(w->batch, params, err) < 0)
		return -1;
	for (int i = 0; db_batch(d, params, err) < 0; i++) {
		if (err->kind != ERR_BUSY || i == BUSY_TRIES)
			return -1;
		pause_for(w, BUSY_WAIT_MS);
	}
	return 0;
}

static void publish(struct writer *w, struct wreq **v, size_t n_reqs)
{
	int64_t base = batch_base(w->batch), revision = batch_revision(w->batch);
	size_t n;
	const struct change *changes = batch_changes(w->batch, &n);

	for (size_t i = 0; i < n_reqs; i++) {
		bool burnt = v[i]->err.kind == ERR_CANCELLED;

		if (v[i]->revision > base && (burnt || v[i]->err.kind == ERR_NONE))
			done_add(w->done, v[i]->id, v[i]->revision, burnt);
	}
	replica_apply(w->replica, changes, n, revision);
	w->hooks.committed(w->hooks.arg, changes, n, base, revision);
}

enum outcome { COMMITTED, REFUSED, LOST };

static enum outcome outcome_of(const struct err *err)
{
	switch (err->kind) {
	case ERR_UNKNOWN:
	case ERR_UNAVAILABLE:
	case ERR_BUSY:
	case ERR_CONFLICT: /* stale: this replica missed a commit and is loaded again */
		return LOST;
	default:
		return REFUSED;
	}
}

static enum outcome try_batch(struct writer *w, struct db *d, struct wreq **v, size_t n,
			      struct err *err)
{
	batch_reset(w->batch);
	for (size_t i = 0; i < n; i++)
		add_one(w, v[i]);
	if (batch_empty(w->batch))
		return COMMITTED;
	if (exec_batch(w, d, err) < 0)
		return outcome_of(err);
	publish(w, v, n);
	return COMMITTED;
}

/* The answer to a batch whose connection was lost: refused surely, or unknown. */
static void lost(struct writer *w, struct wreq **v, size_t n, struct err *err)
{
	if (err->kind == ERR_CONFLICT || err->kind == ERR_BUSY)
		err->kind = ERR_UNAVAILABLE;
	fail_all(v, n, err);
	answer(w, v, n);
}

/* The database refused the batch as a whole: each for itself, so that only the culprit fails. */
static int run_singly(struct writer *w, struct db *d, struct wreq **v, size_t n, struct err *err);

static int run_batch(struct writer *w, struct db *d, struct wreq **v, size_t n, struct err *err)
{
	enum outcome r = try_batch(w, d, v, n, err);

	if (r == LOST) {
		lost(w, v, n, err);
		return -1;
	}
	if (r == REFUSED && n > 1)
		return run_singly(w, d, v, n, err);
	if (r == COMMITTED && fault_point(commit_reply_lost, err)) {
		err->kind = ERR_UNKNOWN;
		r = REFUSED;
	}
	if (r == REFUSED)
		fail_all(v, n, err);
	answer(w, v, n);
	return 0;
}

static int run_singly(struct writer *w, struct db *d, struct wreq **v, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (run_batch(w, d, &v[i], 1, err) < 0) {
			lost(w, v + i + 1, n - i - 1, err);
			return -1;
		}
	}
	return 0;
}

int writer_load(struct writer *w, struct db *d, struct err *err)
{
	if (db_load(d, w->replica, err) < 0)
		return -1;
	return db_load_done(d, w->done, err);
}

/* --- pruning ---------------------------------------------------------------------------------- */

static int prune_done(struct writer *w, struct db *d, struct err *err)
{
	int64_t now = clock_ms();

	if (w->n_marks && now - w->marks[w->n_marks - 1].ms < MARK_EVERY_MS)
		return 0;
	if (w->n_marks && now - w->marks[0].ms > DONE_KEEP_MS) {
		/* The last row stays: it holds the revision. */
		if (w->marks[0].revision - 1 > w->pruned &&
		    db_prune_done(d, w->marks[0].revision - 1, err) < 0)
			return -1;
		w->pruned = w->marks[0].revision - 1;
		done_forget(w->done, w->pruned);
	}
	if (w->n_marks == MARKS || (w->n_marks && now - w->marks[0].ms > DONE_KEEP_MS))
		memmove(w->marks, w->marks + 1, --w->n_marks * sizeof(w->marks[0]));
	w->marks[w->n_marks].ms = now;
	w->marks[w->n_marks++].revision = replica_revision(w->replica);
	return 0;
}

static int prune_gone(struct writer *w, struct db *d, struct err *err)
{
	int64_t keep_above = replica_revision(w->replica) - GONE_KEEP;

	if (keep_above - replica_floor(w->replica) < GONE_KEEP)
		return 0;
	if (db_prune_gone(d, keep_above, err) < 0)
		return -1;
	replica_forget_gone(w->replica, keep_above);
	return 0;
}

int writer_step(struct writer *w, struct db *d, struct err *err)
{
	struct wreq *v[BATCH_TX_MAX];
	size_t n = drain(w, v);

	if (n && run_batch(w, d, v, n, err) < 0)
		return -1;
	return prune_done(w, d, err) < 0 || prune_gone(w, d, err) < 0 ? -1 : 0;
}
