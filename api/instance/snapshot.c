/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots of instances. There are no backups. */
#include "api/work/snapshot.h"

#include <string.h>

#include "api/rest/handle.h"
#include "api/work/instance.h"
#include "api/work/job.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

static const char *list_path(const struct req *r)
{
	return str_starts(req_path(r), "/1.0/containers") ? "containers" : "instances";
}

/* --- looking ---------------------------------------------------------------------------------- */

int h_snapshots_get(struct req *r)
{
	_json_ json_t *objects = NULL, *urls = json_array();
	_row_ struct row row = { 0 };
	json_t *v;
	size_t i;

	if (instance_get(req_env(r), req_ref(r, 0), &row, req_err(r)) < 0)
		return -1;
	objects = snapshots_json(req_env(r)->store, row.key);
	if (req_recursion(r) > 0)
		return reply_sync(r, json_is_null(objects) ? json_array() : json_incref(objects));
	json_array_foreach(objects, i, v) {
		_free_ char *url = snapshot_url(list_path(r), row.key, json_str(v, "name", ""));

		json_array_append_new(urls, json_string(url));
	}
	return reply_sync(r, json_incref(urls));
}

static int get(struct req *r, struct row *ret)
{
	_row_ struct row instance = { 0 };

	if (instance_get(req_env(r), req_ref(r, 0), &instance, req_err(r)) < 0)
		return -1;
	return snapshot_get(req_env(r), instance.key, req_param(r, 1), ret, req_err(r));
}

int h_snapshot_get(struct req *r)
{
	_json_ json_t *writable = NULL;
	_row_ struct row row = { 0 };

	if (get(r, &row) < 0)
		return -1;
	writable = snapshot_writable(row.doc);
	set_etag(r, writable);
	return reply_sync(r, snapshot_json(req_env(r)->store, row.doc));
}

/* --- making ----------------------------------------------------------------------------------- */

/* "" is as good as nothing; what does not expire says so by the year 1. */
static int check_expiry(struct req *r, const json_t *body, const char **ret)
{
	const char *at = json_str(body, "expires_at", "");
	int64_t when = clock_parse(at);

	*ret = NULL;
	if (str_empty(at))
		return 0;
	*ret = str_starts(at, "0001-01-01T") ? SNAPSHOT_NEVER : at;
	if (when != -1 || str_eq(*ret, SNAPSHOT_NEVER))
		return 0;
	return err_set(req_err(r), ERR_INVALID,
		       "snapshot: \"expires_at\" is no time such as 2026-11-28T12:00:00Z: "
		       "\"%.40s\"",
		       at);
}

static const struct json_field post_fields[] = {
	{ "name", JW_STR, false },
	{ "stateful", JW_BOOL, false },
	{ "expires_at", JW_STR, false },
	{ NULL, 0, 0 },
};

int h_snapshots_post(struct req *r)
{
	json_t *body = req_json(r, post_fields, "snapshot");
	const char *name = json_str(body, "name", ""), *expires_at;
	struct job_order o = { .kind = &jobs[JOB_SNAPSHOT], .name = req_ref(r, 0) };

	if (!body || check_expiry(r, body, &expires_at) < 0)
		return -1;
	if (!str_empty(name) && snapshot_check_name(name, req_err(r)) < 0)
		return -1;
	if (json_bool(body, "stateful", false))
		return err_set(req_err(r), ERR_UNSUPPORTED,
			       "snapshots with memory are not implemented");
	o.own_args = json_pack("{s:s, s:s?}", "name", name, "expires_at", expires_at);
	return reply_job(r, &o);
}

/* --- changing --------------------------------------------------------------------------------- */

/* What clients read and send back unchanged. */
static const struct json_field put_fields[] = {
	{ "expires_at", JW_STR, false },      { "architecture", JW_STR, false },
	{ "config", JW_STR_MAP, false },      { "created_at", JW_STR, false },
	{ "devices", JW_OBJ, false },	      { "ephemeral", JW_BOOL, false },
	{ "expanded_config", JW_OBJ, false }, { "expanded_devices", JW_OBJ, false },
	{ "last_used_at", JW_STR, false },    { "name", JW_STR, false },
	{ "profiles", JW_STR_LIST, false },   { "size", JW_INT, false },
	{ "stateful", JW_BOOL, false },	      { NULL, 0, 0 },
};

