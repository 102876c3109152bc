/* SPDX-License-Identifier: Apache-2.0 */
/* node/netlink/conntrack.h - connections whose addresses this host translates (NAT), in the calling
 * thread's network namespace. */
#pragma once
#include <stddef.h>

#include "node/netlink/link.h"

/* How many of them begin at one of the IPv4 addresses, or were forwarded to one. A kernel that
 * tracks no connections translates none. */
int conntrack_count(const struct ip *addresses, size_t n, size_t *ret, struct err *err);
/* Forgets those. What comes for one then is for this host itself, which knows nothing of it and
 * says so. */
int conntrack_forget(const struct ip *addresses, size_t n, struct err *err);
