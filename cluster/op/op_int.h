/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/op/op_int.h - the inside of operations, for cluster/op/ops.c (the set of them) and
 * cluster/op/operation.c (one of them).
 *
 * Locks: ops->lock for the list, counts and references; op->lock for one operation's state. They
 * are never held together, except that op->lock is held while a fact is put.
 */
#pragma once
#include <pthread.h>

#include "base/rng.h"
#include "base/status.h"
#include "cluster/op/operation.h"

#define OPS_MAX 20000

struct end_cb {
	void (*done)(void *arg, struct op *op);
	void *arg;
	struct end_cb *next;
};

struct op {
	struct ops *ops;
	struct op *next;
	int refs; /* under ops->lock */
	char id[UUID_SIZE];
	enum op_class class;
	char *description, *project;
	json_t *resources;
	bool may_cancel;
	int (*run)(struct op *op, void *arg, struct err *err);
	void *arg, *data;
	void (*free_arg)(void *arg);
	void (*cancel)(void *arg);

	/* Orders publications too: held while a fact is put. */
	pthread_mutex_t lock;
	json_t *metadata; /* NULL until something is set */
	enum status status;
	struct err err;
	int64_t created_ns, updated_ns, progress_ms;
	bool cancelled, ended;
	struct end_cb *callbacks;
	int64_t expires_ms; /* under ops->lock; 0 while it runs */
	bool drained;       /* under ops->lock */
};

struct ops {
	struct store *store;
	struct pool *pool;
	const char *(*location)(void *arg);
	void *arg;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t reaper;
	struct op *head;
	int count, jobs; /* jobs: submitted and not over */
	pthread_cond_t idle;
	bool stopping, draining;
};

void op_free(struct op *op);
/* Into the list; ERR_LIMIT, or ERR_UNAVAILABLE while stopping. */
int ops_link(struct ops *o, struct op *op, struct err *err);
bool ops_draining(struct ops *o);
void ops_count_job(struct ops *o, int by);
/* It has ended: forgotten OP_KEEP_MS from now. */
void ops_expire(struct op *op);
