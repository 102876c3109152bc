/* SPDX-License-Identifier: Apache-2.0 */
/* An interface of a container on a bridge. A description has beside its options {bridge,
 * ipv4 as "10.1.2.3/24", ipv4_gateway, ipv4_dhcp: bool, the same of ipv6; ipv4_dns, dns_domain},
 * and always name, hwaddr and host_name.
 *
 * It is a veth pair. At a start liblxc makes it with the far end already inside, which saves the
 * kernel's slow move between namespaces, and then it becomes ours. For a
 * running or restored container it is made here, and the far end waits to be moved in. The host's
 * end carries the container's hardware address in its alias, so that plugging can tell the bridge
 * at once where that address is: after a move nothing has to be learned. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "node/device/inside.h"
#include "node/device/port.h"
#include "node/netlink/netlink.h"
#include "node/network/network_int.h"

#define HOST_NAME_BYTES 14 /* room for the peer's 'p' */

struct nic {
	const char *host_name, *bridge;
	char peer[IFNAMSIZ], alias[PORT_ALIAS_SIZE];
	uint8_t mac[MAC_LEN];
	uint32_t mtu;
};

/* --- options -------------------------------------------------------------------------------- */

static const char *option(const json_t *options, const char *name)
{
	return keys_text(&device_nic.keys, options, name);
}

static int check(const char *what, const char *device, const json_t *options, struct err *err)
{
	const char *network = option(options, "network"), *parent = option(options, "parent");
	const char *name = option(options, "name"), *wrong = check_nic_name(name ? name : device);

	if (!network && !parent)
		return err_set(err, ERR_INVALID, "%s: a nic needs \"network\" (or \"parent\")",
			       what);
	if (network && parent)
		return err_set(err, ERR_INVALID,
			       "%s: \"parent\" can't be set (to \"%s\") beside \"network\"", what,
			       parent);
	if (wrong)
		return err_set(err, ERR_INVALID,
			       "%s: \"name\" is missing, and the device's name can't be that of an "
			       "interface: it %s",
			       what, wrong);
	return 0;
}

static char *place(const char *device, const json_t *options)
{
	const char *name = option(options, "name");

	return xasprintf("interface \"%s\"", name ? name : device);
}

static bool claim(const json_t *options, struct device_claim *ret)
{
	const char *network = option(options, "network");

	*ret = (struct device_claim){ .network = network ? network : option(options, "parent"),
				      .named_by = network ? "network" : NULL,
				      .name = option(options, "name"),
				      .host_name = option(options, "host_name"),
				      .hwaddr = option(options, "hwaddr"),
				      .ipv4 = option(options, "ipv4.address") };
	return ret->network != NULL;
}

/* --- on a host ------------------------------------------------------------------------------ */

/* A managed network's bridge may not be there yet. link: NULL without. */
static int check_parent(const char *what, const json_t *options, const struct device_host *host,
			const struct link_info *link, struct err *err)
{
	const char *parent = option(options, "parent");

	if (!parent || host->is_network(host->arg, parent) ||
	    (link && str_eq(link->kind, "bridge")))
		return 0;
	return err_set(err, ERR_INVALID,
		       "%s: invalid value \"%s\" for key \"parent\": %s on member \"%s\"; name a "
		       "bridge of it, or a network as \"network\"",
		       what, parent, link ? "it is no bridge" : "there is no such interface",
		       host->member);
}

/* The other end of the pair is named after it until it is inside. */
static int check_host_name_free(const char *what, const json_t *options,
				const struct device_host *host, struct err *err)
{
	const char *name = option(options, "host_name");
	_free_ char *peer = xasprintf("%sp", name ? name : "");

	if (!name || host->is_own(host->arg, name) ||
	    (!if_nametoindex(name) && !if_nametoindex(peer) && !host->is_network(host->arg, name)))
		return 0;
	return err_set(err, ERR_INVALID,
		       "%s: invalid value \"%s\" for key \"host_name\": member \"%s\" has an "
		       "interface \"%s\" already; choose another name",
		       what, name, host->member, if_nametoindex(peer) ? peer : name);
}

/* What is larger than the bridge lets through is lost. */
static int check_mtu(const char *what, const json_t *options, const struct link_info *link,
		     struct err *err)
{
	int64_t mtu = keys_number(&device_nic.keys, options, "mtu");
	struct device_claim c;

