/* SPDX-License-Identifier: Apache-2.0 */
#include "api/work/address_int.h"

#include <string.h>

#include "api/work/check.h"
#include "api/work/spec.h"
#include "api/work/state.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/store/lease.h"
#include "node/device/device.h"

/* --- leases ----------------------------------------------------------------------------------- */

/* It is kept for the next start: what runs has another address until then. */
static bool is_pending(const json_t *lease)
{
	return json_bool(lease, "pending", false);
}

static bool lease_is_of(const json_t *lease, const char *device, const char *network)
{
	return str_eq(json_str(lease, "device", ""), device) &&
	       str_eq(json_str(lease, "network", ""), network);
}

static int taken(const char *network, const json_t *lease, const char *instance, struct err *err)
{
	const char *ip = json_str(lease, "ip", ""), *owner = json_str(lease, "instance", "");

	if (!str_eq(owner, instance))
		return err_set(err, ERR_CONFLICT,
			       "address %s of network \"%s\" belongs to instance \"%s\"", ip,
			       network, owner);
	return err_set(err, ERR_CONFLICT,
		       "address %s of network \"%s\" belongs to device \"%s\" of this instance", ip,
		       network, json_str(lease, "device", ""));
}

/* The fixed address of a device, as a number; ERR_INVALID when the network can't have it. */
static int fixed_address(const struct api_env *env, const struct device_claim *c,
			 struct net4 *ret_net, uint32_t *ret_ip, struct err *err)
{
	const char *network = c->network;
	_row_ struct row net = { 0 };

	if (store_get(env->store, ENT_NETWORK, network, &net, err) < 0)
		return err->kind == ERR_NOT_FOUND
			       ? err_set(err, ERR_INVALID,
					 "ipv4.address needs a managed network, and \"%s\" is none",
					 network)
			       : -1;
	if (!net4_parse(net.doc, ret_net))
		return err_set(err, ERR_INVALID,
			       "ipv4.address is %s, but network \"%s\" has no IPv4 subnet", c->ipv4,
			       network);
	if (!net4_parse_ip(c->ipv4, ret_ip))
		return err_set(err, ERR_INVALID, "ipv4.address is \"%.60s\": no IPv4 address",
			       c->ipv4);
	return net4_check(ret_net, network, *ret_ip, err);
}

/* --- planning --------------------------------------------------------------------------------- */

/* Passes over the nics: none may take what a later one has already. */
enum pass { PASS_KEEP, PASS_FIXED, PASS_FREE, PASSES };

struct plan {
	const struct api_env *env;
	json_t *instance;
	const char *name;
	const struct address_wish *wish;
	int changes;
	struct tx *tx;
	int64_t revision; /* before anything was read */
	struct address_picks *picks;
	struct rows leases;
	bool *keep;
	json_t *settled; /* devices */
	json_t *given;   /* keys of rows that tx makes -> device */
	json_t *macs;    /* "NETWORK/MAC" -> device */
};

struct nic {
	const char *device, *network, *mac;
	struct device_claim asks;
};

static const char *ensure_mac(struct plan *p, const char *device, const char *wanted)
{
	_free_ char *key = xasprintf("volatile.%s.hwaddr", device);
	json_t *config = json_obj(p->instance, "config");
	char mac[18];

	if (wanted)
		return wanted;
	if (!json_str(config, key, NULL)) {
		mac_make(p->env->store, mac);
		json_put_str(config, key, mac);
	}
	return json_str(config, key, "");
}

static void settle(struct plan *p, const struct nic *nic)
{
	json_object_set_new(p->settled, nic->device, json_true());
}

static bool runs_with(const struct plan *p, const struct nic *nic)
{
	if (!p->wish->running)
		return false;
	for (size_t i = 0; i < p->leases.n; i++) {
		const json_t *lease = p->leases.v[i].doc;

		if (lease_is_of(lease, nic->device, nic->network) && !is_pending(lease))
			return true;
	}
	return false;
}

static void put_lease(struct plan *p, const struct nic *nic, uint32_t ip, int64_t rev)
{
	char text[16];
	_free_ char *key = xasprintf("%s/%s", nic->network, net4_text(ip, text));
	_json_ json_t *doc = json_pack("{s:s, s:s, s:s, s:s, s:s}", "network", nic->network, "ip",
				       text, "instance", p->name, "device", nic->device, "hwaddr",
				       nic->mac);

	if (runs_with(p, nic))
		json_put_bool(doc, "pending", true);
	tx_put(p->tx, ENT_ADDRESS, key, rev, doc);
	json_put_str(p->given, key, nic->device);
	p->changes++;
	settle(p, nic);
}

