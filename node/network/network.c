/* SPDX-License-Identifier: Apache-2.0 */
#include "node/network/network.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/io.h"
#include "base/lockfile.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/network/keys.h"
#include "node/network/network_int.h"
#include "node/node_int.h"

/* --- from the description ------------------------------------------------------------------- */

static int parse_ipv4(struct net *net, struct err *err)
{
	struct net_ipv4 *f = &net->v4;

	if (keys_read(&network_keys, net->config, "ipv4.address", &f->gateway, err) < 0 ||
	    keys_read(&network_keys, net->config, "ipv4.nat", &f->nat, err) < 0 ||
	    keys_read(&network_keys, net->config, "ipv4.dhcp", &f->dhcp, err) < 0 ||
	    keys_read(&network_keys, net->config, "ipv4.firewall", &f->firewall, err) < 0 ||
	    keys_read(&network_keys, net->config, "ipv4.routing", &f->routing, err) < 0)
		return err_wrap(err, "network \"%s\"", net->name);
	return 0;
}

/* The same on every member, so that a gateway is where a container comes to; in a range of its
 * own, where no container's address can be. */
static void make_mac(struct net *net)
{
	uint32_t hash = crc32c(0, net->name, strlen(net->name));

	net->mac[0] = 0x02;
	net->mac[1] = 0xd0;
	memcpy(net->mac + 2, &hash, sizeof(hash));
}

static int parse_mtu(struct net *net, struct err *err)
{
	int64_t given = 0;

	if (keys_read(&network_keys, net->config, "bridge.mtu", &given, err) < 0)
		return err_wrap(err, "network \"%s\"", net->name);
	net->mtu = (uint32_t)given;
	return 0;
}

int net_parse(struct net *net, const json_t *desc, struct err *err)
{
	*net = (struct net){ .name = json_str(desc, "name", ""),
			     .config = json_obj(desc, "config") };
	if (!str_is_ifname(net->name))
		return err_set(err, ERR_INVALID,
			       "network \"%.80s\": its name must be one of an interface: 1 to 15 "
			       "letters, digits, '-', '_' or '.'",
			       net->name);
	net->ops = network_type_of(desc, err);
	if (!net->ops)
		return err_wrap(err, "network \"%s\"", net->name);
	if (parse_ipv4(net, err) < 0 || parse_mtu(net, err) < 0 ||
	    (net->ops->parse && net->ops->parse(net, desc, err) < 0)) {
		net_done(net);
		return -1;
	}
	if (!net->mtu)
		net->mtu = MTU_DEFAULT;
	make_mac(net);
	return 0;
}

void net_done(struct net *net)
{
	free(net->peers);
	net->peers = NULL;
}

/* --- the calls ------------------------------------------------------------------------------ */

/* The lock of all networks of this member, held while the descriptor is open. */
static int lock_networks(struct node *n, struct err *err)
{
	_free_ char *path = node_path(n, "networks");

	return lockfile_folder(path, 0711, err);
}

/* What types but one (NULL: none) have left at a bridge. */
static int remove_others(const char *name, const struct network_ops *ops, struct err *err)
{
	for (size_t i = 0; network_types[i]; i++) {
		const struct network_ops *other = network_types[i];

		if (other != ops && other->remove && other->remove(name, err) < 0)
			return -1;
	}
	return 0;
}

static int take_down(const char *name, const char *dir, struct err *err)
{
	if (dnsmasq_remove(dir, err) < 0 || firewall_remove(name, err) < 0 ||
	    remove_others(name, NULL, err) < 0 || bridge_remove(name, err) < 0)
		return -1;
	return io_remove_tree(dir, err);
}

static int update_routes(const struct net *net, const char *dir, struct err *err)
{
	_json_ json_t *ips = NULL;

	if (!net->ops->route)
		return 0;
	ips = dnsmasq_addresses(dir);
	return net->ops->route(net->name, ips, err);
}

