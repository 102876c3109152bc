/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs that make, rename, change and delete snapshots.
 *
 *   row: making -> copied, standing still -> it goes on -> kept -> row: made
 *   -------------- whatever fails: nothing of it is left --------|
 */
#include <assert.h>
#include <string.h>

#include "api/work/expand.h"
#include "api/work/instance.h"
#include "api/work/job.h"
#include "api/work/snapshot.h"
#include "api/work/spec.h"
#include "api/work/task.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "node/container/container.h"
#include "node/container/keys.h"
#include "node/container/snapshots.h"
#include "node/storage/storage.h"

#define ID_SIZE 17
#define RETRY_MS 3000

static const char *name_of(const json_t *doc)
{
	return json_str(doc, "name", "");
}

static const char *instance_of(const json_t *doc)
{
	return json_str(doc, "instance", "");
}

/* --- taking back ------------------------------------------------------------------------------ */

static int thaw(const struct api_env *env, const json_t *doc, struct err *err)
{
	if (!json_bool(doc, "thaw", false) ||
	    container_status(env->node, instance_of(doc)) != STATUS_FROZEN)
		return 0;
	return container_freeze(env->node, instance_of(doc), false, err);
}

/* Of one in any state: the copy, then the row. */
static int drop(const struct api_env *env, const json_t *pool, const struct row *row,
		struct err *err)
{
	_tx_ struct tx *tx = tx_new();

	if (thaw(env, row->doc, err) < 0 ||
	    volume_snapshot_delete(env->node, pool, instance_of(row->doc),
				   json_str(row->doc, "id", ""), err) < 0 ||
	    fault_point(snapshot_removed, err) < 0)
		return -1;
	tx_delete(tx, ENT_SNAPSHOT, row->key, REV_ANY);
	return store_commit_surely(env->store, tx, 0, err);
}

static int settle(const struct api_env *env, const char *instance, struct err *err)
{
	_rows_ struct rows rows = { 0 };
	_row_ struct row row = { 0 };
	_json_ json_t *pool = NULL;

	if (instance_get_here(env, instance, &row, err) < 0 ||
	    snapshot_rows(env, instance, &rows, err) < 0)
		return -1;
	pool = spec_pool_of_row(env, row.doc, err);
	if (!pool)
		return -1;
	for (size_t i = 0; i < rows.n; i++) {
		if (snapshot_is_ready(rows.v[i].doc))
			continue;
		if (drop(env, pool, &rows.v[i], err) < 0)
			return -1;
		log_info("snapshot of an interrupted job removed", "snapshot", rows.v[i].key);
	}
	return 0;
}

void task_settle_snapshots(const struct api_env *env, const char *instance)
{
	struct err err;

	if (settle(env, instance, &err) == 0 || err.kind == ERR_NOT_FOUND)
		return;
	log_err(LOG_WARN, "an interrupted snapshot is not settled yet", &err);
	task_later(env, TASK_SETTLE_SNAPSHOTS, instance, NULL, RETRY_MS);
}

static bool is_here(const struct api_env *env, const char *instance)
{
	_row_ struct row row = { 0 };
	struct err err;

	return store_get(env->store, ENT_INSTANCE, instance, &row, &err) == 0 &&
	       str_eq(json_str(row.doc, "member", ""), cluster_member_name(env->cluster));
}

void snapshots_settle_later(const struct api_env *env)
{
	_rows_ struct rows rows = { 0 };
	struct err err;

	if (store_list(env->store, ENT_SNAPSHOT, NULL, &rows, &err) < 0)
		return;
	for (size_t i = 0; i < rows.n; i++) {
		const char *instance = instance_of(rows.v[i].doc);

		if (!snapshot_is_ready(rows.v[i].doc) && is_here(env, instance))
			task_soon(env, TASK_SETTLE_SNAPSHOTS, instance);
	}
}

/* --- making one ------------------------------------------------------------------------------- */

struct making {
	struct job *j;
	struct row row; /* of the snapshot */
	json_t *pool;
};

