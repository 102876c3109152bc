/* SPDX-License-Identifier: Apache-2.0 */
#include "api/work/instance.h"

#include <assert.h>
#include <string.h>

#include "api/work/icache.h"
#include "api/work/spec.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/ref.h"
#include "cluster/model/state.h"
#include "node/container/container.h"

/* --- as clients see it ----------------------------------------------------------------------- */

static void copy_or(json_t *to, const json_t *from, const char *key, json_t *own_dflt)
{
	json_t *v = json_object_get(from, key);

	assert(own_dflt);
	if (v && !json_is_null(v))
		json_object_set(to, key, v);
	else
		json_object_set(to, key, own_dflt);
	json_decref(own_dflt);
}

json_t *instance_writable(const json_t *doc)
{
	json_t *j = json_object();

	copy_or(j, doc, "architecture", json_string(""));
	copy_or(j, doc, "config", json_object());
	copy_or(j, doc, "devices", json_object());
	copy_or(j, doc, "ephemeral", json_false());
	copy_or(j, doc, "profiles", json_array());
	copy_or(j, doc, "description", json_string(""));
	return j;
}

json_t *instance_json(struct store *s, json_t *profiles, const json_t *doc)
{
	json_t *j = instance_writable(doc), *config, *devices;
	struct ref ref = ref_of(json_str(doc, "name", ""));

	expand_shown(s, profiles, doc, &config, &devices);
	copy_or(j, doc, "stateful", json_false());
	copy_or(j, doc, "created_at", json_string("0001-01-01T00:00:00Z"));
	json_object_set_new(j, "expanded_config", config);
	json_object_set_new(j, "expanded_devices", devices);
	json_put_str(j, "name", ref.name);
	copy_or(j, doc, "last_used_at", json_string("1970-01-01T00:00:00Z"));
	json_put_str(j, "location", json_str(doc, "member", "none"));
	json_put_str(j, "type", "container");
	json_put_str(j, "project", ref.project);
	return j;
}

/* None told is one that does not run. */
static enum status status_in(const json_t *fact)
{
	const char *name = json_str(fact, "status", NULL);

	return name ? status_by_name(name) : STATUS_STOPPED;
}

void instance_put_status(json_t *j, enum status s)
{
	assert(json_is_object(j));
	json_put_str(j, "status", status_name(s));
	json_put_int(j, "status_code", s);
}

/* What a running instance is known to have when its member tells no more. */
static json_t *leased_network(const struct api_env *env, const json_t *doc)
{
	json_t *networks = json_object();
	_rows_ struct rows leases = { 0 };
	struct err err;

	if (store_list(env->store, ENT_ADDRESS, json_str(doc, "name", ""), &leases, &err) < 0)
		return networks;
	for (size_t i = 0; i < leases.n; i++) {
		const json_t *l = leases.v[i].doc;
		json_t *address = json_pack("{s:s, s:s, s:s, s:s}", "family", "inet", "address",
					    json_str(l, "ip", ""), "netmask", "24", "scope",
					    "global");

		json_object_set_new(networks, json_str(l, "device", "eth0"),
				    json_pack("{s:[o], s:{}, s:s, s:s, s:i, s:s, s:s}", "addresses",
					      address, "counters", "hwaddr",
					      json_str(l, "hwaddr", ""), "host_name", "", "mtu",
					      1500, "state", "up", "type", "broadcast"));
	}
	return networks;
}

json_t *instance_state_json(const struct api_env *env, const json_t *doc, const json_t *fact)
{
	enum status status = status_in(fact);
	bool alive = status_is_alive(status);
	const json_t *usage = json_obj(fact, "usage") ? json_obj(fact, "usage") : fact;
	json_t *j = json_object(), *network = json_obj(fact, "network");

	instance_put_status(j, status);
	copy_or(j, usage, "disk", json_object());
	copy_or(j, usage, "memory",
		json_pack("{s:i, s:i, s:i, s:i}", "usage", 0, "usage_peak", 0, "swap_usage", 0,
			  "swap_usage_peak", 0));
	if (alive && json_object_size(network) == 0)
		json_object_set_new(j, "network", leased_network(env, doc));
	else
		json_object_set(j, "network", alive && network ? network : json_null());
	copy_or(j, fact, "pid", json_integer(0));
	copy_or(j, usage, "processes", json_integer(alive ? -1 : 0));
	copy_or(j, usage, "cpu", json_pack("{s:i}", "usage", 0));
	return j;
}

