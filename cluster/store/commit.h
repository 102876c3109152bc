/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/store/commit.h - carries transactions to the leader, here or elsewhere, through
 * elections.
 *
 * Transactions for a leader elsewhere travel together: those that wait while a call is on its way
 * go with the next one. Whether a transaction may be committed is a property of the transaction
 * (tx.h), not of the last error: once an attempt was lost, no later refusal says anything about it,
 * and only the leader's answer to its idempotency key settles it. Attempts are bound by revisions,
 * not by clocks: each names the revision before the first of them, and a leader that has forgotten
 * the keys of later revisions refuses it.
 */
#pragma once
#include "cluster/self/state.h"
#include "cluster/store/tx.h"

struct outbox;
struct outbox *outbox_new(struct cluster *c);
void outbox_free(struct outbox *o);

/* One attempt at whoever leads elsewhere; kinds as in writer.h, and ERR_LIMIT, ERR_FORBIDDEN,
 * ERR_NOT_FOUND, ERR_METHOD when the leader's server turned it away unread. */
int outbox_commit(struct outbox *o, struct tx *t, int64_t deadline, int64_t *ret_rev,
		  struct err *err);

/* How attempts reach a leader. */
struct commit_way {
	/* One attempt; kinds as of outbox_commit(). */
	int (*send)(void *arg, struct tx *t, int64_t deadline, int64_t *ret_rev, struct err *err);
	/* Burns the key if nothing came of it: 1 committed, 0 never, -1 no answer. */
	int (*look_up)(void *arg, const struct tx *t, int64_t deadline, int64_t *ret_rev,
		       struct err *err);
	int64_t (*revision)(void *arg); /* of this member's replica */
	/* A moment later; false when there is no use in trying again before the deadline. */
	bool (*again)(void *arg, int64_t deadline);
	void *arg;
};
int commit_over(const struct commit_way *w, struct tx *t, int64_t deadline, int64_t *ret_rev,
		struct err *err);
int outcome_over(const struct commit_way *w, struct tx *t, int64_t deadline, int64_t *ret_rev,
		 struct err *err);

/* A moment later; false when there is no use in asking a leader again before the deadline. */
bool commit_again(struct cluster *c, int64_t deadline);

/* store_commit() and store_outcome(). */
int commit_run(struct cluster *c, struct tx *t, int64_t deadline, int64_t *ret_rev,
	       struct err *err);
int commit_outcome(struct cluster *c, struct tx *t, int64_t deadline, struct err *err);
