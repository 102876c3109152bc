/* SPDX-License-Identifier: Apache-2.0 */
/* What this member does when rows change, and from time to time (task.def). */
#include "api/work/check.h"
#include "api/work/icache.h"
#include "api/work/job.h"
#include "api/work/task.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/trim.h"
#include "cluster/model/ref.h"
#include "node/container/container.h"
#include "node/storage/storage.h"

void task_sweep_image(const struct api_env *env, const char *key)
{
	image_sweep(env, ref_of(key).name);
}

/* Limits and devices of running instances that a profile sets; fixed addresses of all. */
void task_apply_profile(const struct api_env *env, const char *key)
{
	_rows_ struct rows rows = { 0 };
	struct err err;

	if (store_list(env->store, ENT_INSTANCE, cluster_member_name(env->cluster), &rows, &err) <
	    0)
		return;
	for (size_t i = 0; i < rows.n; i++) {
		_expanded_ struct expanded x = { 0 };

		if (!instance_has_profile(rows.v[i].doc, key))
			continue;
		if ((container_pid(env->node, rows.v[i].key) > 0
			     ? instance_apply(env, rows.v[i].key, &x, &err)
			     : instance_lease(env, rows.v[i].key, false, &x, &err)) < 0)
			log_err(LOG_WARN, "a changed profile is not applied", &err);
	}
}

/* It held nothing, or it could not have been deleted. */
void task_drop_pool(const struct api_env *env, const char *name)
{
	_row_ struct row row = { 0 };
	struct err err;

	if (store_get(env->store, ENT_POOL, name, &row, &err) == 0)
		return;
	if (pool_delete(env->node, name, &err) < 0)
		log_err(LOG_WARN, "a deleted storage pool stays on this member", &err);
}

void task_warm_lists(const struct api_env *env, const char *unused)
{
	icache_warm(env);
}

/* Also what a burst of work has taken comes back. */
void task_give_back(const struct api_env *env, const char *unused)
{
	mem_give_back();
}
