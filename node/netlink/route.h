/* SPDX-License-Identifier: Apache-2.0 */
/* node/netlink/route.h - our routes in the main table: marked by a protocol number of their own,
 * and told apart by network with their metric, so that they are found again without notes.
 */
#pragma once
#include "node/netlink/link.h"

struct route {
	struct ip dst;   /* with its prefix */
	struct ip via;   /* family 0: on the link itself */
	struct ip src;   /* preferred source; family 0: the kernel's choice */
	int oif;         /* 0: where `via` is */
	uint32_t metric; /* the network's VXLAN id */
};

/* fn for each of our routes of that metric until it returns non-zero. */
int route_each(uint32_t metric, int (*fn)(void *arg, const struct route *r), void *arg,
	       struct err *err);
/* On a socket of nl_open. Replaces one to the same destination; removing an absent one succeeds. */
int route_set(int nl, const struct route *r, struct err *err);
int route_del(int nl, const struct route *r, struct err *err);