	if (!link || mtu <= (int64_t)link->mtu || !claim(options, &c))
		return 0;
	return err_set(err, ERR_INVALID,
		       "%s: invalid value \"%lld\" for key \"mtu\": at most %lld, the MTU of "
		       "\"%s\"",
		       what, (long long)mtu, (long long)link->mtu, c.network);
}

static int check_host(const char *what, const json_t *options, const struct device_host *host,
		      struct err *err)
{
	struct link_info l, *link = NULL;
	struct err ignored;

	if (host->bridge && link_get(host->bridge, &l, &ignored) == 0)
		link = &l;
	if (check_parent(what, options, host, link, err) < 0 ||
	    check_host_name_free(what, options, host, err) < 0)
		return -1;
	return check_mtu(what, options, link, err);
}

/* --- the pair ------------------------------------------------------------------------------- */

static int parse_names(struct nic *nic, const json_t *j, struct err *err)
{
	int64_t mtu = json_int(j, "mtu", 0);

	*nic = (struct nic){ .host_name = json_str(j, "host_name", ""),
			     .bridge = json_str(j, "bridge", ""),
			     .mtu = (uint32_t)mtu };
	if (mtu < 0 || mtu > UINT16_MAX)
		return err_set(err, ERR_INVALID, "mtu is out of range");
	if (!str_is_ifname(nic->host_name) || strlen(nic->host_name) > HOST_NAME_BYTES)
		return err_set(err, ERR_INVALID,
			       "host_name \"%.40s\" is not an interface name of up to "
			       "%d bytes",
			       nic->host_name, HOST_NAME_BYTES);
	snprintf(nic->peer, sizeof(nic->peer), "%.*sp", HOST_NAME_BYTES, nic->host_name);
	return 0;
}

static int nic_parse(struct nic *nic, const json_t *j, struct err *err)
{
	const char *mac = json_str(j, "hwaddr", "");
	struct link_info bridge;

	if (parse_names(nic, j, err) < 0)
		return -1;
	if (!mac_parse(mac, nic->mac))
		return err_set(err, ERR_INVALID, "hwaddr \"%.40s\" is not valid", mac);
	port_alias(nic->mac, nic->alias);
	if (!nic->mtu && *nic->bridge && link_get(nic->bridge, &bridge, err) == 0)
		nic->mtu = bridge.mtu;
	return 0;
}

static int make_pair(const struct nic *nic, struct err *err)
{
	struct err ignored;

	if (link_add_veth(nic->host_name, nic->peer, nic->mac, nic->mtu, err) < 0)
		return -1;
	/* The host has no address on this end; without IPv6 there is nothing to silence. */
	bridge_sysctl("1", &ignored, "ipv6/conf/%s/disable_ipv6", nic->host_name);
	if (link_set_alias(nic->host_name, nic->alias, err) == 0)
		return 0;
	link_delete(nic->host_name, &ignored);
	return -1;
}

static int not_ours(const struct nic *nic, struct err *err)
{
	return err_set(err, ERR_CONFLICT,
		       "this member has an interface \"%s\" that is not Dunlin's", nic->host_name);
}

/* What is there from before is kept when it is the same pair; a peer that is elsewhere is in
 * use. */
static int ensure_pair(const struct nic *nic, struct err *err)
{
	struct link_info host, peer;

	if (link_get(nic->host_name, &host, err) < 0)
		return err->kind == ERR_NOT_FOUND ? make_pair(nic, err) : -1;
	if (!str_eq(host.kind, "veth") || !port_is_ours(&host))
		return not_ours(nic, err);
	if (str_eq(host.alias, nic->alias) && link_get(nic->peer, &peer, err) == 0 &&
	    peer.index == host.peer && memcmp(peer.mac, nic->mac, MAC_LEN) == 0 &&
	    (!nic->mtu || peer.mtu == nic->mtu))
		return 0;
	if (link_delete(nic->host_name, err) < 0)
		return -1;
	return make_pair(nic, err);
}

