/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "node/netlink/link.h"
#include "node/netlink/netlink.h"

struct each_addr {
	int index;
	int (*fn)(void *arg, int index, uint8_t scope, const struct ip *ip);
	void *arg;
};

static int visit_addr(void *arg, const struct nlmsghdr *h)
{
	const struct ifaddrmsg *a = NLMSG_DATA(h);
	const struct rtattr *tb[IFA_MAX + 1], *addr;
	struct each_addr *e = arg;
	struct ip ip = { .family = a->ifa_family, .prefix = a->ifa_prefixlen };

	if (h->nlmsg_type != RTM_NEWADDR || (e->index && (int)a->ifa_index != e->index) ||
	    (ip.family != AF_INET && ip.family != AF_INET6))
		return 0;
	nl_parse(IFA_RTA(a), IFA_PAYLOAD(h), tb, IFA_MAX);
	addr = tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS];
	if (!addr || RTA_PAYLOAD(addr) < ip_len(&ip))
		return 0;
	memcpy(ip.bytes, RTA_DATA(addr), ip_len(&ip));
	return e->fn(e->arg, (int)a->ifa_index, a->ifa_scope, &ip);
}

int addr_each(int index, int (*fn)(void *arg, int index, uint8_t scope, const struct ip *ip),
	      void *arg, struct err *err)
{
	struct each_addr e = { index, fn, arg };
	struct nlmsg m;

	nl_begin(&m, RTM_GETADDR, 0, &(struct ifaddrmsg){ 0 }, sizeof(struct ifaddrmsg));
	return nl_dump(&m, "list addresses", visit_addr, &e, err);
}

static int addr_change(int type, int flags, int index, const struct ip *ip, struct err *err)
{
	struct ifaddrmsg a = { .ifa_family = (uint8_t)ip->family,
			       .ifa_prefixlen = ip->prefix,
			       .ifa_index = (uint32_t)index };
	char text[INET6_ADDRSTRLEN], what[80];
	struct nlmsg m;

	assert(ip->family);
	/* Several members may have the same gateway address on purpose. */
	if (ip->family == AF_INET6)
		a.ifa_flags = IFA_F_NODAD;
	nl_begin(&m, type, flags, &a, sizeof(a));
	nl_put(&m, IFA_LOCAL, ip->bytes, ip_len(ip));
	nl_put(&m, IFA_ADDRESS, ip->bytes, ip_len(ip));
	if (type == RTM_NEWADDR && ip->family == AF_INET && ip->prefix < 31) {
		uint32_t b = ip_broadcast(ip);

		nl_put(&m, IFA_BROADCAST, &b, sizeof(b));
	}
	snprintf(what, sizeof(what), "%s address %s", type == RTM_NEWADDR ? "add" : "remove",
		 ip_text(ip, text));
	return nl_call(&m, what, err);
}

int addr_add(int index, const struct ip *ip, struct err *err)
{
	if (addr_change(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, index, ip, err) == 0)
		return 0;
	return err->sys == EEXIST ? 0 : -1;
}

int addr_del(int index, const struct ip *ip, struct err *err)
{
	if (addr_change(RTM_DELADDR, 0, index, ip, err) == 0)
		return 0;
	return err->sys == EADDRNOTAVAIL ? 0 : -1;
}

/* --- forwarding entries --------------------------------------------------------------------- */

struct each_fdb {
	int index;
	int (*fn)(void *arg, const struct fdb_entry *e);
	void *arg;
};

static int visit_fdb(void *arg, const struct nlmsghdr *h)
{
	const struct ndmsg *n = NLMSG_DATA(h);
	const struct rtattr *tb[NDA_MAX + 1];
	struct fdb_entry entry = { .of_bridge = !(n->ndm_flags & NTF_SELF) };
	struct each_fdb *e = arg;

	if (h->nlmsg_type != RTM_NEWNEIGH || n->ndm_ifindex != e->index)
		return 0;
	nl_parse((const char *)n + NLMSG_ALIGN(sizeof(*n)), NLMSG_PAYLOAD(h, sizeof(*n)), tb,
		 NDA_MAX);
	if (!tb[NDA_LLADDR] || RTA_PAYLOAD(tb[NDA_LLADDR]) != MAC_LEN)
		return 0;
	/* The port's own address; not an entry of anybody's. */
	if (entry.of_bridge && (n->ndm_state & NUD_PERMANENT))
		return 0;
	memcpy(entry.mac, RTA_DATA(tb[NDA_LLADDR]), MAC_LEN);
	if (tb[NDA_DST]) {
		entry.dst.family = RTA_PAYLOAD(tb[NDA_DST]) == 16 ? AF_INET6 : AF_INET;
		memcpy(entry.dst.bytes, RTA_DATA(tb[NDA_DST]), ip_len(&entry.dst));
	}
	return e->fn(e->arg, &entry);
}

int fdb_each(int index, int (*fn)(void *arg, const struct fdb_entry *e), void *arg, struct err *err)
{
	struct each_fdb e = { index, fn, arg };
	struct ndmsg n = { .ndm_family = AF_BRIDGE, .ndm_ifindex = index };
	struct nlmsg m;

	nl_begin(&m, RTM_GETNEIGH, 0, &n, sizeof(n));
	return nl_dump(&m, "list forwarding entries", visit_fdb, &e, err);
}

static const struct {
	int type, flags;
	const char *verb;
} hows[] = {
	[FDB_REPLACE] = { RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, "set" },
	[FDB_APPEND] = { RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_APPEND, "add" },
	[FDB_DELETE] = { RTM_DELNEIGH, 0, "remove" },
};

int fdb_change(int nl, int index, enum fdb_how how, const struct fdb_entry *e, struct err *err)
{
	struct ndmsg n = { .ndm_family = AF_BRIDGE,
			   .ndm_ifindex = index,
			   .ndm_flags = (e->of_bridge ? NTF_MASTER : NTF_SELF) |
					(e->sticky ? NTF_STICKY : 0),
			   .ndm_state = e->of_bridge ? NUD_NOARP : NUD_NOARP | NUD_PERMANENT };
	char mac[MAC_TEXT_SIZE], what[80];
	struct nlmsg m;

	assert((size_t)how < ARRAY_SIZE(hows));
	nl_begin(&m, hows[how].type, hows[how].flags, &n, sizeof(n));
	nl_put(&m, NDA_LLADDR, e->mac, MAC_LEN);
	if (e->dst.family)
		nl_put(&m, NDA_DST, e->dst.bytes, ip_len(&e->dst));
	snprintf(what, sizeof(what), "%s the forwarding entry of %s", hows[how].verb,
		 mac_text(e->mac, mac));
	if (nl_send(nl, &m, what, err) == 0)
		return 0;
	return how == FDB_DELETE && err->sys == ENOENT ? 0 : -1;
}
