/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/str.h"
#include "node/device/port.h"
#include "node/netlink/conntrack.h"
#include "node/network/network_int.h"

#define ADDRESSES_MAX 64

int devices_connect(const json_t *spec, bool on, struct err *err)
{
	struct device_port p;
	int rc = 0;
	json_t *dev;
	size_t i;

	json_array_foreach(json_arr(spec, "devices"), i, dev) {
		struct err other;

		if (device_has_port(dev, &p) && *p.bridge &&
		    port_connect(p.host_name, p.bridge, on, rc < 0 ? &other : err) < 0)
			rc = -1;
	}
	return rc;
}

static void announce_port(int fd, const struct device_port *p, const json_t *state)
{
	uint8_t mac[MAC_LEN];
	struct err err;
	json_t *a;
	size_t i;

	if (!*p->bridge || !mac_parse(json_str(state, "hwaddr", ""), mac))
		return;
	json_array_foreach(json_arr(state, "addresses"), i, a) {
		struct ip ip;

		if (!str_eq(json_str(a, "scope", ""), "local") &&
		    ip_parse(json_str(a, "address", ""), &ip) &&
		    announce_address(fd, p->bridge, mac, &ip, &err) < 0)
			log_err(LOG_DEBUG, "an address is not announced", &err);
	}
}

/* One that is on no bridge has nobody to tell. */
static bool forwards(const struct device_port *p)
{
	struct link_info l;
	struct err err;

	return link_get(p->host_name, &l, &err) < 0 || !l.master || l.forwards;
}

bool devices_announce(int fd, const json_t *spec, const json_t *network)
{
	struct device_port p;
	bool all = true;
	json_t *dev;
	size_t i;

	json_array_foreach(json_arr(spec, "devices"), i, dev) {
		if (!device_has_port(dev, &p))
			continue;
		if (forwards(&p))
			announce_port(fd, &p, json_obj(network, p.name));
		else
			all = false;
	}
	return all;
}

/* Only those: what else a container calls itself may be somebody's. */
static size_t given_addresses(const json_t *spec, struct ip *ret, size_t max)
{
	struct device_port p;
	size_t i, n = 0;
	json_t *dev;

	json_array_foreach(json_arr(spec, "devices"), i, dev) {
		if (n < max && device_has_port(dev, &p) && ip_parse(p.ipv4, &ret[n]))
			n++;
	}
	return n;
}

size_t devices_translated(const json_t *spec)
{
	struct ip ip[ADDRESSES_MAX];
	size_t n = given_addresses(spec, ip, ADDRESSES_MAX), count = 0;
	struct err err;

	if (conntrack_count(ip, n, &count, &err) < 0)
		log_err(LOG_DEBUG, "translated connections", &err);
	return count;
}

void devices_forget_translated(const json_t *spec)
{
	struct ip ip[ADDRESSES_MAX];
	size_t n = given_addresses(spec, ip, ADDRESSES_MAX);
	struct err err;

	if (conntrack_forget(ip, n, &err) < 0)
		log_err(LOG_WARN, "connections of an instance that has moved", &err);
}
