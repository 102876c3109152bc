/* SPDX-License-Identifier: Apache-2.0 */
/* The port of a bridge that leads to the other members. Nothing is learned from the wire: where
 * a hardware address lives is told by network_forwarding, in two places: the VXLAN device
 * (address -> member) and the bridge (address -> this port). Broadcasts go to every peer, by
 * entries of the address zero. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "node/netlink/netlink.h"
#include "node/network/network_int.h"

void vxlan_name(uint32_t vni, char name[IFNAMSIZ])
{
	snprintf(name, IFNAMSIZ, "vx%u", vni);
}

/* --- the underlay --------------------------------------------------------------------------- */

struct underlay {
	struct ip *local;
	int index;
	uint32_t mtu;
};

static int match_address(void *arg, int index, uint8_t scope, const struct ip *ip)
{
	struct underlay *u = arg;

	if (!ip_equal(ip, u->local))
		return 0;
	u->index = index;
	u->local->prefix = ip->prefix;
	return 1;
}

static int match_index(void *arg, const struct link_info *l)
{
	struct underlay *u = arg;

	if (l->index != u->index)
		return 0;
	u->mtu = l->mtu;
	return 1;
}

int vxlan_underlay_mtu(struct ip *local, uint32_t *ret_mtu, struct err *err)
{
	struct underlay u = { .local = local };
	char text[INET6_ADDRSTRLEN];

	if (addr_each(0, match_address, &u, err) < 0)
		return -1;
	if (!u.index)
		return err_set(err, ERR_INVALID, "no interface of this member has the address %s",
			       ip_text(local, text));
	if (link_each(match_index, &u, err) < 0)
		return -1;
	*ret_mtu = u.mtu;
	return 0;
}

/* --- the port ------------------------------------------------------------------------------- */

struct ports {
	int bridge;
	const struct net *keep; /* the port that may stay; NULL: none */
	struct link_info found[8];
	size_t count;
	struct link_info kept;
};

static bool port_fits(const struct link_info *l, const struct net *net)
{
	return net && l->vni == net->vni && ip_equal(&l->local, &net->local);
}

static int note_port(void *arg, const struct link_info *l)
{
	struct ports *p = arg;
	char own[IFNAMSIZ];

	if (!str_eq(l->kind, "vxlan"))
		return 0;
	vxlan_name(p->keep ? p->keep->vni : 0, own);
	if (l->master != p->bridge && !str_eq(l->name, own))
		return 0;
	if (port_fits(l, p->keep))
		p->kept = *l;
	else if (p->count < ARRAY_SIZE(p->found))
		p->found[p->count++] = *l;
	return 0;
}

/* Removes the VXLAN ports of the bridge, but for the one that fits `keep`. */
static int remove_ports(struct ports *p, struct err *err)
{
	if (link_each(note_port, p, err) < 0)
		return -1;
	for (size_t i = 0; i < p->count; i++) {
		if (link_delete(p->found[i].name, err) < 0)
			return -1;
	}
	return 0;
}

static int make_port(const struct net *net, const char *name, struct err *err)
{
	struct vxlan_spec spec = { name, net->vni, net->mtu, net->local };
	struct err ignored;

	if (link_add_vxlan(&spec, err) < 0)
		return -1;
	/* The port itself has no business on the network; without IPv6 there is nothing to
	 * silence. */
	bridge_sysctl("1", &ignored, "ipv6/conf/%s/disable_ipv6", name);
	return link_set_alias(name, NETWORK_ALIAS, err);
}

/* --- flooding ------------------------------------------------------------------------------- */

static const uint8_t mac_zero[MAC_LEN];

struct flood {
	const struct net *net;
	bool *present; /* by peer */
	struct fdb_entry *stale;
	size_t nstale;
};

static int note_flood(void *arg, const struct fdb_entry *e)
{
	struct flood *f = arg;

	if (e->of_bridge || memcmp(e->mac, mac_zero, MAC_LEN) != 0)
		return 0;
	for (size_t i = 0; i < f->net->npeers; i++) {
		if (ip_equal(&e->dst, &f->net->peers[i])) {
			f->present[i] = true;
			return 0;
		}
	}
	f->stale = xrealloc(f->stale, (f->nstale + 1) * sizeof(*f->stale));
	f->stale[f->nstale++] = *e;
	return 0;
}

