/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/rest/handle.h"
#include "api/work/find_image.h"
#include "base/mem.h"
#include "base/str.h"

#define NAME_MAX_BYTES 128

static bool may_see(struct req *r, const json_t *alias)
{
	_row_ struct row image = { 0 };
	_free_ char *key = req_key(r, ENT_IMAGE, json_str(alias, "target", ""));

	return caller_trusted(r) ||
	       (store_get(req_env(r)->store, ENT_IMAGE, key, &image, req_err(r)) == 0 &&
		json_bool(image.doc, "public", false));
}

static json_t *alias_render(struct req *r, const struct row *row, void *arg)
{
	if (!may_see(r, row->doc))
		return NULL;
	return json_pack("{s:s, s:s, s:s, s:s}", "description",
			 json_str(row->doc, "description", ""), "target",
			 json_str(row->doc, "target", ""), "name", ref_of(row->key).name, "type",
			 json_str(row->doc, "type", "container"));
}

static json_t *alias_writable(const json_t *doc)
{
	return json_pack("{s:s, s:s}", "description", json_str(doc, "description", ""), "target",
			 json_str(doc, "target", ""));
}

static int get_alias(struct req *r, struct row *ret)
{
	if (store_get(req_env(r)->store, ENT_ALIAS, req_ref(r, 0), ret, req_err(r)) == 0 &&
	    may_see(r, ret->doc))
		return 0;
	if (ret->doc || req_err(r)->kind == ERR_NOT_FOUND)
		err_set(req_err(r), ERR_NOT_FOUND, "Image alias not found: \"%.64s\"",
			req_param(r, 0));
	return -1;
}

int h_aliases_get(struct req *r)
{
	return reply_rows(r, ENT_ALIAS, "images/aliases", alias_render, NULL);
}

int h_alias_get(struct req *r)
{
	_json_ json_t *writable = NULL;
	_row_ struct row row = { 0 };

	if (get_alias(r, &row) < 0)
		return -1;
	writable = alias_writable(row.doc);
	set_etag(r, writable);
	return reply_sync(r, alias_render(r, &row, NULL));
}

/* As other names, but a slash may be inside: "alpine/3.18". */
static int check_name(struct req *r, const char *name)
{
	_free_ char *flat = xstrdup(name);

	for (char *c = flat; *c; c++) {
		if (*c == '/' && c != flat && c[1])
			*c = '-';
	}
	if (name_is_free(flat, NAME_MAX_BYTES))
		return 0;
	return err_set(
		req_err(r), ERR_INVALID,
		"image alias: invalid name \"%.64s\" (at most %d bytes, none of them a control "
		"byte or \"~\")",
		name, NAME_MAX_BYTES);
}

static int check_type(struct req *r, const char *type)
{
	if (str_empty(type) || str_eq(type, "container"))
		return 0;
	return err_set(req_err(r), ERR_INVALID,
		       "image alias: invalid value \"%.40s\" for \"type\": must be container",
		       type);
}

/* The whole fingerprint of the target in the body. */
static int set_target(struct req *r, json_t *doc, const char *target)
{
	_row_ struct row image = { 0 };

	if (image_by_fingerprint(req_env(r), req_project(r), target, &image, req_err(r)) < 0)
		return -1;
	json_put_str(doc, "target", ref_of(image.key).name);
	return 0;
}

static int exists(struct req *r, const char *name)
{
	if (req_err(r)->kind == ERR_CONFLICT)
		err_set(req_err(r), ERR_CONFLICT, "Alias \"%s\" already exists", name);
	return -1;
}

int h_aliases_post(struct req *r)
{
	static const struct json_field fields[] = {
		{ "name", JW_STR, true },
		{ "target", JW_STR, true },
		{ "description", JW_STR, false },
		{ "type", JW_STR, false },
		{ NULL, 0, 0 },
	};
	json_t *body = req_json(r, fields, "image alias");
	_free_ char *key = NULL;
	_json_ json_t *doc = NULL;
	_tx_ struct tx *tx = tx_new();
	const char *name;

	if (!body)
		return -1;
	name = json_str(body, "name", "");
	if (check_type(r, json_str(body, "type", "")) < 0)
		return -1;
	doc = json_pack("{s:s, s:s}", "type", "container", "description",
			json_str(body, "description", ""));
	if (check_name(r, name) < 0 || set_target(r, doc, json_str(body, "target", "")) < 0)
		return -1;
	key = req_key(r, ENT_ALIAS, name);
	tx_put(tx, ENT_ALIAS, key, REV_NONE, doc);
	if (store_commit(req_env(r)->store, tx, 0, NULL, req_err(r)) < 0)
		return exists(r, name);
	return reply_made(r, "images/aliases", key, "image-alias-created");
}

int h_alias_put(struct req *r)
{
	static const struct json_field fields[] = {
		{ "target", JW_STR, false },
		{ "description", JW_STR, false },
		{ NULL, 0, 0 },
	};
	json_t *body = req_json(r, fields, "image alias");
	_json_ json_t *writable = NULL;
	_row_ struct row row = { 0 };
	_tx_ struct tx *tx = tx_new();

	if (!body || get_alias(r, &row) < 0)
		return -1;
	writable = alias_writable(row.doc);
	if (check_etag(r, writable) < 0)
		return -1;
	if (json_str(body, "target", NULL) &&
	    set_target(r, row.doc, json_str(body, "target", "")) < 0)
		return -1;
	json_put_str(row.doc, "description", json_str(body, "description", NULL));
	tx_put(tx, ENT_ALIAS, row.key, row.rev, row.doc);
	if (store_commit(req_env(r)->store, tx, 0, NULL, req_err(r)) < 0)
		return -1;
	tell_event(r, "image-alias-updated", req_path(r), row.key);
	return reply_sync(r, NULL);
}

int h_alias_post(struct req *r)
{
	static const struct json_field fields[] = { { "name", JW_STR, true }, { NULL, 0, 0 } };
	json_t *body = req_json(r, fields, "image alias");
	_free_ char *key = NULL;
	_row_ struct row row = { 0 };
	_tx_ struct tx *tx = tx_new();
	const char *name;

	if (!body || get_alias(r, &row) < 0)
		return -1;
	name = json_str(body, "name", "");
	if (check_name(r, name) < 0)
		return -1;
	tx_delete(tx, ENT_ALIAS, row.key, row.rev);
	key = req_key(r, ENT_ALIAS, name);
	tx_put(tx, ENT_ALIAS, key, REV_NONE, row.doc);
	if (store_commit(req_env(r)->store, tx, 0, NULL, req_err(r)) < 0)
		return exists(r, name);
	return reply_made(r, "images/aliases", key, "image-alias-renamed");
}

int h_alias_delete(struct req *r)
{
	_row_ struct row row = { 0 };
	_tx_ struct tx *tx = tx_new();

	if (get_alias(r, &row) < 0)
		return -1;
	tx_delete(tx, ENT_ALIAS, row.key, row.rev);
	if (store_commit(req_env(r)->store, tx, 0, NULL, req_err(r)) < 0)
		return -1;
	tell_event(r, "image-alias-deleted", req_path(r), row.key);
	return reply_sync(r, NULL);
}
