/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/work/job.h"
#include "api/work/state.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/io.h"
#include "base/keylock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/ref.h"
#include "cluster/store/edit.h"
#include "node/image/image.h"
#include "node/storage/storage.h"

#define FETCH_TIMEOUT_MS (30 * 60 * 1000)
/* Of members that could not be reached; a busy one may miss the time for a handshake. */
#define FETCH_TRIES 3
#define ASK_AGAIN_MS 30000

/* --- fetching from another member ------------------------------------------------------------ */

static int download(const struct api_env *env, const char *address, const char *fingerprint,
		    const char *part, struct err *err)
{
	_free_ char *path = xasprintf("/internal/images/%s/%s", fingerprint, part);
	_close_ int fd = io_temp_fd(env->dir, err);

	if (fd < 0 || cluster_download(env->cluster, address, path, fd,
				       deadline_in(FETCH_TIMEOUT_MS), err) < 0)
		return -1;
	return take_fd(&fd);
}

/* A step that has only begun has a name, and no share yet. */
static void tell_share(struct op *op, const char *stage, const char *step, int64_t done,
		       int64_t total)
{
	int share = total > 0 ? (int)(done * 100 / total) : 0;

	if (share > 0)
		op_progress(op, stage, "%s: %d%%", step, share);
	else
		op_progress(op, stage, "%s", step);
}

static void download_progress(void *arg, int64_t done, int64_t total)
{
	if (arg)
		tell_share(arg, "download", "reading the image", done, total);
}

static int fetch_from(const struct api_env *env, const char *member, const char *fingerprint,
		      struct op *op, struct err *err)
{
	_close_ int fd = -1;
	_close_ int rootfs_fd = -1;
	_json_ json_t *info = NULL;
	char address[256];

	if (cluster_member_address(env->cluster, member, address, sizeof(address), err) < 0)
		return -1;
	fd = download(env, address, fingerprint, "export", err);
	if (fd < 0)
		return -1;
	rootfs_fd = download(env, address, fingerprint, "rootfs", err);
	if (rootfs_fd < 0 && err->kind != ERR_NOT_FOUND)
		return -1;
	info = image_import(env->node, fd, rootfs_fd, fingerprint, download_progress, op, err);
	return info ? 0 : -1;
}

static int add_member(void *me, struct row *row, struct edit_try *t, struct err *err)
{
	json_t *members = json_arr(row->doc, "members");

	if (json_lists(members, me))
		return EDIT_KEEP;
	if (!members)
		json_object_set_new(row->doc, "members", json_array());
	json_array_append_new(json_arr(row->doc, "members"), json_string(me));
	return EDIT_COMMIT;
}

/* Adds this member to those that have the image; best effort, a row may be gone meanwhile. */
static void note_member(const struct api_env *env, const char *fingerprint)
{
	_rows_ struct rows rows = { 0 };
	struct err ignored;

	store_list(env->store, ENT_IMAGE, fingerprint, &rows, &ignored);
	for (size_t i = 0; i < rows.n; i++) {
		struct row_edit edit = { .e = ENT_IMAGE,
					 .key = rows.v[i].key,
					 .change = add_member,
					 .arg = (void *)cluster_member_name(env->cluster) };

		row_edit(env->store, &edit, &ignored);
	}
}

/* Those that say they have it first, then everybody else: the image's row may be deleted while
 * instances made from it live on. */
static json_t *likely_members(const struct api_env *env, const char *fingerprint)
{
	_rows_ struct rows images = { 0 }, all = { 0 };
	json_t *order = json_object(), *v;
	struct err err;
	size_t i;

	store_list(env->store, ENT_IMAGE, fingerprint, &images, &err);
	for (size_t k = 0; k < images.n; k++)
		json_array_foreach(json_arr(images.v[k].doc, "members"), i, v)
			json_object_set_new(order, json_string_value(v), json_true());
	if (store_list(env->store, ENT_MEMBER, NULL, &all, &err) == 0) {
		for (i = 0; i < all.n; i++)
			json_object_set_new(order, all.v[i].key, json_true());
	}
	json_object_del(order, cluster_member_name(env->cluster));
	return order;
}

/* Asks each of those left in order, and leaves those whom it makes sense to ask again. The error is
 * why one that may have the image did not give it, rather than that another has none. */
static int ask_each(const struct api_env *env, const char *fingerprint, json_t *order,
		    struct op *op, struct err *err)
{
	const char *member;
	bool told = false;
	json_t *v;
	void *next;