static int change_flood(struct flood *f, int nl, int index, struct err *err)
{
	for (size_t i = 0; i < f->net->npeers; i++) {
		struct fdb_entry e = { .dst = f->net->peers[i] };

		if (!f->present[i] && fdb_change(nl, index, FDB_APPEND, &e, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < f->nstale; i++) {
		if (fdb_change(nl, index, FDB_DELETE, &f->stale[i], err) < 0)
			return -1;
	}
	return 0;
}

static int set_flood(const struct net *net, int index, struct err *err)
{
	_free_ bool *present = xcalloc(net->npeers + 1, sizeof(*present));
	struct flood f = { .net = net, .present = present };
	_close_ int nl = nl_open(err);
	int rc = -1;

	if (nl >= 0 && fdb_each(index, note_flood, &f, err) == 0)
		rc = change_flood(&f, nl, index, err);
	free(f.stale);
	return rc;
}

int vxlan_ensure(const struct net *net, struct err *err)
{
	struct ports p = { .bridge = (int)if_nametoindex(net->name), .keep = net };
	char name[IFNAMSIZ];

	vxlan_name(net->vni, name);
	if (remove_ports(&p, err) < 0)
		return -1;
	if (!p.kept.index && make_port(net, name, err) < 0)
		return -1;
	if (link_get(name, &p.kept, err) < 0)
		return -1;
	if (p.kept.mtu != net->mtu && link_set_mtu(name, net->mtu, err) < 0)
		return -1;
	if (p.kept.master != p.bridge && link_set_master(name, net->name, err) < 0)
		return -1;
	if (link_set_learning(name, false, err) < 0 || link_up(name, true, err) < 0)
		return -1;
	return set_flood(net, p.kept.index, err);
}

int vxlan_remove(const char *bridge, struct err *err)
{
	struct ports p = { .bridge = (int)if_nametoindex(bridge) };

	return p.bridge ? remove_ports(&p, err) : 0;
}

int vxlan_port(const char *bridge, struct link_info *ret, struct err *err)
{
	struct ports p = { .bridge = (int)if_nametoindex(bridge) };

	if (!p.bridge)
		return err_set(err, ERR_NOT_FOUND, "network \"%s\" is not on this member", bridge);
	if (link_each(note_port, &p, err) < 0)
		return -1;
	if (p.count == 0)
		return err_set(err, ERR_NOT_FOUND, "network \"%s\" has no way to other members",
			       bridge);
	*ret = p.found[0];
	return 0;
}

/* --- where hardware addresses are ----------------------------------------------------------- */

#define IN_DEVICE 1
#define IN_BRIDGE 2

/* What is there already, compared with what is wanted: wanted address -> flags of entries that
 * are right. */
struct forwarding {
	const json_t *want; /* lower-case address -> text of the member's */
	json_t *right;
	struct fdb_entry *stale;
	size_t nstale, room;
};

static void note_right(struct forwarding *f, const char *mac, int flag)
{
	int64_t flags = json_int(f->right, mac, 0);

	json_put_int(f->right, mac, flags | flag);
}

static int note_entry(void *arg, const struct fdb_entry *e)
{
	char mac[MAC_TEXT_SIZE], dst[INET6_ADDRSTRLEN];
	struct forwarding *f = arg;
	const char *want = json_str(f->want, mac_text(e->mac, mac), NULL);

	if (memcmp(e->mac, mac_zero, MAC_LEN) == 0)
		return 0;
	if (want && e->of_bridge)
		note_right(f, mac, IN_BRIDGE);
	else if (want && str_eq(want, ip_text(&e->dst, dst)))
		note_right(f, mac, IN_DEVICE);
	if (want)
		return 0;
	if (f->nstale == f->room) {
		f->room = f->room ? f->room * 2 : 64;
		f->stale = xrealloc(f->stale, f->room * sizeof(*f->stale));
	}
	f->stale[f->nstale++] = *e;
	return 0;
}

static int set_entry(int nl, int index, const char *mac, const char *dst, int64_t right,
		     struct err *err)
{
	struct fdb_entry e = { 0 };

	mac_parse(mac, e.mac);
	ip_parse(dst, &e.dst);
	if (!(right & IN_DEVICE) && fdb_change(nl, index, FDB_REPLACE, &e, err) < 0)
		return -1;
	e.dst.family = 0;
	e.of_bridge = true;
	return right & IN_BRIDGE ? 0 : fdb_change(nl, index, FDB_REPLACE, &e, err);
}

/* New and changed ones first: an address that moves is never without an entry. */
static int change_entries(struct forwarding *f, int nl, int index, struct err *err)
{
	const char *mac;
	json_t *dst;

	json_object_foreach((json_t *)f->want, mac, dst) {
		if (set_entry(nl, index, mac, json_string_value(dst), json_int(f->right, mac, 0),
			      err) < 0)
			return -1;
	}
	for (size_t i = 0; i < f->nstale; i++) {
		if (fdb_change(nl, index, FDB_DELETE, &f->stale[i], err) < 0)
			return -1;
	}
	return 0;
}

/* The wanted set with its texts in the form that note_entry compares. */
static json_t *canonical_set(const json_t *macs, struct err *err)
{
	json_t *set = json_object(), *value;
	const char *key;

	json_object_foreach((json_t *)macs, key, value) {
		char mac[MAC_TEXT_SIZE], dst[INET6_ADDRSTRLEN];
		uint8_t bytes[MAC_LEN];
		struct ip ip;

		if (!mac_parse(key, bytes) || !ip_parse(json_string_value(value), &ip)) {
			err_set(err, ERR_INVALID, "forwarding entry \"%.40s\" is not valid", key);
			json_decref(set);
			return NULL;
		}
		json_put_str(set, mac_text(bytes, mac), ip_text(&ip, dst));
	}
	return set;
}

int vxlan_forwarding(const char *bridge, const json_t *macs, struct err *err)
{
	_json_ json_t *want = canonical_set(macs, err), *right = json_object();
	struct forwarding f = { .want = want, .right = right };
	_close_ int nl = nl_open(err);
	struct link_info port;
	int rc = -1;

	if (!want || nl < 0)
		return -1;
	if (vxlan_port(bridge, &port, err) < 0)
		return err->kind == ERR_NOT_FOUND && json_object_size(want) == 0 ? 0 : -1;
	if (fdb_each(port.index, note_entry, &f, err) == 0)
		rc = change_entries(&f, nl, port.index, err);
	free(f.stale);
	return rc;
}
