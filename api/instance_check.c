/* SPDX-License-Identifier: Apache-2.0 */
#include "api/instance_check.h"

#include <net/if.h>
#include <string.h>

#include "api/keys.h"
#include "api/spec.h"
#include "base/mem.h"
#include "base/str.h"

#define PROFILES_MAX 50
#define DESCRIPTION_MAX 4096

int instance_check_name(const char *name, struct err *err)
{
	if (str_is_hostname(name))
		return 0;
	return err_set(
		err, ERR_INVALID,
		"Invalid instance name \"%.80s\": 1 to 63 letters, digits and hyphens, a letter "
		"first, no hyphen last",
		name);
}

void instance_keep_volatile(json_t *doc, const json_t *old)
{
	json_t *config = json_obj(doc, "config"), *v;
	const char *key;

	json_object_foreach(json_obj(old, "config"), key, v) {
		bool ours = str_eq(key, "volatile.uuid") || str_starts(key, "volatile.last_state.");

		if (str_starts(key, "volatile.") && (ours || !json_object_get(config, key)))
			json_object_set(config, key, v);
	}
}

static int check_profiles(const struct api_env *env, const char *what, const json_t *profiles,
			  struct err *err)
{
	_json_ json_t *seen = json_object();
	json_t *v;
	size_t i;

	if (json_array_size(profiles) > PROFILES_MAX)
		return err_set(err, ERR_INVALID, "%s: more than %d profiles", what, PROFILES_MAX);
	json_array_foreach(profiles, i, v) {
		const char *name = json_string_value(v);
		_row_ struct row row = { 0 };

		if (json_object_get(seen, name))
			return err_set(err, ERR_INVALID, "%s: profile \"%s\" is named twice", what,
				       name);
		json_object_set_new(seen, name, json_true());
		if (store_get(env->store, ENT_PROFILE, name, &row, err) < 0)
			return err->kind == ERR_NOT_FOUND
				       ? err_set(err, ERR_NOT_FOUND,
						 "%s: Profile not found: \"%.80s\"", what, name)
				       : -1;
	}
	return 0;
}

/* A managed network by name, or a bridge of the host for "parent". */
static int check_nic_network(const struct api_env *env, const char *what, const char *device,
			     const json_t *dev, struct err *err)
{
	const char *name = spec_nic_network(dev);
	_row_ struct row row = { 0 };

	if (store_get(env->store, ENT_NETWORK, name, &row, err) == 0)
		return 0;
	if (err->kind != ERR_NOT_FOUND || (!json_str(dev, "network", NULL) && if_nametoindex(name)))
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	return err_set(err, ERR_NOT_FOUND, "%s: device \"%s\": Network not found: \"%.20s\"", what,
		       device, name);
}

static int check_root(const struct api_env *env, const char *what, const json_t *devices,
		      const json_t *old, struct err *err)
{
	json_t *root = spec_root_device(devices);
	_json_ json_t *old_config = NULL, *old_devices = NULL, *pool = NULL;
	const char *before;

	if (!root)
		return err_set(
			err, ERR_INVALID,
			"%s: No root device could be found: add a disk with path=/ and a pool to "
			"a profile or the instance",
			what);
	pool = spec_pool_of(env, json_str(root, "pool", ""), err);
	if (!pool)
		return err->kind == ERR_NOT_FOUND ? err_set(err, ERR_NOT_FOUND,
							    "%s: Storage pool not found: \"%.80s\"",
							    what, json_str(root, "pool", ""))
						  : -1;
	if (!old)
		return 0;
	spec_expand(env->store, NULL, old, &old_config, &old_devices);
	before = json_str(spec_root_device(old_devices), "pool", NULL);
	if (before && !str_eq(before, json_str(root, "pool", "")))
		return err_set(err, ERR_INVALID,
			       "%s: the root disk can't be moved from pool \"%s\" by changing the "
			       "configuration",
			       what, before);
	return 0;
}

static int check_expanded(const struct api_env *env, const char *what, const json_t *doc,
			  const json_t *old, struct err *err)
{
	_json_ json_t *config = NULL, *devices = NULL;
	const char *device;
	json_t *dev;

	spec_expand(env->store, NULL, doc, &config, &devices);
	json_object_foreach(devices, device, dev) {
		if (spec_nic_network(dev) && check_nic_network(env, what, device, dev, err) < 0)
			return -1;
	}
	return check_root(env, what, devices, old, err);
}

int instance_check(const struct api_env *env, json_t *doc, const json_t *old, struct err *err)
{
	_free_ char *what = xasprintf("instance \"%.64s\"", json_str(doc, "name", "?"));

	if (strlen(json_str(doc, "description", "")) > DESCRIPTION_MAX)
		return err_set(err, ERR_INVALID, "%s: the description is longer than %d bytes",
			       what, DESCRIPTION_MAX);
	if (keys_check(KEYS_INSTANCE, what, json_obj(doc, "config"), err) < 0 ||
	    devices_check(what, json_obj(doc, "devices"), err) < 0 ||
	    check_profiles(env, what, json_arr(doc, "profiles"), err) < 0)
		return -1;
	return check_expanded(env, what, doc, old, err);
}
