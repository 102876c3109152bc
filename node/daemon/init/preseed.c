/* SPDX-License-Identifier: Apache-2.0 */
#include "node/daemon/init/preseed.h"

#include <stdlib.h>
#include <string.h>

#include "base/defaults.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/undo.h"
#include "node/daemon/init/client.h"
#include "node/device/device.h"

#define NETWORK "dunlinbr0"

static const struct json_field preseed_fields[] = {
	{ "config", JW_OBJ, false },	  { "storage_pools", JW_ARR, false },
	{ "networks", JW_ARR, false },	  { "profiles", JW_ARR, false },
	{ "projects", JW_ARR, false },	  { "storage_volumes", JW_ARR, false },
	{ "cluster", JW_OBJ, false },	  { NULL, JW_ANY, false },
};

static const struct json_field object_fields[] = {
	{ "name", JW_STR, true },	 { "description", JW_STR, false },
	{ "driver", JW_STR, false },	 { "type", JW_STR, false },
	{ "config", JW_OBJ, false },	 { "devices", JW_OBJ, false },
	{ "project", JW_STR, false },	 { NULL, JW_ANY, false },
};

static const struct json_field cluster_fields[] = {
	{ "enabled", JW_BOOL, false },		{ "server_name", JW_STR, false },
	{ "server_address", JW_STR, false },	{ "cluster_token", JW_STR, false },
	{ "cluster_address", JW_STR, false },	{ "cluster_certificate", JW_STR, false },
	{ "cluster_password", JW_STR, false },	{ "member_config", JW_ARR, false },
	{ "cluster_certificate_path", JW_STR, false }, { NULL, JW_ANY, false },
};

/* The lists of the preseed and where their objects live, in the order in which they depend. */
static const struct section {
	const char *key, *url;
	const char *create_only; /* a member that an update may not carry */
} sections[] = {
	{ "storage_pools", "/1.0/storage-pools", "driver" },
	{ "networks", "/1.0/networks", "type" },
	{ "profiles", "/1.0/profiles", NULL },
};

/* YAML has numbers and booleans; configuration values are strings. */
static void stringify_values(json_t *map)
{
	const char *key;
	void *tmp;
	json_t *v;

	json_object_foreach_safe(map, tmp, key, v)
	{
		_free_ char *text = NULL;

		if (json_is_string(v) || json_is_object(v))
			continue;
		text = json_is_null(v) ? xstrdup("") : json_text(v);
		json_object_set_new(map, key, json_string(text));
	}
}

static void stringify_devices(json_t *devices)
{
	const char *name;
	json_t *dev;

	json_object_foreach(devices, name, dev)
		stringify_values(dev);
}

static int delete_url(void *arg, struct err *err)
{
	return init_do("DELETE", arg, NULL, err);
}

static json_t *without(const json_t *obj, const char *a, const char *b)
{
	json_t *copy = json_copy((json_t *)obj);

	json_object_del(copy, "project");
	if (a)
		json_object_del(copy, a);
	if (b)
		json_object_del(copy, b);
	return copy;
}

static int apply_object(const struct section *s, json_t *obj, struct undo *undo, struct err *err)
{
	_free_ char *name = NULL, *url = NULL;
	_json_ json_t *body = NULL;
	int exists;

	if (json_check(obj, object_fields, s->key, err) < 0)
		return -1;
	stringify_values(json_obj(obj, "config"));
	stringify_devices(json_obj(obj, "devices"));
	name = str_url_encode(json_str(obj, "name", ""));
	url = xasprintf("%s/%s", s->url, name);
	exists = init_exists(url, err);
	if (exists < 0)
		return -1;
	if (exists) {
		body = without(obj, "name", s->create_only);
		return init_do("PATCH", url, body, err);
	}
	body = without(obj, NULL, NULL);
	if (init_do("POST", s->url, body, err) < 0)
		return -1;
	undo_push(undo, "remove what the preseed made", delete_url, take_ptr(url));
	return 0;
}

static int apply_section(const struct section *s, const json_t *list, struct undo *undo,
			 struct err *err)
{
	json_t *obj;
	size_t i;

