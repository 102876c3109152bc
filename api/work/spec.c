/* SPDX-License-Identifier: Apache-2.0 */
#include "api/work/spec.h"

#include <stdio.h>
#include <string.h>

#include "api/work/address.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/ref.h"
#include "node/container/keys.h"
#include "node/device/device.h"
#include "node/storage/storage.h"

json_t *spec_root_device(const json_t *devices)
{
	const char *name;
	json_t *dev;

	json_object_foreach((json_t *)devices, name, dev) {
		if (device_is_root(dev))
			return dev;
	}
	return NULL;
}

/* --- pools ----------------------------------------------------------------------------------- */

json_t *spec_pool_of(const struct api_env *env, const char *name, struct err *err)
{
	_row_ struct row row = { 0 };

	if (store_get(env->store, ENT_POOL, name, &row, err) < 0)
		return NULL;
	return json_pack("{s:s, s:s, s:O}", "name", name, "driver", json_str(row.doc, "driver", ""),
			 "config", json_obj(row.doc, "config"));
}

json_t *spec_pool(const struct api_env *env, const struct expanded *x, struct err *err)
{
	json_t *root = spec_root_device(x->devices);
	const char *name;

	if (!root) {
		err_set(err, ERR_INVALID,
			"instance \"%s\": no root disk; give a profile or the instance a disk "
			"device with path=/ and a pool",
			json_str(x->doc, "name", "?"));
		return NULL;
	}
	name = device_pool(root);
	return spec_pool_of(env, name ? name : "", err);
}

json_t *spec_pool_of_row(const struct api_env *env, const json_t *instance, struct err *err)
{
	_expanded_ struct expanded x = { 0 };

	expand(env, (json_t *)instance, &x);
	return spec_pool(env, &x, err);
}

static json_t *make_rootfs(const struct api_env *env, const json_t *instance, const json_t *pool,
			   struct err *err)
{
	_free_ char *volume = volume_path(env->node, pool, json_str(instance, "name", ""));
	const char *image = json_str(instance, "image", NULL);
	json_t *j = json_object();

	json_put_str(j, "driver", json_str(pool, "driver", ""));
	json_put_str(j, "volume", volume);
	if (!str_empty(image))
		json_object_set_new(j, "image", json_sprintf("%s/images/%s.root", env->dir, image));
	return j;
}

/* --- devices --------------------------------------------------------------------------------- */

/* Stable, so that nothing has to be written when an instance starts. */
static void host_name_of(const json_t *instance, const char *device, const char *wanted,
			 char ret[16])
{
	_free_ char *id = xasprintf("%s/%s", json_str(instance, "uuid", ""), device);
	char hex[SHA256_HEX_SIZE];

	if (wanted)
		str_copy(ret, 16, wanted);
	else
		snprintf(ret, 16, "veth%.8s", sha256_hex(id, strlen(id), hex));
}

/* What DHCP would tell besides the address. */
static void add_names(const json_t *config, const char *gateway, json_t *nic)
{
	if (str_eq(keys_text(&network_keys, config, "dns.mode"), "none"))
		return;
	json_put_str(nic, "ipv4_dns", gateway);
	json_put_str(nic, "dns_domain", keys_text(&network_keys, config, "dns.domain"));
}

static void add_addressing(const struct api_env *env, const json_t *instance, const char *device,
			   const char *network, json_t *nic)
{
	_row_ struct row net = { 0 };
	struct net4 n4;
	struct err err;
	char ip[16];
	bool leased;

	if (store_get(env->store, ENT_NETWORK, network, &net, &err) < 0 ||
	    !net4_parse(net.doc, &n4))
		return;
	leased = address_of(env, json_str(instance, "name", ""), device, network, ip);
	if (leased) {
		json_object_set_new(nic, "ipv4", json_sprintf("%s/%d", ip, n4.bits));
		json_object_set_new(nic, "ipv4_gateway", json_string(net4_text(n4.gateway, ip)));
		add_names(json_obj(net.doc, "config"), ip, nic);
	}
	/* A leased address is there from the start: for roots without a DHCP client, and for moves.
	 */
	json_put_bool(nic, "ipv4_dhcp", n4.dhcp && !leased);
}

/* What the rows know of a device that is plugged into a network. */
static void add_network(const struct api_env *env, const json_t *instance, const json_t *config,
			const struct device_claim *c, json_t *dev)
{
	const char *device = json_str(dev, "device", ""), *network = c->network;
	_free_ char *mac_key = xasprintf("volatile.%s.hwaddr", device);
	char host_name[16], bridge[REF_IFNAME_SIZE];

	host_name_of(instance, device, c->host_name, host_name);
	json_put_str(dev, "name", c->name ? c->name : device);
	json_put_str(dev, "hwaddr", c->hwaddr ? c->hwaddr : json_str(config, mac_key, ""));
	json_put_str(dev, "host_name", host_name);
	json_put_str(dev, "network", network);
	json_put_str(dev, "bridge", ref_ifname(network, bridge));
	add_addressing(env, instance, device, network, dev);
}

static json_t *make_devices(const struct api_env *env, const json_t *instance, const json_t *config,
			    json_t *devices)
{
	json_t *list = json_array(), *options;
	struct device_claim c;
	const char *name;

	json_object_foreach(devices, name, options) {
		json_t *dev;

		if (!device_ops_of(options) || device_is_root(options))
			continue;
		dev = device_describe(name, options);
		if (device_claims(options, &c))
			add_network(env, instance, config, &c, dev);
		json_array_append_new(list, dev);
	}
	return list;
}

/* --- the whole ------------------------------------------------------------------------------- */

json_t *spec_build(const struct api_env *env, const struct expanded *x, json_t **ret_pool,
		   struct err *err)
{
	json_t *instance = x->doc, *config = x->config, *devices = x->devices;
	_json_ json_t *pool = spec_pool(env, x, err);
	const char *name = json_str(instance, "name", "");
	json_t *spec;

	if (!pool)
		return NULL;
	spec = json_object();
	json_put_str(spec, "name", name);
	json_put_str(spec, "hostname", ref_of(name).name);
	json_put_str(spec, "uuid", json_str(instance, "uuid", ""));
	json_put_str(spec, "architecture", json_str(instance, "architecture", ""));
	json_object_set(spec, "config", config);
	json_put_bool(spec, "privileged", keys_bool(&instance_keys, config, "security.privileged"));
	json_object_set_new(spec, "idmap",
			    json_pack("{s:i, s:i}", "base", IDMAP_BASE, "size", IDMAP_SIZE));
	json_object_set_new(spec, "rootfs", make_rootfs(env, instance, pool, err));
	json_object_set_new(spec, "devices", make_devices(env, instance, config, devices));
	if (ret_pool)
		*ret_pool = json_incref(pool);
	return spec;
}

json_t *spec_for_move(void *arg, const json_t *instance, void *view, json_t **ret_pool,
		      struct err *err)
{
	_expanded_ struct expanded own = { 0 };
	struct expanded *x = view ? view : &own;

	expand(arg, (json_t *)instance, x);
	return spec_build(arg, x, ret_pool, err);
}
