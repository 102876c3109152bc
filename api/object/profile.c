/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/rest/handle.h"
#include "api/work/address.h"
#include "api/work/check.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/container/keys.h"
#include "node/device/keys.h"

#define NAME_MAX_BYTES 64

static json_t *profile_writable(const json_t *doc)
{
	json_t *config = json_obj(doc, "config"), *devices = json_obj(doc, "devices");

	return json_pack("{s:o, s:s, s:o}", "config", config ? json_incref(config) : json_object(),
			 "description", json_str(doc, "description", ""), "devices",
			 devices ? json_incref(devices) : json_object());
}

static json_t *profile_render(struct req *r, const struct row *row, void *arg)
{
	json_t *j = profile_writable(row->doc);

	json_put_str(j, "name", ref_of(row->key).name);
	json_object_set_new(j, "used_by", used_by(req_env(r), "profiles", row->key));
	return j;
}

static int get_profile(struct req *r, struct row *ret)
{
	const char *name = req_param(r, 0);

	if (store_get(req_env(r)->store, ENT_PROFILE, req_ref(r, 0), ret, req_err(r)) == 0)
		return 0;
	if (req_err(r)->kind == ERR_NOT_FOUND)
		err_set(req_err(r), ERR_NOT_FOUND, "Profile not found: \"%.64s\"", name);
	return -1;
}

int h_profiles_get(struct req *r)
{
	return reply_rows(r, ENT_PROFILE, "profiles", profile_render, NULL);
}

int h_profile_get(struct req *r)
{
	_json_ json_t *writable = NULL;
	_row_ struct row row = { 0 };

	if (get_profile(r, &row) < 0)
		return -1;
	writable = profile_writable(row.doc);
	set_etag(r, writable);
	return reply_sync(r, profile_render(r, &row, NULL));
}

/* What a device names must be there, also when tx is committed; else no instance with this profile
 * could start. */
static int check_named(struct req *r, const char *what, const char *device, const json_t *dev,
		       struct tx *tx)
{
	const char *network = json_str(dev, "network", NULL), *pool = json_str(dev, "pool", NULL);
	_row_ struct row row = { 0 }, row2 = { 0 };
	struct err *err = req_err(r);

	if (network && store_get(req_env(r)->store, ENT_NETWORK, network, &row, err) < 0)
		return err->kind == ERR_NOT_FOUND
			       ? err_set(err, ERR_NOT_FOUND,
					 "%s: device \"%s\": Network not found: \"%.20s\"", what,
					 device, network)
			       : -1;
	if (pool && store_get(req_env(r)->store, ENT_POOL, pool, &row2, err) < 0)
		return err->kind == ERR_NOT_FOUND
			       ? err_set(err, ERR_NOT_FOUND,
					 "%s: device \"%s\": Storage pool not found: \"%.80s\"",
					 what, device, pool)
			       : -1;
	if (network)
		tx_check(tx, ENT_NETWORK, network, row.rev);
	if (pool)
		tx_check(tx, ENT_POOL, pool, row2.rev);
	return 0;
}

static int check_profile(struct req *r, const char *name, json_t *doc, const json_t *old,
			 struct tx *tx)
{
	_free_ char *what = xasprintf("profile \"%.64s\"", name);
	json_t *config = json_obj(doc, "config"), *v;
	const char *key;

	if (keys_check(&instance_keys, what, config, json_obj(old, "config"), req_err(r)) < 0 ||
	    config_check_raw(what, config, json_obj(old, "config"), req_err(r)) < 0 ||
	    devices_check(what, json_obj(doc, "devices"), json_obj(old, "devices"), req_err(r)) < 0)
		return -1;
	json_object_foreach(json_obj(doc, "devices"), key, v) {
		if (!json_equal(v, json_object_get(json_obj(old, "devices"), key)) &&
		    check_named(r, what, key, v, tx) < 0)
			return -1;
	}
	json_object_foreach(config, key, v) {
		if (str_starts(key, "volatile.") || str_starts(key, "image."))
			return err_set(req_err(r), ERR_INVALID,
				       "%s: key \"%.80s\" belongs to instances only", what, key);
	}
	return 0;
}

static int check_name(struct req *r, const char *name)
{
	if (name_is_free(name, NAME_MAX_BYTES))
		return 0;
	return err_set(req_err(r), ERR_INVALID,
		       "profile: invalid name \"%.64s\" (1 to %d bytes, no \"/\" or \"~\")", name,
		       NAME_MAX_BYTES);
}

static const struct json_field post_fields[] = {
	{ "name", JW_STR, true },
	{ "description", JW_STR, false },
	{ "config", JW_STR_MAP, false },
	{ "devices", JW_OBJ, false },
	{ NULL, 0, 0 },
};

