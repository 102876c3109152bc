/* SPDX-License-Identifier: Apache-2.0 */
/* node/network/network.h - networks of this host, and who is on them. */
#pragma once
#include "node/node.h"

/* net: {"name", "type", "config", and where it spans members (node/network/type.h) "vni",
 * "peers": [{"address": underlay ip of another member}], "local": our underlay ip}. Makes or brings
 * up to date the bridge, its address, NAT, dnsmasq, and what its type has beside. */
int network_ensure(struct node *n, const json_t *net, struct err *err);
int network_remove(struct node *n, const char *name, struct err *err);
/* Forwarding entries of a network that spans members: {"mac": "underlay ip"} of all containers
 * elsewhere. Replaces the set. */
int network_forwarding(struct node *n, const json_t *net, const json_t *macs, struct err *err);
json_t *network_state(struct node *n, const char *name, struct err *err); /* LXD's network state */
json_t *network_leases(struct node *n, const char *name); /* [{hostname,hwaddr,address,type}] */
/* All containers of the network, wherever they are: [{hwaddr, ipv4, hostname}]. Their names resolve
 * here, and DHCP gives nobody else their addresses. */
int network_hosts(struct node *n, const json_t *net, const json_t *hosts, struct err *err);

/* Names of the networks that have been made here and not been removed; new reference. */
json_t *network_list(struct node *n);