static int set_up(const struct net *net, const char *dir, bool created, struct err *err)
{
	/* The rules come before a port: nothing of the gateway may slip out in between. */
	if (firewall_ensure(net, err) < 0)
		return -1;
	if (remove_others(net->name, net->ops, err) < 0 ||
	    (net->ops->ensure && net->ops->ensure(net, err) < 0))
		return -1;
	if (dnsmasq_ensure(net, dir, created, err) < 0)
		return -1;
	return update_routes(net, dir, err);
}

static int ensure_locked(const struct net *net, const char *dir, struct err *err)
{
	bool created, fresh = !io_exists(dir);
	struct err ignored;

	if (bridge_ensure(net, &created, err) == 0 && io_folder(dir, 0711, err) == 0 &&
	    set_up(net, dir, created, err) == 0)
		return 0;
	if (created && fresh)
		take_down(net->name, dir, &ignored);
	return -1;
}

int network_ensure(struct node *n, const json_t *desc, struct err *err)
{
	_free_ char *dir = NULL;
	_close_ int lock = -1;
	struct net net;
	int rc = -1;

	if (net_parse(&net, desc, err) < 0)
		return -1;
	dir = node_path(n, "networks/%s", net.name);
	lock = lock_networks(n, err);
	if (lock >= 0)
		rc = ensure_locked(&net, dir, err);
	net_done(&net);
	return rc;
}

int network_remove(struct node *n, const char *name, struct err *err)
{
	_free_ char *dir = node_path(n, "networks/%s", name);
	_close_ int lock = -1;

	if (!str_is_ifname(name))
		return err_set(err, ERR_INVALID, "network \"%.80s\": invalid name", name);
	lock = lock_networks(n, err);
	return lock < 0 ? -1 : take_down(name, dir, err);
}

int network_forwarding(struct node *n, const json_t *desc, const json_t *macs, struct err *err)
{
	_free_ char *dir = node_path(n, "networks/%s", json_str(desc, "name", ""));
	_close_ int lock = -1;
	struct net net;
	int rc = -1;

	if (net_parse(&net, desc, err) < 0)
		return -1;
	assert(net.ops->forwarding);
	lock = lock_networks(n, err);
	if (lock >= 0 && net.ops->forwarding(net.name, macs, err) == 0)
		rc = update_routes(&net, dir, err);
	net_done(&net);
	return rc < 0 ? err_wrap(err, "network \"%s\"", json_str(desc, "name", "")) : 0;
}

/* The leases are looked at before dnsmasq is told to read, which makes it write them anew. */
static int tell_dnsmasq(const struct net *net, const char *dir, const json_t *hosts,
			struct err *err)
{
	bool changed, former;
	int rc;

	if (dnsmasq_hosts(net, dir, hosts, &changed, err) < 0)
		return -1;
	former = dnsmasq_has_former(dir);
	rc = dnsmasq_ensure(net, dir, former, err);
	if (changed && !former)
		dnsmasq_reload(dir);
	return rc;
}

static int hosts_locked(struct node *n, const struct net *net, const json_t *hosts, struct err *err)
{
	_free_ char *dir = node_path(n, "networks/%s", net->name);
	_close_ int lock = lock_networks(n, err);

	if (lock < 0)
		return -1;
	if (!io_exists(dir))
		return err_set(err, ERR_NOT_FOUND, "network \"%s\" is not on this member",
			       net->name);
	if (tell_dnsmasq(net, dir, hosts, err) < 0 || update_routes(net, dir, err) < 0)
		return err_wrap(err, "network \"%s\"", net->name);
	return 0;
}

int network_hosts(struct node *n, const json_t *desc, const json_t *hosts, struct err *err)
{
	struct net net;
	int rc;

	if (net_parse(&net, desc, err) < 0)
		return -1;
	rc = hosts_locked(n, &net, hosts, err);
	net_done(&net);
	return rc;
}

json_t *network_list(struct node *n)
{
	_free_ char *path = node_path(n, "networks");

	return node_names(path);
}
