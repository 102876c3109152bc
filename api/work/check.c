/* SPDX-License-Identifier: Apache-2.0 */
#include "api/work/check.h"

#include <assert.h>
#include <string.h>

#include "api/work/address.h"
#include "api/work/hostcheck.h"
#include "api/work/icache.h"
#include "api/work/spec.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/ref.h"
#include "node/container/keys.h"
#include "node/container/lxcconf.h"
#include "node/device/device.h"

#define PROFILES_MAX 50
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

static int check_profiles(const struct api_env *env, const char *what, const json_t *doc,
			  struct err *err)
{
	json_t *profiles = json_arr(doc, "profiles");
	_json_ json_t *seen = json_object();
	json_t *v;
	size_t i;

	if (json_array_size(profiles) > PROFILES_MAX)
		return err_set(err, ERR_INVALID, "%s: more than %d profiles", what, PROFILES_MAX);
	json_array_foreach(profiles, i, v) {
		const char *name = json_string_value(v);
		_free_ char *key = ref_beside(json_str(doc, "name", ""), ENT_PROFILE, name);
		_row_ struct row row = { 0 };

		if (json_object_get(seen, name))
			return err_set(err, ERR_INVALID, "%s: profile \"%s\" is named twice", what,
				       name);
		json_object_set_new(seen, name, json_true());
		if (store_get(env->store, ENT_PROFILE, key, &row, err) < 0)
			return err->kind == ERR_NOT_FOUND
				       ? err_set(err, ERR_NOT_FOUND,
						 "%s: Profile not found: \"%.80s\"", what, name)
				       : -1;
	}
	return 0;
}

/* A managed network by name; whether "parent" is a bridge its host knows. */
static int check_network(const struct api_env *env, const char *what, const struct device_claim *c,
			 struct err *err)
{
	const char *name = c->network, *fixed = c->ipv4;
	_row_ struct row row = { 0 };
	struct net4 n;
	bool there = store_get(env->store, ENT_NETWORK, name, &row, err) == 0;

	if (!there && err->kind != ERR_NOT_FOUND)
		return -1;
	if (!there && c->named_by)
		return err_set(err, ERR_NOT_FOUND, "%s: Network not found: \"%.20s\"", what, name);
	if (fixed && (!there || !net4_parse(row.doc, &n)))
		return err_set(err, ERR_INVALID,
			       "%s: invalid value \"%s\" for key \"ipv4.address\": \"%.20s\" is no "
			       "managed network with IPv4",
			       what, fixed, name);
	return 0;
}

/* Expanded devices and what they were (NULL: new): what does not change is not looked at, so that a
 * value that an older version took stands in no other change's way. */
struct look {
	const struct api_env *env;
	const char *what;
	const json_t *devices, *old;
	json_t *places; /* -> device */
};

static bool is_kept(const struct look *l, const char *device)
{
	return json_equal(json_object_get(l->devices, device), json_object_get(l->old, device));
}

static int take_place(struct look *l, const char *device, char *own_place, struct err *err)
{
	_free_ char *place = own_place;
	const char *other = json_str(l->places, place, NULL);

	assert(own_place);
	if (other && !(is_kept(l, device) && is_kept(l, other)))
		return err_set(err, ERR_INVALID,
			       "%s: device \"%s\": %s is that of device \"%s\" already", l->what,
			       device, place, other);
	json_put_str(l->places, place, device);
	return 0;
}

static int check_device(struct look *l, const char *device, const json_t *dev, struct err *err)
{
	_free_ char *full = xasprintf("%s: device \"%s\"", l->what, device);
	const struct device_ops *ops = device_ops_of(dev);
	struct device_claim c = { 0 };
	bool claims = device_claims(dev, &c);

	if (ops && ops->place && take_place(l, device, ops->place(device, dev), err) < 0)
		return -1;
	if (c.host_name &&
	    take_place(l, device, xasprintf("host_name \"%s\"", c.host_name), err) < 0)
		return -1;
	return claims && !is_kept(l, device) ? check_network(l->env, full, &c, err) : 0;
}

static int check_root(const struct api_env *env, const char *what, const json_t *devices,
		      const json_t *old_devices, struct err *err)
{
	json_t *root = spec_root_device(devices), *old_root = spec_root_device(old_devices);
	_json_ json_t *pool = NULL;
	const char *name, *before;

	if (old_devices && (root ? json_equal(root, old_root) : !old_root))
		return 0;
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
	name = device_pool(root);
	pool = spec_pool_of(env, name ? name : "", err);
	if (!pool)
		return err->kind == ERR_NOT_FOUND ? err_set(err, ERR_NOT_FOUND,
							    "%s: Storage pool not found: \"%.80s\"",
							    what, name ? name : "")
						  : -1;
	before = device_pool(old_root);
	if (before && !str_eq(before, name))
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
	struct look l = { env, what, devices, old_devices, places };
	const char *device;
	json_t *dev;

	json_object_foreach(devices, device, dev) {
		if (check_device(&l, device, dev, err) < 0)
			return -1;
	}
	return check_root(env, what, devices, old_devices, err);
}