	json_object_foreach_safe(order, next, member, v) {
		struct err cause;
		bool had;

		if (op)
			op_progress(op, "download", "fetching the image from %s", member);
		if (fetch_from(env, member, fingerprint, op, &cause) == 0)
			return 0;
		had = cause.kind != ERR_NOT_FOUND;
		if (had && !told) {
			*err = cause;
			err_wrap(err, "fetch image %.12s from member \"%s\"", fingerprint, member);
			told = true;
		}
		if (cause.kind != ERR_UNAVAILABLE && cause.kind != ERR_TIMEOUT)
			json_object_del(order, member);
	}
	return -1;
}

static int fetch(const struct api_env *env, const char *fingerprint, struct op *op, struct err *err)
{
	_json_ json_t *order = likely_members(env, fingerprint);
	int64_t deadline = deadline_in(ASK_AGAIN_MS);

	err_set(err, ERR_NOT_FOUND, "Image not found: %.64s is on no member", fingerprint);
	for (int i = 0; i < FETCH_TRIES && clock_ms() < deadline; i++) {
		if (ask_each(env, fingerprint, order, op, err) == 0)
			return 0;
		if (json_object_size(order) == 0)
			return -1;
	}
	return -1;
}

int job_need_image(const struct api_env *env, const char *fingerprint, struct op *op,
		   struct err *err)
{
	_free_ char *lock = ref_lock(ENT_IMAGE, fingerprint);
	int rc = 0;

	if (str_empty(fingerprint) || image_present(env->node, fingerprint))
		return 0;
	keylock_take(env->state->locks, lock);
	if (!image_present(env->node, fingerprint)) {
		rc = fetch(env, fingerprint, op, err);
		if (rc == 0)
			note_member(env, fingerprint);
	}
	keylock_drop(env->state->locks, lock);
	return rc;
}

/* --- import ---------------------------------------------------------------------------------- */

/* Arguments: {"project", "filename", "fingerprint": wanted or absent, "public", "properties",
 * "profiles", "aliases"}; its files are the tarball and, of one that is split, the root. */
static void import_progress(void *arg, int64_t done, int64_t total)
{
	tell_share(arg, "create_image_from_container_pack", "reading the image", done, total);
}

static json_t *image_row(const struct job *j, const json_t *info)
{
	json_t *doc = json_deep_copy(info), *properties = json_obj(doc, "properties");
	json_t *profiles = json_arr(j->args, "profiles");
	char now[CLOCK_TEXT_SIZE];

	if (!properties) {
		properties = json_object();
		json_object_set_new(doc, "properties", properties);
	}
	json_object_update(properties, json_obj(j->args, "properties"));
	json_put_str(doc, "type", "container");
	json_put_bool(doc, "public", json_bool(j->args, "public", false));
	json_put_bool(doc, "auto_update", false);
	json_put_bool(doc, "cached", false);
	json_put_str(doc, "filename", json_str(j->args, "filename", ""));
	if (profiles)
		json_object_set(doc, "profiles", profiles);
	else
		json_object_set_new(doc, "profiles", json_pack("[s]", PROFILE_DEFAULT));
	json_put_str(doc, "uploaded_at", clock_now_text(now));
	json_put_str(doc, "last_used_at", "0001-01-01T00:00:00Z");
	json_object_set_new(doc, "members", json_pack("[s]", cluster_member_name(j->env->cluster)));
	return doc;
}

static char *key_of(const struct job *j, enum entity e, const char *name)
{
	return ref_key(e, json_str(j->args, "project", PROJECT_DEFAULT), name);
}

static void put_aliases(const struct job *j, const char *fingerprint, struct tx *tx)
{
	json_t *a;
	size_t i;

	json_array_foreach(json_arr(j->args, "aliases"), i, a) {
		_json_ json_t *doc = json_pack("{s:s, s:s, s:s}", "target", fingerprint, "type",
					       "container", "description",
					       json_str(a, "description", ""));
		_free_ char *key = key_of(j, ENT_ALIAS, json_str(a, "name", ""));

		tx_put(tx, ENT_ALIAS, key, REV_NONE, doc);
	}
}

static int commit_image(const struct job *j, const char *fingerprint, const json_t *info,
			struct err *err)
{
	_free_ char *key = key_of(j, ENT_IMAGE, fingerprint);
	_json_ json_t *doc = image_row(j, info);
	_tx_ struct tx *tx = tx_new();

