/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/store/commit.h"

#include <assert.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/schema.h"
#include "cluster/self/calls.h"
#include "cluster/store/writer.h"

#define RETRY_MS 25
#define OUTCOME_CALL_MS 3000

/* --- what is known ---------------------------------------------------------------------------- */

enum verdict {
	DONE,
	REFUSED, /* by the leader; another attempt ends the same */
	VAIN,    /* surely nothing came of this attempt */
	LOST,    /* it may be committed, now or later */
	BURNT,   /* it never will be, by any attempt */
};

/* What a failed attempt proves. Whatever is not listed proves nothing. */
static enum verdict verdict_of(enum err_kind kind)
{
	switch (kind) {
	case ERR_CANCELLED:
		return BURNT;
	case ERR_UNAVAILABLE: /* nobody leads, or not reached */
	case ERR_LIMIT:       /* turned away unread */
		return VAIN;
	case ERR_INVALID:
	case ERR_FORBIDDEN:
	case ERR_NOT_FOUND:
	case ERR_METHOD:
	case ERR_CONFLICT:
	case ERR_PRECONDITION:
	case ERR_TOO_LARGE:
	case ERR_INTERNAL: /* the database rolled it back */
	case ERR_NO_SPACE:
		return REFUSED;
	default:
		return LOST;
	}
}

static enum verdict attempt(const struct commit_way *w, struct tx *t, int64_t deadline,
			    int64_t *ret_rev, struct err *err)
{
	bool held = t->fate == TX_HELD;
	enum verdict v;

	if (held) {
		t->base = w->revision(w->arg);
		t->fate = TX_OPEN;
	}
	v = w->send(w->arg, t, deadline, ret_rev, err) == 0 ? DONE : verdict_of(err->kind);
	if (v == DONE)
		t->fate = TX_COMMITTED;
	else if (v == BURNT)
		t->fate = TX_DEAD;
	else if (held && v != LOST)
		t->fate = TX_HELD;
	return v;
}

int outcome_over(const struct commit_way *w, struct tx *t, int64_t deadline, int64_t *ret_rev,
		 struct err *err)
{
	if (t->fate != TX_OPEN && t->fate != TX_COMMITTED)
		return 0;
	assert(t->base >= 0);
	for (;;) {
		int64_t one = deadline_in(OUTCOME_CALL_MS);
		int r = w->look_up(w->arg, t, one < deadline ? one : deadline, ret_rev, err);

		if (r >= 0) {
			t->fate = r ? TX_COMMITTED : TX_DEAD;
			return r;
		}
		if (!w->again(w->arg, deadline))
			return -1;
	}
}

/* After the last attempt: what the caller is told. */
static int conclude(const struct commit_way *w, struct tx *t, enum verdict v, int64_t deadline,
		    int64_t *ret_rev, struct err *err)
{
	struct err ignored = { 0 };
	int r = -1;

	assert(v != DONE);
	/* Refused, but an earlier attempt may still be on its way, and end otherwise. */
	if (t->fate == TX_OPEN && v == REFUSED)
		r = outcome_over(w, t, deadline, ret_rev, &ignored);
	if (r > 0)
		return 0;
	if (t->fate == TX_OPEN) {
		err->kind = ERR_UNKNOWN;
		return err_wrap(err, "it is not known whether the change was made");
	}
	if (v != REFUSED)
		err->kind = ERR_UNAVAILABLE;
	return -1;
}

int commit_over(const struct commit_way *w, struct tx *t, int64_t deadline, int64_t *ret_rev,
		struct err *err)
{
	enum verdict v;

	for (;;) {
		v = attempt(w, t, deadline, ret_rev, err);
		if (v == DONE)
			return 0;
		if (v == REFUSED || v == BURNT || !w->again(w->arg, deadline))
			return conclude(w, t, v, deadline, ret_rev, err);
	}
}

/* --- the way to the leader -------------------------------------------------------------------- */

static int commit_here(struct cluster *c, struct tx *t, int64_t deadline, int64_t *ret_rev,
		       struct err *err)
{
	struct wreq *q;
	int rc;

