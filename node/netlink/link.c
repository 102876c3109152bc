/* SPDX-License-Identifier: Apache-2.0 */
#include "node/netlink/link.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/veth.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "node/netlink/netlink.h"

#define VXLAN_TTL 64

bool ip_parse(const char *text, struct ip *ret)
{
	char buf[INET6_ADDRSTRLEN + 8];
	struct ip ip = { 0 };
	uint64_t prefix;
	char *slash;

	if (!text || !str_copy(buf, sizeof(buf), text))
		return false;
	slash = strchr(buf, '/');
	if (slash)
		*slash++ = '\0';
	ip.family = strchr(buf, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(ip.family, buf, ip.bytes) != 1)
		return false;
	prefix = ip_len(&ip) * 8;
	if (slash && !str_to_u64(slash, prefix, &prefix))
		return false;
	ip.prefix = (uint8_t)prefix;
	*ret = ip;
	return true;
}

const char *ip_text(const struct ip *ip, char buf[INET6_ADDRSTRLEN])
{
	if (!ip->family || !inet_ntop(ip->family, ip->bytes, buf, INET6_ADDRSTRLEN))
		buf[0] = '\0';
	return buf;
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, ip_len(a)) == 0;
}

bool ip_in(const struct ip *ip, const struct ip *net)
{
	size_t whole = net->prefix / 8;
	int mask = 0xff00 >> (net->prefix % 8) & 0xff;

	if (ip->family != net->family || memcmp(ip->bytes, net->bytes, whole) != 0)
		return false;
	return mask == 0 || ((ip->bytes[whole] ^ net->bytes[whole]) & mask) == 0;
}

uint32_t ip_broadcast(const struct ip *ip)
{
	uint32_t a;

	memcpy(&a, ip->bytes, sizeof(a));
	return ip->prefix > 31 ? a : a | htonl(UINT32_MAX >> ip->prefix);
}

static int hex_value(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool mac_parse(const char *text, uint8_t mac[MAC_LEN])
{
	if (!text || strlen(text) != MAC_TEXT_SIZE - 1)
		return false;
	for (int i = 0; i < MAC_LEN; i++) {
		int hi = hex_value(text[3 * i]), lo = hex_value(text[3 * i + 1]);

		if (hi < 0 || lo < 0 || (i < MAC_LEN - 1 && text[3 * i + 2] != ':'))
			return false;
		mac[i] = (uint8_t)(hi << 4 | lo);
	}
	return true;
}

const char *mac_wrong(const char *text)
{
	uint8_t mac[MAC_LEN] = { 0 }, none[MAC_LEN] = { 0 };

	/* The lowest bit of the first byte is that of groups. */
	if (mac_parse(text, mac) && !(mac[0] & 1) && memcmp(mac, none, MAC_LEN) != 0)
		return NULL;
	return "must be a MAC address of one interface such as 00:16:3e:01:02:03";
}

int ip4_parse(const char *text, void *ret, struct err *err)
{
	struct ip ip;
	uint32_t raw;

	if (strchr(text, '/') || !ip_parse(text, &ip) || ip.family != AF_INET)
		return err_set(err, ERR_INVALID, "must be an IPv4 address");
	memcpy(&raw, ip.bytes, sizeof(raw));
	if (ret)
		*(uint32_t *)ret = ntohl(raw);
	return 0;
}

const char *mac_text(const uint8_t m[MAC_LEN], char buf[MAC_TEXT_SIZE])
{
	snprintf(buf, MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4],
		 m[5]);
	return buf;
}

/* --- reading -------------------------------------------------------------------------------- */

static void copy_text(char *dst, size_t size, const struct rtattr *a)
{
	if (a)
		str_copy(dst, size, RTA_DATA(a));
}

static void read_bridge(const struct rtattr *data, struct link_info *l)
{
	const struct rtattr *tb[IFLA_BR_MAX + 1];

	nl_parse_nest(data, tb, IFLA_BR_MAX);
	l->forward_delay = nl_get_u32(tb[IFLA_BR_FORWARD_DELAY], 0);
	l->stp = nl_get_u32(tb[IFLA_BR_STP_STATE], 0) != 0;
	l->vlan_filtering = nl_get_u8(tb[IFLA_BR_VLAN_FILTERING], 0) != 0;
	l->vlan_default = nl_get_u16(tb[IFLA_BR_VLAN_DEFAULT_PVID], 0);
	l->bridge_priority = nl_get_u16(tb[IFLA_BR_PRIORITY], 0);
}