/* What the nic has already. What is pending comes into force while nothing runs; an address with
 * another MAC is rewritten in place. */
static void keep_lease(struct plan *p, const struct nic *nic)
{
	for (size_t i = 0; i < p->leases.n; i++) {
		struct row *r = &p->leases.v[i];
		bool in_force = is_pending(r->doc) && !runs_with(p, nic);
		bool other_mac = !str_eq(json_str(r->doc, "hwaddr", ""), nic->mac);

		if (!lease_is_of(r->doc, nic->device, nic->network) ||
		    (is_pending(r->doc) && !nic->asks.ipv4) ||
		    (nic->asks.ipv4 && !str_eq(json_str(r->doc, "ip", ""), nic->asks.ipv4)))
			continue;
		p->keep[i] = true;
		settle(p, nic);
		if (!in_force && !other_mac)
			return;
		json_put_str(r->doc, "hwaddr", nic->mac);
		if (in_force)
			json_object_del(r->doc, "pending");
		tx_put(p->tx, ENT_ADDRESS, r->key, r->rev, r->doc);
		p->changes++;
		return;
	}
}

/* The row of an address that this instance has, for another device that gives it up. */
static struct row *own_row(struct plan *p, const char *key)
{
	for (size_t i = 0; i < p->leases.n; i++) {
		if (!str_eq(p->leases.v[i].key, key))
			continue;
		if (p->keep[i] || p->wish->running)
			return NULL;
		p->keep[i] = true;
		return &p->leases.v[i];
	}
	return NULL;
}

static int give_fixed(struct plan *p, const struct nic *nic, struct err *err)
{
	_row_ struct row row = { 0 };
	_free_ char *key = xasprintf("%s/%s", nic->network, nic->asks.ipv4);
	const char *twice = json_str(p->given, key, NULL);
	struct net4 n;
	uint32_t ip;

	if (fixed_address(p->env, &nic->asks, &n, &ip, err) < 0)
		return -1;
	if (twice)
		return err_set(err, ERR_INVALID, "address %s is also that of device \"%s\"",
			       nic->asks.ipv4, twice);
	address_reserve(p->picks, key); /* before what is picked for the other nics */
	if (store_get(p->env->store, ENT_ADDRESS, key, &row, err) < 0) {
		if (err->kind != ERR_NOT_FOUND)
			return -1;
		put_lease(p, nic, ip, REV_NONE);
		return 0;
	}
	if (!lease_is_free(row.doc) &&
	    (!str_eq(json_str(row.doc, "instance", ""), p->name) || !own_row(p, key)))
		return taken(nic->network, row.doc, p->name, err);
	put_lease(p, nic, ip, row.rev);
	return 0;
}

static int give_free(struct plan *p, const struct nic *nic, struct err *err)
{
	struct pick_from from = { .network = nic->network,
				  .instance = p->name,
				  .attempt = p->wish->attempt };
	_row_ struct row net = { 0 };
	struct pick pick;
	struct net4 n;

	if (store_get(p->env->store, ENT_NETWORK, nic->network, &net, err) < 0)
		return err->kind == ERR_NOT_FOUND && !nic->asks.named_by ? 0 : -1;
	if (!p->wish->dynamic || !net4_parse(net.doc, &n))
		return 0;
	from.net = &n;
	if (address_pick(p->env->store, &from, p->picks, p->tx, &pick, err) < 0)
		return -1;
	put_lease(p, nic, pick.ip, pick.rev);
	return 0;
}

/* What it has already is not asked for again. */
static int check_mac(struct plan *p, const struct nic *nic, struct err *err)
{
	_free_ char *key = mac_key(nic->network, nic->mac);
	const char *twice = json_str(p->macs, key, NULL);

	if (twice)
		return err_set(err, ERR_INVALID, "hwaddr %s is also that of device \"%s\"",
			       nic->mac, twice);
	json_put_str(p->macs, key, nic->device);
	for (size_t i = 0; i < p->leases.n; i++) {
		const json_t *lease = p->leases.v[i].doc;

		if (lease_is_of(lease, nic->device, nic->network) &&
		    str_eq(json_str(lease, "hwaddr", ""), nic->mac))
			return 0;
	}
	/* No row is named after it: another member may be about to give it to somebody else. What
	 * was made by chance need not be guarded. */
	if (nic->asks.hwaddr)
		tx_check_still(p->tx, ENT_ADDRESS, p->revision);
	return mac_check(p->env->store, nic->network, nic->mac, p->name, err);
}