	/* One that nobody has yet, the empty one of cluster_serve_row() among them, is new. */
	if (t->fate == TX_HELD)
		t->base = replica_revision(c->replica);
	q = wreq_new(t, deadline);
	writer_submit(c->writer, q);
	rc = writer_wait(c->writer, q, ret_rev, err);
	wreq_unref(q);
	return rc;
}

static int send(void *arg, struct tx *t, int64_t deadline, int64_t *ret_rev, struct err *err)
{
	struct cluster *c = arg;
	int rc;

	if (cluster_is_leader(c))
		return commit_here(c, t, deadline, ret_rev, err);
	if (cluster_check_member(c, err) < 0)
		return -1;
	rc = outbox_commit(c->outbox, t, deadline, ret_rev, err);
	/* The caller reads its own writes; a member cut off from the feed is told all the same. */
	if (rc == 0 && !replica_wait(c->replica, *ret_rev, deadline))
		log_warn("committed, but the feed is behind");
	return rc;
}

static int burn_here(struct cluster *c, const struct tx *t, int64_t deadline, int64_t *ret_rev,
		     struct err *err)
{
	struct wreq *q = wreq_burn(t->id, t->base, deadline);
	int rc;

	writer_submit(c->writer, q);
	rc = writer_wait(c->writer, q, ret_rev, err);
	wreq_unref(q);
	if (rc == 0)
		return 1;
	return err->kind == ERR_CANCELLED ? 0 : -1;
}

static int burn_there(struct cluster *c, const struct tx *t, int64_t deadline, int64_t *ret_rev,
		      struct err *err)
{
	_json_ json_t *body = json_pack("{s:s,s:I,s:i}", "id", t->id, "base", (json_int_t)t->base,
					"timeout_ms", deadline_left(deadline));
	_json_ json_t *answer = NULL;
	const json_t *committed;

	answer = cluster_call_leader(c, "POST", "/internal/outcome", body, deadline, err);
	committed = json_object_get(answer, "committed");
	if (!answer)
		return -1;
	if (!json_is_boolean(committed))
		return err_set(err, ERR_UNKNOWN, "the leader's answer is malformed");
	if (!json_is_true(committed))
		return 0;
	*ret_rev = json_int(answer, "revision", 0);
	replica_wait(c->replica, *ret_rev, deadline);
	return 1;
}

static int look_up(void *arg, const struct tx *t, int64_t deadline, int64_t *ret_rev,
		   struct err *err)
{
	struct cluster *c = arg;

	return cluster_is_leader(c) ? burn_here(c, t, deadline, ret_rev, err)
				    : burn_there(c, t, deadline, ret_rev, err);
}

static int64_t revision(void *arg)
{
	return replica_revision(((struct cluster *)arg)->replica);
}

bool commit_again(struct cluster *c, int64_t deadline)
{
	struct identity self;

	cluster_self(c, &self);
	if (self.removed || cluster_stopping(c) || cluster_is_cut_off(c) ||
	    clock_ms() + RETRY_MS >= deadline)
		return false;
	cluster_wait_leader(c, deadline_in(RETRY_MS));
	return true;
}

static bool again(void *arg, int64_t deadline)
{
	return commit_again(arg, deadline);
}

static struct commit_way way_of(struct cluster *c)
{
	return (struct commit_way){ send, look_up, revision, again, c };
}

int commit_run(struct cluster *c, struct tx *t, int64_t deadline, int64_t *ret_rev, struct err *err)
{
	struct commit_way w = way_of(c);
	int rc;

	if (t->bytes > TX_BYTES_MAX)
		return err_set(err, ERR_TOO_LARGE, "the transaction is larger than %u MiB",
			       TX_BYTES_MAX >> 20);
	rc = commit_over(&w, t, deadline ? deadline : deadline_in(COMMIT_TIMEOUT_MS), ret_rev, err);
	if (rc < 0 && err->kind == ERR_UNAVAILABLE)
		cluster_explain_cut_off(c, err);
	return rc;
}

