/* SPDX-License-Identifier: Apache-2.0 */
/* storage create, show, info; storage volume info. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd/cmds.h"
#include "cli/form/fmt.h"
#include "cli/form/kv.h"
#include "cli/net/client.h"
#include "cli/net/entity.h"

int c_storage_create(struct cli *c, struct err *err)
{
	const char *name, *target = args_value(&c->args, "target");
	struct client *cl = client_of(c, args_pos(&c->args, 0), &name, err);
	_free_ char *path = api_query(xstrdup("/1.0/storage-pools"), "target", target);
	_json_ json_t *body = json_object(), *config = NULL;

	if (!cl)
		return -1;
	config = kv_object(&c->args, 2, err);
	if (!config)
		return -1;
	json_put_str(body, "name", name);
	json_put_str(body, "driver", args_pos(&c->args, 1));
	json_put_str(body, "description", args_value(&c->args, "description"));
	json_object_set(body, "config", config);
	if (api_do(cl, "POST", path, body, err) < 0)
		return -1;
	if (target)
		cli_say(c, "Storage pool %s pending on member %s\n", name, target);
	else
		cli_say(c, "Storage pool %s created\n", name);
	return 0;
}

static json_t *pool_resources(const struct cli *c, const struct object *o, struct err *err)
{
	_free_ char *path = api_query(api_path("storage-pools/%s/resources", o->name), "target",
				      args_value(&c->args, "target"));

	return api_get(o->cl, path, err);
}

int c_storage_show(struct cli *c, struct err *err)
{
	_object_ struct object o = { 0 };
	_json_ json_t *res = NULL;

	if (!args_flag(&c->args, "resources"))
		return c_show(c, err);
	if (object_open(c, args_pos(&c->args, 0), &o, err) < 0)
		return -1;
	res = pool_resources(c, &o, err);
	return res ? fmt_print_yaml(res, err) : object_missing(&o, err);
}

static void put_size(json_t *info, const char *label, int64_t bytes, bool plain)
{
	_free_ char *text = plain ? xasprintf("%" PRId64, bytes) : fmt_size_iec(bytes);

	json_put_str(info, label, text);
}

int c_storage_volume_info(struct cli *c, struct err *err)
{
	_object_ struct object o = { 0 };
	_json_ json_t *volume = NULL, *state = NULL, *info = json_object();
	_free_ char *path = NULL;

	if (object_open(c, args_pos(&c->args, 0), &o, err) < 0)
		return -1;
	volume = object_read(&o, err);
	if (!volume)
		return object_missing(&o, err);
	path = xasprintf("%.*s/state", (int)strcspn(o.path, "?"), o.path);
	state = api_get(o.cl, path, err);
	if (!state)
		return -1;
	json_put_str(info, "name", json_str(volume, "name", ""));
	json_put_str(info, "type", json_str(volume, "type", ""));
	json_put_str(info, "content type", json_str(volume, "content_type", ""));
	json_put_str(info, "location", json_str(volume, "location", ""));
	if (json_obj(state, "usage"))
		put_size(info, "usage", json_int(json_obj(state, "usage"), "used", 0),
			 args_flag(&c->args, "bytes"));
	else
		json_put_str(info, "usage", "not known: it has too many files to be counted");
	return fmt_print_yaml(info, err);
}

/* "/1.0/instances/c1" -> {"instances": ["c1"]}; unknown shapes stay out. */
static json_t *users(const json_t *pool)
{
	json_t *by_kind = json_object(), *url;
	size_t i;

	json_array_foreach(json_arr(pool, "used_by"), i, url) {
		const char *s = json_string_value(url);
		_free_ char *name = s ? url_name(s) : NULL, *kind = NULL;

		if (!s || !str_starts(s, "/1.0/"))
			continue;
		kind = xstrndup(s + 5, strcspn(s + 5, "/"));
		if (!json_arr(by_kind, kind))
			json_object_set_new(by_kind, kind, json_array());
		json_array_append_new(json_arr(by_kind, kind), json_string(name));
	}
	return by_kind;
}

int c_storage_info(struct cli *c, struct err *err)
{
	_object_ struct object o = { 0 };
	bool plain = args_flag(&c->args, "bytes");
	_json_ json_t *pool = NULL, *res = NULL, *out = json_object();
	json_t *info = json_object();
	const json_t *space;

	json_object_set_new(out, "info", info);
	if (object_open(c, args_pos(&c->args, 0), &o, err) < 0)
		return -1;
	pool = object_read(&o, err);
	res = pool ? pool_resources(c, &o, err) : NULL;
	if (!res)
		return -1;
	space = json_obj(res, "space");
	json_put_str(info, "description", json_str(pool, "description", ""));
	json_put_str(info, "driver", json_str(pool, "driver", ""));
	json_put_str(info, "name", o.name);
	put_size(info, "space used", json_int(space, "used", 0), plain);
	put_size(info, "total space", json_int(space, "total", 0), plain);
	json_object_set_new(out, "used by", users(pool));
	return fmt_print_yaml(out, err);
}
