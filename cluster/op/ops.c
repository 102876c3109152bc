/* SPDX-License-Identifier: Apache-2.0 */
/* The set of operations of this member: who is known, for how long, and how all of them end. */
#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/op/op_int.h"

/* --- life ------------------------------------------------------------------------------------ */

struct op *op_ref(struct op *op)
{
	pthread_mutex_lock(&op->ops->lock);
	op->refs++;
	pthread_mutex_unlock(&op->ops->lock);
	return op;
}

void op_unref(struct op *op)
{
	struct ops *o;
	bool last;

	if (!op)
		return;
	o = op->ops;
	pthread_mutex_lock(&o->lock);
	assert(op->refs > 0);
	last = --op->refs == 0;
	pthread_mutex_unlock(&o->lock);
	if (last)
		op_free(op);
}

/* Unlinks what ended long enough ago; returns the chain, and when the next one is due. */
static struct op *take_expired(struct ops *o, int64_t *ret_next)
{
	struct op *gone = NULL, **pp = &o->head;
	int64_t now = clock_ms();

	*ret_next = 0;
	while (*pp) {
		struct op *op = *pp;

		if (op->expires_ms && (op->expires_ms <= now || o->stopping)) {
			*pp = op->next;
			op->next = gone;
			gone = op;
			o->count--;
			continue;
		}
		if (op->expires_ms && (!*ret_next || op->expires_ms < *ret_next))
			*ret_next = op->expires_ms;
		pp = &op->next;
	}
	return gone;
}

static void drop_expired(struct ops *o, struct op *gone)
{
	while (gone) {
		struct op *op = gone;

		gone = op->next;
		op->next = NULL;
		store_fact_put(o->store, FACT_OPERATION, op->id, NULL);
		op_unref(op);
	}
}

static void *reaper_main(void *arg)
{
	struct ops *o = arg;

	pthread_mutex_lock(&o->lock);
	while (!o->stopping) {
		int64_t next;
		struct op *gone = take_expired(o, &next);

		if (gone) {
			pthread_mutex_unlock(&o->lock);
			drop_expired(o, gone);
			pthread_mutex_lock(&o->lock);
		} else if (next) {
			struct timespec until = deadline_timespec(next);

			pthread_cond_timedwait(&o->wake, &o->lock, &until);
		} else {
			pthread_cond_wait(&o->wake, &o->lock);
		}
	}
	pthread_mutex_unlock(&o->lock);
	return NULL;
}

struct ops *ops_new(struct store *store, struct pool *pool, const char *(*location)(void *arg),
		    void *arg)
{
	struct ops *o = xnew(struct ops);
	pthread_condattr_t attr;

	o->store = store;
	o->pool = pool;
	o->location = location;
	o->arg = arg;
	pthread_mutex_init(&o->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&o->wake, &attr);
	pthread_cond_init(&o->idle, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&o->reaper, NULL, reaper_main, o) != 0)
		abort();
	return o;
}

void ops_free(struct ops *o)
{
	if (!o)
		return;
	pthread_mutex_lock(&o->lock);
	assert(!o->stopping);
	o->stopping = true;
	pthread_cond_signal(&o->wake);
	pthread_mutex_unlock(&o->lock);
	pthread_join(o->reaper, NULL);
	while (o->head) {
		struct op *op = o->head;

		o->head = op->next;
		op_unref(op);
	}
	pthread_cond_destroy(&o->wake);
	pthread_cond_destroy(&o->idle);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

/* --- the list -------------------------------------------------------------------------------- */

int ops_link(struct ops *o, struct op *op, struct err *err)
{
	bool ok, stopping;

	pthread_mutex_lock(&o->lock);
	stopping = o->draining;
	ok = o->count < OPS_MAX && !stopping;
	if (ok) {
		op->next = o->head;
		o->head = op;
		o->count++;
	}
	pthread_mutex_unlock(&o->lock);
	if (stopping)
		return err_set(err, ERR_UNAVAILABLE, "the daemon is stopping");
	if (!ok)
		return err_set(err, ERR_LIMIT, "%d operations are known already; try again later",
			       OPS_MAX);
	return 0;
}

struct op *ops_find(struct ops *o, const char *id)
{
	struct op *op;

	pthread_mutex_lock(&o->lock);
	for (op = o->head; op && !str_eq(op->id, id); op = op->next)
		;
	if (op)
		op->refs++;
	pthread_mutex_unlock(&o->lock);
	return op;
}

void ops_expire(struct op *op)
{
	struct ops *o = op->ops;

	pthread_mutex_lock(&o->lock);
	op->expires_ms = deadline_in(OP_KEEP_MS);
	pthread_cond_signal(&o->wake);
	pthread_mutex_unlock(&o->lock);
}

bool ops_draining(struct ops *o)
{
	bool yes;

	pthread_mutex_lock(&o->lock);
	yes = o->draining;
	pthread_mutex_unlock(&o->lock);
	return yes;
}

void ops_count_job(struct ops *o, int by)
{
	pthread_mutex_lock(&o->lock);
	o->jobs += by;
	assert(o->jobs >= 0);
	if (o->jobs == 0)
		pthread_cond_broadcast(&o->idle);
	pthread_mutex_unlock(&o->lock);
}

/* --- stopping -------------------------------------------------------------------------------- */

/* One that nobody here runs and that has not ended; counted. */
static struct op *next_idle_op(struct ops *o)
{
	struct op *op;

	pthread_mutex_lock(&o->lock);
	for (op = o->head; op && (op->run || op->expires_ms || op->drained); op = op->next)
		;
	if (op) {
		op->drained = true;
		op->refs++;
	}
	pthread_mutex_unlock(&o->lock);
	return op;
}

bool ops_drain(struct ops *o, int64_t deadline)
{
	struct timespec until = deadline_timespec(deadline);
	struct err end = { 0 };
	struct op *op;
	bool idle;

	pthread_mutex_lock(&o->lock);
	o->draining = true;
	pthread_mutex_unlock(&o->lock);
	err_set(&end, ERR_CANCELLED, "the daemon is stopping");
	while ((op = next_idle_op(o))) {
		if (op->cancel)
			op->cancel(op->arg);
		op_end(op, &end);
		op_unref(op);
	}
	pthread_mutex_lock(&o->lock);
	while (o->jobs && pthread_cond_timedwait(&o->idle, &o->lock, &until) == 0)
		;
	idle = o->jobs == 0;
	pthread_mutex_unlock(&o->lock);
	return idle;
}
