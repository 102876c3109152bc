/* SPDX-License-Identifier: Apache-2.0 */
/* A container's interface is a veth pair. At a start liblxc makes it with the far end already
 * inside, which saves the kernel's slow move between namespaces, and nic_adopt makes it ours. For a
 * running or restored container it is made here, and the far end waits to be moved in. The host's
 * end carries the container's hardware address in its alias, so that plugging can tell the bridge
 * at once where that address is: after a move nothing has to be learned. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "node/device/nic.h"
#include "node/netlink/netlink.h"
#include "node/network/network_int.h"

#define HOST_NAME_BYTES 14 /* room for the peer's 'p' */
#define ALIAS_PREFIX NETWORK_ALIAS " nic "

struct nic {
	const char *host_name, *bridge;
	char peer[IFNAMSIZ], alias[64];
	uint8_t mac[MAC_LEN];
	uint32_t mtu;
};

static int parse_mtu(const json_t *j, uint32_t *ret, struct err *err)
{
	json_t *v = json_object_get(j, "mtu");
	uint64_t mtu = 0;

	if (json_is_integer(v) && json_integer_value(v) >= 0)
		mtu = (uint64_t)json_integer_value(v);
	else if (json_is_string(v) && !str_empty(json_string_value(v)) &&
		 !str_to_u64(json_string_value(v), UINT16_MAX, &mtu))
		return err_set(err, ERR_INVALID, "mtu is no number");
	if (mtu > UINT16_MAX)
		return err_set(err, ERR_INVALID, "mtu is out of range");
	*ret = (uint32_t)mtu;
	return 0;
}

static int nic_parse(struct nic *nic, const json_t *j, struct err *err)
{
	const char *mac = json_str(j, "hwaddr", "");
	char text[MAC_TEXT_SIZE];
	struct link_info bridge;

	*nic = (struct nic){ .host_name = json_str(j, "host_name", ""),
			     .bridge = json_str(j, "bridge", "") };
	if (!str_is_ifname(nic->host_name) || strlen(nic->host_name) > HOST_NAME_BYTES)
		return err_set(err, ERR_INVALID,
			       "host_name \"%.40s\" is not an interface name of up to "
			       "%d bytes",
			       nic->host_name, HOST_NAME_BYTES);
	snprintf(nic->peer, sizeof(nic->peer), "%.*sp", HOST_NAME_BYTES, nic->host_name);
	if (!mac_parse(mac, nic->mac))
		return err_set(err, ERR_INVALID, "hwaddr \"%.40s\" is not valid", mac);
	snprintf(nic->alias, sizeof(nic->alias), ALIAS_PREFIX "%s", mac_text(nic->mac, text));
	if (parse_mtu(j, &nic->mtu, err) < 0)
		return -1;
	if (!nic->mtu && *nic->bridge && link_get(nic->bridge, &bridge, err) == 0)
		nic->mtu = bridge.mtu;
	return 0;
}

static int make_pair(const struct nic *nic, struct err *err)
{
	struct err ignored;

	if (link_add_veth(nic->host_name, nic->peer, nic->mac, nic->mtu, err) < 0)
		return -1;
	/* The host has no address on this end; without IPv6 there is nothing to silence. */
	bridge_sysctl("1", &ignored, "ipv6/conf/%s/disable_ipv6", nic->host_name);
	if (link_set_alias(nic->host_name, nic->alias, err) == 0)
		return 0;
	link_delete(nic->host_name, &ignored);
	return -1;
}

static int not_ours(const struct nic *nic, struct err *err)
{
	return err_set(err, ERR_CONFLICT,
		       "this member has an interface \"%s\" that is not Dunlin's", nic->host_name);
}

/* What is there from before is kept when it is the same pair; a peer that is elsewhere is in
 * use. */
static int ensure_pair(const struct nic *nic, struct err *err)
{
	struct link_info host, peer;

	if (link_get(nic->host_name, &host, err) < 0)
		return err->kind == ERR_NOT_FOUND ? make_pair(nic, err) : -1;
	if (!str_eq(host.kind, "veth") || !str_starts(host.alias, ALIAS_PREFIX))
		return not_ours(nic, err);
	if (str_eq(host.alias, nic->alias) && link_get(nic->peer, &peer, err) == 0 &&
	    peer.index == host.peer && memcmp(peer.mac, nic->mac, MAC_LEN) == 0 &&
	    (!nic->mtu || peer.mtu == nic->mtu))
		return 0;
	if (link_delete(nic->host_name, err) < 0)
		return -1;
	return make_pair(nic, err);
}

