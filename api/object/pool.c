/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/rest/locations.h"
#include "api/rest/object.h"
#include "api/work/spec.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/storage/keys.h"
#include "node/storage/storage.h"

static char *default_source(const struct api_env *env, const char *name)
{
	return xasprintf("%s/storage-pools/%s", env->dir, name);
}

static void show(struct req *r, const struct row *row, json_t *j)
{
	_free_ char *source = default_source(req_env(r), row->key);

	if (!json_str(json_obj(j, "config"), "source", NULL))
		json_put_str(json_obj(j, "config"), "source", source);
	put_locations(req_env(r), j);
}

int h_pool_resources_get(struct req *r)
{
	_json_ json_t *pool = NULL;
	_row_ struct row row = { 0 };
	json_t *usage;

	if (object_find(r, &kind_pool, &row) < 0)
		return -1;
	pool = spec_pool_of(req_env(r), row.key, req_err(r));
	if (!pool || pool_create(req_env(r)->node, pool, req_err(r)) < 0)
		return -1;
	usage = pool_usage(req_env(r)->node, pool, req_err(r));
	return usage ? reply_sync(r, usage) : -1;
}

/* Clients send back the source that they were shown. */
static void drop_default_source(const struct api_env *env, const char *name, json_t *config)
{
	_free_ char *source = default_source(env, name);

	if (str_eq(keys_text(&pool_keys, config, "source"), source))
		json_object_del(config, "source");
}

static int fix(struct req *r, struct change *c)
{
	json_put_str(c->doc, "name", c->name);
	if (!json_str(c->doc, "driver", NULL))
		json_put_str(c->doc, "driver", storage_driver_default());
	return storage_driver_check(json_str(c->doc, "driver", ""), req_err(r)) < 0
		       ? err_wrap(req_err(r), "%s", c->what)
		       : 0;
}

static int check(struct req *r, struct change *c)
{
	struct keys keys = pool_keys_of(json_str(c->doc, "driver", ""));
	json_t *config = json_obj(c->doc, "config"), *old = json_obj(c->old, "config");

	if (c->old)
		drop_default_source(req_env(r), c->name, config);
	if (keys_check(&keys, c->what, config, old, req_err(r)) < 0)
		return -1;
	if (!c->old)
		return pool_create(req_env(r)->node, c->doc, req_err(r));
	if (!str_eq(keys_text(&pool_keys, config, "source"), keys_text(&pool_keys, old, "source")))
		return err_set(req_err(r), ERR_INVALID, "%s: source can't be changed", c->what);
	return 0;
}

/* Other members clear their folders when they hear of it. */
static int apply(struct req *r, const struct change *c)
{
	return c->doc ? 0 : pool_delete(req_env(r)->node, c->name, req_err(r));
}

static void undo(struct req *r, const struct change *c)
{
	struct err ignored;

	if (!c->old)
		pool_delete(req_env(r)->node, c->name, &ignored);
}

static const struct field fields[] = {
	{ "name", JW_STR, FIELD_NAME, true },          { "driver", JW_STR, FIELD_FIXED, false },
	{ "description", JW_STR, FIELD_WRITE, false }, { "config", JW_STR_MAP, FIELD_WRITE, false },
	{ "used_by", JW_ARR, FIELD_SHOWN, false },     { "status", JW_STR, FIELD_SHOWN, false },
	{ "locations", JW_ARR, FIELD_SHOWN, false },   { NULL, 0, 0, false },
};

const struct kind kind_pool = {
	.entity = ENT_POOL,
	.fields = fields,
	.name_max = 63,
	.used_as = "pools",
	.show = show,
	.fix = fix,
	.check = check,
	.apply = apply,
	.undo = undo,
};
