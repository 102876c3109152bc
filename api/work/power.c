/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "api/work/address.h"
#include "api/work/boot.h"
#include "api/work/check.h"
#include "api/work/instance.h"
#include "api/work/job.h"
#include "api/work/spec.h"
#include "api/work/task.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/ref.h"
#include "cluster/model/state.h"
#include "migrate/migrate.h"
#include "node/container/container.h"
#include "node/container/keys.h"
#include "node/container/step.h"
#include "node/image/image.h"
#include "node/storage/kept.h"
#include "node/storage/storage.h"

/* A member without a leader still starts and stops its instances. */
#define NOTE_TIMEOUT_MS 5000

/* --- writing down whether it should run ------------------------------------------------------ */

static int set_power(void *arg, struct row *row, struct edit_try *t, struct err *err)
{
	inst_set_power(row->doc, *(bool *)arg);
	return 0;
}

static void note_power(const struct api_env *env, const char *name, bool on)
{
	struct row_edit edit = { .e = ENT_INSTANCE,
				 .key = name,
				 .change = set_power,
				 .arg = &on,
				 .commit_ms = NOTE_TIMEOUT_MS,
				 .may_be_lost = true };
	struct err err;

	if (cluster_is_island(env->cluster)) {
		log_warn("no leader: the wanted state of an instance is not recorded", "instance",
			 name);
		return;
	}
	if (row_edit(env->store, &edit, &err) < 0)
		log_err(LOG_WARN, "the wanted state of an instance is not recorded", &err);
}

/* --- start ----------------------------------------------------------------------------------- */

bool instance_runs(const struct api_env *env, const char *name)
{
	enum status now = container_status(env->node, name);

	return now != STATUS_STOPPED && now != STATUS_ERROR;
}

struct lease {
	const struct api_env *env;
	bool dynamic;
	struct expanded *x; /* becomes that of what is committed */
	struct address_picks picks;
};

static int plan_leases(void *arg, struct row *row, struct edit_try *t, struct err *err)
{
	struct lease *l = arg;
	struct address_wish wish = { .dynamic = l->dynamic,
				     .running = instance_runs(l->env, row->key),
				     .attempt = t->n };
	_json_ json_t *before = json_deep_copy(json_obj(row->doc, "config"));
	int changes;

	address_picks_done(&l->picks);
	if (instance_check_here(l->env, row, err) < 0)
		return -1;
	expand(l->env, row->doc, l->x);
	changes = address_plan(l->env, l->x, &wish, t->tx, &l->picks, err);
	if (changes < 0)
		return -1;
	return changes == 0 && json_equal(before, json_obj(row->doc, "config")) ? EDIT_KEEP
										: EDIT_COMMIT;
}

int instance_lease(const struct api_env *env, const char *name, bool dynamic, struct expanded *x,
		   struct err *err)
{
	struct lease l = { env, dynamic, x, { 0 } };
	int rc = instance_edit(env, name, plan_leases, &l, err);

	address_picks_done(&l.picks);
	return rc;
}

/* What a root stands on must be on this member. */
static int ensure_image(const struct api_env *env, const json_t *doc, const json_t *pool,
			struct err *err)
{
	const char *image = json_str(doc, "image", "");
	_free_ char *root = NULL;

	if (str_empty(image) || !pool_stands_on_images(pool))
		return 0;
	if (!image_present(env->node, image) && job_need_image(env, image, NULL, err) < 0)
		return -1;
	root = image_root(env->node, image, err);
	return root ? 0 : -1;
}

static int set_awake(void *unused, struct row *row, struct edit_try *t, struct err *err)
{
	if (!inst_is_suspended(row->doc))
		return EDIT_KEEP;
	inst_set_suspended(row->doc, false);
	return EDIT_COMMIT;
}

/* It has to go before the first process changes the files that it belongs to. */
static int drop_kept(const struct api_env *env, const char *name, const json_t *pool,
		     struct err *err)
{
	_free_ char *path = volume_kept_path(env->node, pool, name);

	if (!path || kept_drop(path, err) < 0)
		return err_wrap(err, "memory of instance \"%s\"", name);
	log_info("kept memory is given up", "instance", name);
	return instance_edit(env, name, set_awake, NULL, err);
}

struct start {
	const char *name;
	enum kept_memory kept;
	struct expanded *x; /* becomes what it is */
};

static int run(const struct api_env *env, const struct start *s, const json_t *spec,
	       const json_t *pool, struct err *err)
{
	bool kept = volume_is_kept(env->node, pool, s->name);

	if (kept && s->kept != KEPT_DROP)
		return wake_run(env->mover, s->name, s->x, err);
	if (s->kept == KEPT_NEED)
		return err_set(err, ERR_INVALID,
			       "The instance has no existing state to restore: no memory of \"%s\" "
			       "is kept; start it without (--stateless)",
			       s->name);
	if (kept && drop_kept(env, s->name, pool, err) < 0)
		return -1;
	return container_start(env->node, spec, err);
}

