/* SPDX-License-Identifier: Apache-2.0 */
/* node/network/network_int.h - one network of this member, taken apart for the files that build its
 * pieces.
 *
 * Every piece is brought to the wanted state by `_ensure`, whatever it was before, and is found
 * again by the network's name alone, so nothing but dnsmasq's files is stored:
 *     bridge NAME, VXLAN port vx<vni>, tables dunlin-NAME (inet, bridge), networks/NAME/
 */
#pragma once
#include "node/netlink/link.h"
#include "node/network/type.h"
#include "node/node.h"

#define MTU_DEFAULT 1500
#define NETWORK_ALIAS "dunlin" /* marks links as ours */

/* What the configuration says of IPv4; networks have no IPv6 of their own. */
struct net_ipv4 {
	struct ip gateway; /* family 0: the network has no such address */
	bool nat, dhcp, firewall, routing;
};

struct net {
	const char *name; /* borrowed, as all of the description */
	const json_t *config;
	const struct network_ops *ops;
	struct net_ipv4 v4;
	uint8_t mac[MAC_LEN];
	uint32_t mtu; /* of the bridge and of what is plugged in */
	uint32_t vni;
	struct ip local, *peers; /* local.family 0: no other member yet, and no port to it */
	size_t npeers;
};
int net_parse(struct net *net, const json_t *desc, struct err *err);
void net_done(struct net *net);

int bridge_ensure(const struct net *net, bool *ret_created, struct err *err);
int bridge_remove(const char *name, struct err *err);
/* Writes /proc/sys/net/<path> of this network namespace, unless it says so already. */
int bridge_sysctl(const char *value, struct err *err, const char *path_fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The MTU of the interface that has the address; completes its prefix. */
int vxlan_underlay_mtu(struct ip *local, uint32_t *ret_mtu, struct err *err);
void vxlan_name(uint32_t vni, char name[IFNAMSIZ]);
int vxlan_ensure(const struct net *net, struct err *err);
int vxlan_remove(const char *bridge, struct err *err); /* all VXLAN ports of the bridge */
/* ERR_NOT_FOUND when the bridge has none. */
int vxlan_port(const char *bridge, struct link_info *ret, struct err *err);
int vxlan_forwarding(const char *bridge, const json_t *macs, struct err *err);

/* From the bridge, its forwarding entries and the containers' addresses ({mac: ipv4}). */
int routes_set(const char *bridge, const json_t *ips, struct err *err);
int routes_remove(const char *bridge, struct err *err);

int firewall_ensure(const struct net *net, struct err *err);
int firewall_remove(const char *name, struct err *err);
/* Calls network_lost of the node's options from now on. */
int firewall_watch(struct node *n, struct err *err);

/* dir: DUNLIN_DIR/networks/NAME. restart: its interface is a new one. */
int dnsmasq_ensure(const struct net *net, const char *dir, bool restart, struct err *err);
/* Whether a lease has, or may have, an address that belongs to another container by now, which gets
 * it only when dnsmasq starts again. */
bool dnsmasq_has_former(const char *dir);
int dnsmasq_remove(const char *dir, struct err *err);
/* Writes them down. *ret_changed: it learns of them by dnsmasq_reload() or a restart. */
int dnsmasq_hosts(const struct net *net, const char *dir, const json_t *hosts, bool *ret_changed,
		  struct err *err);
/* It reads its list of hosts again, if it runs; and writes its leases anew. */
void dnsmasq_reload(const char *dir);
/* {mac: ipv4} of its hosts; new reference. */
json_t *dnsmasq_addresses(const char *dir);
/* [{hostname,hwaddr,address,type}] of its hosts and leases, appended to list. */
void dnsmasq_leases(const char *dir, json_t *list);

/* A packet socket for the frames below, to keep: to close one takes the kernel 10 ms and more, for
 * it waits until nobody looks at it any longer. -1 with err. */
int announce_open(struct err *err);
/* Tells all on the bridge, and the host, that the address is at mac now. */
int announce_address(int fd, const char *bridge, const uint8_t mac[MAC_LEN], const struct ip *ip,
		     struct err *err);