struct owner {
	const char *host_name, *except;
	const char *member; /* NULL: any */
	char *found;
};

static void find_owner(void *arg, const struct icache_view *v)
{
	struct owner *o = arg;
	json_t *name;
	size_t i;

	json_array_foreach(json_arr(v->uses, "host_names"), i, name) {
		if (!o->found && str_eq(json_string_value(name), o->host_name) &&
		    !str_eq(v->name, o->except) && (!o->member || str_eq(v->member, o->member)))
			o->found = xstrdup(v->name);
	}
}

static int check_owners(const struct api_env *env, struct owner o, const json_t *devices,
			const json_t *old, struct err *err)
{
	struct device_claim c;
	const char *device;
	json_t *dev;

	json_object_foreach((json_t *)devices, device, dev) {
		_free_ char *owner = NULL;

		if (!device_claims(dev, &c) || !c.host_name ||
		    devices_have_host_name(old, c.host_name))
			continue;
		o.host_name = c.host_name;
		icache_each(env, find_owner, &o);
		owner = take_ptr(o.found);
		if (owner)
			return err_set(err, ERR_INVALID,
				       "instance \"%s\": device \"%s\": invalid value \"%s\" for "
				       "key \"host_name\": it is that of instance \"%s\"; choose "
				       "another",
				       o.except, device, o.host_name, owner);
	}
	return 0;
}

int instance_check_host_names(const struct api_env *env, const char *name, const json_t *devices,
			      const json_t *old, struct err *err)
{
	return check_owners(env, (struct owner){ .except = name }, devices, old, err);
}

int instance_check_host_names_here(const struct api_env *env, const struct expanded *x,
				   struct err *err)
{
	struct owner o = { .except = json_str(x->doc, "name", ""),
			   .member = cluster_member_name(env->cluster) };

	return check_owners(env, o, x->devices, NULL, err);
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
		if (!device_network(json_object_get(devices, device)))
			return err_set(err, ERR_INVALID,
				       "%s: \"%.80s\" can't be set (to \"%s\"): there is no nic "
				       "\"%s\"",
				       what, key, json_string_value(v), device);
	}
	return 0;
}

static int check_expanded(const struct api_env *env, const char *what, const struct expanded *x,
			  const struct expanded *old, struct err *err)
{
	static const struct expanded nothing;
	const struct expanded *before = old ? old : &nothing;

	if (check_volatile(what, json_obj(x->doc, "config"), x->devices, before->config, err) < 0 ||
	    check_devices(env, what, x->devices, before->devices, err) < 0 ||
	    instance_check_host_names(env, json_str(x->doc, "name", ""), x->devices,
				      before->devices, err) < 0)
		return -1;
	return old ? instance_check_host(env, x, old, err) : 0;
}

static void pin(const struct api_env *env, enum entity e, const char *name, struct tx *tx)
{
	_row_ struct row row = { 0 };
	struct err ignored;

	if (name && store_get(env->store, e, name, &row, &ignored) == 0)
		tx_check(tx, e, name, row.rev);
}

/* Before they are looked at. */
static void pin_all(const struct api_env *env, const struct expanded *x, struct tx *tx)
{
	const char *key;
	json_t *v;

	json_object_foreach(x->profiles, key, v)
		tx_check(tx, ENT_PROFILE, key, json_integer_value(v));
	json_object_foreach(x->devices, key, v) {
		pin(env, ENT_NETWORK, device_network(v), tx);
		pin(env, ENT_POOL, device_pool(v), tx);
	}
}

int config_check_raw(const char *what, const json_t *config, const json_t *old, struct err *err)
{
	const char *raw = keys_text(&instance_keys, config, "raw.lxc");

	if (str_empty(raw) || str_eq(raw, keys_text(&instance_keys, old, "raw.lxc")) ||
	    lxcconf_try_raw(raw, err) == 0)
		return 0;
	return err_wrap(err, "%s: invalid value for key \"raw.lxc\"", what);
}

int instance_check(const struct api_env *env, json_t *doc, const struct expanded *old,
		   struct tx *tx, struct expanded *x, struct err *err)
{
	_free_ char *what = xasprintf("instance \"%s\"", json_str(doc, "name", "?"));
	const json_t *before = old ? old->doc : NULL;
	json_t *profiles = json_arr(doc, "profiles");

