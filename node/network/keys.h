/* SPDX-License-Identifier: Apache-2.0 */
/* node/network/keys.h - the keys of networks (node/network/type.def), and what their values are. */
#pragma once
#include "base/keys.h"
#include "node/netlink/link.h"

#define RANGES4_MAX 16

extern const struct keys network_keys; /* those of every type */

/* Addresses in numbers, host byte order. */
struct range4 {
	uint32_t first, last;
};
struct ranges4 {
	size_t n;
	struct range4 v[RANGES4_MAX];
};

/* ipv4.address: a host with its subnet's prefix, as struct ip; family 0 for none and auto. */
int net_parse_cidr4(const char *v, void *ret, struct err *err);
/* ipv4.dhcp.ranges, as struct ranges4. */
int net_parse_ranges4(const char *v, void *ret, struct err *err);