static int start(const struct api_env *env, const struct start *s, struct err *err)
{
	_json_ json_t *spec = NULL, *pool = NULL;
	_row_ struct row row = { 0 };
	const char *name = s->name;
	struct expanded *x = s->x;

	/* As long as it is not known whether a move took it elsewhere it must not run here. */
	if (env->mover && move_conclude_name(env->mover, name, err) < 0)
		return -1;
	if (instance_get_here(env, name, &row, err) < 0)
		return -1;
	if (boot_is_over(env))
		return err_set(err, ERR_UNAVAILABLE,
			       "instance \"%s\" does not start: its host is shutting down", name);
	if (step_check(STEP_START, container_status(env->node, name), err) < 0)
		return -1;
	if (instance_lease(env, name, true, x, err) < 0)
		return -1;
	if (instance_check_host_names_here(env, x, err) < 0)
		return -1;
	spec = spec_build(env, x, &pool, err);
	if (!spec || job_need_networks(env, spec, err) < 0 ||
	    ensure_image(env, x->doc, pool, err) < 0 || run(env, s, spec, pool, err) < 0) {
		instance_explain(env, x, err);
		return -1;
	}
	instance_event(env, name, "started", NULL);
	return 0;
}

int instance_start(const struct api_env *env, const char *name, enum kept_memory kept,
		   struct err *err)
{
	_expanded_ struct expanded x = { 0 };

	if (start(env, &(struct start){ name, kept, &x }, err) < 0)
		return -1;
	note_power(env, name, true);
	return 0;
}

int instance_start_noted(const struct api_env *env, const char *name, struct expanded *x,
			 struct err *err)
{
	if (start(env, &(struct start){ name, KEPT_DROP, x }, err) == 0)
		return 0;
	note_power(env, name, false);
	return -1;
}

/* --- stop ------------------------------------------------------------------------------------ */

static int after_stop(const struct api_env *env, const char *name, const char *event,
		      struct err *err)
{
	_expanded_ struct expanded x = { 0 };
	_row_ struct row row = { 0 };

	note_power(env, name, false);
	instance_event(env, name, event, NULL);
	if (instance_get(env, name, &row, err) < 0)
		return -1;
	return json_bool(row.doc, "ephemeral", false) ? instance_delete(env, name, &x, err) : 0;
}

static int instance_stop(const struct api_env *env, const char *name, const struct state_change *c,
			 struct err *err)
{
	if (container_stop(env->node, name, c->force, c->timeout_s, err) < 0)
		return -1;
	return after_stop(env, name, c->force ? "stopped" : "shutdown", err);
}

static int check_suspendable(const struct api_env *env, const json_t *doc, const struct expanded *x,
			     struct err *err)
{
	const char *name = json_str(doc, "name", "");
	enum status now = container_status(env->node, name);

	if (json_bool(doc, "ephemeral", false))
		return err_set(err, ERR_INVALID,
			       "instance \"%s\" is ephemeral: it is deleted when it stops, with "
			       "its memory",
			       name);
	if (!keys_bool(&instance_keys, x->config, "migration.stateful"))
		return err_set(err, ERR_INVALID,
			       "to keep the memory of instance \"%s\" migration.stateful has to be "
			       "true, since its start",
			       name);
	if (cluster_is_island(env->cluster))
		return err_set(err, ERR_UNAVAILABLE,
			       "no leader to write down that memory of \"%s\" is kept", name);
	if (status_is_alive(now))
		return 0;
	return step_check(STEP_STOP, now, err) < 0
		       ? -1
		       : err_set(err, ERR_CONFLICT, "instance \"%s\" is %s", name,
				 status_name(now));
}

static int instance_suspend(const struct api_env *env, const char *name, struct op *op,
			    struct err *err)
{
	_expanded_ struct expanded x = { 0 };
	_row_ struct row row = { 0 };

	if (instance_get_here(env, name, &row, err) < 0)
		return -1;
	expand(env, row.doc, &x);
	if (check_suspendable(env, row.doc, &x, err) < 0 ||
	    move_conclude_name(env->mover, name, err) < 0 ||
	    suspend_run(env->mover, name, &x, op, err) < 0)
		return -1;
	instance_event(env, name, "stopped", NULL);
	return 0;
}

static int instance_restart(const struct api_env *env, const char *name,
			    const struct state_change *c, struct err *err)
{
	if (container_stop(env->node, name, c->force, c->timeout_s, err) < 0 ||
	    instance_start(env, name, KEPT_DROP, err) < 0)
		return -1;
	instance_event(env, name, "restarted", NULL);
	return 0;
}

static int instance_freeze(const struct api_env *env, const char *name, bool freeze,
			   struct err *err)
{
	if (container_freeze(env->node, name, freeze, err) < 0)
		return -1;
	instance_event(env, name, freeze ? "paused" : "resumed", NULL);
	return 0;
}

/* --- as jobs --------------------------------------------------------------------------------- */

