/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/commit.h - carries transactions to the leader, here or elsewhere, through elections.
 *
 * Transactions for a leader elsewhere travel together: those that wait while a call is on its way
 * go with the next one. An attempt whose outcome is unknown is repeated with the same idempotency
 * key, which the leader looks up first.
 */
#pragma once
#include "cluster/state.h"
#include "cluster/tx.h"

struct outbox;
struct outbox *outbox_new(struct cluster *c);
void outbox_free(struct outbox *o);

/* One attempt at the leader at this address; kinds as in writer.h. */
int outbox_commit(struct outbox *o, struct tx *t, int64_t deadline, int64_t *ret_rev,
		  struct err *err);

/* store_commit() and store_outcome(). */
int commit_run(struct cluster *c, struct tx *t, int64_t deadline, int64_t *ret_rev,
	       struct err *err);
int commit_outcome(struct cluster *c, struct tx *t, int64_t deadline, struct err *err);