static void read_port(const struct rtattr *info, const struct rtattr *data, struct link_info *l)
{
	const struct rtattr *tb[IFLA_BRPORT_MAX + 1];

	if (!info || !str_eq(RTA_DATA(info), "bridge"))
		return;
	nl_parse_nest(data, tb, IFLA_BRPORT_MAX);
	l->forwards = nl_get_u8(tb[IFLA_BRPORT_STATE], 0) == BR_STATE_FORWARDING;
}

static void read_ip(const struct rtattr *a, int family, struct ip *ret)
{
	struct ip ip = { .family = family };

	if (!a || RTA_PAYLOAD(a) < ip_len(&ip))
		return;
	memcpy(ip.bytes, RTA_DATA(a), ip_len(&ip));
	ip.prefix = (uint8_t)(ip_len(&ip) * 8);
	*ret = ip;
}

static void read_vxlan(const struct rtattr *data, struct link_info *l)
{
	const struct rtattr *tb[IFLA_VXLAN_MAX + 1];

	nl_parse_nest(data, tb, IFLA_VXLAN_MAX);
	l->vni = nl_get_u32(tb[IFLA_VXLAN_ID], 0);
	read_ip(tb[IFLA_VXLAN_LOCAL], AF_INET, &l->local);
	read_ip(tb[IFLA_VXLAN_LOCAL6], AF_INET6, &l->local);
}

static void read_stats(const struct rtattr *a, struct link_stats *ret)
{
	struct rtnl_link_stats64 s;

	if (!a || RTA_PAYLOAD(a) < offsetof(struct rtnl_link_stats64, multicast))
		return;
	memset(&s, 0, sizeof(s));
	memcpy(&s, RTA_DATA(a), RTA_PAYLOAD(a) < sizeof(s) ? RTA_PAYLOAD(a) : sizeof(s));
	*ret = (struct link_stats){ s.rx_bytes, s.rx_packets, s.tx_bytes, s.tx_packets };
}

static void read_link(const struct nlmsghdr *h, struct link_info *l)
{
	const struct ifinfomsg *i = NLMSG_DATA(h);
	const struct rtattr *tb[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1];

	memset(l, 0, sizeof(*l));
	nl_parse(IFLA_RTA(i), IFLA_PAYLOAD(h), tb, IFLA_MAX);
	nl_parse_nest(tb[IFLA_LINKINFO], info, IFLA_INFO_MAX);
	l->index = i->ifi_index;
	l->flags = i->ifi_flags;
	l->mtu = nl_get_u32(tb[IFLA_MTU], 0);
	l->master = (int)nl_get_u32(tb[IFLA_MASTER], 0);
	/* With a namespace id, the peer's index counts in that namespace. */
	l->peer = tb[IFLA_LINK_NETNSID] ? 0 : (int)nl_get_u32(tb[IFLA_LINK], 0);
	copy_text(l->name, sizeof(l->name), tb[IFLA_IFNAME]);
	copy_text(l->alias, sizeof(l->alias), tb[IFLA_IFALIAS]);
	copy_text(l->kind, sizeof(l->kind), info[IFLA_INFO_KIND]);
	if (tb[IFLA_ADDRESS] && RTA_PAYLOAD(tb[IFLA_ADDRESS]) == MAC_LEN)
		memcpy(l->mac, RTA_DATA(tb[IFLA_ADDRESS]), MAC_LEN);
	read_stats(tb[IFLA_STATS64], &l->stats);
	read_port(info[IFLA_INFO_SLAVE_KIND], info[IFLA_INFO_SLAVE_DATA], l);
	if (str_eq(l->kind, "bridge"))
		read_bridge(info[IFLA_INFO_DATA], l);
	else if (str_eq(l->kind, "vxlan"))
		read_vxlan(info[IFLA_INFO_DATA], l);
}