	if (fault_point(image_after_store, err) < 0)
		return -1;
	tx_put(tx, ENT_IMAGE, key, REV_NONE, doc);
	put_aliases(j, fingerprint, tx);
	return store_commit(j->env->store, tx, 0, NULL, err);
}

bool image_known(const struct api_env *env, const char *fingerprint)
{
	return store_count(env->store, ENT_IMAGE, fingerprint) != 0;
}

static json_t *import_upload(struct job *j, struct err *err)
{
	return image_import(j->env->node, j->fd[0], j->fd[1],
			    json_str(j->args, "fingerprint", NULL), import_progress, j->op, err);
}

/* The caller holds the image's lock, and with it keeps those away who sweep files without a row. */
static int commit_kept(struct job *j, const char *fp, const json_t *info, struct err *err)
{
	_free_ char *key = key_of(j, ENT_IMAGE, fp);
	_row_ struct row row = { 0 };

	if (store_get(j->env->store, ENT_IMAGE, key, &row, err) == 0)
		return err_set(err, ERR_CONFLICT, "Image with same fingerprint already exists: %s",
			       fp);
	if (err->kind != ERR_NOT_FOUND)
		return -1;
	/* A deletion of the same image may have taken the file that was just found or made. */
	if (!image_present(j->env->node, fp)) {
		_json_ json_t *again = import_upload(j, err);

		if (!again)
			return -1;
	}
	return commit_image(j, fp, info, err);
}

static void tell(const struct job *j, const char *action, const char *key)
{
	_free_ char *url = ref_add_project("/1.0/images", key);

	event_lifecycle(j->env->events,
			&(struct event_source){ .action = action, .url = url, .key = key });
}

int image_import_run(struct job *j, struct err *err)
{
	const struct api_env *env = j->env;
	_json_ json_t *info = import_upload(j, err);
	_free_ char *lock = NULL, *key = NULL;
	const char *fp;
	int rc;

	if (!info)
		return -1;
	fp = json_str(info, "fingerprint", "");
	json_put_str(j->args, "fingerprint", fp);
	j->phase = JOB_MADE;
	lock = ref_lock(ENT_IMAGE, fp);
	key = key_of(j, ENT_IMAGE, fp);
	keylock_take(env->state->locks, lock);
	rc = commit_kept(j, fp, info, err);
	keylock_drop(env->state->locks, lock);
	if (rc < 0)
		return -1;
	op_set(j->op, "fingerprint", json_string(fp));
	op_set(j->op, "size", json_sprintf("%lld", (long long)json_int(info, "size", 0)));
	tell(j, "image-created", key);
	return 0;
}

int image_import_undo(struct job *j, enum job_phase phase, struct err *err)
{
	/* The row may be there after all. */
	if (phase != JOB_UNSURE)
		image_sweep(j->env, json_str(j->args, "fingerprint", ""));
	return 0;
}

/* --- delete ---------------------------------------------------------------------------------- */

void image_sweep(const struct api_env *env, const char *fingerprint)
{
	_free_ char *lock = ref_lock(ENT_IMAGE, fingerprint);
	struct err err;

	keylock_take(env->state->locks, lock);
	if (!image_known(env, fingerprint) && image_present(env->node, fingerprint) &&
	    storage_delete_image(env->node, fingerprint, &err) < 0 && err.kind != ERR_NOT_FOUND)
		log_err(LOG_WARN, "the files of a deleted image stay", &err);
	keylock_drop(env->state->locks, lock);
}

/* The files go on every member through the watch on the rows. */
int image_delete_run(struct job *j, struct err *err)
{
	struct ref image = ref_of(j->name);
	_rows_ struct rows aliases = { 0 };
	_row_ struct row row = { 0 };
	_tx_ struct tx *tx = tx_new();

	if (store_get(j->env->store, ENT_IMAGE, j->name, &row, err) < 0 ||
	    store_list(j->env->store, ENT_ALIAS, image.name, &aliases, err) < 0)
		return -1;
	tx_delete(tx, ENT_IMAGE, j->name, REV_ANY);
	for (size_t i = 0; i < aliases.n; i++) {
		if (ref_is_in(aliases.v[i].key, image.project))
			tx_delete(tx, ENT_ALIAS, aliases.v[i].key, REV_ANY);
	}
	if (store_commit(j->env->store, tx, 0, NULL, err) < 0)
		return -1;
	image_sweep(j->env, image.name);
	tell(j, "image-deleted", j->name);
	return 0;
}
