/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/model/schema.h - the tables, generated from entity.def.
 *
 * dqlite:   rows (kind, key, rev, doc), kind being the entity's table and doc NULL a tombstone;
 *           done, one row a transaction with its idempotency key, whose highest revision is the
 *           database's. A view applies a whole batch of transactions as one INSERT, so that a group
 *           commit is one request and one Raft entry. Two costs shape this: dqlite parses the whole
 *           schema at every commit on every node, so it is small; and each page that a commit
 *           touches goes through the Raft log, so there are no further indexes and rows are updated
 *           in place. The view's name has a digest of its definition: another release's differs.
 * replica:  a table an entity (key, rev, doc) with an index on the declared member of doc, and the
 *           facts.
 */
#pragma once
#include "base/sbuf.h"
#include "cluster/model/row.h"

#define SCHEMA_DB "dunlin"

const char *entity_table(enum entity e);
const char *entity_index(enum entity e); /* member of doc, or "" */
enum entity entity_by_table(const char *table); /* ENT_MAX when unknown */
const char *fact_kind_name(enum fact f);
enum fact fact_by_name(const char *name); /* FACT_KINDS when unknown */

/* Parameters of INSERT INTO the batch view. Lists are JSON texts or NULL. */
enum batch_param {
	BATCH_BASE, /* the revision before; the view RAISEs at anything else */
	BATCH_DONE, /* [[revision, id, burnt], ...] */
	BATCH_ROWS, /* [[kind, key, rev, doc|null], ...] */
	BATCH_PARAMS
};

/* The text that makes what is missing, as one transaction; name gets the view's name. */
#define SCHEMA_NAME_SIZE 32
char *schema_dqlite(char name[SCHEMA_NAME_SIZE]);
/* "INSERT INTO <view> (...) VALUES (?, ...)" */
char *schema_batch_insert(const char *view);
char *schema_replica(void);
