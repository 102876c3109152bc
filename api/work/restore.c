/* SPDX-License-Identifier: Apache-2.0 */
/* An instance becomes what a snapshot says that it was.
 *
 *   row: restoring -> ready beside its files -> stopped -> row: as it was -> replaced -> row: ready
 *   ---------- whatever fails: it is as before, and runs again --|-- it goes back in any case ----
 *
 * Its row has {restore: {snapshot, restart, decided}} meanwhile.
 */
#include <assert.h>
#include <string.h>

#include "api/work/check.h"
#include "api/work/expand.h"
#include "api/work/instance.h"
#include "api/work/job.h"
#include "api/work/recover.h"
#include "api/work/snapshot.h"
#include "api/work/spec.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/state.h"
#include "node/container/container.h"
#include "node/storage/storage.h"

#define NOTE "restore" /* in the row */

/* --- what the row becomes --------------------------------------------------------------------- */

/* What the server keeps in it is of now, but for the addresses of nics. */
static void drop_volatile(json_t *config)
{
	const char *key;
	void *next;
	json_t *v;

	json_object_foreach_safe(config, next, key, v) {
		if (str_starts(key, "volatile.") && !str_ends(key, ".hwaddr"))
			json_object_del(config, key);
	}
}

/* What a client may change of the instance, as it was then; new reference. */
static json_t *as_then(const json_t *snapshot, const json_t *now)
{
	json_t *then = instance_writable(snapshot);
	json_t *config = json_copy(json_obj(then, "config"));

	drop_volatile(config);
	json_object_set_new(then, "config", config);
	json_put_str(then, "description", json_str(now, "description", ""));
	json_put_str(then, "name", json_str(now, "name", ""));
	instance_keep_volatile(then, now);
	return then;
}

static int get_ready(const struct api_env *env, const char *instance, const char *name,
		     struct row *ret, struct err *err)
{
	if (snapshot_get(env, instance, name, ret, err) < 0)
		return -1;
	if (snapshot_is_ready(ret->doc))
		return 0;
	return err_set(err, ERR_CONFLICT, "snapshot \"%s\" of instance \"%s\" is being deleted",
		       name, instance);
}

int restore_check(struct job *j, struct err *err)
{
	const char *name = json_str(j->args, "snapshot", "");
	_row_ struct row row = { 0 }, snapshot = { 0 };
	_json_ json_t *then = NULL;

	if (instance_get_here(j->env, j->name, &row, err) < 0 ||
	    get_ready(j->env, j->name, name, &snapshot, err) < 0)
		return -1;
	expand(j->env, row.doc, &j->old);
	then = as_then(snapshot.doc, row.doc);
	if (instance_check(j->env, then, &j->old, NULL, &j->x, err) < 0)
		return err_wrap(err, "snapshot \"%s\"", name);
	return 0;
}

/* --- steps ------------------------------------------------------------------------------------ */

static int mark_restoring(void *note, struct row *row, struct edit_try *t, struct err *err)
{
	json_object_set(row->doc, NOTE, note);
	return inst_become(row->doc, INST_RESTORING, NULL, err);
}

static int mark_ready(void *unused, struct row *row, struct edit_try *t, struct err *err)
{
	json_object_del(row->doc, NOTE);
	return inst_become(row->doc, INST_READY, NULL, err);
}

struct going_back {
	struct job *j;
	const json_t *snapshot;
	json_t *note;
};

/* The decision: with it the row is as it was then. */
static json_t *decided(void *arg, const struct row *row, struct err *err)
{
	struct going_back *g = arg;
	json_t *then = as_then(g->snapshot, row->doc);

	json_put_bool(g->note, "decided", true);
	json_object_set(then, NOTE, g->note);
	/* Memory that was kept is of the files that go. */
	json_put_bool(then, "stateful", false);
	return then;
}

/* Takes its files to where its row is, either way, and has it run if it did. */
static int settle(const struct api_env *env, const char *name, const json_t *note,
		  const json_t *pool, struct err *err)
{
	if ((json_bool(note, "decided", false) ? volume_restore(env->node, pool, name, err)
					       : volume_restore_drop(env->node, pool, name, err)) <
		    0 ||
	    fault_point(restore_replaced, err) < 0 ||
	    instance_edit(env, name, mark_ready, NULL, err) < 0)
		return -1;
	if (!json_bool(note, "restart", false) || instance_runs(env, name))
		return 0;
	if (instance_start(env, name, KEPT_TRY, err) < 0)
		return err_wrap(err, "instance \"%s\" is restored, but does not start", name);
	return 0;
}

int restore_settle(const struct api_env *env, const struct row *row, struct err *err)
{
	_json_ json_t *pool = spec_pool_of_row(env, row->doc, err);

	assert(inst_state(row->doc) == INST_RESTORING);
	return pool ? settle(env, row->key, json_obj(row->doc, NOTE), pool, err) : -1;
}

int restore_undo(struct job *j, enum job_phase phase, struct err *err)
{
	_row_ struct row row = { 0 };

	if (phase != JOB_UNSURE && instance_get(j->env, j->name, &row, err) == 0 &&
	    inst_state(row.doc) == INST_RESTORING && restore_settle(j->env, &row, err) == 0)
		return 0;
	recover_instance_later(j->env, j->name);
	return 0;
}

/* --- the job ---------------------------------------------------------------------------------- */

static int prepare(struct going_back *g, const json_t *pool, struct err *err)
{
	struct node *n = g->j->env->node;
	const char *name = g->j->name;

	if (volume_restore_prepare(n, pool, name, json_str(g->snapshot, "id", ""), err) < 0 ||
	    fault_point(restore_prepared, err) < 0)
		return -1;
	g->j->phase = JOB_MADE;
	/* What it would still write is thrown away. */
	return instance_runs(g->j->env, name) ? container_stop(n, name, true, -1, err) : 0;
}

static int go_back(struct going_back *g, const json_t *pool, struct err *err)
{
	struct job *j = g->j;
	struct instance_change change = { decided, g };

	if (instance_edit(j->env, j->name, mark_restoring, g->note, err) < 0)
		return -1;
	j->phase = JOB_NOTED;
	if (prepare(g, pool, err) < 0 || instance_replace(j, &change, err) < 0)
		return -1;
	j->phase = JOB_DONE;
	instance_event(j->env, j->name, "restored",
		       json_pack("{s:s}", "snapshot", json_str(g->snapshot, "name", "")));
	if (fault_point(restore_decided, err) == 0 &&
	    settle(j->env, j->name, g->note, pool, err) == 0)
		return 0;
	recover_instance_later(j->env, j->name);
	return -1;
}

/* Arguments: {"snapshot": its name}. */
int restore_run(struct job *j, struct err *err)
{
	_row_ struct row row = { 0 }, snapshot = { 0 };
	_json_ json_t *pool = NULL, *note = NULL;
	struct going_back g = { .j = j };

	if (instance_get_here(j->env, j->name, &row, err) < 0 ||
	    get_ready(j->env, j->name, json_str(j->args, "snapshot", ""), &snapshot, err) < 0)
		return -1;
	pool = spec_pool_of_row(j->env, row.doc, err);
	if (!pool)
		return -1;
	note = json_pack("{s:s, s:b}", "snapshot", json_str(snapshot.doc, "name", ""), "restart",
			 instance_runs(j->env, j->name));
	g.snapshot = snapshot.doc;
	g.note = note;
	return go_back(&g, pool, err);
}
