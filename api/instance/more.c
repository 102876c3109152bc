/* SPDX-License-Identifier: Apache-2.0 */
/* What a move would be like (dunlin_move_plan), what an image told of an instance, and the states
 * of many. */
#include <string.h>

#include "api/rest/handle.h"
#include "api/work/icache.h"
#include "api/work/instance.h"
#include "api/work/job.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"
#include "migrate/migrate.h"
#include "node/container/container.h"
#include "node/image/image.h"

#define REMOTE_TIMEOUT_MS (11 * 60 * 1000)

/* --- plans ----------------------------------------------------------------------------------- */

int h_move_plan(struct req *r)
{
	const char *target = req_query(r, "target");
	struct move_plan plan = { 0 };
	_row_ struct row row = { 0 };
	json_t *told;

	if (instance_get_here(req_env(r), req_ref(r, 0), &row, req_err(r)) < 0)
		return -1;
	if (str_empty(target))
		return err_set(req_err(r), ERR_INVALID, "move-plan: name a member as target");
	if (move_plan(req_env(r)->mover, &row, target, &plan, req_err(r)) < 0)
		return -1;
	told = move_plan_json(&plan);
	json_put_bool(told, "running", container_pid(req_env(r)->node, row.key) > 0);
	return reply_sync(r, told);
}

/* --- metadata of the image it was made from -------------------------------------------------- */

int h_metadata_get(struct req *r)
{
	_row_ struct row row = { 0 };
	json_t *metadata;

	if (instance_get_here(req_env(r), req_ref(r, 0), &row, req_err(r)) < 0)
		return -1;
	metadata = image_metadata(req_env(r)->node, json_str(row.doc, "image", ""));
	if (!metadata)
		metadata = json_pack("{s:s, s:i, s:i, s:{}, s:{}}", "architecture",
				     json_str(row.doc, "architecture", ""), "creation_date", 0,
				     "expiry_date", 0, "properties", "templates");
	return reply_sync(r, metadata);
}

/* --- snapshots and backups: none ------------------------------------------------------------- */

int h_none_get(struct req *r)
{
	_row_ struct row row = { 0 };

	if (instance_get(req_env(r), req_ref(r, 0), &row, req_err(r)) < 0)
		return -1;
	return reply_sync(r, json_array());
}

int h_snapshots_post(struct req *r)
{
	return err_set(req_err(r), ERR_UNSUPPORTED, "snapshots are not implemented");
}

int h_backups_post(struct req *r)
{
	return err_set(req_err(r), ERR_UNSUPPORTED, "backups are not implemented");
}

/* --- all instances at once ------------------------------------------------------------------- */

struct bulk_job {
	const struct api_env *env;
	struct state_change change;
	char *project;
	json_t *body; /* as each member is asked */
};

/* Instances that the action means something to; the others are let be. */
static bool applies(enum state_action action, enum status status)
{
	bool running = status == STATUS_RUNNING, frozen = status == STATUS_FROZEN;

	switch (action) {
	case ACT_START:
		return !running && !frozen;
	case ACT_STOP:
		return running || frozen;
	case ACT_RESTART:
	case ACT_FREEZE:
		return running;
	case ACT_UNFREEZE:
		return frozen;
	}
	return false;
}

struct collection {
	enum state_action action;
	const char *project;
	json_t *names;
};

static void bulk_free(void *arg)
{
	struct bulk_job *j = arg;

	json_decref(j->body);
	free(j->project);
	free(j);
}

static void collect(void *arg, const struct icache_view *v)
{
	struct collection *c = arg;

	if (ref_is_in(v->name, c->project) && applies(c->action, v->status))
		json_object_set_new(c->names, v->name, json_string(v->member));
}

static int ask_member(struct bulk_job *j, const char *name, const char *member, struct err *err)
{
	_free_ char *path = xasprintf("/internal/instances/%s/state", name);
	_json_ json_t *op = NULL, *done = NULL;
	_free_ char *wait = NULL;
	char address[256];

	if (cluster_member_address(j->env->cluster, member, address, sizeof(address), err) < 0)
		return -1;
	op = cluster_call(j->env->cluster, address, "PUT", path, j->body,
			  deadline_in(REMOTE_TIMEOUT_MS), err);
	if (!op)
		return -1;
	wait = xasprintf("/internal/operations/%s/wait", json_str(op, "id", ""));
	done = cluster_call(j->env->cluster, address, "GET", wait, NULL,
			    deadline_in(REMOTE_TIMEOUT_MS), err);
	if (!done)
		return -1;
	if (json_int(done, "status_code", 0) == STATUS_SUCCESS)
		return 0;
	return err_set(err, ERR_INTERNAL, "%s", json_str(done, "err", "failed"));
}

static int change_one(struct bulk_job *j, const char *name, const char *member, struct err *err)
{
	if (str_eq(member, cluster_member_name(j->env->cluster)))
		return instance_change_state(j->env, name, &j->change, err);
	return ask_member(j, name, member, err);
}

static int run_bulk(struct op *op, void *arg, struct err *err)
{
	struct bulk_job *j = arg;
	_json_ json_t *all = json_object(), *failed = json_object();
	struct collection c = { j->change.action, j->project, all };
	const char *name;
	json_t *member;

	icache_each(j->env, collect, &c);
	json_object_foreach(all, name, member) {
		struct err one;

		if (change_one(j, name, json_string_value(member), &one) < 0)
			json_put_str(failed, ref_of(name).name, one.msg);
	}
	if (json_object_size(failed) == 0)
		return 0;
	op_set(op, "failed", json_incref(failed));
	name = json_object_iter_key(json_object_iter(failed));
	return err_set(err, ERR_INTERNAL, "%zu of %zu instances failed, \"%s\": %s",
		       json_object_size(failed), json_object_size(all), name,
		       json_str(failed, name, ""));
}

static const struct json_field bulk_fields[] = { { "state", JW_OBJ, true }, { NULL, 0, 0 } };
static const struct json_field state_fields[] = {
	{ "action", JW_STR, true },
	{ "timeout", JW_INT, false },
	{ "force", JW_BOOL, false },
	{ "stateful", JW_BOOL, false },
	{ NULL, 0, 0 },
};

int h_instances_put(struct req *r)
{
	json_t *body = req_json(r, bulk_fields, "instances"), *state;
	struct bulk_job *j;
	struct op *op;

	if (!body)
		return -1;
	state = json_obj(body, "state");
	if (json_check(state, state_fields, "instances: state", req_err(r)) < 0)
		return -1;
	j = xnew(struct bulk_job);
	j->env = req_env(r);
	j->body = json_incref(state);
	j->project = xstrdup(req_project(r));
	if (state_change_parse(state, &j->change, req_err(r)) < 0) {
		bulk_free(j);
		return -1;
	}
	op = op_start(req_env(r)->ops,
		      &(struct op_spec){ .class = OP_TASK,
					 .description = "Updating instances",
					 .run = run_bulk,
					 .arg = j,
					 .free_arg = bulk_free },
		      req_err(r));
	return op ? reply_operation(r, op) : -1;
}
