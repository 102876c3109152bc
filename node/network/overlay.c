/* SPDX-License-Identifier: Apache-2.0 */
/* An overlay: one segment over all members, by a VXLAN port of each bridge (vxlan.c) and routes of
 * the hosts themselves (routes.c). A description has beside its keys its "vni", this member's
 * underlay address "local" and those of its "peers". */
#include "base/mem.h"
#include "base/str.h"
#include "node/network/network_int.h"

#define OVERHEAD_V4 50
#define OVERHEAD_V6 70
#define VNI_MAX 0xffffff
#define MTU_MAX 65535

static int parse_peers(struct net *net, const json_t *desc, struct err *err)
{
	json_t *peers = json_arr(desc, "peers"), *p;
	size_t i;

	net->peers = xcalloc(json_array_size(peers) + 1, sizeof(*net->peers));
	json_array_foreach(peers, i, p) {
		const char *address = json_str(p, "address", "");
		struct ip *ip = &net->peers[net->npeers];

		if (!ip_parse(address, ip) || ip->family != net->local.family)
			return err_set(
				err, ERR_INVALID,
				"network \"%s\": the peer address \"%.60s\" does not fit ours",
				net->name, address);
		if (!ip_equal(ip, &net->local))
			net->npeers++;
	}
	return 0;
}

static int parse_ids(struct net *net, const json_t *desc, struct err *err)
{
	int64_t vni = json_int(desc, "vni", 0);

	if (vni < 1 || vni > VNI_MAX)
		return err_set(err, ERR_INVALID, "network \"%s\": VXLAN id %lld is out of range",
			       net->name, (long long)vni);
	net->vni = (uint32_t)vni;
	if (str_empty(json_str(desc, "local", "")) && json_array_size(json_arr(desc, "peers")) == 0)
		return 0;
	if (!ip_parse(json_str(desc, "local", ""), &net->local))
		return err_set(
			err, ERR_INVALID,
			"network \"%s\": this member has no address that others reach it at: "
			"set cluster.https_address",
			net->name);
	return parse_peers(net, desc, err);
}

static int parse(struct net *net, const json_t *desc, struct err *err)
{
	uint32_t underlay = MTU_DEFAULT;

	if (parse_ids(net, desc, err) < 0)
		return -1;
	if (net->local.family && vxlan_underlay_mtu(&net->local, &underlay, err) < 0)
		return err_wrap(err, "network \"%s\"", net->name);
	if (net->mtu)
		return 0;
	net->mtu = underlay - (net->local.family == AF_INET6 ? OVERHEAD_V6 : OVERHEAD_V4);
	/* Loopback underlays have more than a bridge takes. */
	if (net->mtu > MTU_MAX - OVERHEAD_V6)
		net->mtu = MTU_DEFAULT;
	return 0;
}

static int ensure(const struct net *net, struct err *err)
{
	return net->local.family ? vxlan_ensure(net, err) : vxlan_remove(net->name, err);
}

static int remove_all(const char *bridge, struct err *err)
{
	return routes_remove(bridge, err) < 0 ? -1 : vxlan_remove(bridge, err);
}

const struct network_ops network_overlay = {
	.type = "overlay",
	.keys = { network_rows, "overlay" },
	.spans = "vxlan.id",
	.parse = parse,
	.ensure = ensure,
	.remove = remove_all,
	.forwarding = vxlan_forwarding,
	.route = routes_set,
};