static int check_room(const struct rows *rows, const char *instance, struct err *err)
{
	if (rows->n < SNAPSHOTS_MAX)
		return 0;
	return err_set(err, ERR_INVALID,
		       "instance \"%s\" has %zu snapshots, and may have no more: delete some",
		       instance, rows->n);
}

static int check_free(const struct rows *rows, const char *name, struct err *err)
{
	for (size_t i = 0; i < rows->n; i++) {
		if (str_eq(name_of(rows->v[i].doc), name))
			return err_set(err, ERR_CONFLICT, "Snapshot \"%s\" already exists", name);
	}
	return 0;
}

/* What it is to be called; the caller frees. */
static char *choose_name(const struct job *j, const struct rows *rows, struct err *err)
{
	const char *given = json_str(j->args, "name", "");
	const char *names[SNAPSHOTS_MAX];

	if (check_room(rows, j->name, err) < 0)
		return NULL;
	if (!str_empty(given))
		return check_free(rows, given, err) < 0 ? NULL : xstrdup(given);
	for (size_t i = 0; i < rows->n; i++)
		names[i] = name_of(rows->v[i].doc);
	return snapshots_name(keys_text(&instance_keys, j->x.config, "snapshots.pattern"),
			      clock_wall(), names, (int)rows->n);
}

int take_check(struct job *j, struct err *err)
{
	_rows_ struct rows rows = { 0 };
	_row_ struct row row = { 0 };
	_free_ char *name = NULL;

	if (instance_get_here(j->env, j->name, &row, err) < 0 ||
	    snapshot_rows(j->env, j->name, &rows, err) < 0)
		return -1;
	expand(j->env, row.doc, &j->x);
	name = choose_name(j, &rows, err);
	return name ? 0 : -1;
}

static void put_expiry(const struct job *j, json_t *doc)
{
	const char *given = json_str(j->args, "expires_at", NULL);
	const char *span = keys_text(&instance_keys, j->x.config, "snapshots.expiry");
	int64_t at = given || !span ? 0 : snapshots_expire_at(span, clock_wall());
	char text[CLOCK_TEXT_SIZE];

	json_put_str(doc, "expires_at",
		     given ? given : at ? clock_text(at * 1000000000, text) : SNAPSHOT_NEVER);
}

static json_t *new_doc(const struct job *j, const char *name)
{
	json_t *doc = instance_writable(j->x.doc);
	char id[ID_SIZE], now[CLOCK_TEXT_SIZE];

	json_object_del(doc, "description");
	json_put_str(doc, "instance", j->name);
	json_put_str(doc, "name", name);
	json_put_str(doc, "id", rng_hex(id, 8));
	json_put_bool(doc, SNAPSHOT_MAKING, true);
	json_put_bool(doc, "thaw", container_status(j->env->node, j->name) == STATUS_RUNNING);
	json_put_str(doc, "created_at", clock_now_text(now));
	json_put_str(doc, "last_used_at",
		     json_str(j->x.doc, "last_used_at", "1970-01-01T00:00:00Z"));
	json_put_bool(doc, "stateful", false);
	put_expiry(j, doc);
	return doc;
}

static int note(struct making *m, struct err *err)
{
	_rows_ struct rows rows = { 0 };
	_row_ struct row row = { 0 };
	_tx_ struct tx *tx = tx_new();
	struct job *j = m->j;
	_free_ char *name = NULL;

	if (instance_get_here(j->env, j->name, &row, err) < 0 ||
	    snapshot_rows(j->env, j->name, &rows, err) < 0)
		return -1;
	expand(j->env, row.doc, &j->x);
	m->pool = spec_pool(j->env, &j->x, err);
	name = m->pool ? choose_name(j, &rows, err) : NULL;
	if (!name)
		return -1;
	m->row.doc = new_doc(j, name);
	m->row.key = snapshot_key(j->name, name);
	json_put_str(j->args, "name", name);
	tx_check(tx, ENT_INSTANCE, j->name, row.rev);
	tx_put(tx, ENT_SNAPSHOT, m->row.key, REV_NONE, m->row.doc);
	j->phase = JOB_NOTED;
	return store_commit_surely(j->env->store, tx, 0, err);
}

