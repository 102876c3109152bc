/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/work/address.h"
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
#include "node/container/keys.h"
#include "node/storage/storage.h"

static int mark_deleting(void *unused, struct row *row, struct edit_try *t, struct err *err)
{
	return inst_become(row->doc, INST_DELETING, NULL, err);
}

static int check_deletable(const struct api_env *env, const struct row *row,
			   const struct expanded *x, struct err *err)
{
	enum status now = container_status(env->node, row->key);

	if (keys_bool(&instance_keys, x->config, "security.protection.delete"))
		return err_set(
			err, ERR_FORBIDDEN,
			"Instance is protected: unset security.protection.delete of \"%s\" first",
			row->key);
	if (now != STATUS_STOPPED && now != STATUS_ERROR)
		return err_set(err, ERR_INVALID,
			       "Instance is running: stop \"%s\" first, or delete it with --force",
			       row->key);
	return 0;
}

static int delete_all(const struct api_env *env, const struct row *row, const struct expanded *x,
		      struct err *err)
{
	_json_ json_t *pool = spec_pool(env, x, err);
	_tx_ struct tx *tx = tx_new();

	if (fault_point(delete_before_volume, err) < 0)
		return -1;
	if (container_delete(env->node, row->key, err) < 0 && err->kind != ERR_NOT_FOUND)
		return -1;
	if (pool && volume_delete(env->node, pool, row->key, err) < 0 && err->kind != ERR_NOT_FOUND)
		return -1;
	if (fault_point(delete_after_volume, err) < 0)
		return -1;
	tx_delete(tx, ENT_INSTANCE, row->key, REV_ANY);
	if (address_release(env, row->key, tx, err) < 0 ||
	    snapshots_release(env, row->key, tx, err) < 0 ||
	    store_commit_surely(env->store, tx, 0, err) < 0)
		return -1;
	store_fact_put(env->store, FACT_INSTANCE, row->key, NULL);
	return 0;
}

int instance_delete(const struct api_env *env, const char *name, struct expanded *x,
		    struct err *err)
{
	_row_ struct row row = { 0 };

	if (instance_get_deletable(env, name, &row, err) < 0)
		return -1;
	expand(env, row.doc, x);
	if (check_deletable(env, &row, x, err) < 0 ||
	    instance_edit(env, name, mark_deleting, NULL, err) < 0 ||
	    delete_all(env, &row, x, err) < 0)
		return -1;
	instance_event(env, name, "deleted", NULL);
	return 0;
}

int delete_run(struct job *j, struct err *err)
{
	return instance_delete(j->env, j->name, &j->x, err);
}

int delete_check(struct job *j, struct err *err)
{
	_row_ struct row row = { 0 };

	if (instance_get(j->env, j->name, &row, err) < 0)
		return -1;
	expand(j->env, row.doc, &j->x);
	return check_deletable(j->env, &row, &j->x, err);
}
