/* SPDX-License-Identifier: Apache-2.0 */
#include <net/if.h>
#include <string.h>

#include "api/rest/handle.h"
#include "api/rest/locations.h"
#include "api/work/address.h"
#include "api/work/netsync.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/network/keys.h"
#include "node/network/network.h"

#define VNI_FIRST 1000

/* --- as clients see them --------------------------------------------------------------------- */

static json_t *network_writable(const json_t *doc)
{
	json_t *config = json_obj(doc, "config");

	return json_pack("{s:o, s:s}", "config", config ? json_incref(config) : json_object(),
			 "description", json_str(doc, "description", ""));
}

static json_t *network_render(struct req *r, const struct row *row, void *arg)
{
	json_t *j = network_writable(row->doc);

	json_put_str(j, "name", ref_of(row->key).name);
	json_put_str(j, "type", json_str(row->doc, "type", "bridge"));
	json_object_set_new(j, "used_by", used_by(req_env(r), "networks", row->key));
	json_put_bool(j, "managed", true);
	json_put_str(j, "status", "Created");
	json_object_set_new(j, "locations", all_locations(req_env(r)));
	return j;
}

static int get_network(struct req *r, struct row *ret)
{
	const char *name = req_param(r, 0);

	if (store_get(req_env(r)->store, ENT_NETWORK, req_ref(r, 0), ret, req_err(r)) == 0)
		return 0;
	if (req_err(r)->kind == ERR_NOT_FOUND)
		err_set(req_err(r), ERR_NOT_FOUND, "Network not found: \"%.32s\"", name);
	return -1;
}

int h_networks_get(struct req *r)
{
	return reply_rows(r, ENT_NETWORK, "networks", network_render, NULL);
}

int h_network_get(struct req *r)
{
	_json_ json_t *writable = NULL;
	_row_ struct row row = { 0 };

	if (get_network(r, &row) < 0)
		return -1;
	writable = network_writable(row.doc);
	set_etag(r, writable);
	return reply_sync(r, network_render(r, &row, NULL));
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

	if (get_network(r, &row) < 0)
		return -1;
	leases = network_leases(env->node, ref_ifname(row.key, name));
	json_array_foreach(leases, i, lease)
		put_location(env, row.key, lease);
	return reply_sync(r, leases ? leases : json_array());
}

/* --- making ---------------------------------------------------------------------------------- */

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

/* The identifier asked for, or the lowest free one; unique in the cluster. */
static int fill_vni(struct req *r, json_t *doc)
{
	int64_t wanted = keys_number(&network_keys, json_obj(doc, "config"), "vxlan.id");
	_rows_ struct rows rows = { 0 };
	int64_t vni = wanted ? wanted : VNI_FIRST;

	if (store_list(req_env(r)->store, ENT_NETWORK, "overlay", &rows, req_err(r)) < 0)
		return -1;
	for (size_t i = 0; i < rows.n; i++) {
		if (json_int(rows.v[i].doc, "vni", 0) != vni)
			continue;
		if (wanted)
			return err_set(req_err(r), ERR_CONFLICT,
				       "network \"%s\" has vxlan.id %lld already", rows.v[i].key,
				       (long long)wanted);
		vni++;
		i = (size_t)-1;
	}
	json_put_int(doc, "vni", vni);
	return 0;
}

static int check_new(struct req *r, const char *name, const char *type)
{
	_row_ struct row taken = { 0 };

	if (!str_is_ifname(name) || str_eq(name, "lo") || str_eq(name, ".") || str_eq(name, ".."))
		return err_set(
			req_err(r), ERR_INVALID,
			"network: invalid name \"%.32s\" (at most 15 bytes, no blank, \"/\" or "
			"\":\")",
			name);
	if (!str_eq(type, "bridge") && !str_eq(type, "overlay"))
		return err_set(req_err(r), ERR_INVALID,
			       "network \"%s\": unknown type \"%.20s\" (bridge, overlay)", name,
			       type);
	if (store_get(req_env(r)->store, ENT_NETWORK, name, &taken, req_err(r)) == 0)
		return err_set(req_err(r), ERR_CONFLICT, "The network already exists: \"%s\"",
			       name);
	if (if_nametoindex(name))
		return err_set(req_err(r), ERR_CONFLICT,
			       "network \"%s\": this host has an interface of that name", name);
	return 0;
}

static int refuse_vni(struct req *r, const char *name, const char *vni)
{
	return err_set(req_err(r), ERR_INVALID,
		       "network \"%s\": \"vxlan.id\" can't be set (to \"%s\"): it is no overlay",
		       name, vni);
}

