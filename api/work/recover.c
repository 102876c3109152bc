/* SPDX-License-Identifier: Apache-2.0 */
#include "api/work/recover.h"

#include <dirent.h>
#include <string.h>

#include "api/work/boot.h"
#include "api/work/icache.h"
#include "api/work/instance.h"
#include "api/work/job.h"
#include "api/work/netsync.h"
#include "api/work/snapshot.h"
#include "api/work/spec.h"
#include "api/work/state.h"
#include "api/work/task.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/ref.h"
#include "cluster/model/state.h"
#include "migrate/migrate.h"
#include "node/container/container.h"
#include "node/image/image.h"
#include "node/storage/storage.h"

#define RETRY_MS 3000

/* --- containers ------------------------------------------------------------------------------ */

/* The instances that rows place on this member. */
static bool own_instances(const struct api_env *env, struct rows *ret)
{
	struct err err;

	return store_list(env->store, ENT_INSTANCE, cluster_member_name(env->cluster), ret, &err) ==
	       0;
}

/* What the rows say of names: here (true), or the member that has it. */
static void note_rows(const struct api_env *env, json_t *places)
{
	const char *self = cluster_member_name(env->cluster);
	_rows_ struct rows rows = { 0 };
	struct err err;

	if (store_list(env->store, ENT_INSTANCE, NULL, &rows, &err) < 0)
		return;
	for (size_t i = 0; i < rows.n; i++) {
		const char *member = json_str(rows.v[i].doc, "member", "");
		const char *other = inst_second_name(rows.v[i].doc);

		if (!str_eq(member, self)) {
			json_put_str(places, rows.v[i].key, member);
			continue;
		}
		json_object_set_new(places, rows.v[i].key, json_true());
		if (other)
			json_object_set_new(places, other, json_true());
	}
}

static bool rows_are_fresh(const struct api_env *env)
{
	return store_revision(env->store) > 0 && !cluster_is_island(env->cluster);
}

int recover_containers(const struct api_env *env, struct err *err)
{
	_json_ json_t *places = json_object();

	/* Without a leader the rows may be old: nothing is stopped on their word. */
	if (rows_are_fresh(env))
		note_rows(env, places);
	if (env->mover)
		move_keep(env->mover, places);
	return node_recover(env->node, places, err);
}

void facts_republish(const struct api_env *env)
{
	_rows_ struct rows rows = { 0 };

	if (!own_instances(env, &rows))
		return;
	for (size_t i = 0; i < rows.n; i++) {
		_json_ json_t *state = NULL;

		if (container_status(env->node, rows.v[i].key) == STATUS_STOPPED)
			continue;
		state = container_state(env->node, rows.v[i].key);
		store_fact_put(env->store, FACT_INSTANCE, rows.v[i].key, state);
	}
}

/* --- what jobs left -------------------------------------------------------------------------- */

static int settle_row(const struct api_env *env, const struct row *row, struct err *err)
{
	enum inst_state s = inst_state(row->doc);
	const struct job_kind *cut_off = job_of_state(env, s);

	if (!cut_off ||
	    !str_eq(json_str(row->doc, "member", ""), cluster_member_name(env->cluster)))
		return 0;
	if (cut_off->settle(env, row, err) < 0)
		return -1;
	log_info("instance of an interrupted job settled", "instance", row->key, "job",
		 cut_off->description, "is", cut_off->settled);
	return 0;
}

/* In line with the instance's jobs: those of this run of the daemon are over when it looks. A move
 * with a new name is a job of the old one. */
static const char *job_object(const struct row *row)
{
	const char *moved_from = inst_moved_from(row->doc);

	return *moved_from ? moved_from : row->key;
}

void task_settle(const struct api_env *env, const char *name)
{
	_row_ struct row row = { 0 };
	struct err err;

	if (store_get(env->store, ENT_INSTANCE, name, &row, &err) < 0 ||
	    settle_row(env, &row, &err) == 0)
		return;
	log_err(LOG_WARN, "an interrupted job is not settled yet", &err);
	task_later(env, TASK_SETTLE, name, job_object(&row), RETRY_MS);
}

void recover_instance_later(const struct api_env *env, const char *name)
{
	_row_ struct row row = { 0 };
	struct err err;

	if (store_get(env->store, ENT_INSTANCE, name, &row, &err) == 0)
		task_later(env, TASK_SETTLE, name, job_object(&row), 0);
}

static void settle_instances(const struct api_env *env)
{
	_rows_ struct rows rows = { 0 };

	if (!own_instances(env, &rows))
		return;
	for (size_t i = 0; i < rows.n; i++) {
		if (job_of_state(env, inst_state(rows.v[i].doc)))
			recover_instance_later(env, rows.v[i].key);
	}
}

/* Files whose row is gone: an import that was cut off, or a deletion this member did not hear of.
 * One that did not come here while this server was a member as it is now, is not judged by rows. */