static int plan_nic(struct plan *p, enum pass pass, const struct nic *nic, struct err *err)
{
	if (pass == PASS_KEEP && check_mac(p, nic, err) < 0)
		return -1;
	if (json_object_get(p->settled, nic->device))
		return 0;
	if (pass == PASS_KEEP)
		keep_lease(p, nic);
	else if (pass == PASS_FIXED && nic->asks.ipv4)
		return give_fixed(p, nic, err);
	else if (pass == PASS_FREE)
		return give_free(p, nic, err);
	return 0;
}

static int plan_pass(struct plan *p, enum pass pass, json_t *devices, struct err *err)
{
	const char *device;
	json_t *dev;

	json_object_foreach(devices, device, dev) {
		struct nic nic = { .device = device };

		if (!device_claims(dev, &nic.asks))
			continue;
		nic.network = nic.asks.network;
		nic.mac = ensure_mac(p, device, nic.asks.hwaddr);
		if (plan_nic(p, pass, &nic, err) < 0)
			return err_wrap(err, "device \"%s\"", device);
	}
	return 0;
}

static int plan_all(struct plan *p, json_t *devices, struct err *err)
{
	for (enum pass pass = PASS_KEEP; pass < PASSES; pass++) {
		if (plan_pass(p, pass, devices, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < p->leases.n; i++) {
		const struct row *r = &p->leases.v[i];

		if (p->keep[i] || (p->wish->running && !is_pending(r->doc)))
			continue;
		lease_free(p->tx, r);
		p->changes++;
	}
	return p->changes;
}

int address_plan(const struct api_env *env, struct expanded *x, const struct address_wish *wish,
		 struct tx *tx, struct address_picks *picks, struct err *err)
{
	_json_ json_t *settled = json_object(), *given = json_object(), *macs = json_object();
	struct plan p = { .env = env,
			  .instance = x->doc,
			  .name = json_str(x->doc, "name", ""),
			  .wish = wish,
			  .tx = tx,
			  .revision = store_revision(env->store),
			  .picks = picks,
			  .settled = settled,
			  .given = given,
			  .macs = macs };
	int rc;

	address_picks_done(picks);
	picks->book = env->state->addresses;
	picks->keys = json_object();
	if (store_list(env->store, ENT_ADDRESS, p.name, &p.leases, err) < 0)
		return -1;
	p.keep = xcalloc(p.leases.n + 1, sizeof(*p.keep));
	rc = plan_all(&p, x->devices, err);
	expanded_follow(x);
	free(p.keep);
	rows_free(&p.leases);
	return rc;
}

/* --- a profile that is about to change ----------------------------------------------------- */

/* given: keys of fixed addresses -> the instance that has it by the new profile. */
static int check_fixed(const struct api_env *env, const char *instance,
		       const struct device_claim *c, json_t *given, struct err *err)
{
	_free_ char *key = xasprintf("%s/%s", c->network, c->ipv4);
	const char *other = json_str(given, key, NULL);
	_row_ struct row row = { 0 };
	struct net4 n;
	uint32_t ip;

	if (fixed_address(env, c, &n, &ip, err) < 0)
		return -1;
	if (other)
		return err_set(err, ERR_CONFLICT,
			       "address %s would be that of instance \"%s\" and of \"%s\"", c->ipv4,
			       other, instance);
	json_put_str(given, key, instance);
	if (store_get(env->store, ENT_ADDRESS, key, &row, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	if (lease_is_free(row.doc) || str_eq(json_str(row.doc, "instance", ""), instance))
		return 0;
	return taken(c->network, row.doc, instance, err);
}

static int check_shared_mac(const struct api_env *env, const char *instance,
			    const struct device_claim *c, json_t *given, struct err *err)
{
	_free_ char *key = mac_key(c->network, c->hwaddr);
	const char *other = json_str(given, key, NULL);

	if (other)
		return err_set(err, ERR_CONFLICT,
			       "hwaddr %s would be that of instance \"%s\" and of \"%s\"",
			       c->hwaddr, other, instance);
	json_put_str(given, key, instance);
	return mac_check(env->store, c->network, c->hwaddr, instance, err);
}

static int check_devices(const struct api_env *env, const char *instance, json_t *devices,
			 json_t *given, struct err *err)
{
	struct device_claim c;
	const char *device;
	json_t *dev;

	json_object_foreach(devices, device, dev) {
		if (!device_claims(dev, &c))
			continue;
		if ((c.hwaddr && check_shared_mac(env, instance, &c, given, err) < 0) ||
		    (c.ipv4 && check_fixed(env, instance, &c, given, err) < 0))
			return err_wrap(err, "instance \"%s\": device \"%s\"", instance, device);
	}
	return 0;
}

static bool has_fixed(const json_t *profile)
{
	struct device_claim c;
	const char *device;
	json_t *dev;

	json_object_foreach(json_obj(profile, "devices"), device, dev) {
		if (device_claims(dev, &c) && (c.ipv4 || c.hwaddr))
			return true;
	}
	return false;
}

int address_check_profile(const struct api_env *env, const char *profile, const json_t *doc,
			  struct err *err)
{
	_json_ json_t *profiles = json_pack("{s:O}", profile, doc), *given = json_object();
	_rows_ struct rows rows = { 0 };

	if (!has_fixed(doc))
		return 0;
	if (store_list(env->store, ENT_INSTANCE, NULL, &rows, err) < 0)
		return -1;
	for (size_t i = 0; i < rows.n; i++) {
		_json_ json_t *config = NULL, *devices = NULL;

		if (!instance_has_profile(rows.v[i].doc, profile))
			continue;
		expand_parts(env->store, profiles, rows.v[i].doc, &config, &devices);
		if (check_devices(env, rows.v[i].key, devices, given, err) < 0)
			return -1;
	}
	return 0;
}

/* --- whole instances ------------------------------------------------------------------------- */

bool address_of(const struct api_env *env, const char *instance, const char *device,
		const char *network, char ret_ip[16])
{
	_rows_ struct rows leases = { 0 };
	struct err err;

	if (store_list(env->store, ENT_ADDRESS, instance, &leases, &err) < 0)
		return false;
	for (size_t i = 0; i < leases.n; i++) {
		const json_t *doc = leases.v[i].doc;

		if (str_eq(json_str(doc, "device", ""), device) &&
		    str_eq(json_str(doc, "network", ""), network) && !is_pending(doc))
			return str_copy(ret_ip, 16, json_str(doc, "ip", ""));
	}
	return false;
}

int address_release(const struct api_env *env, const char *instance, struct tx *tx, struct err *err)
{
	_rows_ struct rows leases = { 0 };

	if (store_list(env->store, ENT_ADDRESS, instance, &leases, err) < 0)
		return -1;
	for (size_t i = 0; i < leases.n; i++)
		lease_free(tx, &leases.v[i]);
	return 0;
}

static bool spec_has(const json_t *spec, const json_t *lease)
{
	const char *ip = json_str(lease, "ip", "");
	struct device_port p;
	json_t *dev;
	size_t i;

	json_array_foreach(json_arr(spec, "devices"), i, dev) {
		if (device_has_port(dev, &p) && str_eq(p.device, json_str(lease, "device", "")) &&
		    str_eq(p.network, json_str(lease, "network", "")) && str_starts(p.ipv4, ip) &&
		    p.ipv4[strlen(ip)] == '/')
			return true;
	}
	return false;
}

int address_trim(const struct api_env *env, const char *instance, const json_t *spec, struct tx *tx,
		 struct err *err)
{
	_rows_ struct rows leases = { 0 };
	int n = 0;

	if (store_list(env->store, ENT_ADDRESS, instance, &leases, err) < 0)
		return -1;
	for (size_t i = 0; i < leases.n; i++) {
		if (is_pending(leases.v[i].doc) || spec_has(spec, leases.v[i].doc))
			continue;
		lease_free(tx, &leases.v[i]);
		n++;
	}
	return n;
}

int address_rename(const struct api_env *env, const char *instance, const char *new_name,
		   struct tx *tx, struct err *err)
{
	_rows_ struct rows leases = { 0 };

	if (store_list(env->store, ENT_ADDRESS, instance, &leases, err) < 0)
		return -1;
	for (size_t i = 0; i < leases.n; i++) {
		json_put_str(leases.v[i].doc, "instance", new_name);
		tx_put(tx, ENT_ADDRESS, leases.v[i].key, leases.v[i].rev, leases.v[i].doc);
	}
	return 0;
}