/* Of a start liblxc makes the pair: nothing of that name is left, and its bridge is there. */
static int vacate(const struct nic *nic, struct err *err)
{
	struct link_info host;

	if (*nic->bridge && port_check_bridge(nic->bridge, err) < 0)
		return -1;
	if (link_get(nic->host_name, &host, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	return port_is_ours(&host) ? link_delete(nic->host_name, err) : not_ours(nic, err);
}

/* On its bridge only where the container runs already. Idempotent. */
static int create(const struct nic *nic, bool plugged, struct err *err)
{
	struct err ignored;

	if (ensure_pair(nic, err) < 0)
		return -1;
	if (link_up(nic->host_name, true, err) == 0 &&
	    port_plug(nic->host_name, plugged ? nic->bridge : "", err) == 0)
		return 0;
	link_delete(nic->host_name, &ignored);
	return -1;
}

static int prepare(const json_t *dev, enum device_use use, struct err *err)
{
	struct nic nic;

	if (nic_parse(&nic, dev, err) < 0)
		return -1;
	return use == DEVICE_START ? vacate(&nic, err) : create(&nic, use == DEVICE_PLUG, err);
}

/* The pair that liblxc has made becomes ours, and the bridge knows its address. */
static int started(const json_t *dev, struct err *err)
{
	struct err ignored;
	struct nic nic;

	if (nic_parse(&nic, dev, err) < 0)
		return -1;
	bridge_sysctl("1", &ignored, "ipv6/conf/%s/disable_ipv6", nic.host_name);
	if (link_set_alias(nic.host_name, nic.alias, err) < 0)
		return -1;
	return port_plug(nic.host_name, nic.bridge, err);
}

/* The end inside goes with it. */
static int release(const json_t *dev, struct err *err)
{
	const char *host_name = json_str(dev, "host_name", "");
	struct link_info host;

	if (!*host_name)
		return 0;
	if (link_get(host_name, &host, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	return port_is_ours(&host) ? link_delete(host_name, err) : 0;
}

/* --- lines of the configuration ------------------------------------------------------------- */

static int put(struct device_conf *c, const char *key, const char *value, struct err *err)
{
	_free_ char *full = xasprintf("lxc.net.%zu.%s", c->nets, key);

	return str_empty(value) ? 0 : device_line(c->out, full, value, err);
}

/* "ADDRESS BROADCAST": liblxc's own guess at the broadcast address leaves out the network. */
static char *with_broadcast(const char *address)
{
	char text[INET6_ADDRSTRLEN];
	struct ip ip, b = { .family = AF_INET };
	uint32_t raw;

	if (!ip_parse(address, &ip) || ip.family != AF_INET || ip.prefix > 30)
		return xstrdup(address);
	raw = ip_broadcast(&ip);
	memcpy(b.bytes, &raw, sizeof(raw));
	return xasprintf("%s %s", address, ip_text(&b, text));
}

/* A second default route is an error to the kernel: the first interface with a gateway has it. */
static const char *gateway(const json_t *dev, const char *key, bool *routed)
{
	const char *via = json_str(dev, key, NULL);
	bool taken = *routed;

	*routed |= via != NULL;
	return taken ? NULL : via;
}

static int put_addresses(struct device_conf *c, const json_t *dev, struct err *err)
{
	_free_ char *ipv4 = with_broadcast(json_str(dev, "ipv4", NULL));
	const char *gateway4 = gateway(dev, "ipv4_gateway", &c->routed4);
	const char *gateway6 = gateway(dev, "ipv6_gateway", &c->routed6);

	if (!json_bool(dev, "ipv4_dhcp", false) &&
	    (put(c, "ipv4.address", ipv4, err) < 0 || put(c, "ipv4.gateway", gateway4, err) < 0))
		return -1;
	if (json_bool(dev, "ipv6_dhcp", false))
		return 0;
	if (put(c, "ipv6.address", json_str(dev, "ipv6", NULL), err) < 0)
		return -1;
	return put(c, "ipv6.gateway", gateway6, err);
}

/* liblxc makes the pair of a start. For a restore it moves an end inside that is there already;
 * a dump has to see the same. */
static int put_link(struct device_conf *c, const struct nic *nic, const json_t *dev,
		    struct err *err)
{
	char mtu[16] = "";

	if (c->use != DEVICE_START)
		return put(c, "type", "phys", err) < 0 ? -1 : put(c, "link", nic->peer, err);
	if (nic->mtu)
		snprintf(mtu, sizeof(mtu), "%u", nic->mtu);
	if (put(c, "type", "veth", err) < 0 || put(c, "link", nic->bridge, err) < 0 ||
	    put(c, "veth.pair", nic->host_name, err) < 0 || put(c, "mtu", mtu, err) < 0)
		return -1;
	return put(c, "hwaddr", json_str(dev, "hwaddr", ""), err);
}

static int conf(struct device_conf *c, const json_t *dev, struct err *err)
{
	const char *name = json_str(dev, "name", "");
	struct nic nic;

	if (parse_names(&nic, dev, err) < 0)
		return -1;
	if (!str_is_ifname(name))
		return err_set(err, ERR_INVALID, "\"%.40s\" is no interface name", name);
	if (put_link(c, &nic, dev, err) < 0 || put(c, "name", name, err) < 0 ||
	    put(c, "flags", "up", err) < 0 || put_addresses(c, dev, err) < 0)
		return -1;
	c->nets++;
	return 0;
}

/* --- while it runs -------------------------------------------------------------------------- */

static int move_inside(const char *peer, int netns, const char *name, struct err *err)
{
	struct ifinfomsg i = { .ifi_index = (int)if_nametoindex(peer) };
	_free_ char *what = xasprintf("move network interface %s inside as %s", peer, name);
	struct nlmsg m;

	if (!i.ifi_index)
		return err_set(err, ERR_NOT_FOUND, "there is no network interface \"%s\"", peer);
	nl_begin(&m, RTM_NEWLINK, 0, &i, sizeof(i));
	nl_put_u32(&m, IFLA_NET_NS_FD, (uint32_t)netns);
	nl_put_str(&m, IFLA_IFNAME, name);
	return nl_call(&m, what, err);
}

static int add_gateway(int index, const char *text, struct err *err)
{
	struct rtmsg r = { .rtm_table = RT_TABLE_MAIN,
			   .rtm_protocol = RTPROT_BOOT,
			   .rtm_scope = RT_SCOPE_UNIVERSE,
			   .rtm_type = RTN_UNICAST };
	struct nlmsg m;
	struct ip via;

	if (!ip_parse(text, &via))
		return 0;
	r.rtm_family = (unsigned char)via.family;
	nl_begin(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &r, sizeof(r));
	nl_put(&m, RTA_GATEWAY, via.bytes, ip_len(&via));
	nl_put_u32(&m, RTA_OIF, (uint32_t)index);
	/* As at a start: the first interface with a gateway has the default route. */
	if (nl_call(&m, "set the default route", err) < 0 && err->sys != EEXIST)
		return -1;
	return 0;
}

static const char *const families[] = { "ipv4", "ipv6" };

static int set_addresses(const json_t *nic, int index, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		_free_ char *dhcp = xasprintf("%s_dhcp", families[i]);
		_free_ char *gateway = xasprintf("%s_gateway", families[i]);
		struct ip ip;

		if (json_bool(nic, dhcp, false) || !ip_parse(json_str(nic, families[i], NULL), &ip))
			continue;
		if (addr_add(index, &ip, err) < 0 ||
		    add_gateway(index, json_str(nic, gateway, NULL), err) < 0)
			return -1;
	}
	return 0;
}

static int plug(const struct device_inside *c, const json_t *dev, struct err *err)
{
	const char *name = json_str(dev, "name", "");
	_free_ char *peer = xasprintf("%sp", json_str(dev, "host_name", ""));
	_close_ int netns = inside_open_network(c, err);

	if (netns < 0 || move_inside(peer, netns, name, err) < 0)
		return -1;
	if (setns(netns, CLONE_NEWNET) < 0)
		return err_sys(err, "enter the network namespace");
	if (link_up(name, true, err) < 0)
		return -1;
	return set_addresses(dev, (int)if_nametoindex(name), err);
}

static bool port(const json_t *dev, struct device_port *ret)
{
	const char *bridge = json_str(dev, "bridge", "");

	*ret = (struct device_port){ .device = json_str(dev, "device", ""),
				     .network = json_str(dev, "network", bridge),
				     .name = json_str(dev, "name", ""),
				     .host_name = json_str(dev, "host_name", ""),
				     .bridge = bridge,
				     .ipv4 = json_str(dev, "ipv4", "") };
	return true;
}

/* Addresses are not among them: connections would not survive what a client inside does by itself,
 * or a start. */
static const char *const fixed[] = { "name", "hwaddr", "host_name", "bridge", "mtu", NULL };

const struct device_ops device_nic = {
	.type = "nic",
	.keys = { device_keys, "nic" },
	.check = check,
	.place = place,
	.claim = claim,
	.check_host = check_host,
	.fixed = fixed,
	.prepare = prepare,
	.conf = conf,
	.started = started,
	.release = release,
	.plug = plug,
	.port = port,
};
