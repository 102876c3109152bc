/* SPDX-License-Identifier: Apache-2.0 */
#include <net/if.h>
#include <string.h>

#include "api/rest/locations.h"
#include "api/rest/object.h"
#include "api/rest/uses.h"
#include "api/work/address.h"
#include "api/work/netsync.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/network/network.h"
#include "node/network/type.h"

#define VNI_FIRST 1000

static bool is_name(const char *name)
{
	return str_is_ifname(name) && !str_eq(name, "lo");
}

static void show(struct req *r, const struct row *row, json_t *j)
{
	json_put_bool(j, "managed", true);
	put_locations(req_env(r), j);
}

/* Interfaces of the host are shown too, under the names of managed networks or not. */
int h_network_state_get(struct req *r)
{
	char name[REF_IFNAME_SIZE];
	json_t *state;

	state = network_state(req_env(r)->node, ref_ifname(req_ref(r, 0), name), req_err(r));
	return state ? reply_sync(r, state) : -1;
}

/* The member of the instance that a fixed address belongs to; this one for all else. */
static void put_location(const struct api_env *env, const char *network, json_t *lease)
{
	_free_ char *key = xasprintf("%s/%s", network, json_str(lease, "address", ""));
	const char *here = cluster_member_name(env->cluster);
	_row_ struct row address = { 0 }, instance = { 0 };
	struct err err;

	if (store_get(env->store, ENT_ADDRESS, key, &address, &err) == 0 &&
	    store_get(env->store, ENT_INSTANCE, json_str(address.doc, "instance", ""), &instance,
		      &err) == 0)
		here = json_str(instance.doc, "member", here);
	json_put_str(lease, "location", cluster_enabled(env->cluster) ? here : "");
}

int h_network_leases_get(struct req *r)
{
	const struct api_env *env = req_env(r);
	char name[REF_IFNAME_SIZE];
	_row_ struct row row = { 0 };
	json_t *leases, *lease;
	size_t i;

	if (object_find(r, &kind_network, &row) < 0)
		return -1;
	leases = network_leases(env->node, ref_ifname(row.key, name));
	json_array_foreach(leases, i, lease)
		put_location(env, row.key, lease);
	return reply_sync(r, leases ? leases : json_array());
}

/* --- what it may be -------------------------------------------------------------------------- */

static int fill_address(struct req *r, json_t *config, const char *missing)
{
	_free_ char *cidr = NULL;

	if (!json_str(config, "ipv6.address", NULL))
		json_put_str(config, "ipv6.address", "none");
	if (!json_str(config, "ipv4.address", NULL))
		json_put_str(config, "ipv4.address", missing);
	if (!str_eq(json_str(config, "ipv4.address", NULL), "auto"))
		return 0;
	cidr = net4_pick_subnet(req_env(r)->store, req_err(r));
	if (!cidr)
		return -1;
	json_put_str(config, "ipv4.address", cidr);
	if (!json_str(config, "ipv4.nat", NULL))
		json_put_str(config, "ipv4.nat", "true");
	return 0;
}

/* The lowest that no row has. */
static int64_t free_vni(const struct rows *rows)
{
	_free_ bool *taken = xcalloc(rows->n + 1, sizeof(*taken));
	size_t i = 0;

	for (size_t k = 0; k < rows->n; k++) {
		int64_t vni = json_int(rows->v[k].doc, "vni", 0);

		if (vni >= VNI_FIRST && vni < VNI_FIRST + (int64_t)rows->n)
			taken[vni - VNI_FIRST] = true;
	}
	while (taken[i])
		i++;
	return VNI_FIRST + (int64_t)i;
}

/* The identifier asked for, or a free one; unique in the cluster. */
static int fill_vni(struct req *r, json_t *doc, const struct network_ops *ops)
{
	int64_t wanted = keys_number(&ops->keys, json_obj(doc, "config"), ops->spans);
	_rows_ struct rows rows = { 0 };

	if (store_list(req_env(r)->store, ENT_NETWORK, NULL, &rows, req_err(r)) < 0)
		return -1;
	for (size_t i = 0; wanted && i < rows.n; i++)
		if (json_int(rows.v[i].doc, "vni", 0) == wanted)
			return err_set(req_err(r), ERR_CONFLICT,
				       "network \"%s\" has %s %lld already", rows.v[i].key,
				       ops->spans, (long long)wanted);
	json_put_int(doc, "vni", wanted ? wanted : free_vni(&rows));
	return 0;
}