/* Of what runs, all files are of one moment. */
static int copy(struct making *m, struct err *err)
{
	struct node *n = m->j->env->node;
	const json_t *doc = m->row.doc;
	int rc;

	if (json_bool(doc, "thaw", false) && container_freeze(n, instance_of(doc), true, err) < 0)
		return -1;
	rc = volume_snapshot(n, m->pool, instance_of(doc), json_str(doc, "id", ""), err);
	if (rc == 0)
		rc = fault_point(snapshot_copied, err);
	return rc < 0 ? -1 : thaw(m->j->env, doc, err);
}

static int show(void *unused, struct row *row, struct edit_try *t, struct err *err)
{
	json_object_del(row->doc, SNAPSHOT_MAKING);
	json_object_del(row->doc, "thaw");
	return 0;
}

static int make(struct making *m, struct err *err)
{
	const struct api_env *env = m->j->env;
	struct row_edit edit = { .e = ENT_SNAPSHOT, .key = m->row.key, .change = show };
	const json_t *doc = m->row.doc;

	if (fault_point(snapshot_noted, err) < 0)
		return -1;
	m->j->phase = JOB_MADE;
	if (copy(m, err) < 0 ||
	    volume_snapshot_keep(env->node, m->pool, instance_of(doc), json_str(doc, "id", ""),
				 err) < 0 ||
	    fault_point(snapshot_kept, err) < 0 || row_edit(env->store, &edit, err) < 0)
		return -1;
	snapshot_event(env, instance_of(doc), name_of(doc), "created", NULL);
	return 0;
}

/* Arguments: {"name": "" for one of snapshots.pattern, "expires_at": null for that of
 * snapshots.expiry}. */
int take_run(struct job *j, struct err *err)
{
	struct making m = { .j = j };
	int rc = note(&m, err) < 0 ? -1 : make(&m, err);

	row_free(&m.row);
	json_decref(m.pool);
	return rc;
}