/* A snapshot is what was: of it only its end may be changed. */
static int check_same(struct req *r, const struct row *row, const json_t *body)
{
	const char *key;
	json_t *sent;

	json_object_foreach((json_t *)body, key, sent) {
		json_t *is = json_object_get(row->doc, key);

		if (str_eq(key, "expires_at") || !is || json_is_null(sent) ||
		    json_equal(sent, is))
			continue;
		return err_set(req_err(r), ERR_INVALID,
			       "snapshot \"%s\": \"%s\" can't be changed: it is as it was when the "
			       "snapshot was made",
			       row->key, key);
	}
	return 0;
}

int h_snapshot_put(struct req *r)
{
	json_t *body = req_json(r, put_fields, "snapshot");
	struct job_order o = { .kind = &jobs[JOB_SNAPSHOT_UPDATE], .name = req_ref(r, 0) };
	_json_ json_t *writable = NULL;
	_row_ struct row row = { 0 };
	const char *expires_at;

	if (!body || check_expiry(r, body, &expires_at) < 0 || get(r, &row) < 0 ||
	    check_same(r, &row, body) < 0)
		return -1;
	writable = snapshot_writable(row.doc);
	if (check_etag(r, writable) < 0)
		return -1;
	if (!expires_at)
		expires_at = is_patch(r) ? json_str(writable, "expires_at", "") : SNAPSHOT_NEVER;
	o.own_args = json_pack("{s:s, s:s}", "name", req_param(r, 1), "expires_at", expires_at);
	return reply_job(r, &o);
}

static const struct json_field rename_fields[] = {
	{ "name", JW_STR, true },
	{ "migration", JW_BOOL, false },
	{ "live", JW_BOOL, false },
	{ "target", JW_OBJ, false },
	{ NULL, 0, 0 },
};

int h_snapshot_post(struct req *r)
{
	json_t *body = req_json(r, rename_fields, "snapshot");
	const char *new_name = json_str(body, "name", "");
	struct job_order o = { .kind = &jobs[JOB_SNAPSHOT_RENAME], .name = req_ref(r, 0) };
	_row_ struct row row = { 0 }, taken = { 0 };
	struct err none;

	if (!body || get(r, &row) < 0 || snapshot_check_name(new_name, req_err(r)) < 0)
		return -1;
	if (json_bool(body, "migration", false) || json_obj(body, "target"))
		return err_set(req_err(r), ERR_UNSUPPORTED,
			       "copying a snapshot to another server is not implemented");
	if (snapshot_get(req_env(r), o.name, new_name, &taken, &none) == 0)
		return err_set(req_err(r), ERR_CONFLICT, "Snapshot \"%s\" already exists",
			       new_name);
	o.own_args = json_pack("{s:s, s:s}", "name", req_param(r, 1), "new_name", new_name);
	return reply_job(r, &o);
}

int h_snapshot_delete(struct req *r)
{
	struct job_order o = { .kind = &jobs[JOB_SNAPSHOT_DELETE], .name = req_ref(r, 0) };
	_row_ struct row row = { 0 };

	if (get(r, &row) < 0)
		return -1;
	o.own_args = json_pack("{s:s}", "name", req_param(r, 1));
	return reply_job(r, &o);
}

/* --- backups ---------------------------------------------------------------------------------- */

int h_backups_get(struct req *r)
{
	_row_ struct row row = { 0 };

	if (instance_get(req_env(r), req_ref(r, 0), &row, req_err(r)) < 0)
		return -1;
	return reply_sync(r, json_array());
}

int h_backups_post(struct req *r)
{
	return err_set(req_err(r), ERR_UNSUPPORTED, "backups are not implemented");
}
