/* SPDX-License-Identifier: Apache-2.0 */
#include "node/netlink/conntrack.h"

#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "node/netlink/netlink.h"

#define MESSAGE(what) (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_##what)
#define FORGET_MAX 4096 /* a round */
#define ROUNDS_MAX 16

struct search {
	const struct ip *addresses;
	size_t n, found;
	struct nlmsg *v; /* that forget those found, if they are to be; FORGET_MAX */
};

/* The source address of one direction; false: it is of no IPv4. */
static bool source_of(const struct rtattr *tuple, struct ip *ret)
{
	const struct rtattr *tb[CTA_TUPLE_MAX + 1], *ip[CTA_IP_MAX + 1];

	nl_parse_nest(tuple, tb, CTA_TUPLE_MAX);
	nl_parse_nest(tb[CTA_TUPLE_IP], ip, CTA_IP_MAX);
	if (!ip[CTA_IP_V4_SRC] || RTA_PAYLOAD(ip[CTA_IP_V4_SRC]) != 4)
		return false;
	*ret = (struct ip){ .family = AF_INET, .prefix = 32 };
	memcpy(ret->bytes, RTA_DATA(ip[CTA_IP_V4_SRC]), 4);
	return true;
}

static bool is_from(const struct search *s, const struct rtattr *tuple)
{
	struct ip ip;

	if (!source_of(tuple, &ip))
		return false;
	for (size_t i = 0; i < s->n; i++) {
		if (ip_equal(&s->addresses[i], &ip))
			return true;
	}
	return false;
}

static const struct nfgenmsg ipv4 = { .nfgen_family = AF_INET, .version = NFNETLINK_V0 };

/* That very one: another may have the same addresses by then. */
static void put_forget(struct nlmsg *m, const struct rtattr **tb)
{
	static const int parts[] = { CTA_TUPLE_ORIG, CTA_ZONE, CTA_ID };

	nl_begin(m, MESSAGE(DELETE), 0, &ipv4, sizeof(ipv4));
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		const struct rtattr *a = tb[parts[i]];

		if (a)
			nl_put(m, a->rta_type, RTA_DATA(a), RTA_PAYLOAD(a));
	}
}

static int visit(void *arg, const struct nlmsghdr *h)
{
	const struct rtattr *tb[CTA_MAX + 1];
	struct search *s = arg;
	size_t skip = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nfgenmsg));
	uint32_t status;

	if (h->nlmsg_type != MESSAGE(NEW) || h->nlmsg_len < skip)
		return 0;
	nl_parse((const char *)h + skip, h->nlmsg_len - skip, tb, CTA_MAX);
	status = ntohl(nl_get_u32(tb[CTA_STATUS], 0));
	if (!((status & IPS_SRC_NAT) && is_from(s, tb[CTA_TUPLE_ORIG])) &&
	    !((status & IPS_DST_NAT) && is_from(s, tb[CTA_TUPLE_REPLY])))
		return 0;
	if (s->v)
		put_forget(&s->v[s->found], tb);
	s->found++;
	return s->v && s->found == FORGET_MAX;
}

static bool tracks_nothing(const struct err *err)
{
	return err->sys == EINVAL || err->sys == EOPNOTSUPP || err->sys == EPROTONOSUPPORT;
}

static int search(struct search *s, struct err *err)
{
	struct nlmsg m;

	s->found = 0;
	nl_begin(&m, MESSAGE(GET), 0, &ipv4, sizeof(ipv4));
	if (nl_dump(&m, "list tracked connections", visit, s, err) == 0 || tracks_nothing(err))
		return 0;
	return -1;
}

int conntrack_count(const struct ip *addresses, size_t n, size_t *ret, struct err *err)
{
	struct search s = { .addresses = addresses, .n = n };

	if (n && search(&s, err) < 0)
		return -1;
	*ret = s.found;
	return 0;
}

static int forget_round(struct search *s, struct err *err)
{
	if (search(s, err) < 0)
		return -1;
	for (size_t i = 0; i < s->found; i++) {
		/* It may have ended by itself. */
		if (nl_call(&s->v[i], "forget a tracked connection", err) < 0 &&
		    err->sys != ENOENT)
			return -1;
	}
	return 0;
}

int conntrack_forget(const struct ip *addresses, size_t n, struct err *err)
{
	struct search s = { .addresses = addresses, .n = n };
	int rc = 0;

	if (!n)
		return 0;
	s.v = xcalloc(FORGET_MAX, sizeof(*s.v));
	for (int i = 0; i < ROUNDS_MAX; i++) {
		rc = forget_round(&s, err);
		if (rc < 0 || s.found < FORGET_MAX)
			break;
	}
	free(s.v);
	return rc;
}
