/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/op/operation.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/op/op_int.h"

#define PROGRESS_MS 250

static const char *const class_names[] = { "task", "websocket", "token" };

/* --- life ------------------------------------------------------------------------------------ */

void op_free(struct op *op)
{
	if (op->free_arg)
		op->free_arg(op->arg);
	while (op->callbacks) {
		struct end_cb *cb = op->callbacks;

		op->callbacks = cb->next;
		free(cb);
	}
	pthread_mutex_destroy(&op->lock);
	json_decref(op->resources);
	json_decref(op->metadata);
	free(op->description);
	free(op->project);
	free(op);
}

/* --- what the world sees --------------------------------------------------------------------- */

/* The caller holds op->lock. */
static json_t *render(struct op *op)
{
	char created[CLOCK_TEXT_SIZE], updated[CLOCK_TEXT_SIZE];
	json_t *j = json_object();

	json_put_str(j, "id", op->id);
	json_put_str(j, "class", class_names[op->class]);
	json_put_str(j, "description", op->description);
	json_put_str(j, "created_at", clock_text(op->created_ns, created));
	json_put_str(j, "updated_at", clock_text(op->updated_ns, updated));
	json_put_str(j, "status", status_name(op->status));
	json_put_int(j, "status_code", op->status);
	json_object_set_new(j, "resources", op->resources ? json_copy(op->resources) : json_null());
	json_object_set_new(j, "metadata",
			    op->metadata ? json_deep_copy(op->metadata) : json_null());
	json_put_bool(j, "may_cancel", op->may_cancel);
	json_put_str(j, "err", op->err.msg);
	json_put_str(j, "location", op->ops->location(op->ops->arg));
	json_put_str(j, "project", op->project);
	return j;
}

/* The caller holds op->lock. Listeners tell old from new by updated_at, so it only grows. */
static void publish(struct op *op)
{
	int64_t now = clock_wall_ns();
	json_t *j;

	op->updated_ns = now > op->updated_ns ? now : op->updated_ns + 1;
	j = render(op);
	store_fact_put(op->ops->store, FACT_OPERATION, op->id, j);
	json_decref(j);
}

json_t *op_json(struct op *op)
{
	json_t *j;

	pthread_mutex_lock(&op->lock);
	j = render(op);
	pthread_mutex_unlock(&op->lock);
	return j;
}

void op_project(const json_t *op, char ret_project[PROJECT_SIZE])
{
	json_t *first = json_object_iter_value(json_object_iter(json_obj(op, "resources")));
	const char *url = json_string_value(json_array_get(first, 0));

	ref_project_of_url(url ? url : "", ret_project);
	if (json_str(op, "project", NULL))
		str_copy(ret_project, PROJECT_SIZE, json_str(op, "project", ""));
}

/* --- running --------------------------------------------------------------------------------- */

static enum status final_status(const struct op *op, const struct err *err)
{
	if (!err)
		return STATUS_SUCCESS;
	return err->kind == ERR_CANCELLED || op->cancelled ? STATUS_CANCELLED : STATUS_FAILURE;
}

/* False when it had ended before. The callbacks are handed over to the caller. */
static bool finish(struct op *op, const struct err *err, struct end_cb **ret_callbacks)
{
	bool first;

	assert(!*ret_callbacks);
	pthread_mutex_lock(&op->lock);
	first = !op->ended;
	if (first) {
		op->ended = true;
		op->status = final_status(op, err);
		op->may_cancel = false;
		if (err)
			op->err = *err;
		publish(op);
		*ret_callbacks = take_ptr(op->callbacks);
	}
	pthread_mutex_unlock(&op->lock);
	return first;
}

void op_end(struct op *op, const struct err *err)
{
	struct end_cb *cb = NULL, *next;

	if (err && err->kind != ERR_CANCELLED)
		log_info("operation failed", "operation", op->id, "what", op->description, "error",
			 err->msg);
	if (!finish(op, err, &cb))
		return;
	for (; cb; cb = next) {
		next = cb->next;
		cb->done(cb->arg, op);
		free(cb);
	}
	ops_expire(op);
}

static void run_job(void *arg)
{
	struct op *op = arg;
	struct ops *o = op->ops;
	struct err err = { 0 };
	int rc = op_check(op, &err);

	if (rc == 0 && ops_draining(o))
		rc = err_set(&err, ERR_CANCELLED, "the daemon is stopping");
	if (rc == 0)
		rc = op->run(op, op->arg, &err);
	op_end(op, rc < 0 ? &err : NULL);
	op_unref(op);
	ops_count_job(o, -1);
}

static json_t *url_list(const char *kind, const char *key)
{
	_free_ char *url = ref_url(kind, key);

	return json_pack("[s]", url);
}

static json_t *make_resources(const char *kind, const char *key)
{
	json_t *r;

	if (!kind)
		return NULL;
	r = json_object();
	json_object_set_new(r, kind, url_list(kind, key));
	if (str_eq(kind, "instances"))
		json_object_set_new(r, "containers", url_list("containers", key));
	return r;
}

