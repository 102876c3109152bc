/* SPDX-License-Identifier: Apache-2.0 */
#include "node/netlink/route.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "node/netlink/netlink.h"

#define PROTOCOL 209 /* not taken in iproute2's rt_protos */

struct each_route {
	uint32_t metric;
	int (*fn)(void *arg, const struct route *r);
	void *arg;
};

static void read_ip(const struct rtattr *a, int family, struct ip *ret)
{
	struct ip ip = { .family = family };

	if (!a || RTA_PAYLOAD(a) < ip_len(&ip))
		return;
	memcpy(ip.bytes, RTA_DATA(a), ip_len(&ip));
	*ret = ip;
}

static int visit(void *arg, const struct nlmsghdr *h)
{
	const struct rtmsg *m = NLMSG_DATA(h);
	const struct rtattr *tb[RTA_MAX + 1];
	struct each_route *e = arg;
	struct route r = { .oif = 0 };

	if (h->nlmsg_type != RTM_NEWROUTE || m->rtm_protocol != PROTOCOL ||
	    m->rtm_table != RT_TABLE_MAIN)
		return 0;
	nl_parse(RTM_RTA(m), RTM_PAYLOAD(h), tb, RTA_MAX);
	r.metric = nl_get_u32(tb[RTA_PRIORITY], 0);
	if (r.metric != e->metric)
		return 0;
	r.oif = (int)nl_get_u32(tb[RTA_OIF], 0);
	read_ip(tb[RTA_DST], m->rtm_family, &r.dst);
	read_ip(tb[RTA_GATEWAY], m->rtm_family, &r.via);
	read_ip(tb[RTA_PREFSRC], m->rtm_family, &r.src);
	r.dst.prefix = m->rtm_dst_len;
	return e->fn(e->arg, &r);
}

int route_each(uint32_t metric, int (*fn)(void *arg, const struct route *r), void *arg,
	       struct err *err)
{
	struct each_route e = { metric, fn, arg };
	struct rtmsg r = { .rtm_family = AF_INET };
	struct nlmsg m;

	nl_begin(&m, RTM_GETROUTE, 0, &r, sizeof(r));
	return nl_dump(&m, "list routes", visit, &e, err);
}

static int change(int nl, int type, int flags, const struct route *r, struct err *err)
{
	struct rtmsg rt = { .rtm_family = (unsigned char)r->dst.family,
			    .rtm_dst_len = r->dst.prefix,
			    .rtm_table = RT_TABLE_MAIN,
			    .rtm_protocol = PROTOCOL,
			    .rtm_scope = r->via.family ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
			    .rtm_type = RTN_UNICAST };
	char dst[INET6_ADDRSTRLEN], what[80];
	struct nlmsg m;

	nl_begin(&m, type, flags, &rt, sizeof(rt));
	nl_put(&m, RTA_DST, r->dst.bytes, ip_len(&r->dst));
	nl_put_u32(&m, RTA_PRIORITY, r->metric);
	if (r->via.family)
		nl_put(&m, RTA_GATEWAY, r->via.bytes, ip_len(&r->via));
	if (r->src.family)
		nl_put(&m, RTA_PREFSRC, r->src.bytes, ip_len(&r->src));
	if (r->oif)
		nl_put_u32(&m, RTA_OIF, (uint32_t)r->oif);
	snprintf(what, sizeof(what), "route to %s/%d", ip_text(&r->dst, dst), r->dst.prefix);
	return nl_send(nl, &m, what, err);
}

int route_set(int nl, const struct route *r, struct err *err)
{
	return change(nl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, r, err);
}

int route_del(int nl, const struct route *r, struct err *err)
{
	if (change(nl, RTM_DELROUTE, 0, r, err) == 0 || err->sys == ESRCH)
		return 0;
	return -1;
}
