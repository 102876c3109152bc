/* SPDX-License-Identifier: Apache-2.0 */
/* Subnets of networks, in numbers. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>

#include "api/work/address_int.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "cluster/model/ref.h"
#include "node/network/keys.h"
#include "node/network/network.h"

#define SUBNET_TRIES 1000

bool net4_parse_ip(const char *text, uint32_t *ret)
{
	struct err ignored;

	return ip4_parse(text, ret, &ignored) == 0;
}

const char *net4_text(uint32_t ip, char buf[16])
{
	struct in_addr a = { .s_addr = htonl(ip) };

	return inet_ntop(AF_INET, &a, buf, 16);
}

static uint32_t mask_of(int bits)
{
	return bits == 0 ? 0 : ~0u << (32 - bits);
}

/* Without the addresses of the subnet itself and of broadcast. */
static struct range4 hosts_of(const struct net4 *n)
{
	return (struct range4){ (n->gateway & mask_of(n->bits)) + 1,
				(n->gateway | ~mask_of(n->bits)) - 1 };
}

static bool holds(struct range4 all, struct range4 part)
{
	return part.first >= all.first && part.last <= all.last;
}

static int by_first(const void *a, const void *b)
{
	const struct range4 *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

static void merge_ranges(struct net4 *n)
{
	size_t last = 0;

	qsort(n->ranges, n->nranges, sizeof(n->ranges[0]), by_first);
	for (size_t i = 1; i < n->nranges; i++) {
		struct range4 *r = &n->ranges[last];

		if (n->ranges[i].first > r->last)
			n->ranges[++last] = n->ranges[i];
		else if (n->ranges[i].last > r->last)
			r->last = n->ranges[i].last;
	}
	n->nranges = last + 1;
}

/* All hosts of the subnet, unless ranges say which. */
static void set_ranges(struct net4 *n, const struct ranges4 *given)
{
	n->nranges = 0;
	for (size_t i = 0; i < given->n; i++) {
		if (holds(hosts_of(n), given->v[i]))
			n->ranges[n->nranges++] = given->v[i];
	}
	if (n->nranges == 0)
		n->ranges[n->nranges++] = hosts_of(n);
	merge_ranges(n);
}

bool net4_parse(const json_t *network, struct net4 *ret)
{
	const json_t *config = json_obj(network, "config");
	struct ranges4 ranges = { 0 };
	struct ip gateway = { 0 };
	struct net4 n = { 0 };

	keys_get(&network_keys, config, "ipv4.address", &gateway);
	if (!gateway.family)
		return false;
	memcpy(&n.gateway, gateway.bytes, sizeof(n.gateway));
	n.gateway = ntohl(n.gateway);
	n.bits = gateway.prefix;
	n.dhcp = keys_bool(&network_keys, config, "ipv4.dhcp");
	keys_get(&network_keys, config, "ipv4.dhcp.ranges", &ranges);
	set_ranges(&n, &ranges);
	*ret = n;
	return true;
}

static bool overlaps(uint32_t a, int a_bits, uint32_t b, int b_bits)
{
	uint32_t m = mask_of(a_bits < b_bits ? a_bits : b_bits);

	return (a & m) == (b & m);
}

static bool host_uses(const struct ifaddrs *all, uint32_t ip, int bits)
{
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		const struct sockaddr_in *a = (const void *)i->ifa_addr;
		const struct sockaddr_in *m = (const void *)i->ifa_netmask;

		if (a && m && a->sin_family == AF_INET &&
		    overlaps(ip, bits, ntohl(a->sin_addr.s_addr),
			     __builtin_popcount(m->sin_addr.s_addr)))
			return true;
	}
	return false;
}

static bool network_uses(const struct rows *networks, uint32_t ip, int bits)
{
	for (size_t i = 0; i < networks->n; i++) {
		struct net4 n;

		if (net4_parse(networks->v[i].doc, &n) && overlaps(ip, bits, n.gateway, n.bits))
			return true;
	}
	return false;
}

/* --- checks ---------------------------------------------------------------------------------- */

int net4_check_ranges(const json_t *network, const char *name, struct err *err)
{
	const json_t *config = json_obj(network, "config");
	const char *text = keys_text(&network_keys, config, "ipv4.dhcp.ranges");
	struct ranges4 r = { 0 };
	struct net4 n;
	char ip[16];

	keys_get(&network_keys, config, "ipv4.dhcp.ranges", &r);
	if (!text || !net4_parse(network, &n))
		return 0;
	for (size_t i = 0; i < r.n; i++) {
		if (holds(hosts_of(&n), r.v[i]))
			continue;
		return err_set(err, ERR_INVALID,
			       "network \"%s\": ipv4.dhcp.ranges: \"%.40s\" is not among the hosts "
			       "of its subnet %s/%d",
			       name, text, net4_text(n.gateway & mask_of(n.bits), ip), n.bits);
	}
	if (n.nranges == 1 && n.ranges[0].first == n.gateway && n.ranges[0].last == n.gateway)
		return err_set(
			err, ERR_INVALID,
			"network \"%s\": ipv4.dhcp.ranges: \"%.40s\" holds no address beside "
			"the gateway",
			name, text);
	return 0;
}

struct subnet_check {
	const struct api_env *env;
	const char *key, *name; /* of the network's row, and for people */
	struct net4 n;
};

static bool has_address(const struct net4 *n, uint32_t ip)
{
	return (ip & mask_of(n->bits)) == (n->gateway & mask_of(n->bits));
}

