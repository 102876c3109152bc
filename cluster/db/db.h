/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/db/db.h - the database at the leader: what is ever asked of dqlite, as prepared
 * statements.
 *
 * One connection, one thread. Error kinds are those of dqclient.h; after ERR_UNKNOWN or
 * ERR_UNAVAILABLE close it.
 */
#pragma once
#include "cluster/db/done.h"
#include "cluster/db/dqclient.h"
#include "cluster/model/schema.h"
#include "cluster/replica/replica.h"

struct db;

/* Opens the database at a node that leads and makes the tables that are missing. */
struct db *db_open(const char *socket, int timeout_ms, struct err *err);
void db_close(struct db *d); /* NULL is fine */

/* Brings the replica to the database's revision: what is newer, or all when that is not known. */
int db_load(struct db *d, struct replica *r, struct err *err);
/* Applies a batch: params[BATCH_PARAMS]. ERR_CONFLICT: the base is not the database's revision. */
int db_batch(struct db *d, const struct wire_value *params, struct err *err);
int db_load_done(struct db *d, struct done *done, struct err *err);
int db_prune_done(struct db *d, int64_t up_to, struct err *err);
int db_prune_gone(struct db *d, int64_t floor, struct err *err);