struct each_link {
	int (*fn)(void *arg, const struct link_info *l);
	void *arg;
};

static int visit_link(void *arg, const struct nlmsghdr *h)
{
	struct each_link *e = arg;
	struct link_info l;

	if (h->nlmsg_type != RTM_NEWLINK)
		return 0;
	read_link(h, &l);
	return e->fn(e->arg, &l);
}

int link_each(int (*fn)(void *arg, const struct link_info *l), void *arg, struct err *err)
{
	struct each_link e = { fn, arg };
	struct nlmsg m;

	nl_begin(&m, RTM_GETLINK, 0, &(struct ifinfomsg){ 0 }, sizeof(struct ifinfomsg));
	return nl_dump(&m, "list network interfaces", visit_link, &e, err);
}

static int take_link(void *arg, const struct nlmsghdr *h)
{
	if (h->nlmsg_type == RTM_NEWLINK)
		read_link(h, arg);
	return 1;
}

int link_get(const char *name, struct link_info *ret, struct err *err)
{
	struct ifinfomsg i = { 0 };
	struct link_info l = { 0 };
	struct nlmsg m;

	nl_begin(&m, RTM_GETLINK, 0, &i, sizeof(i));
	nl_put_str(&m, IFLA_IFNAME, name);
	if (nl_get(&m, "look up a network interface", take_link, &l, err) < 0)
		return err->sys == ENODEV ? err_set(err, ERR_NOT_FOUND,
						    "there is no network interface \"%s\"", name)
					  : -1;
	*ret = l;
	return 0;
}

/* --- making and changing -------------------------------------------------------------------- */

static int call(struct nlmsg *m, struct err *err, const char *verb, const char *name)
{
	char what[80];

	snprintf(what, sizeof(what), "%s network interface %s", verb, name);
	return nl_call(m, what, err);
}

static void begin_new(struct nlmsg *m, const char *name, size_t *info, const char *kind)
{
	nl_begin(m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &(struct ifinfomsg){ 0 },
		 sizeof(struct ifinfomsg));
	nl_put_str(m, IFLA_IFNAME, name);
	*info = nl_nest(m, IFLA_LINKINFO);
	nl_put_str(m, IFLA_INFO_KIND, kind);
}

int link_add_bridge(const char *name, const uint8_t mac[MAC_LEN], struct err *err)
{
	size_t info, data;
	struct nlmsg m;

	begin_new(&m, name, &info, "bridge");
	data = nl_nest(&m, IFLA_INFO_DATA);
	nl_put_u32(&m, IFLA_BR_FORWARD_DELAY, 0);
	nl_put_u32(&m, IFLA_BR_STP_STATE, 0);
	/* Without a querier, snooping loses multicast after some minutes. */
	nl_put_u8(&m, IFLA_BR_MCAST_SNOOPING, 0);
	nl_unnest(&m, data);
	nl_unnest(&m, info);
	nl_put(&m, IFLA_ADDRESS, mac, MAC_LEN);
	return call(&m, err, "create", name);
}

int link_add_vxlan(const struct vxlan_spec *s, struct err *err)
{
	uint16_t port = htons(VXLAN_PORT);
	size_t info, data;
	struct nlmsg m;

	begin_new(&m, s->name, &info, "vxlan");
	data = nl_nest(&m, IFLA_INFO_DATA);
	nl_put_u32(&m, IFLA_VXLAN_ID, s->vni);
	nl_put(&m, s->local.family == AF_INET6 ? IFLA_VXLAN_LOCAL6 : IFLA_VXLAN_LOCAL,
	       s->local.bytes, ip_len(&s->local));
	nl_put(&m, IFLA_VXLAN_PORT, &port, sizeof(port));
	nl_put_u8(&m, IFLA_VXLAN_LEARNING, 0);
	nl_put_u8(&m, IFLA_VXLAN_TTL, VXLAN_TTL);
	nl_unnest(&m, data);
	nl_unnest(&m, info);
	nl_put_u32(&m, IFLA_MTU, s->mtu);
	return call(&m, err, "create", s->name);
}

