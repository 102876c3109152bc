/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/commit.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/calls.h"
#include "cluster/schema.h"

#define RETRY_MS 25
/* Idempotency keys are kept for longer than this (writer.c). */
#define AGE_MAX_MS 100000
#define OUTCOME_CALL_MS 3000

static int commit_here(struct cluster *c, struct tx *t, int64_t deadline, int64_t *ret_rev,
		       struct err *err)
{
	struct wreq *q = wreq_new(t, deadline);
	int rc;

	writer_submit(c->writer, q);
	rc = writer_wait(c->writer, q, ret_rev, err);
	wreq_unref(q);
	return rc;
}

static int attempt(struct cluster *c, struct tx *t, int64_t deadline, int64_t *ret_rev,
		   struct err *err)
{
	struct identity self;
	int rc;

	if (cluster_is_leader(c))
		return commit_here(c, t, deadline, ret_rev, err);
	cluster_self(c, &self);
	if (self.removed)
		return err_set(err, ERR_CANCELLED, "this member was removed from the cluster");
	rc = outbox_commit(c->outbox, t, deadline, ret_rev, err);
	/* The caller reads its own writes; a member cut off from the feed is told all the same. */
	if (rc == 0 && !replica_wait(c->replica, *ret_rev, deadline))
		log_warn("committed, but the feed is behind");
	return rc;
}

/* What the caller is told at the deadline. */
static int give_up(const struct tx *t, struct err *err)
{
	if (t->tried) {
		err->kind = ERR_UNKNOWN;
		return err_wrap(err, "it is not known whether the change was made");
	}
	err->kind = ERR_UNAVAILABLE;
	return -1;
}

static int64_t last_moment(struct tx *t, int64_t deadline)
{
	int64_t now = clock_ms();

	if (!t->first_ms)
		t->first_ms = now;
	if (!deadline)
		deadline = now + COMMIT_TIMEOUT_MS;
	return deadline < t->first_ms + AGE_MAX_MS ? deadline : t->first_ms + AGE_MAX_MS;
}

/* Whether another attempt may end better. */
static bool passing(enum err_kind kind)
{
	return kind == ERR_UNAVAILABLE || kind == ERR_UNKNOWN || kind == ERR_TIMEOUT;
}

int commit_run(struct cluster *c, struct tx *t, int64_t deadline, int64_t *ret_rev, struct err *err)
{
	deadline = last_moment(t, deadline);
	if (t->bytes > TX_BYTES_MAX)
		return err_set(err, ERR_TOO_LARGE, "the transaction is larger than %u MiB",
			       TX_BYTES_MAX >> 20);
	for (;;) {
		if (attempt(c, t, deadline, ret_rev, err) == 0)
			return 0;
		if (err->kind == ERR_CANCELLED) {
			err->kind = ERR_UNAVAILABLE;
			return -1;
		}
		if (!passing(err->kind))
			return -1;
		if (err->kind != ERR_UNAVAILABLE)
			t->tried = true;
		if (clock_ms() + RETRY_MS >= deadline || cluster_stopping(c))
			return give_up(t, err);
		cluster_wait_leader(c, deadline_in(RETRY_MS));
	}
}

/* --- outcome ---------------------------------------------------------------------------------- */

static int burn_here(struct cluster *c, const struct tx *t, int64_t deadline, struct err *err)
{
	struct wreq *q = wreq_burn(t->id, deadline);
	int64_t rev;
	int rc;

	writer_submit(c->writer, q);
	rc = writer_wait(c->writer, q, &rev, err);
	wreq_unref(q);
	if (rc == 0)
		return 1;
	return err->kind == ERR_CANCELLED ? 0 : -1;
}

static int burn_there(struct cluster *c, const struct tx *t, int64_t deadline, struct err *err)
{
	_json_ json_t *body =
		json_pack("{s:s,s:i}", "id", t->id, "timeout_ms", deadline_left(deadline));
	_json_ json_t *answer = NULL;

	answer = cluster_call_leader(c, "POST", "/internal/outcome", body, deadline, err);
	if (!answer)
		return -1;
	if (json_bool(answer, "committed", false))
		replica_wait(c->replica, json_int(answer, "revision", 0), deadline);
	return json_bool(answer, "committed", false) ? 1 : 0;
}

int commit_outcome(struct cluster *c, struct tx *t, int64_t deadline, struct err *err)
{
	if (!deadline)
		deadline = deadline_in(COMMIT_TIMEOUT_MS);
	if (!t->first_ms)
		return 0;
	if (clock_ms() - t->first_ms > AGE_MAX_MS) {
		err_set(err, ERR_UNKNOWN, "the transaction is too old to be looked up");
		return -1;
	}
	for (;;) {
		int64_t one = deadline_in(OUTCOME_CALL_MS);
		int r;

		one = one < deadline ? one : deadline;
		r = cluster_is_leader(c) ? burn_here(c, t, one, err) : burn_there(c, t, one, err);
		if (r >= 0)
			return r;
		if (clock_ms() + RETRY_MS >= deadline || cluster_stopping(c))
			return -1;
		cluster_wait_leader(c, deadline_in(RETRY_MS));
	}
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
	q = wreq_burn(id, served_deadline(body));
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
	int64_t rev = 0, at;

	if (e == ENT_MAX || !key) {
		err_set(err, ERR_INVALID, "a table and a key are needed");
		return NULL;
	}
	if (not_leading(c, err) || commit_here(c, t, served_deadline(body), &at, err) < 0)
		return NULL;
	text = replica_text(c->replica, e, key, &rev);
	return json_pack("{s:I,s:I,s:s?}", "revision", (json_int_t)at, "rev", (json_int_t)rev,
			 "doc", text);
}
