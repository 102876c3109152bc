/* SPDX-License-Identifier: Apache-2.0 */
#include "api/instance_check.h"

#include <net/if.h>
#include <string.h>

#include "api/address.h"
#include "api/instance_host.h"
#include "api/keys.h"
#include "api/keys_value.h"
#include "api/spec.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/lxcconf.h"

#define PROFILES_MAX 50
#define DESCRIPTION_MAX 4096
#define BROKEN_MAX 200 /* of names in an error */

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
static int check_nic_network(const struct api_env *env, const char *what, const json_t *dev,
			     struct err *err)
{
	const char *name = spec_nic_network(dev), *fixed = json_str(dev, "ipv4.address", NULL);
	_row_ struct row row = { 0 };
	struct net4 n;
	bool there = store_get(env->store, ENT_NETWORK, name, &row, err) == 0;

	if (!there && err->kind != ERR_NOT_FOUND)
		return -1;
	if (!there && (json_str(dev, "network", NULL) || !if_nametoindex(name)))
		return err_set(err, ERR_NOT_FOUND, "%s: Network not found: \"%.20s\"", what, name);
	if (fixed && (!there || !net4_parse(row.doc, &n)))
		return err_set(err, ERR_INVALID,
			       "%s: invalid value \"%s\" for key \"ipv4.address\": \"%.20s\" is no "
			       "managed network with IPv4",
			       what, fixed, name);
	return 0;
}

/* What two devices of one type can't share: the name inside, the place. */
static char *place_of(const char *device, const json_t *dev)
{
	const char *path = json_str(dev, "path", "");
	size_t n = strlen(path);

	if (str_eq(json_str(dev, "type", ""), "nic"))
		return xasprintf("interface \"%s\"", json_str(dev, "name", device));
	while (n > 1 && path[n - 1] == '/')
		n--;
	return xasprintf("path \"%.*s\"", (int)n, path);
}

static int check_device(const struct api_env *env, const char *what, const char *device,
			const json_t *dev, json_t *places, struct err *err)
{
	_free_ char *full = xasprintf("%s: device \"%s\"", what, device);
	_free_ char *place = place_of(device, dev);
	bool nic = str_eq(json_str(dev, "type", ""), "nic");
	const char *other = json_str(places, place, NULL);

	if (str_eq(json_str(dev, "type", ""), "none"))
		return 0;
	if (nic && check_nic_name(json_str(dev, "name", device)))
		return err_set(err, ERR_INVALID,
			       "%s: \"name\" is missing, and the device's name can't be that of an "
			       "interface: it %s",
			       full, check_nic_name(device));
	if (other)
		return err_set(err, ERR_INVALID, "%s: %s is that of device \"%s\" already", full,
			       place, other);
	json_put_str(places, place, device);
	return nic ? check_nic_network(env, full, dev, err) : 0;
}

static int check_root(const struct api_env *env, const char *what, const json_t *devices,
		      const json_t *old_devices, struct err *err)
{
	json_t *root = spec_root_device(devices);
	_json_ json_t *pool = NULL;
	const char *before;

	if (!root && store_count(env->store, ENT_POOL, NULL) == 0)
		return err_set(err, ERR_INVALID,
			       "%s: there is no storage pool yet: this host was not set up; run "
			       "\"dunlind init\" on it",
			       what);
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
	before = json_str(spec_root_device(old_devices), "pool", NULL);
	if (before && !str_eq(before, json_str(root, "pool", "")))
		return err_set(err, ERR_INVALID,
			       "%s: the root disk can't be moved from pool \"%s\" by changing the "
			       "configuration",
			       what, before);
	return 0;
}

static int check_devices(const struct api_env *env, const char *what, json_t *devices,
			 const json_t *old_devices, struct err *err)
{
	_json_ json_t *places = json_object();
	const char *device;
	json_t *dev;

	json_object_foreach(devices, device, dev) {
		if (check_device(env, what, device, dev, places, err) < 0)
			return -1;
	}
	return check_root(env, what, devices, old_devices, err);
}

