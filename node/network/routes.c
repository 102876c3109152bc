/* SPDX-License-Identifier: Apache-2.0 */
/* How a member itself reaches the containers of an overlay network. Its gateway address is every
 * member's, so it can't be the source of packets that containers elsewhere shall answer:
 *   - to the containers' subnet it speaks as its underlay address (two halves of the subnet, since
 *     the kernel's own route is to stay as a way out when the underlay address goes and comes);
 *   - a container on another member has a route of its own, by way of that member.
 * So a connection from a member's host to a container goes on while that moves around.
 */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/netlink/netlink.h"
#include "node/netlink/route.h"
#include "node/network/network_int.h"

/* The wanted routes, by destination ("10.1.2.3/32"): {"via"} or {"src","oif"}. */
struct routes {
	json_t *want, *right;
	struct route *stale;
	size_t nstale;
};

static char *key_of(const struct ip *dst)
{
	char text[INET6_ADDRSTRLEN];

	return xasprintf("%s/%d", ip_text(dst, text), dst->prefix);
}

static bool same(const json_t *want, const struct route *r)
{
	char via[INET6_ADDRSTRLEN], src[INET6_ADDRSTRLEN];

	return str_eq(json_str(want, "via", ""), ip_text(&r->via, via)) &&
	       str_eq(json_str(want, "src", ""), ip_text(&r->src, src)) &&
	       (r->via.family || json_int(want, "oif", 0) == r->oif);
}

static int compare(void *arg, const struct route *r)
{
	_free_ char *key = key_of(&r->dst);
	struct routes *s = arg;
	json_t *want = json_obj(s->want, key);

	if (want && same(want, r)) {
		json_put_bool(s->right, key, true);
	} else if (!want) {
		s->stale = xrealloc(s->stale, (s->nstale + 1) * sizeof(*s->stale));
		s->stale[s->nstale++] = *r;
	}
	return 0;
}

static int set_one(int nl, uint32_t vni, const char *key, const json_t *want, struct err *err)
{
	struct route r = { .metric = vni, .oif = (int)json_int(want, "oif", 0) };

	ip_parse(key, &r.dst);
	ip_parse(json_str(want, "via", ""), &r.via);
	ip_parse(json_str(want, "src", ""), &r.src);
	return route_set(nl, &r, err);
}

static int apply(struct routes *s, uint32_t vni, int nl, struct err *err)
{
	const char *key;
	json_t *want;

	json_object_foreach(s->want, key, want) {
		/* Members that are not neighbours on the underlay can't be a way: their containers
		 * are out of this host's reach, and nothing else depends on it. */
		if (!json_object_get(s->right, key) && set_one(nl, vni, key, want, err) < 0)
			log_debug("no route to a container", "error", err->msg);
	}
	for (size_t i = 0; i < s->nstale; i++) {
		if (route_del(nl, &s->stale[i], err) < 0)
			return -1;
	}
	return 0;
}

static int set_routes(uint32_t vni, json_t *want, struct err *err)
{
	_json_ json_t *right = json_object();
	struct routes s = { .want = want, .right = right };
	_close_ int nl = nl_open(err);
	int rc = -1;

	if (nl >= 0 && route_each(vni, compare, &s, err) == 0)
		rc = apply(&s, vni, nl, err);
	free(s.stale);
	return rc;
}

/* --- what is wanted ----------------------------------------------------------------------- */

struct builder {
	json_t *want;
	const json_t *ips; /* hardware address -> IPv4 address */
	struct ip gateway;
};

static int note_gateway(void *arg, int index, uint8_t scope, const struct ip *ip)
{
	struct builder *b = arg;

	if (ip->family != AF_INET)
		return 0;
	b->gateway = *ip;
	return 1;
}

static void want_halves(struct builder *b, int bridge, const struct ip *local)
{
	struct ip half = b->gateway;
	char src[INET6_ADDRSTRLEN];
	uint32_t bit;

	if (!half.family || half.prefix >= 31 || local->family != AF_INET)
		return;
	bit = 0x80000000U >> half.prefix;
	for (int i = 0; i < 2; i++) {
		uint32_t host = (uint32_t)b->gateway.bytes[0] << 24 | b->gateway.bytes[1] << 16 |
				b->gateway.bytes[2] << 8 | b->gateway.bytes[3];
		uint32_t net = (host & ~(bit * 2 - 1)) | (i ? bit : 0);
		_free_ char *key = NULL;
		json_t *r = json_object();

		half.prefix = (uint8_t)(b->gateway.prefix + 1);
		for (int k = 0; k < 4; k++)
			half.bytes[k] = (uint8_t)(net >> (24 - 8 * k));
		key = key_of(&half);
		json_put_str(r, "src", ip_text(local, src));
		json_put_int(r, "oif", bridge);
		json_object_set_new(b->want, key, r);
	}
}

static int want_container(void *arg, const struct fdb_entry *e)
{
	char mac[MAC_TEXT_SIZE], via[INET6_ADDRSTRLEN];
	struct builder *b = arg;
	const char *text = json_str(b->ips, mac_text(e->mac, mac), NULL);
	_free_ char *key = NULL;
	struct ip ip;
	json_t *r;

	if (!text || e->of_bridge || e->dst.family != AF_INET || !ip_parse(text, &ip))
		return 0;
	key = key_of(&ip);
	r = json_object();
	json_put_str(r, "via", ip_text(&e->dst, via));
	json_object_set_new(b->want, key, r);
	return 0;
}

int routes_set(const char *bridge, const json_t *ips, struct err *err)
{
	_json_ json_t *want = json_object();
	struct builder b = { .want = want, .ips = ips };
	int index = (int)if_nametoindex(bridge);
	struct link_info port;

	if (vxlan_port(bridge, &port, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	if (addr_each(index, note_gateway, &b, err) < 0)
		return -1;
	want_halves(&b, index, &port.local);
	if (fdb_each(port.index, want_container, &b, err) < 0)
		return -1;
	return set_routes(port.vni, want, err);
}

int routes_remove(const char *bridge, struct err *err)
{
	_json_ json_t *none = json_object();
	struct link_info port;

	if (vxlan_port(bridge, &port, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	return set_routes(port.vni, none, err);
}
