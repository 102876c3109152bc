/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/store/store.h"

#include "base/clock.h"
#include "base/mem.h"
#include "cluster/model/schema.h"
#include "cluster/replica/read.h"
#include "cluster/store/commit.h"
#include "cluster/store/store_int.h"

struct store {
	struct cluster *c;
	struct replica *replica;
};

struct store *store_new(struct cluster *c)
{
	struct store *s = xnew(struct store);

	s->c = c;
	s->replica = c->replica;
	return s;
}

void store_free(struct store *s)
{
	free(s);
}

/* --- rows ------------------------------------------------------------------------------------- */

int store_get(struct store *s, enum entity e, const char *key, struct row *ret, struct err *err)
{
	return replica_get(s->replica, e, key, ret, err);
}

int store_list(struct store *s, enum entity e, const char *value, struct rows *ret, struct err *err)
{
	return replica_list(s->replica, e, value, ret, err);
}

int64_t store_count(struct store *s, enum entity e, const char *value)
{
	return replica_count(s->replica, e, value);
}

int64_t store_row_rev(struct store *s, enum entity e, const char *key)
{
	return replica_row_rev(s->replica, e, key);
}

void store_each_text(struct store *s, enum entity e,
		     void (*cb)(void *arg, const char *key, int64_t rev, const char *text),
		     void *arg)
{
	replica_each(s->replica, e, NULL, cb, arg);
}

void store_each_index(struct store *s, enum entity e,
		      void (*cb)(void *arg, const char *key, int64_t rev, const char *value),
		      void *arg)
{
	replica_each_index(s->replica, e, cb, arg);
}

int64_t store_revision(struct store *s)
{
	return replica_revision(s->replica);
}

uint64_t store_change_count(struct store *s)
{
	return replica_changes(s->replica);
}

/* --- transactions ----------------------------------------------------------------------------- */

int store_commit(struct store *s, struct tx *t, int64_t deadline, int64_t *ret_rev, struct err *err)
{
	int64_t rev = 0;

	if (commit_run(s->c, t, deadline, &rev, err) < 0)
		return -1;
	if (ret_rev)
		*ret_rev = rev;
	return 0;
}

int store_outcome(struct store *s, struct tx *t, int64_t deadline, struct err *err)
{
	return commit_outcome(s->c, t, deadline, err);
}

struct row_query {
	enum entity e;
	const char *key;
	bool commit; /* proves that the leader still leads */
	int64_t deadline;
};

static json_t *leaders_row(struct store *s, const struct row_query *q, struct err *err)
{
	_json_ json_t *body = json_pack("{s:s,s:s,s:b,s:i}", "table", entity_table(q->e), "key",
					q->key, "commit", q->commit, "timeout_ms",
					deadline_left(q->deadline));

	if (cluster_is_leader(s->c))
		return cluster_serve_row(s->c, body, err);
	return cluster_call_leader(s->c, "POST", "/internal/row", body, q->deadline, err);
}

static int get_at_leader(struct store *s, const struct row_query *q, struct row *ret,
			 struct err *err)
{
	_json_ json_t *answer = NULL;
	const char *text;

	/* A read may always be made again. */
	while (!(answer = leaders_row(s, q, err))) {
		if ((err->kind != ERR_UNAVAILABLE && err->kind != ERR_UNKNOWN) ||
		    !commit_again(s->c, q->deadline))
			return -1;
	}
	text = json_str(answer, "doc", NULL);
	if (!text)
		return row_not_found(q->e, q->key, err);
	/* What is told here must not be taken back by the next read. */
	replica_wait(s->replica, json_int(answer, "rev", 0), q->deadline);
	return row_parse(ret, q->e, q->key, json_int(answer, "rev", 0), text, err);
}

int store_get_leaders(struct store *s, enum entity e, const char *key, struct row *ret,
		      int64_t deadline, struct err *err)
{
	const struct row_query q = { e, key, false, deadline };

	return get_at_leader(s, &q, ret, err);
}

int store_get_latest(struct store *s, enum entity e, const char *key, struct row *ret,
		     int64_t deadline, struct err *err)
{
	const struct row_query q = { e, key, true,
				     deadline ? deadline : deadline_in(COMMIT_TIMEOUT_MS) };

	return get_at_leader(s, &q, ret, err);
}

/* --- facts ------------------------------------------------------------------------------------ */

void store_fact_put(struct store *s, enum fact f, const char *key, const json_t *doc)
{
	_free_ char *text = doc ? json_text(doc) : NULL;

	replica_fact_put(s->replica, f, key, cluster_member_name(s->c), text, true);
}

json_t *store_fact_get(struct store *s, enum fact f, const char *key, char *ret_member)
{
	return replica_read_fact(s->replica, f, key, ret_member);
}

struct fact_caller {
	void (*cb)(void *arg, const char *key, const char *member, const char *text);
	void *arg;
};

static void call_fact(void *arg, enum fact f, const char *key, const char *member, const char *text)
{
	const struct fact_caller *k = arg;

	k->cb(k->arg, key, member, text);
}

void store_each_fact(struct store *s, enum fact f,
		     void (*cb)(void *arg, const char *key, const char *member, const char *text),
		     void *arg)
{
	struct fact_caller k = { cb, arg };

	replica_each_fact(s->replica, f, call_fact, &k);
}

/* --- changes ---------------------------------------------------------------------------------- */

void store_watch(struct store *s, const struct store_watch *w)
{
	notifier_watch(s->c->notifier, w);
}

void store_event(struct store *s, const char *text)
{
	notify_event(s->c->notifier, text);
	s->c->hooks->spread(s->c, text);
}