enum status instance_status_of(enum member_life life, const json_t *fact)
{
	bool unknown = life == LIFE_OFFLINE || (life == LIFE_UNKNOWN && !fact);

	assert(life <= LIFE_OFFLINE);
	return unknown ? STATUS_ERROR : status_in(fact);
}

enum status instance_status(const struct api_env *env, const json_t *doc)
{
	const char *member = json_str(doc, "member", ""), *name = json_str(doc, "name", "");
	_json_ json_t *fact = NULL;
	char from[64] = "";

	if (str_eq(member, cluster_member_name(env->cluster)))
		return container_status(env->node, name);
	fact = store_fact_get(env->store, FACT_INSTANCE, name, from);
	return instance_status_of(cluster_member_life(env->cluster, member, NULL),
				  str_eq(from, member) ? fact : NULL);
}

/* --- rows ------------------------------------------------------------------------------------ */

int instance_get(const struct api_env *env, const char *name, struct row *ret, struct err *err)
{
	if (store_get(env->store, ENT_INSTANCE, name, ret, err) == 0)
		return 0;
	if (err->kind == ERR_NOT_FOUND)
		err_set(err, ERR_NOT_FOUND, "Instance not found: no instance \"%s\"", name);
	return -1;
}

static int check_here(const struct api_env *env, const struct row *row, bool half_made,
		      struct err *err)
{
	const char *me = cluster_member_name(env->cluster);
	const char *member = json_str(row->doc, "member", "");
	enum inst_state state = inst_state(row->doc);

	if (!str_eq(member, me))
		return err_set(err, ERR_CONFLICT,
			       "instance \"%s\" is on member \"%s\", not on \"%s\"", row->key,
			       member, me);
	if (state != INST_READY && !(half_made && inst_may_become(state, INST_DELETING)))
		return err_set(err, ERR_CONFLICT, "instance \"%s\" is not ready: %s", row->key,
			       inst_state_told(state));
	return 0;
}

int instance_check_here(const struct api_env *env, const struct row *row, struct err *err)
{
	return check_here(env, row, false, err);
}

int instance_get_here(const struct api_env *env, const char *name, struct row *ret, struct err *err)
{
	if (instance_get(env, name, ret, err) < 0)
		return -1;
	return check_here(env, ret, false, err);
}

int instance_get_deletable(const struct api_env *env, const char *name, struct row *ret,
			   struct err *err)
{
	if (instance_get(env, name, ret, err) < 0)
		return -1;
	return check_here(env, ret, true, err);
}

int instance_edit(const struct api_env *env, const char *name,
		  int (*change)(void *arg, struct row *row, struct edit_try *t, struct err *err),
		  void *arg, struct err *err)
{
	struct row_edit edit = { .e = ENT_INSTANCE, .key = name, .change = change, .arg = arg };

	return row_edit(env->store, &edit, err);
}

json_t *instance_log_url(const char *name, const char *file)
{
	_free_ char *path = xasprintf("/1.0/instances/%s/logs/%s", ref_of(name).name, file);
	_free_ char *url = ref_add_project(path, name);

	return json_string(url);
}

void instance_event(const struct api_env *env, const char *name, const char *action,
		    json_t *own_context)
{
	_free_ char *url = ref_url("instances", name);
	_free_ char *what = xasprintf("instance-%s", action);
	_json_ json_t *context = own_context;

	event_lifecycle(env->events, &(struct event_source){
					     .action = what,
					     .url = url,
					     .key = name,
					     .context = context,
				     });
}