int nic_create(struct node *n, const json_t *j, bool plug, struct err *err)
{
	struct err ignored;
	struct nic nic;

	if (nic_parse(&nic, j, err) == 0 && ensure_pair(&nic, err) == 0) {
		if (link_up(nic.host_name, true, err) == 0 &&
		    nic_plug(n, nic.host_name, nic.bridge, plug, err) == 0)
			return 0;
		link_delete(nic.host_name, &ignored);
	}
	return err_wrap(err, "network device \"%s\"", json_str(j, "device", ""));
}

/* Anything else takes no ports. */
static int check_bridge(const char *name, struct err *err)
{
	struct link_info l;

	if (link_get(name, &l, err) < 0)
		return err->kind == ERR_NOT_FOUND
			       ? err_set(err, ERR_NOT_FOUND,
					 "there is no bridge \"%s\" on this member", name)
			       : -1;
	if (str_eq(l.kind, "bridge"))
		return 0;
	return err_set(err, ERR_INVALID, "\"%s\" of this member is no bridge", name);
}

int nic_vacate(struct node *n, const json_t *j, struct err *err)
{
	struct link_info host;
	struct nic nic;
	int rc = nic_parse(&nic, j, err);

	if (rc == 0 && *nic.bridge)
		rc = check_bridge(nic.bridge, err);
	if (rc == 0 && link_get(nic.host_name, &host, err) == 0)
		rc = str_starts(host.alias, ALIAS_PREFIX) ? link_delete(nic.host_name, err)
							  : not_ours(&nic, err);
	else if (rc == 0)
		rc = err->kind == ERR_NOT_FOUND ? 0 : -1;
	return rc < 0 ? err_wrap(err, "network device \"%s\"", json_str(j, "device", "")) : 0;
}

int nic_adopt(struct node *n, const json_t *j, struct err *err)
{
	struct err ignored;
	struct nic nic;

	if (nic_parse(&nic, j, err) < 0)
		return err_wrap(err, "network device \"%s\"", json_str(j, "device", ""));
	bridge_sysctl("1", &ignored, "ipv6/conf/%s/disable_ipv6", nic.host_name);
	if (link_set_alias(nic.host_name, nic.alias, err) < 0 ||
	    nic_plug(n, nic.host_name, nic.bridge, true, err) < 0)
		return err_wrap(err, "network device \"%s\"", json_str(j, "device", ""));
	return 0;
}

/* The bridge may have the address at the port it had before, or at the VXLAN port. */
static int point_bridge_here(const struct link_info *host, struct err *err)
{
	struct fdb_entry e = { .of_bridge = true };
	_close_ int nl = -1;

	if (!str_starts(host->alias, ALIAS_PREFIX) ||
	    !mac_parse(host->alias + strlen(ALIAS_PREFIX), e.mac))
		return 0;
	nl = nl_open(err);
	return nl < 0 ? -1 : fdb_change(nl, host->index, FDB_REPLACE, &e, err);
}

int nic_plug(struct node *n, const char *host_name, const char *bridge, bool plug, struct err *err)
{
	struct link_info host;
	int wanted = 0;

	if (plug && !str_empty(bridge)) {
		if (check_bridge(bridge, err) < 0)
			return -1;
		wanted = (int)if_nametoindex(bridge);
	}
	if (link_get(host_name, &host, err) < 0)
		return -1;
	if (host.master != wanted && link_set_master(host_name, wanted ? bridge : NULL, err) < 0)
		return -1;
	return wanted ? point_bridge_here(&host, err) : 0;
}

int nic_delete(struct node *n, const char *host_name, struct err *err)
{
	struct link_info host;

	if (link_get(host_name, &host, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	return str_starts(host.alias, ALIAS_PREFIX) ? link_delete(host_name, err) : 0;
}
