/* SPDX-License-Identifier: Apache-2.0 */
/* node/netlink/link.h - links, their addresses and forwarding entries, in the calling thread's
 * network namespace.
 *
 * Errors name the link. link_* calls that make something fail with err->sys EEXIST when it is
 * there; removals of what is absent succeed.
 */
#pragma once
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define VXLAN_PORT 4789 /* RFC 7348 */

#include "base/err.h"

#define MAC_LEN 6
#define MAC_TEXT_SIZE 18

/* An IPv4 or IPv6 address, with a prefix length where it is a network's. */
struct ip {
	int family; /* AF_INET, AF_INET6; 0: none */
	uint8_t bytes[16];
	uint8_t prefix;
};
static inline size_t ip_len(const struct ip *ip)
{
	return ip->family == AF_INET6 ? 16 : 4;
}
/* "10.1.2.3" or "10.1.2.3/24"; without a slash the prefix is the full length. */
bool ip_parse(const char *text, struct ip *ret);
const char *ip_text(const struct ip *ip, char buf[INET6_ADDRSTRLEN]); /* without the prefix */
bool ip_equal(const struct ip *a, const struct ip *b);                /* without the prefix */
bool ip_in(const struct ip *ip, const struct ip *net);                /* net with its prefix */
uint32_t ip_broadcast(const struct ip *ip); /* of an IPv4 one; network byte order */
bool mac_parse(const char *text, uint8_t mac[MAC_LEN]);
/* NULL for what an interface may have, else what it must be (CHECKED of base/keys.h). */
const char *mac_wrong(const char *text);
/* A key_parser (base/keys.h) of an address without prefix: uint32_t in host byte order. */
int ip4_parse(const char *text, void *ret, struct err *err);
const char *mac_text(const uint8_t mac[MAC_LEN], char buf[MAC_TEXT_SIZE]);

struct link_stats {
	uint64_t rx_bytes, rx_packets, tx_bytes, tx_packets;
};
struct link_info {
	int index, master, peer; /* peer: 0 when it is in another namespace */
	char name[IFNAMSIZ], kind[16], alias[64];
	uint8_t mac[MAC_LEN];
	uint32_t mtu, flags;
	struct link_stats stats;
	uint32_t forward_delay; /* bridge: in 1/100 s */
	bool stp, vlan_filtering;
	uint16_t vlan_default, bridge_priority;
	bool forwards; /* port of a bridge: frames pass it */
	uint32_t vni;  /* vxlan */
	struct ip local;
};

/* ERR_NOT_FOUND when there is none. */
int link_get(const char *name, struct link_info *ret, struct err *err);
/* fn for every link until it returns non-zero. */
int link_each(int (*fn)(void *arg, const struct link_info *l), void *arg, struct err *err);

int link_add_bridge(const char *name, const uint8_t mac[MAC_LEN], struct err *err);
struct vxlan_spec {
	const char *name;
	uint32_t vni, mtu;
	struct ip local;
};
int link_add_vxlan(const struct vxlan_spec *s, struct err *err);
int link_add_veth(const char *name, const char *peer, const uint8_t *peer_mac, uint32_t mtu,
		  struct err *err);
int link_delete(const char *name, struct err *err);

int link_up(const char *name, bool up, struct err *err);
int link_set_mtu(const char *name, uint32_t mtu, struct err *err);
int link_set_mac(const char *name, const uint8_t mac[MAC_LEN], struct err *err);
int link_set_alias(const char *name, const char *alias, struct err *err);
/* bridge NULL: out of any. ERR_NOT_FOUND names what is missing. */
int link_set_master(const char *name, const char *bridge, struct err *err);
/* Whether the bridge learns addresses from frames of this port of it. */
int link_set_learning(const char *port, bool on, struct err *err);

/* fn for every address of the link (index 0: of all links). */
int addr_each(int index, int (*fn)(void *arg, int index, uint8_t scope, const struct ip *ip),
	      void *arg, struct err *err);
int addr_add(int index, const struct ip *ip, struct err *err); /* present: success */
int addr_del(int index, const struct ip *ip, struct err *err);

/* Forwarding entries of a bridge port: of the VXLAN device itself (dst: member), or of its
 * bridge. */
struct fdb_entry {
	uint8_t mac[MAC_LEN];
	struct ip dst;  /* family 0: none */
	bool of_bridge; /* entry of the bridge for this port, not of the device */
	bool sticky;    /* of the bridge: stays, wherever it is heard (Linux 4.20) */
};
int fdb_each(int index, int (*fn)(void *arg, const struct fdb_entry *e), void *arg,
	     struct err *err);
enum fdb_how { FDB_REPLACE, FDB_APPEND, FDB_DELETE };
/* On a socket of nl_open: there may be many. Deleting what is absent succeeds. */
int fdb_change(int nl, int index, enum fdb_how how, const struct fdb_entry *e, struct err *err);