static int check_no_interface(struct req *r, const char *key)
{
	char bridge[REF_IFNAME_SIZE];

	if (!if_nametoindex(ref_ifname(key, bridge)))
		return 0;
	return err_set(req_err(r), ERR_CONFLICT,
		       "network \"%s\": this host has an interface of that name", ref_of(key).name);
}

static int fix(struct req *r, struct change *c)
{
	const struct network_ops *ops = network_type_of(c->doc, req_err(r));

	if (!ops)
		return err_wrap(req_err(r), "%s", c->what);
	json_put_str(c->doc, "name", c->name);
	json_put_str(c->doc, "type", ops->type);
	return check_no_interface(r, c->key);
}

/* Leases keep their addresses: the subnet can only change while there are none. */
static int check_leases(struct req *r, const struct change *c)
{
	struct net4 before, after;
	_json_ json_t *users = NULL;
	json_t *url;
	size_t i;

	if (!net4_parse(c->old, &before) ||
	    (net4_parse(c->doc, &after) && before.gateway == after.gateway &&
	     before.bits == after.bits))
		return 0;
	users = used_by(req_env(r), "networks", c->key);
	json_array_foreach(users, i, url) {
		if (str_starts(json_string_value(url), "/1.0/instances/"))
			return err_set(
				req_err(r), ERR_INVALID,
				"%s: ipv4.address can't be changed while instances have addresses "
				"on it",
				c->what);
	}
	return 0;
}

static int check(struct req *r, struct change *c)
{
	const struct network_ops *ops = network_type_of(c->doc, req_err(r));
	json_t *config = json_obj(c->doc, "config");

	if (!ops ||
	    keys_check(&ops->keys, c->what, config, json_obj(c->old, "config"), req_err(r)) < 0 ||
	    fill_address(r, config, c->old ? "none" : "auto") < 0 ||
	    net4_check_subnet(req_env(r), c->key, c->doc, c->old, req_err(r)) < 0)
		return -1;
	tx_check_still(c->tx, ENT_NETWORK, c->revision);
	if (!c->old)
		return ops->spans ? fill_vni(r, c->doc, ops) : 0;
	tx_check_still(c->tx, ENT_INSTANCE, c->revision);
	return check_leases(r, c);
}

static int leave(struct req *r, struct change *c)
{
	_free_ char *new_key = c->new_name ? req_key(r, ENT_NETWORK, c->new_name) : NULL;

	address_forget_network(req_env(r)->store, c->key, c->tx);
	return new_key ? check_no_interface(r, new_key) : 0;
}

/* --- as it is on this host ------------------------------------------------------------------- */

/* What can't be made here is not left in the database. */
static int apply_new(struct req *r, const struct change *c)
{
	_tx_ struct tx *tx = tx_new();
	struct err ignored;

	if (netsync_now(req_env(r), c->key, req_err(r)) == 0)
		return 0;
	tx_delete(tx, ENT_NETWORK, c->key, REV_ANY);
	store_commit(req_env(r)->store, tx, 0, NULL, &ignored);
	return err_wrap(req_err(r), "%s", c->what);
}

static int apply(struct req *r, const struct change *c)
{
	if (!c->old)
		return apply_new(r, c);
	if (c->doc)
		return netsync_now(req_env(r), c->key, req_err(r));
	netsync_gone(req_env(r), c->key);
	return 0;
}

static const struct field fields[] = {
	{ "name", JW_STR, FIELD_NAME, true },
	{ "type", JW_STR, FIELD_FIXED, false },
	{ "description", JW_STR, FIELD_WRITE, false },
	{ "config", JW_STR_MAP, FIELD_WRITE, false },
	{ "used_by", JW_ARR, FIELD_SHOWN, false },
	{ "managed", JW_BOOL, FIELD_SHOWN, false },
	{ "status", JW_STR, FIELD_SHOWN, false },
	{ "locations", JW_ARR, FIELD_SHOWN, false },
	{ NULL, 0, 0, false },
};

const struct kind kind_network = {
	.entity = ENT_NETWORK,
	.fields = fields,
	.is_name = is_name,
	.name_rule = "at most 15 letters, digits, \"-\", \"_\" and \".\", no \"-\" first; not a "
		     "name that Linux itself uses",
	.used_as = "networks",
	.show = show,
	.fix = fix,
	.check = check,
	.leave = leave,
	.apply = apply,
};
