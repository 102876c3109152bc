/* SPDX-License-Identifier: Apache-2.0 */
#include "api/work/snapshot.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/work/expand.h"
#include "base/mem.h"
#include "base/str.h"

#define NAME_BYTES 63

static const char *const frozen[] = { "architecture", "config",	      "devices",    "ephemeral",
				      "profiles",     "last_used_at", "created_at", "expires_at",
				      "stateful" };

char *snapshot_key(const char *instance, const char *name)
{
	return xasprintf("%s/%s", instance, name);
}

bool snapshot_is_ready(const json_t *doc)
{
	return !json_bool(doc, SNAPSHOT_MAKING, false) && !json_bool(doc, SNAPSHOT_LEAVING, false);
}

static bool is_shown(const json_t *doc)
{
	return !json_bool(doc, SNAPSHOT_MAKING, false);
}

int snapshot_check_name(const char *name, struct err *err)
{
	if (name_is_free(name, NAME_BYTES) && !strchr(name, ' '))
		return 0;
	return err_set(err, ERR_INVALID,
		       "snapshot: invalid name \"%.80s\": 1 to %d characters without blanks, "
		       "\"/\" and \"~\", and no \"-\" first",
		       name, NAME_BYTES);
}

int snapshot_rows(const struct api_env *env, const char *instance, struct rows *ret,
		  struct err *err)
{
	return store_list(env->store, ENT_SNAPSHOT, instance, ret, err);
}

int snapshot_get(const struct api_env *env, const char *instance, const char *name, struct row *ret,
		 struct err *err)
{
	_free_ char *key = snapshot_key(instance, name);

	if (store_get(env->store, ENT_SNAPSHOT, key, ret, err) == 0 && is_shown(ret->doc))
		return 0;
	return err_set(err, ERR_NOT_FOUND,
		       "Instance snapshot not found: instance \"%s\" has no snapshot \"%.64s\"",
		       instance, name);
}

/* --- as clients see them --------------------------------------------------------------------- */

json_t *snapshot_writable(const json_t *doc)
{
	return json_pack("{s:s}", "expires_at", json_str(doc, "expires_at", SNAPSHOT_NEVER));
}

json_t *snapshot_json(struct store *s, const json_t *doc)
{
	_json_ json_t *instance = json_copy((json_t *)doc);
	json_t *j = json_object(), *config, *devices;

	for (size_t i = 0; i < ARRAY_SIZE(frozen); i++)
		json_object_set(j, frozen[i], json_object_get(doc, frozen[i]));
	json_put_str(instance, "name", json_str(doc, "instance", ""));
	expand_shown(s, NULL, instance, &config, &devices);
	json_object_set_new(j, "expanded_config", config);
	json_object_set_new(j, "expanded_devices", devices);
	json_put_str(j, "name", json_str(doc, "name", ""));
	return j;
}

static int by_age(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int order = strcmp(json_str(x->doc, "created_at", ""), json_str(y->doc, "created_at", ""));

	return order ? order : strcmp(x->key, y->key);
}

json_t *snapshots_json(struct store *s, const char *instance)
{
	_json_ json_t *list = json_array();
	_rows_ struct rows rows = { 0 };
	struct err err;

	if (store_list(s, ENT_SNAPSHOT, instance, &rows, &err) < 0)
		return json_null();
	if (rows.n)
		qsort(rows.v, rows.n, sizeof(*rows.v), by_age);
	for (size_t i = 0; i < rows.n; i++) {
		if (is_shown(rows.v[i].doc))
			json_array_append_new(list, snapshot_json(s, rows.v[i].doc));
	}
	return json_array_size(list) ? json_incref(list) : json_null();
}

char *snapshot_url(const char *path, const char *instance, const char *name)
{
	_free_ char *encoded = str_url_encode(name), *of = str_url_encode(ref_of(instance).name);
	_free_ char *url = xasprintf("/1.0/%s/%s/snapshots/%s", path, of, encoded);

	return ref_add_project(url, instance);
}

void snapshot_event(const struct api_env *env, const char *instance, const char *name,
		    const char *action, json_t *own_context)
{
	_free_ char *url = snapshot_url("instances", instance, name);
	_free_ char *what = xasprintf("instance-snapshot-%s", action);
	_json_ json_t *context = own_context;

	event_lifecycle(env->events, &(struct event_source){ .action = what,
							     .url = url,
							     .key = instance,
							     .context = context });
}

/* --- with their instance --------------------------------------------------------------------- */

int snapshots_rename(const struct api_env *env, const char *instance, const char *new_name,
		     struct tx *tx, struct err *err)
{
	_rows_ struct rows rows = { 0 };

	if (snapshot_rows(env, instance, &rows, err) < 0)
		return -1;
	for (size_t i = 0; i < rows.n; i++) {
		const struct row *row = &rows.v[i];
		_free_ char *key = snapshot_key(new_name, json_str(row->doc, "name", ""));

		json_put_str(row->doc, "instance", new_name);
		tx_delete(tx, ENT_SNAPSHOT, row->key, row->rev);
		tx_put(tx, ENT_SNAPSHOT, key, REV_NONE, row->doc);
	}
	return 0;
}

int snapshots_release(const struct api_env *env, const char *instance, struct tx *tx,
		      struct err *err)
{
	_rows_ struct rows rows = { 0 };

	if (snapshot_rows(env, instance, &rows, err) < 0)
		return -1;
	for (size_t i = 0; i < rows.n; i++)
		tx_delete(tx, ENT_SNAPSHOT, rows.v[i].key, REV_ANY);
	return 0;
}
