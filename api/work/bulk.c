/* SPDX-License-Identifier: Apache-2.0 */
/* The same for all instances, wherever they are. */
#include "api/work/icache.h"
#include "api/work/instance.h"
#include "api/work/job.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"
#include "cluster/model/ref.h"

#define REMOTE_TIMEOUT_MS (11 * 60 * 1000)

struct collection {
	enum job_id action;
	const char *project;
	json_t *names;
};

static void collect(void *arg, const struct icache_view *v)
{
	struct collection *c = arg;

	if (ref_is_in(v->name, c->project) && action_means_something(c->action, v->status))
		json_object_set_new(c->names, v->name, json_string(v->member));
}

static int ask_member(struct job *j, const char *name, const char *member, struct err *err)
{
	_free_ char *path = xasprintf("/internal/instances/%s/state", name);
	_json_ json_t *op = NULL, *done = NULL;
	_free_ char *wait = NULL;
	char address[256];

	if (cluster_member_address(j->env->cluster, member, address, sizeof(address), err) < 0)
		return -1;
	op = cluster_call(j->env->cluster, address, "PUT", path, json_obj(j->args, "state"),
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

static int change_one(struct job *j, const struct state_change *change, const char *name,
		      const char *member, struct err *err)
{
	if (str_eq(member, cluster_member_name(j->env->cluster)))
		return instance_change_state(j->env, name, change, j->op, err);
	return ask_member(j, name, member, err);
}

/* Arguments: {"project", "state": the arguments of state_run(), for each instance of it that they
 * mean something to}. */
int bulk_run(struct job *j, struct err *err)
{
	_json_ json_t *all = json_object(), *failed = json_object();
	struct collection c = { .project = json_str(j->args, "project", ""), .names = all };
	struct state_change change;
	const char *name;
	json_t *member;

	if (state_change_parse(json_obj(j->args, "state"), &change, err) < 0)
		return -1;
	c.action = change.action;
	icache_each(j->env, collect, &c);
	json_object_foreach(all, name, member) {
		struct err one;

		if (change_one(j, &change, name, json_string_value(member), &one) < 0)
			json_put_str(failed, ref_of(name).name, one.msg);
	}
	if (json_object_size(failed) == 0)
		return 0;
	op_set(j->op, "failed", json_incref(failed));
	name = json_object_iter_key(json_object_iter(failed));
	return err_set(err, ERR_INTERNAL, "%zu of %zu instances failed, \"%s\": %s",
		       json_object_size(failed), json_object_size(all), name,
		       json_str(failed, name, ""));
}