	json_array_foreach(list, i, obj)
	{
		if (apply_object(s, obj, undo, err) < 0)
			return err_wrap(err, "%s: %s", s->key, json_str(obj, "name", "?"));
	}
	return 0;
}

static int apply_config(json_t *config, struct err *err)
{
	_json_ json_t *body = NULL;

	if (!config || json_object_size(config) == 0)
		return 0;
	stringify_values(config);
	body = json_pack("{s:O}", "config", config);
	return init_do("PATCH", "/1.0", body, err);
}

static int apply_cluster(json_t *cluster, struct err *err)
{
	if (!cluster || !json_bool(cluster, "enabled", true))
		return 0;
	if (json_check(cluster, cluster_fields, "cluster", err) < 0)
		return -1;
	/* A variable that was empty: never a reason to begin a cluster of one's own. */
	if (json_object_get(cluster, "cluster_token") &&
	    str_empty(json_str(cluster, "cluster_token", "")))
		return err_set(err, ERR_INVALID,
			       "cluster: the join token is empty: give what \"dunlin cluster add "
			       "NAME\" printed on a member");
	json_object_del(cluster, "cluster_certificate_path");
	json_put_bool(cluster, "enabled", true);
	if (init_do("PUT", "/1.0/cluster", cluster, err) < 0)
		return err_wrap(err, "cluster");
	return 0;
}

int preseed_apply(json_t *preseed, struct err *err)
{
	_undo_ struct undo undo = { 0 };

	if (json_is_null(preseed))
		return 0;
	if (json_check(preseed, preseed_fields, "preseed", err) < 0 ||
	    apply_config(json_obj(preseed, "config"), err) < 0 ||
	    apply_cluster(json_obj(preseed, "cluster"), err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		if (apply_section(&sections[i], json_arr(preseed, sections[i].key), &undo, err) < 0)
			return -1;
	}
	undo_keep(&undo);
	return 0;
}

json_t *preseed_auto(const char *pool_driver, const char *listen_address)
{
	json_t *root = json_pack("{s:s, s:s}", "path", "/", "pool", POOL_DEFAULT);
	json_t *eth0 = json_pack("{s:s, s:s}", "name", "eth0", "network", NETWORK);
	json_t *p = json_pack("{s:{}, s:[{s:s,s:s}], s:[{s:s,s:{s:s}}], s:[{s:s,s:{s:o,s:o}}]}",
			      "config", "storage_pools", "name", POOL_DEFAULT, "driver",
			      pool_driver, "networks", "name", NETWORK, "config", "ipv4.address",
			      "auto", "profiles", "name", PROFILE_DEFAULT, "devices", "root", root,
			      "eth0", eth0);

	keys_put_type(device_keys, root);
	keys_put_type(device_keys, eth0);

	if (listen_address)
		json_put_str(json_obj(p, "config"), "core.https_address", listen_address);
	return p;
}

static int dump_section(json_t *out, const struct section *s, struct err *err)
{
	_free_ char *url = xasprintf("%s?recursion=1", s->url);
	_json_ json_t *list = init_call("GET", url, NULL, 0, err);
	json_t *kept = json_array(), *obj;
	size_t i;

	json_object_set_new(out, s->key, kept);
	if (!list)
		return -1;
	json_array_foreach(list, i, obj)
	{
		json_t *copy = json_object();

		for (const struct json_field *f = object_fields; f->key; f++) {
			if (json_object_get(obj, f->key))
				json_object_set(copy, f->key, json_object_get(obj, f->key));
		}
		if (json_object_get(obj, "managed") != json_false())
			json_array_append_new(kept, copy);
		else
			json_decref(copy);
	}
	return 0;
}

json_t *preseed_dump(struct err *err)
{
	_json_ json_t *server = init_call("GET", "/1.0", NULL, 0, err);
	_json_ json_t *out = json_object();

	if (!server)
		return NULL;
	json_object_set(out, "config", json_obj(server, "config"));
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		if (dump_section(out, &sections[i], err) < 0)
			return NULL;
	}
	return take_ptr(out);
}
