/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes of a pool: the root file systems of instances. They live and move with those; what a
 * client may note about one is in the instance's row: "volume": {config, description}. */
#include <string.h>

#include "api/rest/filter.h"
#include "api/rest/handle.h"
#include "api/work/icache.h"
#include "api/work/instance.h"
#include "api/work/spec.h"
#include "api/work/usage.h"
#include "base/mem.h"
#include "base/str.h"

#define TYPE "container"

static json_t *volume_writable(const json_t *doc)
{
	const json_t *own = json_obj(doc, "volume");
	json_t *config = json_obj(own, "config");

	return json_pack("{s:o, s:s}", "config", config ? json_copy(config) : json_object(),
			 "description", json_str(own, "description", ""));
}

static json_t *volume_json(const json_t *doc, const char *key, const char *member)
{
	json_t *j = volume_writable(doc);
	_free_ char *user = ref_url("instances", key);
	struct ref ref = ref_of(key);

	json_put_str(j, "name", ref.name);
	json_put_str(j, "type", TYPE);
	json_object_set_new(j, "used_by",
			    json_pack("[s]", user));
	json_put_str(j, "location", member);
	json_put_str(j, "content_type", "filesystem");
	json_put_str(j, "project", ref.project);
	json_put_str(j, "created_at", json_str(doc, "created_at", "0001-01-01T00:00:00Z"));
	return j;
}

/* --- lists ----------------------------------------------------------------------------------- */

static bool is_at_target(struct req *r, const json_t *doc)
{
	const char *target = req_query(r, "target");

	return str_empty(target) || target[0] == '@' ||
	       str_eq(target, json_str(doc, "member", target));
}

struct volumes {
	const char *pool;
	json_t *names;
};

static void add_name(void *arg, const struct icache_view *v)
{
	struct volumes *c = arg;
	json_t *p;
	size_t i;

	json_array_foreach(json_arr(v->uses, "pools"), i, p) {
		if (!str_eq(json_string_value(p), c->pool))
			continue;
		json_array_append_new(c->names, json_string(v->name));
		return;
	}
}

/* NULL when it is gone meanwhile, or not on the target. */
static json_t *object_of(struct req *r, const char *name)
{
	_row_ struct row row = { 0 };
	struct err ignored;

	if (!req_lists(r, ENT_INSTANCE, name) ||
	    store_get(req_env(r)->store, ENT_INSTANCE, name, &row, &ignored) < 0 ||
	    !is_at_target(r, row.doc))
		return NULL;
	return volume_json(row.doc, name, json_str(row.doc, "member", ""));
}

static int check_pool(struct req *r)
{
	const char *pool = req_param(r, 0);
	_row_ struct row row = { 0 };

	if (store_get(req_env(r)->store, ENT_POOL, pool, &row, req_err(r)) == 0)
		return 0;
	if (req_err(r)->kind == ERR_NOT_FOUND)
		err_set(req_err(r), ERR_NOT_FOUND, "Storage pool not found: \"%.64s\"", pool);
	return -1;
}

static json_t *volume_url(const char *pool, const char *key)
{
	_free_ char *path = xasprintf("/1.0/storage-pools/%s/volumes/" TYPE "/%s", pool,
				      ref_of(key).name);
	_free_ char *url = ref_add_project(path, key);

	return json_string(url);
}

int h_volumes_get(struct req *r)
{
	_json_ json_t *names = json_array();
	struct volumes c = { .pool = req_param(r, 0), .names = names };
	struct filter *filter;
	json_t *list, *name;
	bool ok;
	size_t i;

	if (check_pool(r) < 0)
		return -1;
	filter = filter_parse(req_query(r, "filter"), &ok, req_err(r));
	if (!ok)
		return -1;
	icache_each(req_env(r), add_name, &c);
	list = json_array();
	json_array_foreach(names, i, name) {
		_json_ json_t *volume = object_of(r, json_string_value(name));

		if (!volume || !filter_match(filter, volume))
			continue;
		json_array_append_new(list, req_recursion(r) > 0
						    ? json_incref(volume)
						    : volume_url(c.pool, json_string_value(name)));
	}
	filter_free(filter);
	return reply_sync(r, list);
}

/* 1 for the type that there is, 0 for those that have no volumes here, -1 for others. */
static int check_type(struct req *r)
{
	static const char *const none[] = { "custom", "image", "virtual-machine" };
	const char *type = req_param(r, 1);

	if (str_eq(type, TYPE))
		return 1;
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		if (str_eq(type, none[i]))
			return 0;
	}
	return err_set(req_err(r), ERR_INVALID,
		       "Invalid storage volume type \"%.40s\" (container, custom, image, "
		       "virtual-machine)",
		       type);
}

int h_volumes_of_type_get(struct req *r)
{
	int type = check_type(r);

	if (type < 0 || check_pool(r) < 0)
		return -1;
	return type ? h_volumes_get(r) : reply_sync(r, json_array());
}

int h_volumes_post(struct req *r)
{
	return err_set(req_err(r), ERR_UNSUPPORTED,
		       "custom storage volumes are not implemented; give an instance a disk device "
		       "with a path of the host as its source");
}

/* --- one ------------------------------------------------------------------------------------- */

static int missing(struct req *r)
{
	return err_set(req_err(r), ERR_NOT_FOUND,
		       "Storage volume not found: \"%.40s/%.63s\" in pool \"%.63s\"",
		       req_param(r, 1), req_param(r, 2), req_param(r, 0));
}

