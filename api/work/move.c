/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/work/instance.h"
#include "api/work/job.h"
#include "api/work/recover.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/ref.h"
#include "migrate/migrate.h"
#include "node/container/container.h"

static int move(struct job *j, const char *name, struct err *err)
{
	const char *target = json_str(j->args, "target", "");
	struct move_order o = { .name = name, .target = target, .view = &j->x };

	o.end_sessions = json_bool(j->args, "end_sessions", false);
	if (move_modes_parse(json_str(j->args, "mode", ""), &o.modes, err) < 0 ||
	    move_run(j->env->mover, &o, j->op, err) < 0)
		return -1;
	instance_event(j->env, name, "migrated",
		       json_pack("{s:s, s:s}", "source", cluster_member_name(j->env->cluster),
				 "target", target));
	return 0;
}

/* The new name first: it may be taken. The move's commit makes it the instance's for good. */
static int move_renamed(struct job *j, const char *new_name, struct err *err)
{
	if (instance_rename(j, new_name, true, err) < 0 || fault_point(move_renamed, err) < 0)
		return -1;
	return move(j, new_name, err);
}

static bool has_old_name(const struct job *j)
{
	_row_ struct row row = { 0 };
	struct err err;

	return store_get(j->env->store, ENT_INSTANCE, j->name, &row, &err) == 0 &&
	       inst_state(row.doc) == INST_RENAMING;
}

/* A move that was not committed, for whatever reason, gives up the new name; under its own name the
 * mover has left the instance as it was. */
int move_job_undo(struct job *j, enum job_phase phase, struct err *err)
{
	const char *new_name = json_str(j->args, "new_name", "");
	bool old = phase != JOB_UNSURE && has_old_name(j);

	if (str_eq(j->name, new_name))
		return 0;
	if (old && rename_undo(j, phase, err) == 0)
		return 0;
	if (!old && phase != JOB_UNSURE &&
	    instance_rename_back(j->env, new_name, &j->x, err) == 0)
		return 0;
	recover_instance_later(j->env, old ? j->name : new_name);
	return 0;
}

/* Arguments: {"target": a member, "new_name": the key that the row gets, its own to keep it,
 * "mode", "end_sessions"}. */
int move_job_run(struct job *j, struct err *err)
{
	const char *new_name = json_str(j->args, "new_name", "");
	_row_ struct row row = { 0 };

	if (instance_get_here(j->env, j->name, &row, err) < 0)
		return -1;
	return str_eq(j->name, new_name) ? move(j, j->name, err) : move_renamed(j, new_name, err);
}

/* Refused before anything is done. */
static int check_new_name(const struct job *j, const char *new_name, struct err *err)
{
	_row_ struct row taken = { 0 };

	if (str_eq(j->name, new_name))
		return 0;
	if (container_status(j->env->node, j->name) != STATUS_STOPPED)
		return err_set(err, ERR_INVALID,
			       "Renaming of running instance not allowed: stop \"%s\" first, or "
			       "move it under its own name",
			       j->name);
	if (store_get(j->env->store, ENT_INSTANCE, new_name, &taken, err) == 0)
		return err_set(err, ERR_CONFLICT, "Instance \"%s\" already exists", new_name);
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

int move_job_check(struct job *j, struct err *err)
{
	if (check_target(j->env, j->name, json_str(j->args, "target", ""), err) < 0)
		return -1;
	return check_new_name(j, json_str(j->args, "new_name", ""), err);
}

/* It has its new name only if the move was made. */
int move_job_settle(const struct api_env *env, const struct row *row, struct err *err)
{
	_expanded_ struct expanded x = { 0 };

	if (env->mover && move_conclude_name(env->mover, row->key, err) < 0)
		return -1;
	return instance_rename_back(env, row->key, &x, err);
}