static json_t *new_network(struct req *r, const json_t *body, const char *type)
{
	_free_ char *what = xasprintf("network \"%.32s\"", json_str(body, "name", ""));
	_json_ json_t *doc = network_writable(body);
	const char *vni;

	json_put_str(doc, "name", json_str(body, "name", ""));
	json_put_str(doc, "type", type);
	if (keys_check(&network_keys, what, json_obj(doc, "config"), NULL, req_err(r)) < 0 ||
	    fill_address(r, json_obj(doc, "config"), "auto") < 0 ||
	    net4_check_subnet(req_env(r), doc, NULL, req_err(r)) < 0)
		return NULL;
	vni = json_str(json_obj(doc, "config"), "vxlan.id", NULL);
	if (!str_eq(type, "overlay") && vni) {
		refuse_vni(r, json_str(body, "name", ""), vni);
		return NULL;
	}
	if (str_eq(type, "overlay") && fill_vni(r, doc) < 0)
		return NULL;
	return json_incref(doc);
}

/* What can't be made here is not left in the database. */
static int ensure_or_undo(struct req *r, const char *name)
{
	_tx_ struct tx *tx = tx_new();
	struct err ignored;

	if (netsync_now(req_env(r), name, req_err(r)) == 0)
		return 0;
	tx_delete(tx, ENT_NETWORK, name, REV_ANY);
	store_commit(req_env(r)->store, tx, 0, NULL, &ignored);
	return err_wrap(req_err(r), "network \"%s\"", name);
}

static int reply_part(struct req *r, const char *name)
{
	_free_ char *url = ref_url("networks", name);

	return reply_member_part(r, url);
}

static const struct json_field post_fields[] = {
	{ "name", JW_STR, true },
	{ "type", JW_STR, false },
	{ "description", JW_STR, false },
	{ "config", JW_STR_MAP, false },
	{ NULL, 0, 0 },
};

static int make_network(struct req *r)
{
	int64_t revision = store_revision(req_env(r)->store);
	json_t *body = req_json(r, post_fields, "network");
	_json_ json_t *doc = NULL;
	_tx_ struct tx *tx = tx_new();
	const char *name, *type;

	if (!body)
		return -1;
	name = json_str(body, "name", "");
	type = json_str(body, "type", "");
	if (str_empty(type))
		type = "bridge";
	if (check_new(r, name, type) < 0)
		return -1;
	if (!str_empty(req_query(r, "target")))
		return reply_part(r, name);
	doc = new_network(r, body, type);
	if (!doc)
		return -1;
	tx_put(tx, ENT_NETWORK, name, REV_NONE, doc);
	tx_check_still(tx, ENT_NETWORK, revision);
	if (store_commit(req_env(r)->store, tx, 0, NULL, req_err(r)) < 0 ||
	    ensure_or_undo(r, name) < 0)
		return -1;
	return reply_made(r, "networks", name, "network-created");
}

/* For one member: the network is made when none is named. */
static int make_part(struct req *r)
{
	json_t *body = req_json(r, post_fields, "network");
	const char *name, *type;

	if (!body)
		return -1;
	name = json_str(body, "name", "");
	type = json_str(body, "type", "");
	if (check_new(r, name, str_empty(type) ? "bridge" : type) < 0)
		return -1;
	return reply_part(r, name);
}

int h_networks_post(struct req *r)
{
	return req_query(r, "target") ? make_part(r) : again(r, make_network);
}

/* --- changing -------------------------------------------------------------------------------- */

static const struct json_field put_fields[] = {
	{ "description", JW_STR, false },
	{ "config", JW_STR_MAP, false },
	{ "name", JW_STR, false },
	{ "type", JW_STR, false },
	{ "used_by", JW_ARR, false },
	{ "managed", JW_BOOL, false },
	{ "status", JW_STR, false },
	{ "locations", JW_ARR, false },
	{ NULL, 0, 0 },
};

/* Leases keep their addresses: the subnet can only change while there are none. */
static int check_change(struct req *r, const struct row *row, const json_t *old)
{
	struct net4 before, after;
	_json_ json_t *users = NULL;
	const char *vni = json_str(json_obj(row->doc, "config"), "vxlan.id", NULL);

	if (vni && !str_eq(json_str(row->doc, "type", ""), "overlay"))
		return refuse_vni(r, row->key, vni);
	if (vni && !str_eq(vni, json_str(json_obj(old, "config"), "vxlan.id", NULL)))
		return err_set(req_err(r), ERR_INVALID, "network \"%s\": vxlan.id can't be changed",
			       row->key);
	if (net4_check_subnet(req_env(r), row->doc, old, req_err(r)) < 0)
		return -1;
	if (net4_parse(old, &before) && net4_parse(row->doc, &after) &&
	    before.gateway == after.gateway && before.bits == after.bits)
		return 0;
	users = used_by(req_env(r), "networks", row->key);
	for (size_t i = 0; i < json_array_size(users); i++) {
		if (str_starts(json_string_value(json_array_get(users, i)), "/1.0/instances/") &&
		    net4_parse(old, &before))
			return err_set(
				req_err(r), ERR_INVALID,
				"network \"%s\": ipv4.address can't be changed while instances "
				"have addresses on it",
				row->key);
	}
	return 0;
}