	assert(!old || old->doc);
	if (keys_check(&instance_keys, what, json_obj(doc, "config"), json_obj(before, "config"),
		       err) < 0 ||
	    config_check_raw(what, json_obj(doc, "config"), json_obj(before, "config"), err) < 0 ||
	    devices_check(what, json_obj(doc, "devices"), json_obj(before, "devices"), err) < 0)
		return -1;
	if (old)
		expanded_share(old, x);
	expand(env, doc, x);
	if (tx)
		pin_all(env, x, tx);
	if (!json_equal(profiles, json_arr(before, "profiles")) &&
	    check_profiles(env, what, doc, err) < 0)
		return -1;
	return check_expanded(env, what, x, old, err);
}

/* --- why it does not start -------------------------------------------------------------------- */

static int check_values(const char *what, const json_t *doc, struct err *err)
{
	_json_ json_t *config = json_deep_copy(json_obj(doc, "config"));
	_json_ json_t *devices = json_deep_copy(json_obj(doc, "devices"));

	if (config && keys_check(&instance_keys, what, config, NULL, err) < 0)
		return -1;
	return devices ? devices_check(what, devices, NULL, err) : 0;
}

static void add_reason(struct err *err, const struct err *why, const char *command, const char *of)
{
	_free_ char *failed = xstrdup(err->msg);

	err_set(err, err->kind, "%s; %s: \"dunlin %s %s\" can change it", failed, why->msg, command,
		of);
}

void instance_explain(const struct api_env *env, const struct expanded *x, struct err *err)
{
	const json_t *doc = x->doc;
	const char *name = json_str(doc, "name", "?");
	_free_ char *what = xasprintf("instance \"%s\"", name);
	struct err why;
	json_t *v;
	size_t i;

	json_array_foreach(json_arr(doc, "profiles"), i, v) {
		const char *profile = json_string_value(v);
		_free_ char *of = xasprintf("profile \"%s\"", profile);
		_free_ char *key = ref_beside(name, ENT_PROFILE, profile);
		_row_ struct row row = { 0 };

		if (store_get(env->store, ENT_PROFILE, key, &row, &why) < 0 ||
		    check_values(of, row.doc, &why) == 0)
			continue;
		add_reason(err, &why, "profile edit", profile);
		return;
	}
	if (check_values(what, doc, &why) < 0 ||
	    check_devices(env, what, x->devices, NULL, &why) < 0)
		add_reason(err, &why, "config edit", name);
}

/* --- the instances of a profile -------------------------------------------------------------- */

/* Two instances can't have one interface of the host. */
static int take_host_names(json_t *taken, const char *name, const json_t *devices, struct err *err)
{
	struct device_claim c;
	const char *device;
	json_t *dev;

	json_object_foreach((json_t *)devices, device, dev) {
		const char *other;

		if (!device_claims(dev, &c) || !c.host_name)
			continue;
		other = json_str(taken, c.host_name, NULL);
		if (other && !str_eq(other, name))
			return err_set(
				err, ERR_INVALID,
				"instance \"%s\": device \"%s\": invalid value \"%s\" for "
				"key \"host_name\": it would be that of instance \"%s\", too",
				name, device, c.host_name, other);
		json_put_str(taken, c.host_name, name);
	}
	return 0;
}

/* taken: host_name -> instance. */
static int check_next(const struct api_env *env, const json_t *doc, json_t *next, json_t *taken,
		      struct err *err)
{
	_json_ json_t *config = NULL, *devices = NULL, *old_config = NULL, *old_devices = NULL;
	const char *name = json_str(doc, "name", "?");
	_free_ char *what = xasprintf("instance \"%s\"", name);

	expand_parts(env->store, NULL, doc, &old_config, &old_devices);
	expand_parts(env->store, next, doc, &config, &devices);
	if (check_devices(env, what, devices, old_devices, err) < 0 ||
	    instance_check_host_names(env, name, devices, old_devices, err) < 0 ||
	    take_host_names(taken, name, devices, err) < 0)
		return -1;
	if (!str_eq(json_str(doc, "member", ""), cluster_member_name(env->cluster)))
		return 0;
	return devices_check_host(env, what, devices, old_devices, err);
}

int instances_check_profile(const struct api_env *env, const char *key, json_t *doc,
			    struct err *err)
{
	_json_ json_t *next = json_pack("{s:O}", key, doc), *taken = json_object();
	_sbuf_ struct sbuf broken = SBUF(BROKEN_MAX);
	_rows_ struct rows rows = { 0 };
	struct err why, first = { 0 };
	size_t n = 0;

	if (store_list(env->store, ENT_INSTANCE, NULL, &rows, err) < 0)
		return -1;
	for (size_t i = 0; i < rows.n; i++) {
		if (!instance_has_profile(rows.v[i].doc, key) ||
		    check_next(env, rows.v[i].doc, next, taken, &why) == 0)
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
		       ref_of(key).name, n, broken.data, broken.overflow ? " ..." : "", first.msg);
}
