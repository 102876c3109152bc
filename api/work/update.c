/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/work/address.h"
#include "api/work/check.h"
#include "api/work/instance.h"
#include "api/work/job.h"
#include "api/work/recover.h"
#include "api/work/spec.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/ref.h"
#include "migrate/migrate.h"
#include "node/container/container.h"

struct update_job {
	const struct api_env *env;
	char *name;
	int64_t rev;
	json_t *writable;
};

static void job_free(void *arg)
{
	struct update_job *j = arg;

	free(j->name);
	json_decref(j->writable);
	free(j);
}

/* Of devices that are out now. What can't be freed here is so at the next start. */
static void free_addresses(const struct api_env *env, const char *name, const json_t *spec)
{
	_tx_ struct tx *tx = tx_new();
	struct err err;
	int n = address_trim(env, name, spec, tx, &err);

	if (n < 0 || (n > 0 && store_commit(env->store, tx, 0, NULL, &err) < 0))
		log_err(LOG_WARN, "addresses of devices that are gone stay leased", &err);
}

int instance_apply(const struct api_env *env, const char *name, struct err *err)
{
	_row_ struct row row = { 0 };
	_json_ json_t *spec = NULL;

	if (container_pid(env->node, name) == 0)
		return 0;
	if (instance_get_here(env, name, &row, err) < 0 ||
	    instance_lease(env, name, true, &row, err) < 0)
		return -1;
	spec = spec_build(env, row.doc, NULL, err);
	if (!spec || job_need_networks((void *)env, spec, err) < 0)
		return -1;
	if (container_update(env->node, spec, err) < 0)
		return -1;
	free_addresses(env, name, spec);
	return 0;
}

/* Of devices that are gone. */
static void drop_volatile(const struct api_env *env, json_t *doc)
{
	_json_ json_t *config = NULL, *devices = NULL;
	json_t *own = json_obj(doc, "config"), *v;
	const char *key;
	void *next;

	spec_expand(env->store, NULL, doc, &config, &devices);
	json_object_foreach_safe(own, next, key, v) {
		const char *device = key + strlen("volatile."), *end;
		_free_ char *name = NULL;

		if (!str_starts(key, "volatile.") || !(end = strrchr(device, '.')) ||
		    !str_eq(end, ".hwaddr"))
			continue;
		name = xstrndup(device, (size_t)(end - device));
		if (!json_object_get(devices, name))
			json_object_del(own, key);
	}
}

struct update {
	const struct api_env *env;
	const struct instance_change *c;
	struct address_picks picks;
	json_t *before; /* what may be changed, as it was */
};

static void update_done(struct update *u)
{
	address_picks_done(&u->picks);
	json_decref(u->before);
}

static int put_writable(void *arg, struct row *row, struct edit_try *t, struct err *err)
{
	struct update *u = arg;
	struct address_wish wish = { .running = instance_runs(u->env, row->key), .attempt = t->n };
	_json_ json_t *writable = u->c->next(u->c->arg, row, err), *old = NULL;

	address_picks_done(&u->picks);
	if (!writable)
		return -1;
	old = row->doc;
	row->doc = json_copy(old);
	json_object_update(row->doc, writable);
	json_object_set_new(row->doc, "config", json_copy(json_obj(row->doc, "config")));
	instance_keep_volatile(row->doc, old);
	instance_pin(u->env, row->doc, t->tx);
	if (instance_check(u->env, row->doc, old, err) < 0)
		return -1;
	drop_volatile(u->env, row->doc);
	if (address_plan(u->env, row->doc, &wish, t->tx, &u->picks, err) < 0)
		return -1;
	json_decref(u->before);
	u->before = instance_writable(old);
	return EDIT_COMMIT;
}

static json_t *as_before(void *arg, const struct row *row, struct err *err)
{
	const struct update *u = arg;

	return json_incref(u->before);
}

static void take_back(const struct api_env *env, const char *name, struct update *done)
{
	struct instance_change back = { as_before, done };
	__attribute__((cleanup(update_done))) struct update u = { .env = env, .c = &back };
	struct err err;

	if (instance_edit(env, name, put_writable, &u, &err) < 0)
		log_err(LOG_ERROR, "a change that failed stays written down", &err);
}

int instance_update(const struct api_env *env, const char *name, const struct instance_change *c,
		    struct err *err)
{
	__attribute__((cleanup(update_done))) struct update u = { .env = env, .c = c };

	if (instance_edit(env, name, put_writable, &u, err) < 0)
		return -1;
	if (instance_apply(env, name, err) < 0) {
		take_back(env, name, &u);
		return -1;
	}
	instance_event(env, name, "updated", NULL);
	return 0;
}

/* --- as a job -------------------------------------------------------------------------------- */