int link_add_veth(const char *name, const char *peer, const uint8_t *peer_mac, uint32_t mtu,
		  struct err *err)
{
	struct ifinfomsg none = { 0 };
	size_t info, data, other;
	struct nlmsg m;

	begin_new(&m, name, &info, "veth");
	data = nl_nest(&m, IFLA_INFO_DATA);
	other = nl_nest(&m, VETH_INFO_PEER);
	nl_raw(&m, &none, sizeof(none));
	nl_put_str(&m, IFLA_IFNAME, peer);
	if (peer_mac)
		nl_put(&m, IFLA_ADDRESS, peer_mac, MAC_LEN);
	if (mtu)
		nl_put_u32(&m, IFLA_MTU, mtu);
	nl_unnest(&m, other);
	nl_unnest(&m, data);
	nl_unnest(&m, info);
	if (mtu)
		nl_put_u32(&m, IFLA_MTU, mtu);
	return call(&m, err, "create", name);
}

/* A change of an existing link, by name. */
static void begin_set(struct nlmsg *m, const char *name, const struct ifinfomsg *i)
{
	nl_begin(m, RTM_NEWLINK, 0, i, sizeof(*i));
	nl_put_str(m, IFLA_IFNAME, name);
}

int link_delete(const char *name, struct err *err)
{
	struct ifinfomsg i = { 0 };
	struct nlmsg m;

	nl_begin(&m, RTM_DELLINK, 0, &i, sizeof(i));
	nl_put_str(&m, IFLA_IFNAME, name);
	if (call(&m, err, "delete", name) == 0 || err->sys == ENODEV)
		return 0;
	return -1;
}

int link_up(const char *name, bool up, struct err *err)
{
	struct ifinfomsg i = { .ifi_change = IFF_UP, .ifi_flags = up ? IFF_UP : 0 };
	struct nlmsg m;

	begin_set(&m, name, &i);
	return call(&m, err, up ? "start" : "stop", name);
}

int link_set_mtu(const char *name, uint32_t mtu, struct err *err)
{
	struct ifinfomsg i = { 0 };
	struct nlmsg m;

	begin_set(&m, name, &i);
	nl_put_u32(&m, IFLA_MTU, mtu);
	return call(&m, err, "set the MTU of", name);
}

int link_set_mac(const char *name, const uint8_t mac[MAC_LEN], struct err *err)
{
	struct ifinfomsg i = { 0 };
	struct nlmsg m;

	begin_set(&m, name, &i);
	nl_put(&m, IFLA_ADDRESS, mac, MAC_LEN);
	return call(&m, err, "set the hardware address of", name);
}

int link_set_alias(const char *name, const char *alias, struct err *err)
{
	struct ifinfomsg i = { 0 };
	struct nlmsg m;

	begin_set(&m, name, &i);
	nl_put_str(&m, IFLA_IFALIAS, alias);
	return call(&m, err, "label", name);
}

int link_set_master(const char *name, const char *bridge, struct err *err)
{
	struct ifinfomsg i = { 0 };
	uint32_t index = bridge ? if_nametoindex(bridge) : 0;
	struct nlmsg m;

	if (bridge && !index)
		return err_set(err, ERR_NOT_FOUND, "there is no bridge \"%s\" on this member",
			       bridge);
	begin_set(&m, name, &i);
	nl_put_u32(&m, IFLA_MASTER, index);
	if (call(&m, err, bridge ? "plug" : "unplug", name) == 0)
		return 0;
	if (err->sys == ENODEV)
		err->kind = ERR_NOT_FOUND;
	return -1;
}

int link_set_learning(const char *port, bool on, struct err *err)
{
	struct ifinfomsg i = { .ifi_family = AF_BRIDGE, .ifi_index = (int)if_nametoindex(port) };
	struct nlmsg m;
	size_t nest;

	nl_begin(&m, RTM_SETLINK, 0, &i, sizeof(i));
	nest = nl_nest(&m, IFLA_PROTINFO);
	nl_put_u8(&m, IFLA_BRPORT_LEARNING, on);
	nl_unnest(&m, nest);
	return call(&m, err, "set learning of", port);
}
