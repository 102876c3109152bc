/* SPDX-License-Identifier: Apache-2.0 */
/* api/work/netrows.h - what the rows want of a managed network on this member. They only look: what
 * they give is for netsync.c, which compares it with what is, and for node/network.
 */
#pragma once
#include "api/work/env.h"
#include "cluster/model/row.h"

/* Member -> the address at which it is reached, "" when that is unknown; this member under "". Of a
 * server that is not clustered: nothing. New reference. */
json_t *netrows_underlays(const struct api_env *env);
/* The description for network_ensure() of the network `row`; new reference. */
json_t *netrows_wanted(const struct row *row, const json_t *underlays);
/* Its leases: hosts for network_hosts(), macs for network_forwarding(). A network that spans the
 * members has all of them, another one those of the instances that are here. */
void netrows_leases(const struct api_env *env, const struct row *row, const json_t *underlays,
		    json_t *hosts, json_t *macs);
