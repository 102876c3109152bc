/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/rest/handle.h"
#include "api/rest/locations.h"
#include "api/work/spec.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/storage/keys.h"
#include "node/storage/storage.h"

#define NAME_MAX_BYTES 63

/* --- as clients see them --------------------------------------------------------------------- */

static json_t *pool_writable(const json_t *doc)
{
	json_t *config = json_obj(doc, "config");

	return json_pack("{s:o, s:s}", "config", config ? json_copy(config) : json_object(),
			 "description", json_str(doc, "description", ""));
}

static char *default_source(const struct api_env *env, const char *name)
{
	return xasprintf("%s/storage-pools/%s", env->dir, name);
}

static json_t *pool_render(struct req *r, const struct row *row, void *arg)
{
	_free_ char *source = default_source(req_env(r), row->key);
	json_t *j = pool_writable(row->doc);

	if (!json_str(json_obj(j, "config"), "source", NULL))
		json_put_str(json_obj(j, "config"), "source", source);
	json_put_str(j, "name", row->key);
	json_put_str(j, "driver", json_str(row->doc, "driver", ""));
	json_object_set_new(j, "used_by", used_by(req_env(r), "pools", row->key));
	json_put_str(j, "status", "Created");
	json_object_set_new(j, "locations", all_locations(req_env(r)));
	return j;
}

static int get_pool(struct req *r, struct row *ret)
{
	const char *name = req_param(r, 0);

	if (store_get(req_env(r)->store, ENT_POOL, name, ret, req_err(r)) == 0)
		return 0;
	if (req_err(r)->kind == ERR_NOT_FOUND)
		err_set(req_err(r), ERR_NOT_FOUND, "Storage pool not found: \"%.64s\"", name);
	return -1;
}

int h_pools_get(struct req *r)
{
	return reply_rows(r, ENT_POOL, "storage-pools", pool_render, NULL);
}

int h_pool_get(struct req *r)
{
	_json_ json_t *writable = NULL;
	_row_ struct row row = { 0 };

	if (get_pool(r, &row) < 0)
		return -1;
	writable = pool_writable(row.doc);
	set_etag(r, writable);
	return reply_sync(r, pool_render(r, &row, NULL));
}

int h_pool_resources_get(struct req *r)
{
	_json_ json_t *pool = NULL;
	_row_ struct row row = { 0 };
	json_t *usage;

	if (get_pool(r, &row) < 0)
		return -1;
	pool = spec_pool_of(req_env(r), row.key, req_err(r));
	if (!pool || pool_create(req_env(r)->node, pool, req_err(r)) < 0)
		return -1;
	usage = pool_usage(req_env(r)->node, pool, req_err(r));
	return usage ? reply_sync(r, usage) : -1;
}

/* --- making and changing --------------------------------------------------------------------- */

/* Clients send back the source that they were shown. */
static void drop_default_source(const struct api_env *env, const char *name, json_t *config)
{
	_free_ char *source = default_source(env, name);

	if (str_eq(keys_text(&pool_keys, config, "source"), source))
		json_object_del(config, "source");
}

static int reply_part(struct req *r, const char *name)
{
	_free_ char *url = ref_url("storage-pools", name);

	return reply_member_part(r, url);
}

static const struct json_field post_fields[] = {
	{ "name", JW_STR, true },
	{ "driver", JW_STR, false },
	{ "description", JW_STR, false },
	{ "config", JW_STR_MAP, false },
	{ NULL, 0, 0 },
};

static int make_pool(struct req *r, const char *name, const json_t *doc)
{
	_json_ json_t *pool = json_pack("{s:s, s:s, s:O}", "name", name, "driver",
					json_str(doc, "driver", ""), "config",
					json_obj(doc, "config"));
	_tx_ struct tx *tx = tx_new();
	struct err ignored;

	if (pool_create(req_env(r)->node, pool, req_err(r)) < 0)
		return -1;
	tx_put(tx, ENT_POOL, name, REV_NONE, doc);
	if (store_commit(req_env(r)->store, tx, 0, NULL, req_err(r)) == 0)
		return 0;
	if (req_err(r)->kind == ERR_CONFLICT)
		return err_set(req_err(r), ERR_CONFLICT, "The storage pool already exists: \"%s\"",
			       name);
	if (req_err(r)->kind != ERR_UNKNOWN)
		pool_delete(req_env(r)->node, name, &ignored);
	return -1;
}

