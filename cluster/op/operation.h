/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/op/operation.h - long-running work that clients can watch, wait for and cancel.
 *
 * An operation belongs to the member that runs it. Its state is LXD's operation object, published
 * as FACT_OPERATION on every change, so each member can show it and tell its listeners; it is kept
 * OP_KEEP_MS after its end. The work runs in the pool's job lane, keyed by the object it changes,
 * so that two jobs on one instance never overlap on a member.
 */
#pragma once
#include "base/pool.h"
#include "cluster/model/ref.h"
#include "cluster/store/store.h"

#define OP_KEEP_MS 5000

enum op_class { OP_TASK, OP_WEBSOCKET, OP_TOKEN };

struct ops;
struct op;

struct ops *ops_new(struct store *store, struct pool *pool, const char *(*location)(void *arg),
		    void *arg);
/* For a stop: no new operations, queued ones end as cancelled, those without a run function are
 * cancelled, and the jobs that run are waited for. False when some still ran at the deadline. */
bool ops_drain(struct ops *o, int64_t deadline);
void ops_free(struct ops *o);

struct op_spec {
	enum op_class class;
	const char *description; /* "Creating instance" */
	/* "instances" and a text form (ref.h): becomes resources {"instances":
	 * ["/1.0/instances/c1"]}, and "containers" beside it. May be NULL. */
	const char *resource_kind, *resource_name;
	const char *project; /* of one without a resource; NULL: the default one */
	const char *key;        /* jobs with the same key run one after the other; NULL: no order */
	const json_t *metadata; /* copied; may be NULL */
	bool may_cancel;
	/* The work. Returns 0 or -1 with err; runs in a job worker. NULL: the caller ends it
	 * (op_end). */
	int (*run)(struct op *op, void *arg, struct err *err);
	void *arg;
	void (*free_arg)(void *arg);
	/* Told once when the operation is cancelled, from any thread; may be NULL. */
	void (*cancel)(void *arg);
};
/* Starts it. Returns a counted reference (op_unref). NULL with ERR_LIMIT when too much is queued.
 */
struct op *op_start(struct ops *o, const struct op_spec *spec, struct err *err);
struct op *op_ref(struct op *op);
void op_unref(struct op *op);

const char *op_id(const struct op *op);
json_t *op_json(struct op *op); /* new reference */
/* Of what such an object is about: of its resource, or of its "project", which only those without a
 * resource have. */
void op_project(const json_t *op, char ret_project[PROJECT_SIZE]);
/* Merges members into the operation's metadata and publishes. */
void op_set(struct op *op, const char *key, json_t *own_value);
/* Progress for people, at most some times a second: key "<stage>_progress", text as LXD's clients
 * print it ("rootfs: 45% (12.3MiB/s)"). */
void op_progress(struct op *op, const char *stage, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
bool op_cancelled(struct op *op);
/* -1 with ERR_CANCELLED once cancelled. */
int op_check(struct op *op, struct err *err);
/* Ends an operation that has no run function. err NULL: success. */
void op_end(struct op *op, const struct err *err);

/* Operations of this member. */
struct op *ops_find(struct ops *o, const char *id); /* counted reference or NULL */
int op_cancel(struct op *op, struct err *err);
/* Calls done(arg) from some thread once the operation has ended (at once if it has). */
void op_on_end(struct op *op, void (*done)(void *arg, struct op *op), void *arg);
/* For operations with websockets: the API keeps its connections here. */
void op_set_data(struct op *op, void *data);
void *op_data(struct op *op);