static json_t *image_files(const struct api_env *env)
{
	_free_ char *path = xasprintf("%s/images", env->dir);
	json_t *found = json_object();
	DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		if (str_is_hex(e->d_name, SHA256_HEX_SIZE - 1))
			json_object_set_new(found, e->d_name, json_true());
	}
	if (d)
		closedir(d);
	return found;
}

static void settle_images(const struct api_env *env, json_t *files)
{
	const char *fp;
	json_t *v;

	json_object_foreach(files, fp, v) {
		if (image_is_mine(env->node, fp))
			image_sweep(env, fp);
		else if (!image_known(env, fp))
			log_warn("an image that the cluster does not know is kept", "fingerprint",
				 fp, "remedy", "delete its files in images/ when nobody needs it");
	}
}

static void settle_pools(const struct api_env *env)
{
	_rows_ struct rows rows = { 0 };
	struct err err;

	if (store_list(env->store, ENT_POOL, NULL, &rows, &err) < 0)
		return;
	for (size_t i = 0; i < rows.n; i++) {
		_json_ json_t *pool = spec_pool_of(env, rows.v[i].key, &err);

		if (!pool || pool_create(env->node, pool, &err) < 0)
			log_err(LOG_WARN, "a storage pool is not usable on this member", &err);
	}
}

/* A row is there before its volume and goes after it: a volume without one was made by another
 * server, or by this one before it joined or was removed. Nobody asked for its end. */
static void warn_of_volumes(const struct api_env *env, const char *pool_name)
{
	struct err err;
	_json_ json_t *pool = spec_pool_of(env, pool_name, &err);
	_json_ json_t *names = pool ? volume_list(env->node, pool) : NULL;
	json_t *v;
	size_t i;

	json_array_foreach(names, i, v) {
		const char *name = json_string_value(v);
		_row_ struct row row = { 0 };

		/* In this order: a renaming that ends meanwhile has made the row. */
		if (!instance_name_promised(env, name, NULL) &&
		    store_get(env->store, ENT_INSTANCE, name, &row, &err) < 0 &&
		    err.kind == ERR_NOT_FOUND)
			log_warn("a volume of no known instance is kept", "pool", pool_name,
				 "volume", name, "remedy",
				 "copy what is needed, then delete its folder");
	}
}

static void warn_of_all_volumes(const struct api_env *env)
{
	_rows_ struct rows rows = { 0 };
	struct err err;

	if (store_list(env->store, ENT_POOL, NULL, &rows, &err) < 0)
		return;
	for (size_t i = 0; i < rows.n; i++)
		warn_of_volumes(env, rows.v[i].key);
}

/* --- the whole ------------------------------------------------------------------------------- */

void task_reapply(const struct api_env *env, const char *name)
{
	_expanded_ struct expanded x = { 0 };
	struct err err;

	if (instance_apply(env, name, &x, &err) < 0)
		log_err(LOG_WARN, "a running instance is not as its row says", &err);
}

/* A change that was written down, but not carried out when the daemon died. */
static void settle_devices(const struct api_env *env)
{
	_rows_ struct rows rows = { 0 };

	if (!own_instances(env, &rows))
		return;
	for (size_t i = 0; i < rows.n; i++) {
		if (container_pid(env->node, rows.v[i].key) > 0)
			task_soon(env, TASK_REAPPLY, rows.v[i].key);
	}
}

/* Whoever ended while the daemon was away is written down as stopped, unless the host booted. */
static void settle_power(const struct api_env *env)
{
	_rows_ struct rows rows = { 0 };

	if (!own_instances(env, &rows))
		return;
	for (size_t i = 0; i < rows.n; i++) {
		if (inst_shall_run(rows.v[i].doc) &&
		    container_status(env->node, rows.v[i].key) == STATUS_STOPPED)
			instance_ended(env, rows.v[i].key);
	}
}

void task_recover(const struct api_env *env, const char *unused)
{
	struct err err = { 0 };

	if (!rows_are_fresh(env)) {
		task_later(env, TASK_RECOVER, NULL, NULL, RETRY_MS);
		return;
	}
	if (env->mover && move_recover(env->mover, &err) < 0)
		log_err(LOG_WARN, "moves that were cut off are not settled", &err);
	settle_pools(env);
	settle_instances(env);
	snapshots_settle_later(env);
	warn_of_all_volumes(env);
	settle_images(env, env->state->images);
	json_decref(env->state->images);
	env->state->images = NULL;
	netsync_all(env);
	settle_devices(env);
	if (boot_is_new(env))
		boot_start_instances(env);
	else
		settle_power(env);
	icache_warm(env);
}

void recover_later(const struct api_env *env)
{
	env->state->images = image_files(env);
	task_soon(env, TASK_RECOVER, NULL);
}
