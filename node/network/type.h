/* SPDX-License-Identifier: Apache-2.0 */
/* node/network/type.h - types of networks: a row a type (type.def), a file each.
 *
 * Each is a bridge of the network's name on every member, with what its keys say of addresses,
 * DNS, DHCP and rules. The operations add what else a type has; one that is missing has nothing to
 * do.
 */
#pragma once
#include "base/keys.h"

struct net;

struct network_ops {
	const char *type;
	struct keys keys; /* network_rows of the type */
	/* One segment over all members: it has an identifier that no other network has ("vni"),
	 * which this key asks for, and each member knows where the others' containers are. NULL:
	 * the segment is this member's. */
	const char *spans;

	/* Reads what it needs of the description; net->mtu is 0 unless it was given, and may be
	 * set. */
	int (*parse)(struct net *net, const json_t *desc, struct err *err);
	/* What is plugged into the bridge, when the rules of the firewall stand. */
	int (*ensure)(const struct net *net, struct err *err);
	/* That and the rest, of a bridge that may have been of any type. */
	int (*remove)(const char *bridge, struct err *err);
	/* See network_forwarding(). */
	int (*forwarding)(const char *bridge, const json_t *macs, struct err *err);
	/* How this member itself reaches the containers: {mac: ipv4} of all that are known here. */
	int (*route)(const char *bridge, const json_t *ips, struct err *err);
};

#define KEY(...)
#define REFUSED(...)
#define NETWORK(type, doc) extern const struct network_ops network_##type;
#include "node/network/type.def"
#undef NETWORK
#undef REFUSED
#undef KEY
extern const struct key network_rows[];

/* All types, NULL at the end. */
extern const struct network_ops *const network_types[];
/* By "type" of a row or description: the first one where that is missing or empty. ERR_INVALID
 * names the types that there are. */
const struct network_ops *network_type_of(const json_t *net, struct err *err);
bool network_spans(const json_t *net);
