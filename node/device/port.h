/* SPDX-License-Identifier: Apache-2.0 */
/* node/device/port.h - devices that have an interface on a bridge of this host, whatever their
 * type. Those without a bridge are passed over. */
#pragma once
#include "node/device/device.h"
#include "node/netlink/link.h"

#define PORT_ALIAS_SIZE 64

/* Marks a host end as ours, and says the container's hardware address. */
void port_alias(const uint8_t mac[MAC_LEN], char ret[PORT_ALIAS_SIZE]);
bool port_is_ours(const struct link_info *host);
/* The container's hardware address, of a host end that is ours. */
bool port_mac(const struct link_info *host, uint8_t ret[MAC_LEN]);
/* "": none. On: the bridge is told where the container's hardware address is. */
int port_plug(const char *host_name, const char *bridge, struct err *err);
/* Where there is a stand-in: all that the container says gets through, and what comes for it still
 * goes to the stand-in, until port_plug(), which also tells what fails. */
void port_open(const char *host_name, const char *bridge);
/* ERR_NOT_FOUND, or ERR_INVALID for what takes no ports. */
int port_check_bridge(const char *name, struct err *err);

/* The interface of a catcher (catcher.h) for that host end. */
void port_stand_in(const char *host_name, char ret[IFNAMSIZ]);
/* Onto the bridge, or off it. Where there is one, its stand-in takes what comes for the container
 * meanwhile, and leaves the bridge again afterwards. */
int port_connect(const char *host_name, const char *bridge, bool on, struct err *err);

/* Frames pass all its ports, or none: the container stands still while it moves. All are tried; the
 * first error is told. */
int devices_connect(const json_t *spec, bool on, struct err *err);
/* The addresses in network{} of a container's state, to all on the bridges of its ports. False when
 * a port does not forward yet: nobody heard of its addresses. */
bool devices_announce(int fd, const json_t *spec, const json_t *network);
/* Connections of the addresses that the cluster gave it, which this host translates to an address
 * of its own: how many there are; 0, too, when that cannot be told. Elsewhere they mean nothing. */
size_t devices_translated(const json_t *spec);
void devices_forget_translated(const json_t *spec);
