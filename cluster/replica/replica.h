/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/replica/replica.h - this member's copy of the tables and the facts, in an in-memory
 * SQLite database.
 *
 * One recursive lock guards it, so that a callback may read again. Changes are applied whole:
 * readers see a batch of the leader entirely or not at all. Every change is also handed to the
 * notifier (notify.h), in order.
 */
#pragma once
#include "base/json.h"
#include "base/sbuf.h"
#include "cluster/model/row.h"
#include "cluster/replica/notify.h"

struct replica;

struct replica *replica_new(struct notifier *borrowed, struct err *err);
void replica_free(struct replica *r);
void replica_lock(struct replica *r);
void replica_unlock(struct replica *r);

/* --- rows ------------------------------------------------------------------------------------- */

/* Text for the caller to free, NULL when there is no such row. */
char *replica_text(struct replica *r, enum entity e, const char *key, int64_t *ret_rev);
int64_t replica_row_rev(struct replica *r, enum entity e, const char *key); /* 0: no such row */
/* Of the row that was made or changed last; 0: there is none. */
int64_t replica_newest_rev(struct replica *r, enum entity e);
typedef void (*replica_row_fn)(void *arg, const char *key, int64_t rev, const char *text);
/* Sorted by key, under the lock; all when value is NULL. */
void replica_each(struct replica *r, enum entity e, const char *value, replica_row_fn cb,
		  void *arg);
/* As store_each_index(), under the lock. */
void replica_each_index(struct replica *r, enum entity e, replica_row_fn cb, void *arg);
int64_t replica_count(struct replica *r, enum entity e, const char *value);

int64_t replica_revision(struct replica *r);
/* Deletions up to here have been forgotten: who knows less needs a full copy. */
int64_t replica_floor(struct replica *r);
uint64_t replica_changes(struct replica *r);
bool replica_wait(struct replica *r, int64_t revision, int64_t deadline);

/* A change of a row; text NULL: gone. */
struct change {
	enum entity e;
	const char *key;
	int64_t rev;
	const char *text;
};
/* Applies a batch and makes `revision` visible with it. A row that is newer here stays. */
void replica_apply(struct replica *r, const struct change *v, size_t n, int64_t revision);
/* A full copy: begin, any number of rows and of deletions of such, end. Rows not named in between
 * are gone at the end; only real differences are notified. Readers see the old and the new rows
 * mixed meanwhile. */
void replica_full_begin(struct replica *r);
void replica_full_rows(struct replica *r, const struct change *v, size_t n);
void replica_full_end(struct replica *r, int64_t revision, int64_t floor);
/* The rows belong to another history: the next copy is a full one. */
void replica_forget(struct replica *r);
/* Rows and tombstones above *rev in the order of their revisions, about `bytes` of them and no
 * revision in part, under the lock. Moves *rev to what that covers; true when there are more. */
typedef void (*replica_change_fn)(void *arg, const struct change *c);
bool replica_since(struct replica *r, int64_t *rev, size_t bytes, replica_change_fn cb, void *arg);
void replica_forget_gone(struct replica *r, int64_t floor);

/* A copy on disk, for a start without a leader. */
int replica_save(struct replica *r, const char *path, struct err *err);
int replica_load(struct replica *r, const char *path, struct err *err);

/* --- facts ------------------------------------------------------------------------------------ */

/* text NULL removes member's fact. A key may be claimed by several members while it moves: the
 * latest claim shows, and the one below it again when that is withdrawn. own: it is ours to
 * report. False when nothing changed. */
bool replica_fact_put(struct replica *r, enum fact f, const char *key, const char *member,
		      const char *text, bool own);
/* For the caller to free; NULL when there is none. */
char *replica_fact(struct replica *r, enum fact f, const char *key, char *ret_member);
typedef void (*replica_fact_fn)(void *arg, enum fact f, const char *key, const char *member,
				const char *text);
/* The showing facts of one kind, under the lock. */
void replica_each_fact(struct replica *r, enum fact f, replica_fact_fn cb, void *arg);
/* All facts of all members, or of one; under the lock. */
void replica_member_facts(struct replica *r, const char *member, replica_fact_fn cb, void *arg);
/* The facts above *seq in the order in which they were put, about `bytes` of them, of one member or
 * of all (NULL); under the lock. What is put meanwhile comes last. Moves *seq; true when there are
 * more. */
bool replica_facts_since(struct replica *r, const char *member, int64_t *seq, size_t bytes,
			 replica_fact_fn cb, void *arg);
/* Our own facts that changed and were not taken yet (text NULL: removed), about `bytes` of them.
 * True when there were any. */
bool replica_take_dirty(struct replica *r, const char *self, size_t bytes, replica_fact_fn cb,
			void *arg);
void replica_drop_dirty(struct replica *r);
void replica_facts_rename(struct replica *r, const char *from, const char *to);
/* Told (under the lock) when an own fact changed. */
void replica_on_dirty(struct replica *r, void (*cb)(void *arg), void *arg);
