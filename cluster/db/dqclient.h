/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/db/dqclient.h - a blocking client of the dqlite node in this process.
 *
 * One request at a time, one thread at a time. Error kinds say what became of the request:
 *   ERR_UNAVAILABLE  refused before it was executed (not the leader): surely nothing happened
 *   ERR_BUSY         refused: another writer or a checkpoint; try again
 *   ERR_CONFLICT     a constraint or RAISE refused it and it was rolled back
 *   ERR_INTERNAL     the statement failed, rolled back unless inside a transaction of the caller's
 *   ERR_UNKNOWN      no answer, or a code that proves none of the above: it may have happened
 * After ERR_UNKNOWN, and whenever dq_broken(), the client is of no more use: free it and connect
 * again.
 */
#pragma once
#include "base/err.h"
#include "cluster/db/wire.h"

struct dqclient;

/* socket: name of the abstract unix socket with its leading '@', as dqnode_socket() gives it. */
struct dqclient *dq_connect(const char *socket, int timeout_ms, struct err *err);
void dq_free(struct dqclient *c); /* NULL is fine */
bool dq_broken(const struct dqclient *c);
void dq_timeout(struct dqclient *c, int timeout_ms);

/* What a failure code of the node says about the request that it answers. */
enum err_kind dq_error_kind(uint64_t code);

/* Opens the database; before everything below. */
int dq_open(struct dqclient *c, const char *name, struct err *err);
/* Statements of our own text, several allowed, without parameters. */
int dq_script(struct dqclient *c, const char *sql, struct err *err);
int dq_prepare(struct dqclient *c, const char *sql, uint32_t *ret_stmt, struct err *err);
int dq_exec(struct dqclient *c, uint32_t stmt, const struct wire_value *params, size_t n,
	    struct err *err);

typedef void (*dq_row_fn)(void *arg, const struct wire_value *v, size_t columns);
int dq_query(struct dqclient *c, uint32_t stmt, const struct wire_value *params, size_t n,
	     dq_row_fn row, void *arg, struct err *err);
int dq_query_sql(struct dqclient *c, const char *sql, const struct wire_value *params, size_t n,
		 dq_row_fn row, void *arg, struct err *err);

#define DQ_ADDRESS_SIZE 64
#define DQ_NODES_MAX 64
enum dq_role { DQ_VOTER, DQ_STANDBY, DQ_SPARE };
struct dq_node {
	uint64_t id;
	char address[DQ_ADDRESS_SIZE];
	enum dq_role role;
};

/* Who leads, as this node knows: id 0 when it does not. */
int dq_leader(struct dqclient *c, struct dq_node *ret, struct err *err);
/* The Raft configuration as this node knows it. */
int dq_nodes(struct dqclient *c, struct dq_node v[DQ_NODES_MAX], size_t *ret_n, struct err *err);
/* On the leader only. A new node is a spare. */
int dq_add(struct dqclient *c, uint64_t id, const char *address, struct err *err);
int dq_assign(struct dqclient *c, uint64_t id, enum dq_role role, struct err *err);
int dq_remove(struct dqclient *c, uint64_t id, struct err *err);
int dq_transfer(struct dqclient *c, uint64_t id, struct err *err);