static int refuse_subnet(const struct subnet_check *c, const char *how, const char *whose,
			 struct err *err)
{
	char text[16];

	return err_set(err, ERR_CONFLICT,
		       "network \"%s\": invalid value \"%s/%d\" for key \"ipv4.address\": its "
		       "subnet %s \"%s\"; choose another",
		       c->name, net4_text(c->n.gateway, text), c->n.bits, how, whose);
}

static int check_networks(const struct subnet_check *c, struct err *err)
{
	_rows_ struct rows rows = { 0 };
	struct net4 n;

	if (store_list(c->env->store, ENT_NETWORK, NULL, &rows, err) < 0)
		return -1;
	for (size_t i = 0; i < rows.n; i++) {
		if (!str_eq(rows.v[i].key, c->key) && net4_parse(rows.v[i].doc, &n) &&
		    overlaps(c->n.gateway, c->n.bits, n.gateway, n.bits))
			return refuse_subnet(c, "overlaps that of network", rows.v[i].key, err);
	}
	return 0;
}

/* Members would look for each other on the bridge. */
static int check_members(const struct subnet_check *c, struct err *err)
{
	_rows_ struct rows rows = { 0 };
	uint32_t ip;

	if (store_list(c->env->store, ENT_MEMBER, NULL, &rows, err) < 0)
		return -1;
	for (size_t i = 0; i < rows.n; i++) {
		_free_ char *address = xstrdup(json_str(rows.v[i].doc, "address", ""));

		address[strcspn(address, ":")] = '\0';
		if (net4_parse_ip(address, &ip) && has_address(&c->n, ip))
			return refuse_subnet(c, "holds the address of member", rows.v[i].key, err);
	}
	return 0;
}

/* The bridges of networks apart, also of those that are just being removed. */
static int check_interfaces(const struct subnet_check *c, struct err *err)
{
	_json_ json_t *bridges = network_list(c->env->node);
	struct ifaddrs *all = NULL;
	char bridge[REF_IFNAME_SIZE];
	int rc = 0;

	if (getifaddrs(&all) < 0)
		return 0;
	for (const struct ifaddrs *i = all; i && rc == 0; i = i->ifa_next) {
		const struct sockaddr_in *a = (const void *)i->ifa_addr;

		if (a && a->sin_family == AF_INET &&
		    has_address(&c->n, ntohl(a->sin_addr.s_addr)) &&
		    !str_eq(i->ifa_name, ref_ifname(c->key, bridge)) &&
		    !json_lists(bridges, i->ifa_name))
			rc = refuse_subnet(c, "holds an address of this host's interface",
					   i->ifa_name, err);
	}
	freeifaddrs(all);
	return rc;
}

int net4_check_subnet(const struct api_env *env, const char *key, const json_t *network,
		      const json_t *old, struct err *err)
{
	const json_t *config = json_obj(network, "config"), *old_config = json_obj(old, "config");
	struct subnet_check c = { .env = env, .key = key, .name = ref_of(key).name };
	const char *ranges = keys_text(&network_keys, config, "ipv4.dhcp.ranges");
	struct net4 before;
	bool same;

	if (!net4_parse(network, &c.n))
		return 0;
	same = net4_parse(old, &before) && before.gateway == c.n.gateway && before.bits == c.n.bits;
	if (!(same && str_eq(ranges, keys_text(&network_keys, old_config, "ipv4.dhcp.ranges"))) &&
	    net4_check_ranges(network, c.name, err) < 0)
		return -1;
	if (same)
		return 0;
	return check_networks(&c, err) < 0 || check_members(&c, err) < 0 ||
			       check_interfaces(&c, err) < 0
		       ? -1
		       : 0;
}

char *net4_pick_subnet(struct store *s, struct err *err)
{
	_rows_ struct rows networks = { 0 };
	struct ifaddrs *host = NULL;
	char *cidr = NULL, text[16];

	if (store_list(s, ENT_NETWORK, NULL, &networks, err) < 0)
		return NULL;
	if (getifaddrs(&host) < 0)
		host = NULL;
	for (int i = 0; i < SUBNET_TRIES && !cidr; i++) {
		uint32_t r = (uint32_t)rng_u64();
		uint32_t ip = 10u << 24 | (r >> 16 & 0xff) << 16 | (r & 0xff) << 8 | 1;

		if (!host_uses(host, ip, 24) && !network_uses(&networks, ip, 24))
			cidr = xasprintf("%s/24", net4_text(ip, text));
	}
	freeifaddrs(host);
	if (!cidr)
		err_set(err, ERR_LIMIT,
			"no free 10.x.y.0/24 subnet found; name one as ipv4.address");
	return cidr;
}

int net4_check(const struct net4 *n, const char *network, uint32_t ip, struct err *err)
{
	uint32_t mask = mask_of(n->bits), net = n->gateway & mask;
	const char *what = NULL;
	char text[16], first[16];

	if ((ip & mask) != net)
		return err_set(err, ERR_INVALID,
			       "address %s is not in the subnet %s/%d of network \"%s\"",
			       net4_text(ip, text), net4_text(net, first), n->bits, network);
	if (ip == n->gateway)
		what = "the gateway";
	else if (ip == net)
		what = "the address of the subnet itself";
	else if (ip == (net | ~mask))
		what = "the broadcast address";
	return what ? err_set(err, ERR_INVALID, "address %s is %s of network \"%s\"",
			      net4_text(ip, text), what, network)
		    : 0;
}