int take_undo(struct job *j, enum job_phase phase, struct err *err)
{
	_free_ char *key = snapshot_key(j->name, json_str(j->args, "name", ""));
	_json_ json_t *pool = spec_pool(j->env, &j->x, err);
	_row_ struct row row = { 0 };

	if (phase == JOB_UNSURE) {
		task_soon(j->env, TASK_SETTLE_SNAPSHOTS, j->name);
		return 0;
	}
	if (store_get(j->env->store, ENT_SNAPSHOT, key, &row, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	if (!snapshot_is_ready(row.doc) && pool && drop(j->env, pool, &row, err) == 0)
		return 0;
	task_later(j->env, TASK_SETTLE_SNAPSHOTS, j->name, NULL, RETRY_MS);
	return -1;
}

/* --- the others ------------------------------------------------------------------------------- */

static int set_leaving(void *unused, struct row *row, struct edit_try *t, struct err *err)
{
	json_put_bool(row->doc, SNAPSHOT_LEAVING, true);
	return 0;
}

static int delete(const struct api_env *env, const char *instance, const char *name,
		  struct err *err)
{
	_free_ char *key = snapshot_key(instance, name);
	struct row_edit edit = { .e = ENT_SNAPSHOT, .key = key, .change = set_leaving };
	_row_ struct row row = { 0 }, of = { 0 };
	_json_ json_t *pool = NULL;

	if (instance_get_here(env, instance, &of, err) < 0 ||
	    snapshot_get(env, instance, name, &row, err) < 0)
		return -1;
	pool = spec_pool_of_row(env, of.doc, err);
	if (!pool || row_edit(env->store, &edit, err) < 0 || drop(env, pool, &row, err) < 0)
		return -1;
	snapshot_event(env, instance, name, "deleted", NULL);
	return 0;
}

/* Arguments: {"name"}. */
int take_delete_run(struct job *j, struct err *err)
{
	return delete(j->env, j->name, json_str(j->args, "name", ""), err);
}

static int get_ready(struct job *j, struct row *ret, struct err *err)
{
	_row_ struct row instance = { 0 };
	const char *name = json_str(j->args, "name", "");

	if (instance_get_here(j->env, j->name, &instance, err) < 0 ||
	    snapshot_get(j->env, j->name, name, ret, err) < 0)
		return -1;
	if (snapshot_is_ready(ret->doc))
		return 0;
	return err_set(err, ERR_CONFLICT, "snapshot \"%s\" of instance \"%s\" is being deleted",
		       name, j->name);
}

/* Arguments: {"name", "new_name"}. Its copy is called by an id: nothing on the disk changes. */
int take_rename_run(struct job *j, struct err *err)
{
	const char *name = json_str(j->args, "name", ""), *to = json_str(j->args, "new_name", "");
	_free_ char *key = snapshot_key(j->name, to);
	_tx_ struct tx *tx = tx_new();
	_row_ struct row row = { 0 };

	if (get_ready(j, &row, err) < 0)
		return -1;
	json_put_str(row.doc, "name", to);
	tx_delete(tx, ENT_SNAPSHOT, row.key, row.rev);
	tx_put(tx, ENT_SNAPSHOT, key, REV_NONE, row.doc);
	if (store_commit_surely(j->env->store, tx, 0, err) < 0)
		return -1;
	snapshot_event(j->env, j->name, to, "renamed", json_pack("{s:s}", "old_name", name));
	return 0;
}

static int set_expiry(void *expires_at, struct row *row, struct edit_try *t, struct err *err)
{
	json_put_str(row->doc, "expires_at", expires_at);
	return 0;
}

/* Arguments: {"name", "expires_at"}. */
int take_update_run(struct job *j, struct err *err)
{
	const char *name = json_str(j->args, "name", "");
	_row_ struct row row = { 0 };
	struct row_edit edit = { .e = ENT_SNAPSHOT,
				 .change = set_expiry,
				 .arg = (void *)json_str(j->args, "expires_at", SNAPSHOT_NEVER) };

	if (get_ready(j, &row, err) < 0)
		return -1;
	edit.key = row.key;
	if (row_edit(j->env->store, &edit, err) < 0)
		return -1;
	snapshot_event(j->env, j->name, name, "updated", NULL);
	return 0;
}

/* --- in time ---------------------------------------------------------------------------------- */

static bool is_over(const json_t *doc)
{
	int64_t at = clock_parse(json_str(doc, "expires_at", ""));

	return at > 0 && at <= clock_wall() && snapshot_is_ready(doc);
}

void task_drop_snapshots(const struct api_env *env, const char *instance)
{
	_rows_ struct rows rows = { 0 };
	struct err err;

	if (snapshot_rows(env, instance, &rows, &err) < 0)
		return;
	for (size_t i = 0; i < rows.n; i++) {
		if (!is_over(rows.v[i].doc))
			continue;
		log_info("a snapshot has expired", "snapshot", rows.v[i].key);
		if (delete(env, instance, name_of(rows.v[i].doc), &err) < 0)
			log_err(LOG_WARN, "a snapshot that has expired is not deleted yet", &err);
	}
}

void task_expire_snapshots(const struct api_env *env, const char *unused)
{
	_rows_ struct rows rows = { 0 };
	struct err err;

	if (cluster_is_island(env->cluster) ||
	    store_list(env->store, ENT_SNAPSHOT, NULL, &rows, &err) < 0)
		return;
	for (size_t i = 0; i < rows.n; i++) {
		if (is_over(rows.v[i].doc) && is_here(env, instance_of(rows.v[i].doc)))
			task_soon(env, TASK_DROP_SNAPSHOTS, instance_of(rows.v[i].doc));
	}
}
