/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/store/batch.h - transactions put together: checks each against the replica and those
 * before it.
 *
 * Pure but for reading the replica. Transactions are borrowed until the batch is reset.
 */
#pragma once
#include "cluster/db/wire.h"
#include "cluster/model/schema.h"
#include "cluster/replica/replica.h"
#include "cluster/store/tx.h"

struct batch;

struct batch *batch_new(struct replica *borrowed);
void batch_free(struct batch *b);
void batch_reset(struct batch *b); /* starts at the replica's revision */

/* Takes the transaction in and gives it the next revision, or fails with the row that is in the way
 * and changes nothing. burnt: only its id is recorded. */
int batch_add(struct batch *b, const struct tx *t, int64_t *ret_rev, struct err *err);
void batch_add_burnt(struct batch *b, const char *id, int64_t *ret_rev);
bool batch_empty(const struct batch *b);
int64_t batch_base(const struct batch *b);
int64_t batch_revision(const struct batch *b);
/* For the batch view; texts live until the next reset. */
int batch_params(struct batch *b, struct wire_value params[BATCH_PARAMS], struct err *err);
/* Every change in order, for the replicas. */
const struct change *batch_changes(const struct batch *b, size_t *ret_n);