int h_pools_post(struct req *r)
{
	json_t *body = req_json(r, post_fields, "storage pool");
	_row_ struct row taken = { 0 };
	_free_ char *what = NULL;
	_json_ json_t *doc = NULL;
	const char *name, *driver;
	struct keys keys;

	if (!body)
		return -1;
	name = json_str(body, "name", "");
	driver = json_str(body, "driver", storage_driver_default());
	if (!name_is_free(name, NAME_MAX_BYTES))
		return err_set(req_err(r), ERR_INVALID,
			       "storage pool: invalid name \"%.64s\" (1 to %d bytes, no \"/\" or "
			       "\"~\")",
			       name, NAME_MAX_BYTES);
	if (storage_driver_check(driver, req_err(r)) < 0)
		return err_wrap(req_err(r), "storage pool \"%s\"", name);
	if (store_get(req_env(r)->store, ENT_POOL, name, &taken, req_err(r)) == 0)
		return err_set(req_err(r), ERR_CONFLICT, "The storage pool already exists: \"%s\"",
			       name);
	if (!str_empty(req_query(r, "target")))
		return reply_part(r, name);
	keys = pool_keys_of(driver);
	doc = pool_writable(body);
	what = xasprintf("storage pool \"%s\"", name);
	json_put_str(doc, "name", name);
	json_put_str(doc, "driver", driver);
	if (keys_check(&keys, what, json_obj(doc, "config"), NULL, req_err(r)) < 0 ||
	    make_pool(r, name, doc) < 0)
		return -1;
	return reply_made(r, "storage-pools", name, "storage-pool-created");
}

static const struct json_field put_fields[] = {
	{ "description", JW_STR, false }, { "config", JW_STR_MAP, false },
	{ "name", JW_STR, false },        { "driver", JW_STR, false },
	{ "used_by", JW_ARR, false },     { "status", JW_STR, false },
	{ "locations", JW_ARR, false },   { NULL, 0, 0 },
};

int h_pool_put(struct req *r)
{
	json_t *body = req_json(r, put_fields, "storage pool");
	_free_ char *what = xasprintf("storage pool \"%.64s\"", req_param(r, 0));
	static const char *const fixed[] = { "name", "driver", NULL };
	_json_ json_t *writable = NULL;
	_row_ struct row row = { 0 };
	_tx_ struct tx *tx = tx_new();
	struct keys keys;

	if (!body || get_pool(r, &row) < 0 || refuse_target(r, what) < 0)
		return -1;
	keys = pool_keys_of(json_str(row.doc, "driver", ""));
	writable = pool_writable(row.doc);
	if (check_etag(r, writable) < 0 || check_fixed(r, what, body, row.doc, fixed) < 0)
		return -1;
	merge_map(row.doc, "config", body, is_patch(r));
	drop_default_source(req_env(r), row.key, json_obj(row.doc, "config"));
	json_put_str(row.doc, "description",
		     json_str(body, "description", is_patch(r) ? NULL : ""));
	if (keys_check(&keys, what, json_obj(row.doc, "config"), json_obj(writable, "config"),
		       req_err(r)) < 0)
		return -1;
	if (!str_eq(keys_text(&pool_keys, json_obj(row.doc, "config"), "source"),
		    keys_text(&pool_keys, json_obj(writable, "config"), "source")))
		return err_set(req_err(r), ERR_INVALID, "%s: source can't be changed", what);
	tx_put(tx, ENT_POOL, row.key, row.rev, row.doc);
	if (store_commit(req_env(r)->store, tx, 0, NULL, req_err(r)) < 0)
		return -1;
	tell_event(r, "storage-pool-updated", req_path(r), row.key);
	return reply_sync(r, NULL);
}

/* Other members clear their folders when they hear of it. */
static int delete_pool(struct req *r)
{
	int64_t revision = store_revision(req_env(r)->store);
	_row_ struct row row = { 0 };
	_tx_ struct tx *tx = tx_new();

	if (get_pool(r, &row) < 0)
		return -1;
	if (refuse_used(r, "The storage pool", "pools", row.key) < 0)
		return -1;
	tx_delete(tx, ENT_POOL, row.key, row.rev);
	tx_check_still(tx, ENT_INSTANCE, revision);
	tx_check_still(tx, ENT_PROFILE, revision);
	if (store_commit(req_env(r)->store, tx, 0, NULL, req_err(r)) < 0)
		return -1;
	if (pool_delete(req_env(r)->node, row.key, req_err(r)) < 0)
		return -1;
	tell_event(r, "storage-pool-deleted", req_path(r), row.key);
	return reply_sync(r, NULL);
}

int h_pool_delete(struct req *r)
{
	return again(r, delete_pool);
}
