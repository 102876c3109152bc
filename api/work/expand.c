/* SPDX-License-Identifier: Apache-2.0 */
#include "api/work/expand.h"

#include <assert.h>

#include "api/work/state.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/ref.h"
#include "node/device/device.h"

static json_t *profile_doc(struct store *s, json_t *profiles, const json_t *instance,
			   const char *name)
{
	_free_ char *key = ref_beside(json_str(instance, "name", ""), ENT_PROFILE, name);
	json_t *doc = json_incref(json_object_get(profiles, key));
	_row_ struct row row = { 0 };
	struct err err;

	if (doc)
		return doc;
	doc = store_get(s, ENT_PROFILE, key, &row, &err) == 0 ? json_incref(row.doc)
							      : json_object();
	if (profiles)
		json_object_set(profiles, key, doc);
	return doc;
}

static void lay(json_t *config, json_t *devices, const json_t *over)
{
	json_object_update(config, json_obj(over, "config"));
	json_object_update(devices, json_obj(over, "devices"));
}

void expand_shown(struct store *s, json_t *profiles, const json_t *instance, json_t **ret_config,
		  json_t **ret_devices)
{
	json_t *config = json_object(), *devices = json_object(), *name;
	size_t i;

	json_array_foreach(json_arr(instance, "profiles"), i, name) {
		_json_ json_t *p = profile_doc(s, profiles, instance, json_string_value(name));

		lay(config, devices, p);
	}
	lay(config, devices, instance);
	*ret_config = config;
	*ret_devices = devices;
}

/* Devices name networks of their instance's project. */
static void resolve(const char *instance, json_t *devices)
{
	struct device_claim c;
	const char *device;
	json_t *dev;

	json_object_foreach(devices, device, dev) {
		bool named = device_claims(dev, &c) && c.named_by;
		_free_ char *key = named ? ref_beside(instance, ENT_NETWORK, c.network) : NULL;
		json_t *resolved;

		if (!key || str_eq(key, c.network))
			continue;
		resolved = json_copy(dev);
		json_put_str(resolved, c.named_by, key);
		json_object_set_new(devices, device, resolved);
	}
}

void expand_parts(struct store *s, json_t *profiles, const json_t *instance, json_t **ret_config,
		  json_t **ret_devices)
{
	expand_shown(s, profiles, instance, ret_config, ret_devices);
	resolve(json_str(instance, "name", ""), *ret_devices);
}

bool instance_has_profile(const json_t *doc, const char *key)
{
	json_t *v;
	size_t i;

	json_array_foreach(json_arr(doc, "profiles"), i, v) {
		if (ref_means(json_str(doc, "name", ""), ENT_PROFILE, json_string_value(v), key))
			return true;
	}
	return false;
}

/* --- of one request -------------------------------------------------------------------------- */

/* Has doc the profiles that x was made from, in their order, and are they as they were? */
static bool is_made_from(const struct api_env *env, const struct expanded *x, const json_t *doc)
{
	void *at = json_object_iter(x->profiles);
	json_t *name;
	size_t i;

	if (!x->profiles)
		return false;
	json_array_foreach(json_arr(doc, "profiles"), i, name) {
		_free_ char *key =
			ref_beside(json_str(doc, "name", ""), ENT_PROFILE, json_string_value(name));

		if (!at || !str_eq(json_object_iter_key(at), key) ||
		    json_integer_value(json_object_iter_value(at)) !=
			    store_row_rev(env->store, ENT_PROFILE, key))
			return false;
		at = json_object_iter_next(x->profiles, at);
	}
	return !at;
}

/* What is used is of the revision that is noted. */
static void lay_profiles(const struct api_env *env, const json_t *doc, struct expanded *x)
{
	json_t *name;
	size_t i;

	x->profiles = json_object();
	x->profile_config = json_object();
	x->profile_devices = json_object();
	json_array_foreach(json_arr(doc, "profiles"), i, name) {
		_free_ char *key =
			ref_beside(json_str(doc, "name", ""), ENT_PROFILE, json_string_value(name));
		_row_ struct row row = { 0 };
		struct err missing;

		if (store_get(env->store, ENT_PROFILE, key, &row, &missing) == 0)
			lay(x->profile_config, x->profile_devices, row.doc);
		json_put_int(x->profiles, key, row.rev);
	}
}

void expand(const struct api_env *env, json_t *doc, struct expanded *x)
{
	assert(doc);
	json_incref(doc);
	if (!is_made_from(env, x, doc)) {
		expanded_done(x);
		lay_profiles(env, doc, x);
		__atomic_add_fetch(&env->state->expansions, 1, __ATOMIC_RELAXED);
	}
	json_decref(x->doc);
	json_decref(x->config);
	json_decref(x->devices);
	x->doc = doc;
	x->config = json_copy(x->profile_config);
	x->devices = json_copy(x->profile_devices);
	lay(x->config, x->devices, doc);
	resolve(json_str(doc, "name", ""), x->devices);
}

void expanded_share(const struct expanded *from, struct expanded *to)
{
	if (to->profiles)
		return;
	to->profiles = json_incref(from->profiles);
	to->profile_config = json_incref(from->profile_config);
	to->profile_devices = json_incref(from->profile_devices);
}

struct expanded expanded_take(struct expanded *own_x)
{
	struct expanded x = { 0 };

	if (own_x) {
		x = *own_x;
		*own_x = (struct expanded){ 0 };
	}
	return x;
}

void expanded_done(struct expanded *x)
{
	json_decref(x->doc);
	json_decref(x->config);
	json_decref(x->devices);
	json_decref(x->profiles);
	json_decref(x->profile_config);
	json_decref(x->profile_devices);
	*x = (struct expanded){ 0 };
}

void expanded_follow(struct expanded *x)
{
	json_object_update(x->config, json_obj(x->doc, "config"));
}

uint64_t expand_count(const struct api_env *env)
{
	return __atomic_load_n(&env->state->expansions, __ATOMIC_RELAXED);
}
