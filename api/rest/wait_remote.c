/* SPDX-License-Identifier: Apache-2.0 */
#include "api/rest/wait_remote.h"

#include <pthread.h>
#include <string.h>

#include "api/http/envelope.h"
#include "api/work/state.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"
#include "base/timer.h"

#define ANSWER_MAX (1 << 20)
#define LOOK_MS 500     /* for a fact that vanished, of which no event tells */
#define UNSEEN_MS 3000  /* a fact that has not come by then does not exist */
#define DECIDE_MS 60000 /* for who may finish a move, or call it off */
#define ARRIVE_MS 10000 /* for a target that is the only one left in a move; it may not run */

/* Held by the listener's side and by its timer, which looks again and again. */
struct remote {
	const struct api_env *env;
	pthread_mutex_t lock;
	struct late *late; /* NULL once answered */
	struct event_listener *listener;
	char id[40];
	int64_t deadline, unseen_until;
	enum move_fate fate;
	int64_t fate_since; /* 0: it is not gone yet */
	json_t *op;         /* as it was last seen */
	json_t *move;       /* likewise, the row; under the lock */
};

void wait_answer(struct late *own, const json_t *op)
{
	_sbuf_ struct sbuf b = SBUF(ANSWER_MAX);

	sbuf_puts(&b, ENVELOPE_SYNC);
	json_append(&b, op);
	sbuf_puts(&b, "}\n");
	reply_late_end(own, b.data, b.len);
}

static struct late *take_late(struct remote *w)
{
	struct late *late;

	pthread_mutex_lock(&w->lock);
	late = take_ptr(w->late);
	pthread_mutex_unlock(&w->lock);
	return late;
}

static void answer(struct remote *w, const json_t *op)
{
	struct late *late = take_late(w);

	if (late)
		wait_answer(late, op);
}

static void fail(struct remote *w, int code, const char *what, const char *why)
{
	struct late *late = take_late(w);
	_sbuf_ struct sbuf b = SBUF(ANSWER_MAX);
	_free_ char *text = xasprintf("%s: %s; %s", what, w->id, why);

	sbuf_printf(&b, ENVELOPE_ERROR, code);
	sbuf_json_string(&b, text);
	sbuf_puts(&b, ",\"metadata\":null}\n");
	if (late)
		reply_late_end(late, b.data, b.len);
}

/* The operation may go on where it is. */
static void fail_cut_off(struct remote *w)
{
	struct err err;

	if (!cluster_explain_cut_off(w->env->cluster, &err))
		err_set(&err, ERR_UNAVAILABLE, "no member leads the cluster");
	err_wrap(&err, "how it ends is not known here");
	fail(w, 503, "Operation", err.msg);
}

/* A move that went on, or back, without the member that had the operation. */
static void tell_move(struct remote *w, bool made)
{
	const char *source = json_str(w->move, "source", "?");
	const char *target = json_str(w->move, "target", "?");
	const char *name = json_str(w->move, "instance", "?");
	_json_ json_t *op = json_deep_copy(w->op);
	_free_ char *text =
		made ? xasprintf("%s is on %s, which has finished the move: %s went away", name,
				 target, source)
		     : xasprintf("%s went away during the move, which was given up: %s "
				 "is on %s",
				 source, name, source);

	if (!op) {
		fail(w, 404, "Operation not found", text);
		return;
	}
	json_put_str(op, "status", status_name(made ? STATUS_SUCCESS : STATUS_FAILURE));
	json_put_int(op, "status_code", made ? STATUS_SUCCESS : STATUS_FAILURE);
	json_put_bool(op, "may_cancel", false);
	if (made)
		json_put_str(json_obj(json_obj(op, "metadata"), "migration"), "finished_by",
			     target);
	else
		json_put_str(op, "err", text);
	answer(w, op);
}

static void give_up(struct remote *w)
{
	fail(w, 404, "Operation not found",
	     "it ended long ago, or the member that ran it went away: how it ended is not known "
	     "here, look before you ask again");
}

enum wait_step wait_next(const struct wait_view *v)
{
	bool gone = !v->known && (v->late || v->seen || v->overdue);