static bool is_in_pool(struct req *r, const json_t *doc)
{
	_json_ json_t *pool = spec_pool_of_row(req_env(r), doc, &(struct err){ 0 });

	return pool && str_eq(json_str(pool, "name", ""), req_param(r, 0));
}

static int get_volume(struct req *r, struct row *ret)
{
	int type = check_type(r);

	if (type < 0 || check_pool(r) < 0)
		return -1;
	if (!type)
		return missing(r);
	if (store_get(req_env(r)->store, ENT_INSTANCE, req_ref(r, 2), ret, req_err(r)) < 0)
		return req_err(r)->kind == ERR_NOT_FOUND ? missing(r) : -1;
	return is_in_pool(r, ret->doc) && is_at_target(r, ret->doc) ? 0 : missing(r);
}

int h_volume_get(struct req *r)
{
	_json_ json_t *writable = NULL;
	_row_ struct row row = { 0 };

	if (get_volume(r, &row) < 0)
		return -1;
	writable = volume_writable(row.doc);
	set_etag(r, writable);
	return reply_sync(r, volume_json(row.doc, row.key, json_str(row.doc, "member", "")));
}

/* The space is known where the volume is. */
int h_volume_state_get(struct req *r)
{
	_row_ struct row row = { 0 };
	_json_ json_t *state = NULL;
	const json_t *root;

	if (get_volume(r, &row) < 0)
		return -1;
	state = usage_at(req_env(r), row.doc, req_err(r));
	if (!state)
		return -1;
	root = json_obj(json_obj(state, "disk"), "root");
	return reply_sync(r, root ? json_pack("{s:{s:I}}", "usage", "used",
					      (json_int_t)json_int(root, "usage", 0))
				  : json_pack("{s:n}", "usage"));
}

int h_volume_snapshots_get(struct req *r)
{
	_row_ struct row row = { 0 };

	return get_volume(r, &row) < 0 ? -1 : reply_sync(r, json_array());
}

int h_volume_snapshots_post(struct req *r)
{
	return err_set(req_err(r), ERR_UNSUPPORTED,
		       "snapshots of volumes are not implemented: make one of the instance");
}

/* The settings that LXD's drivers have here are those of the root disk. */
static int check_config(struct req *r, const json_t *config)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)config, key, v) {
		if (!str_starts(key, "user."))
			return err_set(req_err(r), ERR_INVALID,
				       "storage volume \"" TYPE "/%.63s\": key \"%.80s\": only "
				       "user.* can be set; the rest is for the root device of the "
				       "instance",
				       req_param(r, 2), key);
	}
	return 0;
}

static void drop_empty(json_t *map)
{
	const char *key;
	void *next;
	json_t *v;

	json_object_foreach_safe(map, next, key, v) {
		if (!json_is_string(v) || str_empty(json_string_value(v)))
			json_object_del(map, key);
	}
}

int h_volume_put(struct req *r)
{
	static const struct json_field fields[] = {
		{ "config", JW_STR_MAP, false },
		{ "description", JW_STR, false },
		{ "name", JW_STR, false },
		{ "type", JW_STR, false },
		{ "used_by", JW_ARR, false },
		{ "location", JW_STR, false },
		{ "content_type", JW_STR, false },
		{ "project", JW_STR, false },
		{ "created_at", JW_STR, false },
		{ "restore", JW_STR, false },
		{ NULL, 0, 0 },
	};
	static const char *const fixed[] = { "name",     "type",    "location", "content_type",
					     "project", "created_at", NULL };
	json_t *body = req_json(r, fields, "storage volume");
	_json_ json_t *volume = NULL, *shown = NULL;
	_row_ struct row row = { 0 };
	_tx_ struct tx *tx = tx_new();

	if (!body || get_volume(r, &row) < 0)
		return -1;
	if (!str_empty(json_str(body, "restore", "")))
		return err_set(req_err(r), ERR_UNSUPPORTED,
			       "a volume goes back to a snapshot with its instance: restore that");
	volume = volume_writable(row.doc);
	if (check_etag(r, volume) < 0)
		return -1;
	shown = volume_json(row.doc, row.key, json_str(row.doc, "member", ""));
	if (check_fixed(r, "storage volume", body, shown, fixed) < 0)
		return -1;
	merge_map(volume, "config", body, is_patch(r));
	drop_empty(json_obj(volume, "config"));
	if (check_config(r, json_obj(volume, "config")) < 0)
		return -1;
	if (!is_patch(r) || json_object_get(body, "description"))
		json_put_str(volume, "description", json_str(body, "description", ""));
	json_object_set(row.doc, "volume", volume);
	tx_put(tx, ENT_INSTANCE, row.key, row.rev, row.doc);
	if (store_commit(req_env(r)->store, tx, 0, NULL, req_err(r)) < 0)
		return -1;
	tell_event(r, "storage-volume-updated", req_path(r), row.key);
	return reply_sync(r, NULL);
}

int h_volume_post(struct req *r)
{
	_row_ struct row row = { 0 };

	if (get_volume(r, &row) < 0)
		return -1;
	return err_set(req_err(r), ERR_INVALID,
		       "storage volume \"" TYPE
		       "/%.63s\" has the name and the place of its instance: move that",
		       row.key);
}

int h_volume_delete(struct req *r)
{
	_row_ struct row row = { 0 };

	if (get_volume(r, &row) < 0)
		return -1;
	return err_set(req_err(r), ERR_INVALID,
		       "storage volume \"" TYPE "/%.63s\" is the root of an instance: delete that",
		       row.key);
}