int commit_outcome(struct cluster *c, struct tx *t, int64_t deadline, struct err *err)
{
	struct commit_way w = way_of(c);
	int64_t rev = 0;

	return outcome_over(&w, t, deadline ? deadline : deadline_in(COMMIT_TIMEOUT_MS), &rev, err);
}

/* --- served to others ------------------------------------------------------------------------- */

static int64_t served_deadline(const json_t *body)
{
	int64_t ms = json_int(body, "timeout_ms", 0);

	return deadline_in(ms > 0 && ms < COMMIT_TIMEOUT_MS ? ms : COMMIT_TIMEOUT_MS);
}

static json_t *result_of(struct cluster *c, struct wreq *q)
{
	struct err err = { 0 };
	int64_t rev = 0;

	if (writer_wait(c->writer, q, &rev, &err) == 0)
		return json_pack("{s:I}", "revision", (json_int_t)rev);
	return json_pack("{s:s,s:s}", "kind", err_name(err.kind), "error", err.msg);
}

static bool not_leading(struct cluster *c, struct err *err)
{
	if (cluster_is_leader(c))
		return false;
	err_set(err, ERR_UNAVAILABLE, "this member does not lead the cluster");
	return true;
}

json_t *cluster_serve_tx(struct cluster *c, const json_t *body, struct err *err)
{
	const json_t *txs = json_arr(body, "txs");
	size_t n = json_array_size(txs), ready = 0;
	_free_ struct wreq **v = xcalloc(n + 1, sizeof(*v));
	int64_t deadline = served_deadline(body);
	json_t *results = json_array();

	if (not_leading(c, err)) {
		json_decref(results);
		return NULL;
	}
	for (; ready < n; ready++) {
		_tx_ struct tx *t = tx_decode(json_array_get(txs, ready), err);

		if (!t)
			break;
		v[ready] = wreq_new(t, deadline);
	}
	for (size_t i = 0; ready == n && i < n; i++)
		writer_submit(c->writer, v[i]);
	for (size_t i = 0; i < ready; i++) {
		if (ready == n)
			json_array_append_new(results, result_of(c, v[i]));
		wreq_unref(v[i]);
	}
	if (ready < n) {
		json_decref(results);
		return NULL;
	}
	return json_pack("{s:o}", "results", results);
}

json_t *cluster_serve_outcome(struct cluster *c, const json_t *body, struct err *err)
{
	const char *id = json_str(body, "id", "");
	struct wreq *q;
	int64_t rev = 0;
	int rc;

	if (!str_is_hex(id, TX_ID_SIZE - 1)) {
		err_set(err, ERR_INVALID, "the id of a transaction is needed");
		return NULL;
	}
	if (not_leading(c, err))
		return NULL;
	q = wreq_burn(id, json_int(body, "base", 0), served_deadline(body));
	writer_submit(c->writer, q);
	rc = writer_wait(c->writer, q, &rev, err);
	wreq_unref(q);
	if (rc < 0 && err->kind != ERR_CANCELLED)
		return NULL;
	return json_pack("{s:b,s:I}", "committed", rc == 0, "revision", (json_int_t)rev);
}

json_t *cluster_serve_row(struct cluster *c, const json_t *body, struct err *err)
{
	enum entity e = entity_by_table(json_str(body, "table", ""));
	const char *key = json_str(body, "key", NULL);
	/* An empty commit proves that this member still leads, and that it has seen all before
	 * it. */
	_tx_ struct tx *t = tx_new();
	_free_ char *text = NULL;
	bool commit = json_bool(body, "commit", true);
	int64_t rev = 0, at = replica_revision(c->replica);

	if (e == ENT_MAX || !key) {
		err_set(err, ERR_INVALID, "a table and a key are needed");
		return NULL;
	}
	if (not_leading(c, err) ||
	    (commit && commit_here(c, t, served_deadline(body), &at, err) < 0))
		return NULL;
	text = replica_text(c->replica, e, key, &rev);
	return json_pack("{s:I,s:I,s:s?}", "revision", (json_int_t)at, "rev", (json_int_t)rev,
			 "doc", text);
}