static int change_network(struct req *r)
{
	int64_t revision = store_revision(req_env(r)->store);
	json_t *body = req_json(r, put_fields, "network");
	_free_ char *what = xasprintf("network \"%.32s\"", req_param(r, 0));
	static const char *const fixed[] = { "name", "type", NULL };
	_json_ json_t *writable = NULL, *old = NULL;
	_row_ struct row row = { 0 };
	_tx_ struct tx *tx = tx_new();

	if (!body || get_network(r, &row) < 0)
		return -1;
	writable = network_writable(row.doc);
	if (check_etag(r, writable) < 0 || check_fixed(r, what, body, row.doc, fixed) < 0)
		return -1;
	old = json_deep_copy(row.doc);
	merge_map(row.doc, "config", body, is_patch(r));
	json_put_str(row.doc, "description",
		     json_str(body, "description", is_patch(r) ? NULL : ""));
	if (keys_check(&network_keys, what, json_obj(row.doc, "config"), json_obj(old, "config"),
		       req_err(r)) < 0 ||
	    fill_address(r, json_obj(row.doc, "config"), "none") < 0 ||
	    check_change(r, &row, old) < 0)
		return -1;
	tx_put(tx, ENT_NETWORK, row.key, row.rev, row.doc);
	tx_check_still(tx, ENT_NETWORK, revision);
	tx_check_still(tx, ENT_INSTANCE, revision);
	if (store_commit(req_env(r)->store, tx, 0, NULL, req_err(r)) < 0 ||
	    netsync_now(req_env(r), row.key, req_err(r)) < 0)
		return -1;
	tell_event(r, "network-updated", req_path(r), row.key);
	return reply_sync(r, NULL);
}

int h_network_put(struct req *r)
{
	_free_ char *what = xasprintf("network \"%.32s\"", req_param(r, 0));

	return refuse_target(r, what) < 0 ? -1 : again(r, change_network);
}

static void check_unused_still(struct tx *tx, int64_t revision)
{
	tx_check_still(tx, ENT_INSTANCE, revision);
	tx_check_still(tx, ENT_PROFILE, revision);
}

static int rename_network(struct req *r)
{
	int64_t revision = store_revision(req_env(r)->store);
	static const struct json_field fields[] = { { "name", JW_STR, true }, { NULL, 0, 0 } };
	json_t *body = req_json(r, fields, "network");
	_row_ struct row row = { 0 };
	_tx_ struct tx *tx = tx_new();
	const char *name;

	if (!body || get_network(r, &row) < 0)
		return -1;
	name = json_str(body, "name", "");
	if (check_new(r, name, json_str(row.doc, "type", "bridge")) < 0 ||
	    refuse_used(r, "The network", "networks", row.key) < 0)
		return -1;
	json_put_str(row.doc, "name", name);
	tx_delete(tx, ENT_NETWORK, row.key, row.rev);
	check_unused_still(tx, revision);
	address_forget_network(req_env(r)->store, row.key, tx);
	tx_put(tx, ENT_NETWORK, name, REV_NONE, row.doc);
	if (store_commit(req_env(r)->store, tx, 0, NULL, req_err(r)) < 0)
		return -1;
	return reply_made(r, "networks", name, "network-renamed");
}

int h_network_post(struct req *r)
{
	return again(r, rename_network);
}

static int delete_network(struct req *r)
{
	int64_t revision = store_revision(req_env(r)->store);
	_row_ struct row row = { 0 };
	_tx_ struct tx *tx = tx_new();

	if (get_network(r, &row) < 0 || refuse_used(r, "The network", "networks", row.key) < 0)
		return -1;
	tx_delete(tx, ENT_NETWORK, row.key, row.rev);
	check_unused_still(tx, revision);
	address_forget_network(req_env(r)->store, row.key, tx);
	if (store_commit(req_env(r)->store, tx, 0, NULL, req_err(r)) < 0)
		return -1;
	netsync_gone(req_env(r), row.key);
	tell_event(r, "network-deleted", req_path(r), row.key);
	return reply_sync(r, NULL);
}

int h_network_delete(struct req *r)
{
	return again(r, delete_network);
}
