/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "api/work/address.h"
#include "api/work/icache.h"
#include "api/work/instance.h"
#include "api/work/job.h"
#include "api/work/snapshot.h"
#include "api/work/spec.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/ref.h"
#include "cluster/model/state.h"
#include "node/container/container.h"
#include "node/storage/storage.h"

static int mark_ready(void *unused, struct row *row, struct edit_try *t, struct err *err)
{
	return inst_become(row->doc, INST_READY, NULL, err);
}

static int mark_renaming(void *new_name, struct row *row, struct edit_try *t, struct err *err)
{
	return inst_become(row->doc, INST_RENAMING, new_name, err);
}

static int rename_files(const struct api_env *env, const json_t *pool, const char *from,
			const char *to, struct err *err)
{
	if (container_rename(env->node, from, to, err) < 0 && err->kind != ERR_NOT_FOUND)
		return -1;
	return volume_rename(env->node, pool, from, to, err);
}

/* `moving`: its old name is kept for it until the move that follows has been committed. */
static int rename_rows(const struct api_env *env, const struct row *row, const char *new_name,
		       bool moving, struct err *err)
{
	_tx_ struct tx *tx = tx_new();

	if (inst_become(row->doc, moving ? INST_MOVING : INST_READY, moving ? row->key : NULL,
			err) < 0)
		return -1;
	json_put_str(row->doc, "name", new_name);
	tx_delete(tx, ENT_INSTANCE, row->key, row->rev);
	tx_put(tx, ENT_INSTANCE, new_name, REV_NONE, row->doc);
	if (address_rename(env, row->key, new_name, tx, err) < 0 ||
	    snapshots_rename(env, row->key, new_name, tx, err) < 0)
		return -1;
	return store_commit_surely(env->store, tx, 0, err);
}

/* Everything on disk bears the old name again, whatever of it had the new one. */
static int take_back_files(const struct api_env *env, const json_t *pool, const char *new_name,
			   const char *old, struct err *err)
{
	if (container_rename(env->node, new_name, old, err) < 0 && err->kind != ERR_NOT_FOUND &&
	    err->kind != ERR_CONFLICT)
		return -1;
	if (volume_rename(env->node, pool, new_name, old, err) < 0 && err->kind != ERR_NOT_FOUND &&
	    err->kind != ERR_CONFLICT)
		return -1;
	return 0;
}

static int settle_renaming(const struct api_env *env, const json_t *pool, const char *name,
			   const char *new_name, struct err *err)
{
	if (take_back_files(env, pool, new_name, name, err) < 0)
		return -1;
	return instance_edit(env, name, mark_ready, NULL, err);
}

int rename_settle(const struct api_env *env, const struct row *row, struct err *err)
{
	const char *new_name = inst_second_name(row->doc);
	_json_ json_t *pool = NULL;
	_row_ struct row taken = { 0 };

	assert(inst_state(row->doc) == INST_RENAMING);
	/* check_free() comes before the files: what bears the name is that other instance's. */
	if (store_get(env->store, ENT_INSTANCE, new_name, &taken, err) == 0)
		return instance_edit(env, row->key, mark_ready, NULL, err);
	if (err->kind != ERR_NOT_FOUND)
		return -1;
	pool = spec_pool_of_row(env, row->doc, err);
	if (!pool)
		return -1;
	return settle_renaming(env, pool, row->key, new_name, err);
}

int instance_rename_back(const struct api_env *env, const char *new_name, struct expanded *x,
			 struct err *err)
{
	_row_ struct row row = { 0 };
	const char *me = cluster_member_name(env->cluster);
	_json_ json_t *pool = NULL;
	_free_ char *old = NULL;

	if (store_get(env->store, ENT_INSTANCE, new_name, &row, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	old = xstrdup(inst_second_name(row.doc));
	if (inst_state(row.doc) != INST_MOVING || !str_eq(json_str(row.doc, "member", ""), me))
		return 0;
	expand(env, row.doc, x);
	pool = spec_pool(env, x, err);
	if (!pool || take_back_files(env, pool, new_name, old, err) < 0 ||
	    rename_rows(env, &row, old, false, err) < 0)
		return -1;
	store_fact_put(env->store, FACT_INSTANCE, new_name, NULL);
	instance_event(env, old, "renamed", json_pack("{s:s}", "old_name", new_name));
	return 0;
}

/* Of a move under a new name as well, before the row has it. */
int rename_undo(struct job *j, enum job_phase phase, struct err *err)
{
	_json_ json_t *pool = NULL;

	/* The row may bear the new name, and would lose its files. */
	if (phase == JOB_UNSURE)
		return 0;
	if (phase == JOB_NOTED)
		return instance_edit(j->env, j->name, mark_ready, NULL, err);
	pool = spec_pool(j->env, &j->x, err);
	if (!pool)
		return -1;
	return settle_renaming(j->env, pool, j->name, json_str(j->args, "new_name", ""), err);
}

/* Asked once the row says what is intended: whoever else wants the name has to look there. */
static int check_free(const struct api_env *env, const char *name, const char *new_name,
		      struct err *err)
{
	_row_ struct row taken = { 0 };

	if (store_get(env->store, ENT_INSTANCE, new_name, &taken, err) < 0 &&
	    !instance_name_promised(env, new_name, name))
		return 0;
	return err_set(err, ERR_CONFLICT, "Instance \"%s\" already exists", new_name);
}

static int rename_marked(struct job *j, const json_t *pool, const char *new_name, bool moving,
			 struct err *err)
{
	_row_ struct row row = { 0 };

	if (check_free(j->env, j->name, new_name, err) < 0 ||
	    instance_get(j->env, j->name, &row, err) < 0)
		return -1;
	j->phase = JOB_MADE;
	if (rename_files(j->env, pool, j->name, new_name, err) < 0 ||
	    fault_point(rename_after_files, err) < 0)
		return -1;
	return rename_rows(j->env, &row, new_name, moving, err);
}

int instance_rename(struct job *j, const char *new_name, bool moving, struct err *err)
{
	const struct api_env *env = j->env;
	_json_ json_t *pool = NULL;
	_row_ struct row row = { 0 };

	if (instance_get_here(env, j->name, &row, err) < 0)
		return -1;
	if (container_status(env->node, j->name) != STATUS_STOPPED)
		return err_set(err, ERR_INVALID, "Renaming of running instance not allowed");
	expand(env, row.doc, &j->x);
	pool = spec_pool(env, &j->x, err);
	if (!pool || volume_check_free(env->node, pool, new_name, err) < 0 ||
	    instance_edit(env, j->name, mark_renaming, (void *)new_name, err) < 0)
		return -1;
	j->phase = JOB_NOTED;
	if (rename_marked(j, pool, new_name, moving, err) < 0)
		return -1;
	store_fact_put(env->store, FACT_INSTANCE, j->name, NULL);
	instance_event(env, new_name, "renamed", json_pack("{s:s}", "old_name", j->name));
	return 0;
}

/* Arguments: {"new_name": the key that the row gets}. */
int rename_run(struct job *j, struct err *err)
{
	return instance_rename(j, json_str(j->args, "new_name", ""), false, err);
}

int rename_check(struct job *j, struct err *err)
{
	const char *new_name = json_str(j->args, "new_name", "");
	_row_ struct row taken = { 0 };

	if (store_get(j->env->store, ENT_INSTANCE, new_name, &taken, err) < 0)
		return 0;
	return err_set(err, ERR_CONFLICT, "Instance \"%s\" already exists", ref_of(new_name).name);
}