static int make_profile(struct req *r)
{
	json_t *body = req_json(r, post_fields, "profile");
	_free_ char *key = NULL;
	_json_ json_t *doc = NULL;
	_tx_ struct tx *tx = tx_new();
	const char *name;

	if (!body)
		return -1;
	name = json_str(body, "name", "");
	doc = profile_writable(body);
	if (check_name(r, name) < 0 || check_profile(r, name, doc, NULL, tx) < 0)
		return -1;
	key = req_key(r, ENT_PROFILE, name);
	tx_put(tx, ENT_PROFILE, key, REV_NONE, doc);
	if (store_commit(req_env(r)->store, tx, 0, NULL, req_err(r)) < 0) {
		if (req_err(r)->kind == ERR_CONFLICT)
			err_set(req_err(r), ERR_CONFLICT, "Profile \"%s\" already exists", name);
		return -1;
	}
	return reply_made(r, "profiles", key, "profile-created");
}

int h_profiles_post(struct req *r)
{
	return again(r, make_profile);
}

static const struct json_field put_fields[] = {
	{ "description", JW_STR, false }, { "config", JW_STR_MAP, false },
	{ "devices", JW_OBJ, false },     { "name", JW_STR, false },
	{ "used_by", JW_ARR, false },     { NULL, 0, 0 },
};

static int change_profile(struct req *r)
{
	int64_t revision = store_revision(req_env(r)->store);
	json_t *body = req_json(r, put_fields, "profile");
	_free_ char *what = xasprintf("profile \"%.64s\"", req_param(r, 0));
	static const char *const fixed[] = { "name", NULL };
	_json_ json_t *writable = NULL, *shown = NULL;
	_row_ struct row row = { 0 };
	_tx_ struct tx *tx = tx_new();

	if (!body || get_profile(r, &row) < 0)
		return -1;
	writable = profile_writable(row.doc);
	shown = json_pack("{s:s}", "name", ref_of(row.key).name);
	if (check_etag(r, writable) < 0 || check_fixed(r, what, body, shown, fixed) < 0)
		return -1;
	merge_map(row.doc, "config", body, is_patch(r));
	merge_map(row.doc, "devices", body, is_patch(r));
	json_put_str(row.doc, "description",
		     json_str(body, "description", is_patch(r) ? NULL : ""));
	if (check_profile(r, row.key, row.doc, writable, tx) < 0 ||
	    instances_check_profile(req_env(r), row.key, row.doc, req_err(r)) < 0 ||
	    address_check_profile(req_env(r), row.key, row.doc, req_err(r)) < 0)
		return -1;
	tx_put(tx, ENT_PROFILE, row.key, row.rev, row.doc);
	tx_check_still(tx, ENT_INSTANCE, revision);
	if (store_commit(req_env(r)->store, tx, 0, NULL, req_err(r)) < 0)
		return -1;
	tell_event(r, "profile-updated", req_path(r), row.key);
	return reply_sync(r, NULL);
}

int h_profile_put(struct req *r)
{
	return again(r, change_profile);
}

static int refuse_default(struct req *r, const char *verb)
{
	if (!str_eq(req_param(r, 0), "default"))
		return 0;
	return err_set(req_err(r), ERR_FORBIDDEN, "The \"default\" profile can't be %s", verb);
}

static int rename_profile(struct req *r)
{
	int64_t revision = store_revision(req_env(r)->store);
	static const struct json_field fields[] = { { "name", JW_STR, true }, { NULL, 0, 0 } };
	json_t *body = req_json(r, fields, "profile");
	_free_ char *key = NULL;
	_row_ struct row row = { 0 };
	_tx_ struct tx *tx = tx_new();
	const char *name;

	if (!body || refuse_default(r, "renamed") < 0 || get_profile(r, &row) < 0)
		return -1;
	name = json_str(body, "name", "");
	if (check_name(r, name) < 0 || refuse_used(r, "Profile", "profiles", row.key) < 0)
		return -1;
	tx_delete(tx, ENT_PROFILE, row.key, row.rev);
	tx_check_still(tx, ENT_INSTANCE, revision);
	key = req_key(r, ENT_PROFILE, name);
	tx_put(tx, ENT_PROFILE, key, REV_NONE, row.doc);
	if (store_commit(req_env(r)->store, tx, 0, NULL, req_err(r)) < 0) {
		if (req_err(r)->kind == ERR_CONFLICT)
			err_set(req_err(r), ERR_CONFLICT, "Profile \"%s\" already exists", name);
		return -1;
	}
	return reply_made(r, "profiles", key, "profile-renamed");
}

int h_profile_post(struct req *r)
{
	return again(r, rename_profile);
}

static int delete_profile(struct req *r)
{
	int64_t revision = store_revision(req_env(r)->store);
	_row_ struct row row = { 0 };
	_tx_ struct tx *tx = tx_new();

	if (refuse_default(r, "deleted") < 0 || get_profile(r, &row) < 0 ||
	    refuse_used(r, "Profile", "profiles", row.key) < 0)
		return -1;
	tx_delete(tx, ENT_PROFILE, row.key, row.rev);
	tx_check_still(tx, ENT_INSTANCE, revision);
	if (store_commit(req_env(r)->store, tx, 0, NULL, req_err(r)) < 0)
		return -1;
	tell_event(r, "profile-deleted", req_path(r), row.key);
	return reply_sync(r, NULL);
}

int h_profile_delete(struct req *r)
{
	return again(r, delete_profile);
}
