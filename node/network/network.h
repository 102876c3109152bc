/* SPDX-License-Identifier: Apache-2.0 */
/* node/network/network.h - networks of this host: bridges, overlays, and who is on them. */
#pragma once
#include "node/node.h"

/* net: {"name","type":"bridge|overlay","config":{ipv4.address, ipv4.nat, ipv4.dhcp, bridge.mtu,
 * ...},
 *       "vni": n, "peers":[{"address": underlay ip of another member}], "local": our underlay ip}.
 * Makes or brings up to date the bridge, its address, NAT, dnsmasq, and for overlay the VXLAN
 * port.
 */
int network_ensure(struct node *n, const json_t *net, struct err *err);
int network_remove(struct node *n, const char *name, struct err *err);
/* Forwarding entries of an overlay: {"mac": "underlay ip"} of all containers elsewhere.
 * Replaces the set. */
int network_forwarding(struct node *n, const char *name, const json_t *macs, struct err *err);
json_t *network_state(struct node *n, const char *name, struct err *err); /* LXD's network state */
json_t *network_leases(struct node *n, const char *name); /* [{hostname,hwaddr,address,type}] */
/* All containers of the network, wherever they are: [{hwaddr, ipv4, hostname}]. Their names resolve
 * here, and DHCP gives nobody else their addresses. */
int network_hosts(struct node *n, const json_t *net, const json_t *hosts, struct err *err);

/* Names of the networks that have been made here and not been removed; new reference. */
json_t *network_list(struct node *n);
