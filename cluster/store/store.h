/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/store/store.h - what the members agree on.
 *
 * Reads come from this member's replica, an in-memory SQLite database: no network, no leader. A
 * write is a transaction of row changes with the revisions that the caller saw; the leader checks
 * and commits it through dqlite together with others that wait, and store_commit() returns once
 * this member's replica has it, so a caller always reads its own writes. Facts are runtime state:
 * they live in RAM, belong to one member and are never committed.
 *
 * Everything here may be called from any thread; commits block (use workers), reads and facts
 * don't.
 */
#pragma once
#include "cluster/model/row.h"

struct store;

/* ERR_NOT_FOUND names the key and the kind ("instance \"c1\" not found"). */
int store_get(struct store *s, enum entity e, const char *key, struct row *ret, struct err *err);
/* Sorted by key; all when value is NULL, else those whose indexed member equals value. */
int store_list(struct store *s, enum entity e, const char *value, struct rows *ret,
	       struct err *err);
int64_t store_count(struct store *s, enum entity e, const char *value);
/* Revision of a row, which store_get() would read; 0: there is none. */
int64_t store_row_rev(struct store *s, enum entity e, const char *key);
/* doc texts as JSON without parsing: cb(arg, key, rev, text). For long lists. */
void store_each_text(struct store *s, enum entity e,
		     void (*cb)(void *arg, const char *key, int64_t rev, const char *text),
		     void *arg);
/* What is indexed alone, of a kind that has an index, in no order: value is "" where the document
 * has no such member. */
void store_each_index(struct store *s, enum entity e,
		      void (*cb)(void *arg, const char *key, int64_t rev, const char *value),
		      void *arg);
/* Revision of the replica. */
int64_t store_revision(struct store *s);
/* A counter that grows with every row or fact of this replica; caches compare it. */
uint64_t store_change_count(struct store *s);

/* --- transactions ----------------------------------------------------------------------------- */

#define REV_ANY (-1) /* put or delete whatever is there */
#define REV_NONE 0   /* the row must not exist */

struct tx;
struct tx *tx_new(void);
void tx_free(struct tx *t);
static inline void cleanup_tx(struct tx **t)
{
	tx_free(*t);
}
#define _tx_ __attribute__((cleanup(cleanup_tx)))
/* doc is copied. seen: the row's revision as read, REV_NONE or REV_ANY. */
void tx_put(struct tx *t, enum entity e, const char *key, int64_t seen, const json_t *doc);
void tx_delete(struct tx *t, enum entity e, const char *key, int64_t seen);
void tx_check(struct tx *t, enum entity e, const char *key, int64_t seen);
/* No row of the kind was made or changed since store_revision() said this: for what was decided by
 * looking at all of them. */
void tx_check_still(struct tx *t, enum entity e, int64_t revision);

/* 0 and the revision when committed and visible here. ERR_PRECONDITION: a row changed meanwhile
 * (the message names it; ERR_CONFLICT when seen was REV_NONE and the row exists). ERR_UNKNOWN: it
 * may be committed, or still become so. Every other error: surely not, and it never will be by this
 * call; ERR_UNAVAILABLE when nobody could be asked. Retries elections inside with the transaction's
 * idempotency key. deadline 0 is COMMIT_TIMEOUT_MS from now. */
#define COMMIT_TIMEOUT_MS 20000
int store_commit(struct store *s, struct tx *t, int64_t deadline, int64_t *ret_rev,
		 struct err *err);
/* After ERR_UNKNOWN: asks until the deadline what became of it: 1 committed, 0 surely not (and
 * never will be: the key is burnt), -1 not to be known yet. */
int store_outcome(struct store *s, struct tx *t, int64_t deadline, struct err *err);
/* Reads one row as the leader has it, which costs no commit: a leader that was just replaced may
 * not know it yet. */
int store_get_leaders(struct store *s, enum entity e, const char *key, struct row *ret,
		      int64_t deadline, struct err *err);
/* Reads one row at the leader, after all commits so far (for recovery decisions). */
int store_get_latest(struct store *s, enum entity e, const char *key, struct row *ret,
		     int64_t deadline, struct err *err);

/* --- facts ------------------------------------------------------------------------------------ */

/* This member's fact; visible here at once, elsewhere soon. NULL doc removes it. doc is copied. */
void store_fact_put(struct store *s, enum fact f, const char *key, const json_t *doc);
/* New reference to a private copy, NULL when there is none. ret_member (of at least 64 bytes)
 * may be NULL. */
json_t *store_fact_get(struct store *s, enum fact f, const char *key, char *ret_member);
void store_each_fact(struct store *s, enum fact f,
		     void (*cb)(void *arg, const char *key, const char *member, const char *text),
		     void *arg);

/* --- changes ---------------------------------------------------------------------------------- */

/* Before the first rows come. */
void store_watch(struct store *s, const struct store_watch *w);
/* An event for the listeners on all members; best effort, not stored. Also delivered to our
 * watchers. */
void store_event(struct store *s, const char *text);