/* It means something to an instance that is frozen, that runs, or that is in any other status. */
/* clang-format off */
static const struct {
	const char *name;
	enum job_id job;
	bool frozen, running, other;
} actions[] = {
	{ "start",    JOB_START,    false, false, true },
	{ "stop",     JOB_STOP,     true,  true,  false },
	{ "restart",  JOB_RESTART,  true,  true,  false },
	{ "freeze",   JOB_FREEZE,   false, true,  false },
	{ "unfreeze", JOB_UNFREEZE, true,  false, false },
};
/* clang-format on */

bool action_means_something(enum job_id action, enum status now)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(actions) && actions[i].job != action)
		i++;
	assert(i < ARRAY_SIZE(actions));
	if (now == STATUS_FROZEN)
		return actions[i].frozen;
	return now == STATUS_RUNNING ? actions[i].running : actions[i].other;
}

static int parse_action(const char *text, enum job_id *ret, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		if (str_eq(actions[i].name, text)) {
			*ret = actions[i].job;
			return 0;
		}
	}
	return err_set(err, ERR_INVALID,
		       "Unknown action \"%.40s\" (start, stop, restart, freeze, unfreeze)", text);
}

const struct json_field state_change_fields[] = {
	{ "action", JW_STR, true },
	{ "timeout", JW_INT, false },
	{ "force", JW_BOOL, false },
	{ "stateful", JW_BOOL, false },
	{ NULL, 0, 0 },
};

int state_change_parse(const json_t *body, struct state_change *ret, struct err *err)
{
	int64_t timeout = json_int(body, "timeout", -1);

	if (timeout > INT32_MAX)
		return err_set(err, ERR_INVALID, "timeout must be a number of seconds");
	/* Clients send 0 with a start, and with a stop that shall have the default. */
	*ret = (struct state_change){ .force = json_bool(body, "force", false),
				      .stateful = json_bool(body, "stateful", false),
				      .timeout_s = timeout > 0 ? (int)timeout : -1 };
	if (parse_action(json_str(body, "action", ""), &ret->action, err) < 0)
		return -1;
	if (ret->stateful && ret->action != JOB_START && ret->action != JOB_STOP)
		return err_set(err, ERR_INVALID, "\"stateful\" is for start and stop");
	if (ret->stateful && ret->action == JOB_STOP && ret->force)
		return err_set(err, ERR_INVALID,
			       "a stateful stop ends nothing by force: leave out \"force\" or "
			       "\"stateful\"");
	return 0;
}

int instance_change_state(const struct api_env *env, const char *name,
			  const struct state_change *change, struct op *op, struct err *err)
{
	_row_ struct row row = { 0 };

	if (instance_get_here(env, name, &row, err) < 0)
		return -1;
	switch (change->action) {
	case JOB_START:
		return instance_start(env, name, change->stateful ? KEPT_NEED : KEPT_DROP, err);
	case JOB_STOP:
		return change->stateful ? instance_suspend(env, name, op, err)
					: instance_stop(env, name, change, err);
	case JOB_RESTART:
		return instance_restart(env, name, change, err);
	case JOB_FREEZE:
		return instance_freeze(env, name, true, err);
	case JOB_UNFREEZE:
		return instance_freeze(env, name, false, err);
	default:
		break;
	}
	assert(!"an action");
	return 0;
}

/* A clean stop has the lock of the instance for as long as it takes: one by force ends it first. */
int stop_check(struct job *j, struct err *err)
{
	struct state_change change;
	struct err ignored;

	if (state_change_parse(j->args, &change, err) < 0)
		return -1;
	if (change.force && container_status(j->env->node, j->name) == STATUS_STOPPING &&
	    container_stop(j->env->node, j->name, true, -1, &ignored) == 0)
		json_put_bool(j->args, "cut", true);
	return 0;
}

/* Arguments: a client's {"action", "force", "timeout"}; "cut": stop_check() has stopped it. */
int state_run(struct job *j, struct err *err)
{
	struct state_change change;

	if (json_bool(j->args, "cut", false) &&
	    container_status(j->env->node, j->name) == STATUS_STOPPED)
		return 0;
	if (state_change_parse(j->args, &change, err) < 0)
		return -1;
	return instance_change_state(j->env, j->name, &change, j->op, err);
}

/* --- by itself ------------------------------------------------------------------------------- */

void task_ended(const struct api_env *env, const char *name)
{
	_row_ struct row row = { 0 };
	struct err err;

	/* One that stops with its host or for its move has not ended. */
	if (boot_is_over(env) || (env->mover && move_is_pending(env->mover, name)) ||
	    instance_get_here(env, name, &row, &err) < 0 ||
	    container_status(env->node, name) != STATUS_STOPPED || !inst_shall_run(row.doc))
		return;
	log_info("instance ended by itself", "instance", name);
	if (after_stop(env, name, "shutdown", &err) < 0)
		log_err(LOG_WARN, "an instance that ended by itself is not settled", &err);
}

void instance_ended(const struct api_env *env, const char *name)
{
	task_soon(env, TASK_ENDED, name);
}
