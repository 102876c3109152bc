/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/work/address.h"
#include "api/work/check.h"
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
#include "node/image/image.h"
#include "node/storage/storage.h"

/* Arguments: {"doc": a complete row, checked, whose image is a fingerprint or "" for an empty root;
 * "start": whether it is to run}. */
struct creation {
	const struct api_env *env;
	json_t *doc;
	bool start;
	struct expanded *x; /* doc, as it was checked and committed */
};

/* --- undoing --------------------------------------------------------------------------------- */

static int delete_rows(const struct api_env *env, const json_t *doc, struct err *err)
{
	const char *name = json_str(doc, "name", "");
	_row_ struct row row = { 0 };
	_tx_ struct tx *tx = tx_new();

	if (store_get(env->store, ENT_INSTANCE, name, &row, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	if (!str_eq(json_str(row.doc, "uuid", ""), json_str(doc, "uuid", "")))
		return 0;
	tx_delete(tx, ENT_INSTANCE, name, REV_ANY);
	if (address_release(env, name, tx, err) < 0 || snapshots_release(env, name, tx, err) < 0)
		return -1;
	return store_commit(env->store, tx, 0, NULL, err);
}

static int delete_files(const struct api_env *env, const char *name, const json_t *pool,
			struct err *err)
{
	if (container_delete(env->node, name, err) < 0 && err->kind != ERR_NOT_FOUND)
		return -1;
	if (pool && volume_delete(env->node, pool, name, err) < 0 && err->kind != ERR_NOT_FOUND)
		return -1;
	return 0;
}

static int remove_all(const struct api_env *env, const json_t *doc, const json_t *pool,
		      struct err *err)
{
	const char *name = json_str(doc, "name", "");

	/* What bears a promised name on disk belongs to the instance that gets it. */
	if (!instance_name_promised(env, name, NULL) && delete_files(env, name, pool, err) < 0)
		return -1;
	return delete_rows(env, doc, err);
}

int removal_settle(const struct api_env *env, const struct row *row, struct err *err)
{
	_json_ json_t *pool = spec_pool_of_row(env, row->doc, err);

	return remove_all(env, row->doc, pool, err);
}

int create_undo(struct job *j, enum job_phase phase, struct err *err)
{
	const json_t *doc = json_obj(j->args, "doc");
	_json_ json_t *pool = NULL;

	/* It may be ready, and would lose its files. */
	if (phase == JOB_UNSURE)
		return 0;
	if (phase == JOB_NOTED)
		return delete_rows(j->env, doc, err);
	pool = spec_pool(j->env, &j->x, err);
	return remove_all(j->env, doc, pool, err);
}

/* --- doing ----------------------------------------------------------------------------------- */

static bool exists(const struct api_env *env, const char *name)
{
	_row_ struct row row = { 0 };
	struct err err;

	return store_get(env->store, ENT_INSTANCE, name, &row, &err) == 0;
}

/* One that is deleted later stays as long as instances need it. */
static int pin_image(struct creation *j, struct tx *tx, struct err *err)
{
	const char *image = json_str(j->doc, "image", "");
	_free_ char *key = ref_beside(json_str(j->doc, "name", ""), ENT_IMAGE, image);
	_row_ struct row row = { 0 };

	if (str_empty(image))
		return 0;
	if (store_get(j->env->store, ENT_IMAGE, key, &row, err) < 0)
		return err->kind == ERR_NOT_FOUND
			       ? err_set(err, ERR_NOT_FOUND, "Image not found: %.64s", image)
			       : -1;
	tx_check(tx, ENT_IMAGE, key, row.rev);
	return 0;
}

/* Those that are promised are told by the row of the instance that gets the name. */
static int check_files(struct creation *j, struct err *err)
{
	const char *name = json_str(j->doc, "name", "");
	_json_ json_t *pool = NULL;

	if (instance_name_promised(j->env, name, NULL))
		return 0;
	pool = spec_pool(j->env, j->x, err);
	return pool ? volume_check_free(j->env->node, pool, name, err) : -1;
}

struct new_row {
	struct creation *j;
	struct address_picks picks;
};

/* A race is lost for an address, an image or for what the checks looked at. */
static int fill_row(void *arg, struct row *row, struct edit_try *t, struct err *err)
{
	struct new_row *n = arg;
	struct creation *j = n->j;
	struct address_wish wish = { .dynamic = j->start, .attempt = t->n };

	address_picks_done(&n->picks);
	if (exists(j->env, row->key))
		return err_set(err, ERR_CONFLICT, "Instance \"%s\" already exists", row->key);
	if (pin_image(j, t->tx, err) < 0 ||
	    instance_check(j->env, row->doc, NULL, t->tx, j->x, err) < 0 ||
	    check_files(j, err) < 0 ||
	    address_plan(j->env, j->x, &wish, t->tx, &n->picks, err) < 0)
		return -1;
	return EDIT_COMMIT;
}

static int commit_row(struct creation *j, struct err *err)
{
	struct new_row n = { .j = j };
	struct row_edit edit = { .e = ENT_INSTANCE,
				 .key = json_str(j->doc, "name", ""),
				 .made = j->doc,
				 .change = fill_row,
				 .arg = &n };
	int rc = row_edit(j->env->store, &edit, err);

	address_picks_done(&n.picks);
	return rc;
}

/* With the row there, a renaming that comes later sees it and gives way. */
static int check_promised(struct creation *j, struct err *err)
{
	const char *name = json_str(j->doc, "name", "");

	if (!instance_name_promised(j->env, name, NULL))
		return 0;
	return err_set(err, ERR_CONFLICT,
		       "another instance is being renamed to \"%s\", or from it", name);
}

static int make_volume(struct creation *j, struct op *op, struct err *err)
{
	const char *image = json_str(j->doc, "image", "");
	_json_ json_t *pool = spec_pool(j->env, j->x, err);
	_free_ char *root = NULL;

	if (!pool || pool_create(j->env->node, pool, err) < 0)
		return -1;
	if (!str_empty(image)) {
		if (job_need_image(j->env, image, op, err) < 0)
			return -1;
		root = image_root(j->env->node, image, err);
		if (!root)
			return -1;
	}
	return volume_create(j->env->node, pool, json_str(j->doc, "name", ""), root, err);
}

/* With what a start would write down, which saves it a commit. */
static int set_ready(void *arg, struct row *row, struct edit_try *t, struct err *err)
{
	if (inst_become(row->doc, INST_READY, NULL, err) < 0)
		return -1;
	if (*(bool *)arg)
		inst_set_power(row->doc, true);
	return 0;
}

static int make(struct creation *c, struct job *j, struct err *err)
{
	if (commit_row(c, err) < 0)
		return -1;
	j->phase = JOB_NOTED;
	if (check_promised(c, err) < 0 || fault_point(create_after_row, err) < 0 ||
	    op_check(j->op, err) < 0)
		return -1;
	j->phase = JOB_MADE;
	if (make_volume(c, j->op, err) < 0 || fault_point(create_after_volume, err) < 0 ||
	    instance_edit(j->env, j->name, set_ready, &c->start, err) < 0)
		return -1;
	j->phase = JOB_DONE;
	return 0;
}

int create_run(struct job *j, struct err *err)
{
	struct creation c = { .env = j->env,
			      .doc = json_obj(j->args, "doc"),
			      .start = json_bool(j->args, "start", false),
			      .x = &j->x };

	if (make(&c, j, err) < 0)
		return -1;
	instance_event(j->env, j->name, "created",
		       json_pack("{s:s}", "location", json_str(c.doc, "member", "")));
	if (c.start && instance_start_noted(j->env, j->name, &j->x, err) < 0)
		return err_wrap(err, "instance \"%s\" was created but did not start", j->name);
	return 0;
}
