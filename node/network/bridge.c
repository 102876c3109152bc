/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/network/network_int.h"

#define ADDRESSES_MAX 32

int bridge_sysctl(const char *value, struct err *err, const char *path_fmt, ...)
{
	_free_ char *tail = NULL, *path = NULL;
	_close_ int fd = -1;
	char old[32] = "";
	va_list ap;

	assert(path_fmt[0] != '/');
	va_start(ap, path_fmt);
	tail = xvasprintf(path_fmt, ap);
	va_end(ap);
	path = xasprintf("/proc/sys/net/%s", tail);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open %s", path);
	if (read(fd, old, sizeof(old) - 1) < 0)
		return err_sys(err, "read %s", path);
	old[strcspn(old, "\n")] = '\0';
	if (str_eq(old, value))
		return 0;
	close(take_fd(&fd));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || io_write_full(fd, value, strlen(value)) < 0)
		return err_sys(err, "write %s to %s", value, path);
	return 0;
}

/* Networks have no IPv6 of their own. */
static int disable_ipv6(const struct net *net, struct err *err)
{
	/* A kernel without IPv6 needs nothing turned off. */
	if (!io_exists("/proc/sys/net/ipv6"))
		return 0;
	/* There is none to disable where the MTU is below 1280. */
	if (bridge_sysctl("1", err, "ipv6/conf/%s/disable_ipv6", net->name) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	return 0;
}

static int set_forwarding(const struct net *net, struct err *err)
{
	if (net->v4.gateway.family && net->v4.routing &&
	    bridge_sysctl("1", err, "ipv4/ip_forward") < 0)
		return -1;
	return disable_ipv6(net, err);
}

struct addresses {
	const struct net *net;
	struct ip extra[ADDRESSES_MAX];
	size_t count;
};

static bool is_wanted(const struct ip *ip, const struct ip *want)
{
	return ip_equal(ip, want) && ip->prefix == want->prefix;
}

static int note_extra(void *arg, int index, uint8_t scope, const struct ip *ip)
{
	struct addresses *a = arg;

	if (scope != RT_SCOPE_LINK && !is_wanted(ip, &a->net->v4.gateway) &&
	    a->count < ADDRESSES_MAX)
		a->extra[a->count++] = *ip;
	return 0;
}

static int set_addresses(const struct net *net, int index, struct err *err)
{
	struct addresses a = { .net = net };

	if (addr_each(index, note_extra, &a, err) < 0)
		return -1;
	for (size_t i = 0; i < a.count; i++) {
		if (addr_del(index, &a.extra[i], err) < 0)
			return -1;
	}
	return net->v4.gateway.family ? addr_add(index, &net->v4.gateway, err) : 0;
}

static int get_or_create(const struct net *net, struct link_info *l, bool *ret_created,
			 struct err *err)
{
	*ret_created = false;
	if (link_get(net->name, l, err) == 0) {
		if (str_eq(l->kind, "bridge") && str_eq(l->alias, NETWORK_ALIAS))
			return 0;
		return err_set(
			err, ERR_CONFLICT,
			"network \"%s\": this member has an interface of that name that is not "
			"Dunlin's",
			net->name);
	}
	if (err->kind != ERR_NOT_FOUND || link_add_bridge(net->name, net->mac, err) < 0)
		return -1;
	*ret_created = true;
	if (link_set_alias(net->name, NETWORK_ALIAS, err) < 0)
		return -1;
	return link_get(net->name, l, err);
}

int bridge_ensure(const struct net *net, bool *ret_created, struct err *err)
{
	struct link_info l;

	if (get_or_create(net, &l, ret_created, err) < 0)
		return -1;
	if (memcmp(l.mac, net->mac, MAC_LEN) != 0 && link_set_mac(net->name, net->mac, err) < 0)
		return -1;
	if (l.mtu != net->mtu && link_set_mtu(net->name, net->mtu, err) < 0)
		return -1;
	if (set_forwarding(net, err) < 0 || set_addresses(net, l.index, err) < 0)
		return -1;
	return l.flags & IFF_UP ? 0 : link_up(net->name, true, err);
}

int bridge_remove(const char *name, struct err *err)
{
	struct link_info l;

	if (link_get(name, &l, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	return str_eq(l.alias, NETWORK_ALIAS) ? link_delete(name, err) : 0;
}

/* --- the type ------------------------------------------------------------------------------- */

/* All networks are bridges; this one has nothing else. */
const struct network_ops network_bridge = {
	.type = "bridge",
	.keys = { network_rows, "bridge" },
};
