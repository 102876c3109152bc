/* SPDX-License-Identifier: Apache-2.0 */
#include "node/device/port.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/netlink/netlink.h"
#include "node/network/network_int.h"

#define ALIAS NETWORK_ALIAS " nic "

void port_alias(const uint8_t mac[MAC_LEN], char ret[PORT_ALIAS_SIZE])
{
	char text[MAC_TEXT_SIZE];

	snprintf(ret, PORT_ALIAS_SIZE, ALIAS "%s", mac_text(mac, text));
}

bool port_is_ours(const struct link_info *host)
{
	return str_starts(host->alias, ALIAS);
}

bool port_mac(const struct link_info *host, uint8_t ret[MAC_LEN])
{
	return port_is_ours(host) && mac_parse(host->alias + strlen(ALIAS), ret);
}

void port_stand_in(const char *host_name, char ret[IFNAMSIZ])
{
	/* One byte is left for it, as for the far end's name (nic.c). */
	snprintf(ret, IFNAMSIZ, "%.*sh", IFNAMSIZ - 2, host_name);
}

/* Anything else takes no ports. */
int port_check_bridge(const char *name, struct err *err)
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

/* The bridge may have the address at the port it had before, or at the VXLAN port. */
static int point_bridge(const struct link_info *host, int index, bool sticky, struct err *err)
{
	struct fdb_entry e = { .of_bridge = true, .sticky = sticky };
	_close_ int nl = -1;

	if (!port_mac(host, e.mac))
		return 0;
	nl = nl_open(err);
	return nl < 0 ? -1 : fdb_change(nl, index, FDB_REPLACE, &e, err);
}

void port_open(const char *host_name, const char *bridge)
{
	char stand_in[IFNAMSIZ];
	struct link_info host;
	struct err none;
	int index;

	port_stand_in(host_name, stand_in);
	index = (int)if_nametoindex(stand_in);
	if (!index || link_get(host_name, &host, &none) < 0)
		return;
	/* Where that fails frames only come out of their order. */
	point_bridge(&host, index, true, &none);
	if (!host.master)
		link_set_master(host_name, bridge, &none);
}

int port_plug(const char *host_name, const char *bridge, struct err *err)
{
	struct link_info host;
	int wanted = 0;

	if (!str_empty(bridge)) {
		if (port_check_bridge(bridge, err) < 0)
			return -1;
		wanted = (int)if_nametoindex(bridge);
	}
	if (link_get(host_name, &host, err) < 0)
		return -1;
	if (host.master != wanted && link_set_master(host_name, wanted ? bridge : NULL, err) < 0)
		return -1;
	return wanted ? point_bridge(&host, host.index, false, err) : 0;
}

/* In both directions the one comes before the other goes: what is lost now, its sender only sends
 * again when a timer of its own ends. */
int port_connect(const char *host_name, const char *bridge, bool on, struct err *err)
{
	char stand_in[IFNAMSIZ];
	struct link_info host;
	struct err none;
	int index, rc;

	port_stand_in(host_name, stand_in);
	index = (int)if_nametoindex(stand_in);
	if (index && !on && link_set_master(stand_in, bridge, &none) < 0)
		log_err(LOG_WARN, "what comes for a container that moves is lost", &none);
	rc = port_plug(host_name, on ? bridge : "", err);
	if (index && on)
		link_set_master(stand_in, NULL, &none);
	else if (index && link_get(host_name, &host, &none) == 0)
		point_bridge(&host, index, false, &none);
	return rc;
}
