/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/store/writer.h - the leader's queue of transactions and their group commit.
 *
 * Any thread submits and waits; one thread (leader.c) drains. A batch is validated against the
 * leader's replica, which holds every committed row, written as one statement, applied to the
 * replica, handed to the feed and only then answered. A transaction that fails never harms its
 * neighbours. Results:
 *   ERR_NONE         committed, at ret->revision
 *   ERR_UNAVAILABLE  surely not committed: not the leader, or the deadline
 *   ERR_CANCELLED    surely not committed, and never will be: burnt
 *   ERR_UNKNOWN      may be committed: ask again with the same transaction
 *   others           refused: a row changed, an invalid row
 */
#pragma once
#include "cluster/db/db.h"
#include "cluster/store/tx.h"

#define BATCH_TX_MAX 256
#define BATCH_BYTES_MAX (100u << 10)

struct writer;
struct wreq;

struct writer_hooks {
	const char *dir; /* of the database, whose file system must have room */
	/* After the replica has it, before anyone is answered. */
	void (*committed)(void *arg, const struct change *v, size_t n, int64_t before,
			  int64_t revision);
	void *arg;
};

struct writer *writer_new(struct replica *borrowed, const struct writer_hooks *h);
void writer_free(struct writer *w);

/* --- any thread ------------------------------------------------------------------------------- */

/* Counted: the caller's reference goes with wreq_unref(). */
struct wreq *wreq_new(struct tx *t, int64_t deadline);
/* Not to commit a transaction, but to make sure that it never will be: ERR_NONE when it already
 * was. */
struct wreq *wreq_burn(const char *id, int64_t base, int64_t deadline);
void wreq_unref(struct wreq *q);
void writer_submit(struct writer *w, struct wreq *q);
/* Until it is answered, or its deadline passed. */
int writer_wait(struct writer *w, struct wreq *q, int64_t *ret_rev, struct err *err);

/* --- the draining thread ---------------------------------------------------------------------- */

/* While closed, submissions are answered at once: not the leader. Closing answers what is
 * queued. */
void writer_open(struct writer *w, bool open);
/* Waits for work until the deadline; false when there is none. */
bool writer_idle(struct writer *w, int64_t deadline);
void writer_wake(struct writer *w); /* ends writer_idle early */
/* Brings the replica and the known ids up to the database, before anything is committed. */
int writer_load(struct writer *w, struct db *d, struct err *err);
/* Commits one batch. -1 when the database connection is of no more use: close it, and writer_load()
 * from a new one before the next. */
int writer_step(struct writer *w, struct db *d, struct err *err);
