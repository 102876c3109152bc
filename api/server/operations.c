/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <ctype.h>
#include <pthread.h>
#include <string.h>

#include "api/http/server.h"
#include "api/rest/handle.h"
#include "api/rest/op_sockets.h"
#include "api/rest/token.h"
#include "api/rest/wait_remote.h"
#include "api/work/state.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timer.h"

#define TIMEOUT_MAX_S (10 * 365 * 86400)

/* --- lists ----------------------------------------------------------------------------------- */

struct listing {
	json_t *by_status;
	bool objects;
	const char *project; /* NULL: of all */
};

static void add_op(struct listing *l, json_t *own_op)
{
	_free_ char *status = xstrdup(json_str(own_op, "status", "running"));
	json_t *list;

	assert(own_op);
	for (char *c = status; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	list = json_arr(l->by_status, status);
	if (!list) {
		list = json_array();
		json_object_set_new(l->by_status, status, list);
	}
	if (l->objects) {
		json_array_append_new(list, own_op);
		return;
	}
	json_array_append_new(list, json_sprintf("/1.0/operations/%s", json_str(own_op, "id", "")));
	json_decref(own_op);
}

static void add_fact(void *arg, const char *key, const char *member, const char *text)
{
	_json_ json_t *op = json_parse(text, strlen(text), "operation", &(struct err){ 0 });
	struct listing *l = arg;
	char project[PROJECT_SIZE];

	op_project(op, project);
	if (op && (!l->project || str_eq(project, l->project)))
		add_op(l, json_incref(op));
}

int h_operations_get(struct req *r)
{
	struct listing l = { .objects = req_recursion(r) > 0, .project = req_lists_of(r) };
	const struct api_env *env = req_env(r);
	_rows_ struct rows tokens = { 0 };

	if (store_list(env->store, ENT_TOKEN, NULL, &tokens, req_err(r)) < 0)
		return -1;
	l.by_status = json_object();
	store_each_fact(env->store, FACT_OPERATION, add_fact, &l);
	for (size_t i = 0; i < tokens.n; i++) {
		json_t *op = token_operation(env, &tokens.v[i], NULL);

		if (op)
			add_op(&l, op);
	}
	return reply_sync(r, l.by_status);
}

/* --- one ------------------------------------------------------------------------------------- */

static json_t *find_token(const struct api_env *env, const char *id, struct row *ret)
{
	struct err err;

	if (store_get(env->store, ENT_TOKEN, id, ret, &err) < 0)
		return NULL;
	return token_operation(env, ret, NULL);
}

/* Ours, another member's as it is known here, or a token. */
static json_t *find_json(const struct api_env *env, const char *id)
{
	struct op *op = ops_find(env->ops, id);
	_row_ struct row token = { 0 };
	json_t *j = op ? op_json(op) : store_fact_get(env->store, FACT_OPERATION, id, NULL);

	op_unref(op);
	return j ? j : find_token(env, id, &token);
}

static int not_found(struct req *r)
{
	return err_set(req_err(r), ERR_NOT_FOUND, "Operation not found: \"%.64s\"",
		       req_param(r, 0));
}

int h_operation_get(struct req *r)
{
	json_t *j = find_json(req_env(r), req_param(r, 0));

	return j ? reply_sync(r, j) : not_found(r);
}

static int delete_token(struct req *r, const struct row *token)
{
	_tx_ struct tx *tx = tx_new();

	tx_delete(tx, ENT_TOKEN, token->key, token->rev);
	if (store_commit(req_env(r)->store, tx, 0, NULL, req_err(r)) < 0)
		return -1;
	return reply_sync(r, NULL);
}

int h_operation_delete(struct req *r)
{
	const char *id = req_param(r, 0);
	struct op *op = ops_find(req_env(r)->ops, id);
	_row_ struct row token = { 0 };
	_json_ json_t *token_op = NULL;
	int rc;

	if (!op) {
		token_op = find_token(req_env(r), id, &token);
		return token_op ? delete_token(r, &token) : not_found(r);
	}
	rc = op_cancel(op, req_err(r));
	op_unref(op);
	if (rc < 0)
		return -1;
	tell_event(r, "operation-cancelled", req_path(r), id);
	return reply_sync(r, NULL);
}

int h_operation_websocket(struct req *r)
{
	const char *secret = req_query(r, "secret");
	struct op *op = ops_find(req_env(r)->ops, req_param(r, 0));
	struct op_sockets *s = op ? op_data(op) : NULL;
	int rc;

	if (!op)
		return not_found(r);
	if (!s)
		rc = err_set(req_err(r), ERR_INVALID, "operation %.40s takes no websockets",
			     req_param(r, 0));
	else if (str_empty(secret))
		rc = err_set(req_err(r), ERR_FORBIDDEN, "missing secret");
	else
		rc = s->attach(s, r, secret);
	op_unref(op);
	return rc;
}

/* --- waiting --------------------------------------------------------------------------------- */

/* Told twice at most: by the end of the operation and by its timer, of which the first answers. */
struct waiter {
	pthread_mutex_t lock;
	struct late *late; /* NULL once answered */
	struct op *op;
	int refs;
};

static void waiter_unref(struct waiter *w)
{
	bool last;

	pthread_mutex_lock(&w->lock);
	last = --w->refs == 0;
	pthread_mutex_unlock(&w->lock);
	if (!last)
		return;
	op_unref(w->op);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static void answer(struct waiter *w)
{
	_json_ json_t *op = op_json(w->op);
	struct late *late;

	pthread_mutex_lock(&w->lock);
	late = take_ptr(w->late);
	pthread_mutex_unlock(&w->lock);
	if (late)
		wait_answer(late, op);
	waiter_unref(w);
}

static void on_end(void *arg, struct op *op)
{
	answer(arg);
}

static void on_timeout(void *arg)
{
	answer(arg);
}

static void start_waiting(struct req *r, struct op *op, int64_t timeout_s)
{
	struct waiter *w = xnew(struct waiter);

	pthread_mutex_init(&w->lock, NULL);
	w->op = op;
	w->refs = timeout_s >= 0 ? 2 : 1;
	w->late = reply_late(r, NULL, NULL);
	if (timeout_s >= 0)
		timer_start(req_env(r)->state->timers, timeout_s * 1000, on_timeout, w);
	op_on_end(op, on_end, w);
}

/* With a known id: an operation that ended and was forgotten is not found. */
int h_operation_wait(struct req *r)
{
	const char *timeout = req_query(r, "timeout");
	struct op *op = ops_find(req_env(r)->ops, req_param(r, 0));
	char member[64];
	int64_t seconds = -1;
	json_t *j;

	if (timeout && !str_to_i64(timeout, -1, TIMEOUT_MAX_S, &seconds)) {
		op_unref(op);
		return err_set(req_err(r), ERR_INVALID, "timeout must be a number of seconds");
	}
	if (op) {
		start_waiting(r, op, seconds);
		return 0;
	}
	if (server_find_operation(req_env(r)->server, req_param(r, 0), member)) {
		wait_remote(r, req_param(r, 0), seconds);
		return 0;
	}
	j = find_json(req_env(r), req_param(r, 0));
	if (!j && !wait_is_for_move(req_env(r), req_param(r, 0)))
		return not_found(r);
	if (str_eq(json_str(j, "class", ""), "token"))
		return reply_sync(r, j);
	json_decref(j);
	wait_remote(r, req_param(r, 0), seconds);
	return 0;
}