/* An address of a nic that neither is there nor was. */
static int check_volatile(const char *what, const json_t *config, const json_t *devices,
			  const json_t *old_config, struct err *err)
{
	static const char start[] = "volatile.", end[] = ".hwaddr";
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)config, key, v) {
		_free_ char *device = NULL;

		if (!str_starts(key, start) || !str_ends(key, end) ||
		    json_object_get(old_config, key))
			continue;
		device = xstrndup(key + strlen(start), strlen(key) - strlen(start) - strlen(end));
		if (!str_eq(json_str(json_object_get(devices, device), "type", ""), "nic"))
			return err_set(err, ERR_INVALID,
				       "%s: \"%.80s\" can't be set (to \"%s\"): there is no nic "
				       "\"%s\"",
				       what, key, json_string_value(v), device);
	}
	return 0;
}

static int check_expanded(const struct api_env *env, const char *what, const json_t *doc,
			  const json_t *old, struct err *err)
{
	_json_ json_t *config = NULL, *devices = NULL, *old_config = NULL, *old_devices = NULL;

	spec_expand(env->store, NULL, doc, &config, &devices);
	if (old)
		spec_expand(env->store, NULL, old, &old_config, &old_devices);
	if (check_volatile(what, json_obj(doc, "config"), devices, old_config, err) < 0 ||
	    check_devices(env, what, devices, old_devices, err) < 0)
		return -1;
	return old ? instance_check_host(env, doc, old, err) : 0;
}

int config_check_raw(const char *what, const json_t *config, const json_t *old, struct err *err)
{
	const char *raw = json_str(config, "raw.lxc", "");

	if (str_empty(raw) || str_eq(raw, json_str(old, "raw.lxc", "")) ||
	    lxcconf_try_raw(raw, err) == 0)
		return 0;
	return err_wrap(err, "%s: invalid value for key \"raw.lxc\"", what);
}

int instance_check(const struct api_env *env, json_t *doc, const json_t *old, struct err *err)
{
	_free_ char *what = xasprintf("instance \"%.64s\"", json_str(doc, "name", "?"));

	if (strlen(json_str(doc, "description", "")) > DESCRIPTION_MAX)
		return err_set(err, ERR_INVALID, "%s: the description is longer than %d bytes",
			       what, DESCRIPTION_MAX);
	if (keys_check(KEYS_INSTANCE, what, json_obj(doc, "config"), err) < 0 ||
	    config_check_raw(what, json_obj(doc, "config"), json_obj(old, "config"), err) < 0 ||
	    devices_check(what, json_obj(doc, "devices"), err) < 0 ||
	    check_profiles(env, what, json_arr(doc, "profiles"), err) < 0)
		return -1;
	return check_expanded(env, what, doc, old, err);
}

/* --- the instances of a profile -------------------------------------------------------------- */

static bool has_profile(const json_t *doc, const char *name)
{
	json_t *v;
	size_t i;

	json_array_foreach(json_arr(doc, "profiles"), i, v) {
		if (str_eq(json_string_value(v), name))
			return true;
	}
	return false;
}

/* One that is broken already does not stand in the way. */
static bool breaks(const struct api_env *env, const json_t *doc, json_t *next, struct err *err)
{
	_json_ json_t *config = NULL, *devices = NULL, *old_config = NULL, *old_devices = NULL;
	_free_ char *what = xasprintf("instance \"%s\"", json_str(doc, "name", "?"));
	struct err ignored;

	spec_expand(env->store, NULL, doc, &old_config, &old_devices);
	spec_expand(env->store, next, doc, &config, &devices);
	return check_devices(env, "", old_devices, old_devices, &ignored) == 0 &&
	       check_devices(env, what, devices, old_devices, err) < 0;
}

int instances_check_profile(const struct api_env *env, const char *name, json_t *doc,
			    struct err *err)
{
	_json_ json_t *next = json_pack("{s:O}", name, doc);
	_sbuf_ struct sbuf broken = SBUF(BROKEN_MAX);
	_rows_ struct rows rows = { 0 };
	struct err why, first = { 0 };
	size_t n = 0;

	if (store_list(env->store, ENT_INSTANCE, NULL, &rows, err) < 0)
		return -1;
	for (size_t i = 0; i < rows.n; i++) {
		if (!has_profile(rows.v[i].doc, name) || !breaks(env, rows.v[i].doc, next, &why))
			continue;
		if (!first.kind)
			first = why;
		n++;
		sbuf_printf(&broken, "%s\"%s\"", broken.len ? ", " : "", rows.v[i].key);
	}
	if (!first.kind)
		return 0;
	return err_set(err, ERR_INVALID,
		       "profile \"%.64s\": the change would break %zu of its instances (%s%s): %s",
		       name, n, broken.data, broken.overflow ? " ..." : "", first.msg);
}