static struct op *op_make(struct ops *o, const struct op_spec *spec)
{
	struct op *op = xnew(struct op);

	op->ops = o;
	op->refs = 2; /* the list's and the caller's */
	rng_uuid(op->id);
	op->class = spec->class;
	op->description = xstrdup(spec->description);
	if (!spec->resource_kind && !str_eq(spec->project, PROJECT_DEFAULT))
		op->project = xstrdup(spec->project);
	op->resources = make_resources(spec->resource_kind, spec->resource_name);
	op->metadata = spec->metadata ? json_deep_copy(spec->metadata) : NULL;
	op->may_cancel = spec->may_cancel || spec->class == OP_TOKEN;
	op->run = spec->run;
	op->arg = spec->arg;
	op->free_arg = spec->free_arg;
	op->cancel = spec->cancel;
	op->status = STATUS_RUNNING;
	op->created_ns = clock_wall_ns();
	pthread_mutex_init(&op->lock, NULL);
	return op;
}

/* A failed start leaves no trace: the argument stays the caller's problem through free_arg. */
static struct op *start_job(struct op *op, const char *key, struct err *err)
{
	struct err end;

	op_ref(op);
	ops_count_job(op->ops, 1);
	if (pool_submit(op->ops->pool, POOL_JOB, key ? pool_key(key) : 0, run_job, op, err) == 0)
		return op;
	ops_count_job(op->ops, -1);
	end = *err;
	op_end(op, &end);
	op_unref(op);
	op_unref(op);
	return NULL;
}

struct op *op_start(struct ops *o, const struct op_spec *spec, struct err *err)
{
	struct op *op = op_make(o, spec);

	if (ops_link(o, op, err) < 0) {
		op_free(op);
		return NULL;
	}
	pthread_mutex_lock(&op->lock);
	publish(op);
	pthread_mutex_unlock(&op->lock);
	return spec->run ? start_job(op, spec->key, err) : op;
}

/* --- use ------------------------------------------------------------------------------------- */

const char *op_id(const struct op *op)
{
	return op->id;
}

static void set_locked(struct op *op, const char *key, json_t *own_value)
{
	if (!op->metadata)
		op->metadata = json_object();
	json_object_set_new(op->metadata, key, own_value);
}

void op_set(struct op *op, const char *key, json_t *own_value)
{
	pthread_mutex_lock(&op->lock);
	set_locked(op, key, own_value);
	if (!op->ended)
		publish(op);
	pthread_mutex_unlock(&op->lock);
}

void op_progress(struct op *op, const char *stage, const char *fmt, ...)
{
	_free_ char *key = xasprintf("%s_progress", stage);
	_free_ char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&op->lock);
	set_locked(op, key, json_string(text));
	if (!op->ended && clock_ms() - op->progress_ms >= PROGRESS_MS) {
		op->progress_ms = clock_ms();
		publish(op);
	}
	pthread_mutex_unlock(&op->lock);
}

bool op_cancelled(struct op *op)
{
	bool yes;

	pthread_mutex_lock(&op->lock);
	yes = op->cancelled;
	pthread_mutex_unlock(&op->lock);
	return yes;
}

int op_check(struct op *op, struct err *err)
{
	if (op_cancelled(op))
		return err_set(err, ERR_CANCELLED, "the operation was cancelled");
	return 0;
}

int op_cancel(struct op *op, struct err *err)
{
	struct err end = { 0 };
	bool allowed;

	pthread_mutex_lock(&op->lock);
	allowed = op->may_cancel && !op->ended && !op->cancelled;
	if (allowed) {
		op->cancelled = true;
		op->status = STATUS_CANCELLING;
		if (op->run)
			publish(op);
	}
	pthread_mutex_unlock(&op->lock);
	if (!allowed)
		return err_set(err, ERR_INVALID, "operation %s can't be cancelled", op->id);
	if (op->cancel)
		op->cancel(op->arg);
	if (!op->run) {
		err_set(&end, ERR_CANCELLED, "the operation was cancelled");
		op_end(op, &end);
	}
	return 0;
}

void op_on_end(struct op *op, void (*done)(void *arg, struct op *op), void *arg)
{
	struct end_cb *cb = NULL;
	bool ended;

	pthread_mutex_lock(&op->lock);
	ended = op->ended;
	if (!ended) {
		cb = xnew(struct end_cb);
		cb->done = done;
		cb->arg = arg;
		cb->next = op->callbacks;
		op->callbacks = cb;
	}
	pthread_mutex_unlock(&op->lock);
	if (ended)
		done(arg, op);
}

void op_set_data(struct op *op, void *data)
{
	pthread_mutex_lock(&op->lock);
	op->data = data;
	pthread_mutex_unlock(&op->lock);
}

void *op_data(struct op *op)
{
	void *data;

	pthread_mutex_lock(&op->lock);
	data = op->data;
	pthread_mutex_unlock(&op->lock);
	return data;
}
