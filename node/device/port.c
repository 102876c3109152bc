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
static int point_bridge_here(const struct link_info *host, struct err *err)
{
	struct fdb_entry e = { .of_bridge = true };
	_close_ int nl = -1;

	if (!port_is_ours(host) || !mac_parse(host->alias + strlen(ALIAS), e.mac))
		return 0;
	nl = nl_open(err);
	return nl < 0 ? -1 : fdb_change(nl, host->index, FDB_REPLACE, &e, err);
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
	return wanted ? point_bridge_here(&host, err) : 0;
}