static json_t *as_asked(void *arg, const struct row *row, struct err *err)
{
	const struct update_job *j = arg;

	if (!j->rev || row->rev == j->rev)
		return json_incref(j->writable);
	err_set(err, ERR_PRECONDITION, "instance \"%s\" changed meanwhile", row->key);
	return NULL;
}

static int run_update(struct op *op, void *arg, struct err *err)
{
	struct update_job *j = arg;

	return instance_update(j->env, j->name, &(struct instance_change){ as_asked, j }, err);
}

struct op *job_update_start(const struct api_env *env, const char *name, int64_t rev,
			    json_t *own_writable, struct err *err)
{
	struct update_job *j = xnew(struct update_job);
	_free_ char *key = ref_lock(ENT_INSTANCE, name);

	j->env = env;
	j->name = xstrdup(name);
	j->rev = rev;
	j->writable = own_writable;
	return op_start(env->ops,
			&(struct op_spec){ .class = OP_TASK,
					   .description = "Updating instance",
					   .resource_kind = "instances",
					   .resource_name = name,
					   .key = key,
					   .run = run_update,
					   .arg = j,
					   .free_arg = job_free },
			err);
}

/* --- moving to another member ---------------------------------------------------------------- */

struct move_job {
	const struct api_env *env;
	char *name, *new_name, *target;
	bool live;
};

static void move_free(void *arg)
{
	struct move_job *j = arg;

	free(j->name);
	free(j->new_name);
	free(j->target);
	free(j);
}

static int move(struct move_job *j, const char *name, struct op *op, struct err *err)
{
	bool live = j->live && container_pid(j->env->node, name) > 0;

	if (move_run(j->env->mover, name, j->target, live, op, err) < 0)
		return -1;
	instance_event(j->env, name, "migrated",
		       json_pack("{s:s, s:s}", "source", cluster_member_name(j->env->cluster),
				 "target", j->target));
	return 0;
}

/* The new name first: it may be taken. The move's commit makes it the instance's for good; a move
 * that is not committed, for whatever reason, gives it up. */
static int move_renamed(struct move_job *j, struct op *op, struct err *err)
{
	struct err undo = { 0 };

	if (instance_rename(j->env, j->name, j->new_name, true, err) == 0 &&
	    fault_point(move_renamed, err) == 0 && move(j, j->new_name, op, err) == 0)
		return 0;
	if (err->kind != ERR_UNKNOWN && instance_rename_back(j->env, j->new_name, &undo) == 0)
		return -1;
	recover_instance_later(j->env, j->new_name);
	return -1;
}

static int run_move(struct op *op, void *arg, struct err *err)
{
	struct move_job *j = arg;

	_row_ struct row row = { 0 };

	if (instance_get_here(j->env, j->name, &row, err) < 0)
		return -1;
	return str_eq(j->name, j->new_name) ? move(j, j->name, op, err) : move_renamed(j, op, err);
}

/* Refused before anything is done. */
static int check_new_name(const struct api_env *env, const struct move_request *q, struct err *err)
{
	_row_ struct row taken = { 0 };

	if (str_eq(q->name, q->new_name))
		return 0;
	if (container_status(env->node, q->name) != STATUS_STOPPED)
		return err_set(err, ERR_INVALID,
			       "Renaming of running instance not allowed: stop \"%s\" first, or "
			       "move it under its own name",
			       q->name);
	if (store_get(env->store, ENT_INSTANCE, q->new_name, &taken, err) == 0)
		return err_set(err, ERR_CONFLICT, "Instance \"%s\" already exists", q->new_name);
	return err->kind == ERR_NOT_FOUND ? 0 : -1;
}

static int check_target(const struct api_env *env, const char *name, const char *target,
			struct err *err)
{
	_row_ struct row row = { 0 };
	char address[256];

	if (instance_get_here(env, name, &row, err) < 0)
		return -1;
	if (str_eq(json_str(row.doc, "member", ""), target))
		return err_set(err, ERR_INVALID, "instance \"%s\" is on member \"%s\" already",
			       name, target);
	return cluster_member_address(env->cluster, target, address, sizeof(address), err);
}

struct op *job_move_start(const struct api_env *env, const struct move_request *q, struct err *err)
{
	_free_ char *key = ref_lock(ENT_INSTANCE, q->name);
	struct move_job *j;

	if (check_target(env, q->name, q->target, err) < 0 || check_new_name(env, q, err) < 0)
		return NULL;
	j = xnew(struct move_job);
	j->env = env;
	j->name = xstrdup(q->name);
	j->new_name = xstrdup(q->new_name);
	j->target = xstrdup(q->target);
	j->live = q->live;
	return op_start(env->ops,
			&(struct op_spec){ .class = OP_TASK,
					   .description = "Migrating instance",
					   .resource_kind = "instances",
					   .resource_name = q->name,
					   .key = key,
					   .run = run_move,
					   .arg = j,
					   .free_arg = move_free },
			err);
}