	if (v->known && (v->late || v->ended))
		return WAIT_ANSWER;
	if (gone && v->fate == FATE_MADE)
		return WAIT_MADE;
	if (gone && v->fate == FATE_GIVEN_UP)
		return WAIT_GIVEN_UP;
	if (gone && (v->fate == FATE_NONE || v->late))
		return WAIT_GONE;
	return v->cut_off ? WAIT_CUT_OFF : WAIT_ON;
}

static void remember(json_t **kept, json_t *own_now)
{
	if (!own_now)
		return;
	json_decref(*kept);
	*kept = own_now;
}

static void look_at_row(struct remote *w)
{
	json_t *row = move_row(w->env->store, w->id);

	pthread_mutex_lock(&w->lock);
	remember(&w->move, row);
	pthread_mutex_unlock(&w->lock);
}

static enum move_fate fate(struct remote *w, int64_t now)
{
	enum move_fate fate = move_fate(w->env->store, w->move);
	int64_t patience = fate == FATE_OPEN      ? DECIDE_MS
			   : fate == FATE_ARRIVES ? ARRIVE_MS
						  : INT64_MAX;

	if (!w->fate_since || fate != w->fate)
		w->fate_since = now;
	w->fate = fate;
	return now - w->fate_since >= patience ? FATE_NONE : fate;
}

/* True when it has been answered. */
static bool look(struct remote *w)
{
	_json_ json_t *op = store_fact_get(w->env->store, FACT_OPERATION, w->id, NULL);
	int64_t now = clock_ms();
	bool seen = w->op;
	struct wait_view v = {
		.known = op != NULL,
		.ended = status_is_final((enum status)json_int(op, "status_code", 0)),
		.seen = seen,
		.overdue = now >= w->unseen_until,
		.late = w->deadline && now >= w->deadline,
		.cut_off = cluster_is_cut_off(w->env->cluster),
	};

	remember(&w->op, json_incref(op));
	look_at_row(w);
	if (!op && w->move)
		v.fate = fate(w, now);
	switch (wait_next(&v)) {
	case WAIT_ON:
		return false;
	case WAIT_ANSWER:
		answer(w, op);
		break;
	case WAIT_GONE:
		give_up(w);
		break;
	case WAIT_MADE:
	case WAIT_GIVEN_UP:
		tell_move(w, v.fate == FATE_MADE);
		break;
	case WAIT_CUT_OFF:
		fail_cut_off(w);
		break;
	}
	return true;
}

static void on_timer(void *arg)
{
	struct remote *w = arg;
	bool over;

	pthread_mutex_lock(&w->lock);
	over = !w->late || late_is_abandoned(w->late);
	pthread_mutex_unlock(&w->lock);
	if (!over && !look(w) && timer_start(w->env->state->timers, LOOK_MS, on_timer, w))
		return;
	event_unlisten(w->env->events, w->listener);
	give_up(w);
	pthread_mutex_destroy(&w->lock);
	json_decref(w->op);
	json_decref(w->move);
	free(w);
}

/* Events hold the operation's id as they hold nothing else of 36 digits and dashes. */
static void on_event(void *arg, const char *text, size_t len)
{
	struct remote *w = arg;
	struct err ignored;
	_json_ json_t *event = NULL;
	const json_t *op;

	if (!strstr(text, w->id))
		return;
	event = json_parse(text, len, "event", &ignored);
	op = json_obj(event, "metadata");
	if (!str_eq(json_str(op, "id", ""), w->id))
		return;
	if (status_is_final((enum status)json_int(op, "status_code", 0)))
		answer(w, op);
	else
		look_at_row(w);
}

bool wait_is_for_move(const struct api_env *env, const char *operation_id)
{
	_json_ json_t *row = move_row(env->store, operation_id);

	return row;
}

void wait_remote(struct req *r, const char *operation_id, int64_t timeout_s)
{
	struct remote *w = xnew(struct remote);

	w->env = req_env(r);
	pthread_mutex_init(&w->lock, NULL);
	str_copy(w->id, sizeof(w->id), operation_id);
	w->deadline = timeout_s >= 0 ? deadline_in(timeout_s * 1000) : 0;
	w->unseen_until = deadline_in(UNSEEN_MS);
	w->late = reply_late(r, NULL, NULL);
	w->listener = event_listen(w->env->events, &(struct event_filter){ EV_OPERATION, NULL },
				   on_event, w);
	/* What ended before the listener was there tells no event; the timer's first look sees
	 * it. */
	on_timer(w);
}
