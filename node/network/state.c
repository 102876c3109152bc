/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel and dnsmasq say about a network, in LXD's shapes. */
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "node/network/network.h"
#include "node/network/network_int.h"
#include "node/node_int.h"

static const char *scope_name(uint8_t scope)
{
	switch (scope) {
	case RT_SCOPE_UNIVERSE:
		return "global";
	case RT_SCOPE_LINK:
		return "link";
	default:
		return "local";
	}
}

static int add_address(void *arg, int index, uint8_t scope, const struct ip *ip)
{
	char text[INET6_ADDRSTRLEN], prefix[4];
	json_t *a = json_object();

	snprintf(prefix, sizeof(prefix), "%u", ip->prefix);
	json_put_str(a, "family", ip->family == AF_INET ? "inet" : "inet6");
	json_put_str(a, "address", ip_text(ip, text));
	json_put_str(a, "netmask", prefix);
	json_put_str(a, "scope", scope_name(scope));
	json_array_append_new(arg, a);
	return 0;
}

static json_t *counters_of(const struct link_stats *s)
{
	json_t *c = json_object();

	json_put_int(c, "bytes_received", (int64_t)s->rx_bytes);
	json_put_int(c, "bytes_sent", (int64_t)s->tx_bytes);
	json_put_int(c, "packets_received", (int64_t)s->rx_packets);
	json_put_int(c, "packets_sent", (int64_t)s->tx_packets);
	return c;
}

struct ports {
	int bridge;
	json_t *names;
};

static int add_port(void *arg, const struct link_info *l)
{
	struct ports *p = arg;

	if (l->master == p->bridge)
		json_array_append_new(p->names, json_string(l->name));
	return 0;
}

static json_t *bridge_state(const struct link_info *l, struct err *err)
{
	struct ports ports = { l->index, json_array() };
	json_t *b = json_object();
	char id[32];

	snprintf(id, sizeof(id), "%04x.%02x%02x%02x%02x%02x%02x", l->bridge_priority, l->mac[0],
		 l->mac[1], l->mac[2], l->mac[3], l->mac[4], l->mac[5]);
	json_put_str(b, "id", id);
	json_put_bool(b, "stp", l->stp);
	json_put_int(b, "forward_delay", l->forward_delay);
	json_put_int(b, "vlan_default", l->vlan_default);
	json_put_bool(b, "vlan_filtering", l->vlan_filtering);
	json_object_set_new(b, "upper_devices", ports.names);
	if (link_each(add_port, &ports, err) == 0)
		return b;
	json_decref(b);
	return NULL;
}

static const char *link_type(const struct link_info *l)
{
	if (l->flags & IFF_LOOPBACK)
		return "loopback";
	return l->flags & IFF_POINTOPOINT ? "point-to-point" : "broadcast";
}

json_t *network_state(struct node *n, const char *name, struct err *err)
{
	_json_ json_t *state = json_object();
	json_t *addresses = json_array(), *bridge = NULL;
	char mac[MAC_TEXT_SIZE];
	struct link_info l;

	json_object_set_new(state, "addresses", addresses);
	if (link_get(name, &l, err) < 0 || addr_each(l.index, add_address, addresses, err) < 0)
		return NULL;
	if (str_eq(l.kind, "bridge")) {
		bridge = bridge_state(&l, err);
		if (!bridge)
			return NULL;
	}
	json_object_set_new(state, "counters", counters_of(&l.stats));
	json_put_str(state, "hwaddr", l.flags & IFF_LOOPBACK ? "" : mac_text(l.mac, mac));
	json_put_int(state, "mtu", l.mtu);
	json_put_str(state, "state", l.flags & IFF_UP ? "up" : "down");
	json_put_str(state, "type", link_type(&l));
	json_object_set_new(state, "bond", json_null());
	json_object_set_new(state, "bridge", bridge ? bridge : json_null());
	json_object_set_new(state, "vlan", json_null());
	json_object_set_new(state, "ovn", json_null());
	return json_incref(state);
}

struct gateway {
	const char *network;
	json_t *list;
};

static int add_gateway(void *arg, int index, uint8_t scope, const struct ip *ip)
{
	struct gateway *g = arg;
	_free_ char *hostname = xasprintf("%s.gw", g->network);
	char text[INET6_ADDRSTRLEN];
	json_t *l;

	if (scope == RT_SCOPE_LINK)
		return 0;
	l = json_object();
	json_put_str(l, "hostname", hostname);
	json_put_str(l, "hwaddr", "");
	json_put_str(l, "address", ip_text(ip, text));
	json_put_str(l, "type", "gateway");
	json_array_append_new(g->list, l);
	return 0;
}

json_t *network_leases(struct node *n, const char *name)
{
	_free_ char *dir = node_path(n, "networks/%s", name);
	struct gateway g = { name, json_array() };
	struct link_info l;
	struct err err;

	if (str_is_ifname(name) && link_get(name, &l, &err) == 0) {
		addr_each(l.index, add_gateway, &g, &err);
		dnsmasq_leases(dir, g.list);
	}
	return g.list;
}
