/* SPDX-License-Identifier: Apache-2.0 */
/* Interfaces inside a container, read by a thread of its own inside the network namespace. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/if_addr.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/container/container_int.h"

#define STACK_BYTES (256 << 10)
#define PROC_NET_MAX (256 << 10)

struct look {
	int netns;
	bool settled;   /* without addresses that may not be its own */
	json_t *result; /* {name: {...}} */
};

static json_t *iface(json_t *all, const char *name)
{
	json_t *j = json_object_get(all, name);

	if (j)
		return j;
	j = json_pack("{s[],s{},ss,ss,si,ss,ss}", "addresses", "counters", "hwaddr", "",
		      "host_name", "", "mtu", 0, "state", "down", "type", "unknown");
	json_object_set_new(all, name, j);
	return j;
}

static const char *type_of(unsigned flags)
{
	if (flags & IFF_LOOPBACK)
		return "loopback";
	if (flags & IFF_POINTOPOINT)
		return "point-to-point";
	return flags & IFF_BROADCAST ? "broadcast" : "unknown";
}

static void add_link(json_t *all, const struct ifaddrs *a, int sock)
{
	const struct sockaddr_ll *ll = (const struct sockaddr_ll *)a->ifa_addr;
	const unsigned char *m = ll->sll_addr;
	json_t *j = iface(all, a->ifa_name);
	struct ifreq r = { 0 };
	char mac[32];

	json_put_str(j, "state", a->ifa_flags & IFF_UP ? "up" : "down");
	json_put_str(j, "type", type_of(a->ifa_flags));
	str_copy(r.ifr_name, sizeof(r.ifr_name), a->ifa_name);
	if (ioctl(sock, SIOCGIFMTU, &r) == 0)
		json_put_int(j, "mtu", r.ifr_mtu);
	if (ll->sll_halen != 6 || a->ifa_flags & IFF_LOOPBACK)
		return;
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4],
		 m[5]);
	json_put_str(j, "hwaddr", mac);
}

static int prefix_length(const void *mask, size_t len)
{
	const unsigned char *p = mask;
	int n = 0;

	for (size_t i = 0; i < len; i++)
		n += __builtin_popcount(p[i]);
	return n;
}

static const char *scope_of(int family, const void *addr)
{
	if (family == AF_INET)
		return *(const unsigned char *)addr == 127 ? "local" : "global";
	if (IN6_IS_ADDR_LOOPBACK((const struct in6_addr *)addr))
		return "local";
	return IN6_IS_ADDR_LINKLOCAL((const struct in6_addr *)addr) ? "link" : "global";
}

/* "ADDRESS INDEX PREFIX SCOPE FLAGS NAME", all but the name in hexadecimal, of if_inet6 (proc(5)):
 * whether it asks just now if somebody else has the address, or was told so. */
static bool is_tentative(const char *if_inet6, const struct ifaddrs *a)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)a->ifa_addr;
	char hex[33], name[IFNAMSIZ];
	unsigned flags;

	for (size_t i = 0; i < 16; i++)
		snprintf(hex + 2 * i, 3, "%02x", in6->sin6_addr.s6_addr[i]);
	for (const char *p = if_inet6; (p = strstr(p, hex)); p += 32) {
		if (sscanf(p + 32, "%*x %*x %*x %x %15s", &flags, name) == 2 &&
		    str_eq(name, a->ifa_name))
			return flags & IFA_F_TENTATIVE;
	}
	return false;
}

static void add_address(json_t *all, const struct ifaddrs *a)
{
	bool v4 = a->ifa_addr->sa_family == AF_INET;
	size_t offset = v4 ? offsetof(struct sockaddr_in, sin_addr)
			   : offsetof(struct sockaddr_in6, sin6_addr);
	const char *addr = (const char *)a->ifa_addr + offset;
	const char *mask = a->ifa_netmask ? (const char *)a->ifa_netmask + offset : NULL;
	char text[INET6_ADDRSTRLEN], bits[16];

	inet_ntop(a->ifa_addr->sa_family, addr, text, sizeof(text));
	snprintf(bits, sizeof(bits), "%d", mask ? prefix_length(mask, v4 ? 4 : 16) : 0);
	json_array_append_new(json_object_get(iface(all, a->ifa_name), "addresses"),
			      json_pack("{ss,ss,ss,ss}", "family", v4 ? "inet" : "inet6", "address",
					text, "netmask", bits, "scope",
					scope_of(a->ifa_addr->sa_family, addr)));
}

/* Columns of /proc/net/dev; NULL is not shown. */
static const char *const columns[] = {
	"bytes_received",
	"packets_received",
	"errors_received",
	"packets_dropped_inbound",
	NULL,
	NULL,
	NULL,
	NULL,
	"bytes_sent",
	"packets_sent",
	"errors_sent",
	"packets_dropped_outbound",
};

static void add_counter_line(json_t *all, char *line)
{
	char *colon = strchr(line, ':');
	json_t *counters;

	if (!colon)
		return;
	*colon = '\0';
	counters = json_object_get(iface(all, line + strspn(line, " ")), "counters");
	line = colon + 1;
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		char *word = line + strspn(line, " ");
		int64_t v;

		line = word + strcspn(word, " ");
		if (*line)
			*line++ = '\0';
		if (columns[i] && str_to_i64(word, 0, INT64_MAX, &v))
			json_put_int(counters, columns[i], v);
	}
}

static void add_counters(json_t *all)
{
	struct err err;
	_free_ char *text = io_read_file("/proc/thread-self/net/dev", PROC_NET_MAX, NULL, &err);
	char *line = text;

	while (line && *line) {
		char *end = line + strcspn(line, "\n"), *next = *end ? end + 1 : end;

		*end = '\0';
		add_counter_line(all, line);
		line = next;
	}
}

static json_t *read_interfaces(bool settled)
{
	struct err err;
	_free_ char *if_inet6 =
		settled ? io_read_file("/proc/thread-self/net/if_inet6", PROC_NET_MAX, NULL, &err)
			: NULL;
	_close_ int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifaddrs *list = NULL;
	json_t *all = json_object();

	if (getifaddrs(&list) < 0)
		return all;
	for (struct ifaddrs *a = list; a; a = a->ifa_next) {
		int family = a->ifa_addr ? a->ifa_addr->sa_family : AF_UNSPEC;

		if (family == AF_PACKET)
			add_link(all, a, sock);
		else if (family == AF_INET ||
			 (family == AF_INET6 && !(if_inet6 && is_tentative(if_inet6, a))))
			add_address(all, a);
	}
	freeifaddrs(list);
	add_counters(all);
	return all;
}

static void *look_inside(void *arg)
{
	struct look *l = arg;

	if (setns(l->netns, CLONE_NEWNET) == 0)
		l->result = read_interfaces(l->settled);
	return NULL;
}

/* A thread that has been elsewhere does not come back: it ends. */
static json_t *in_netns(int netns, bool settled)
{
	struct look l = { netns, settled, NULL };
	pthread_attr_t attr;
	pthread_t t;
	int rc;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	rc = pthread_create(&t, &attr, look_inside, &l);
	pthread_attr_destroy(&attr);
	if (rc == 0)
		pthread_join(t, NULL);
	return l.result ? l.result : json_object();
}

static json_t *network_of(pid_t pid, const json_t *spec, bool settled)
{
	_free_ char *path = xasprintf("/proc/%d/ns/net", pid);
	_close_ int netns = open(path, O_RDONLY | O_CLOEXEC);
	json_t *all = netns < 0 ? json_object() : in_netns(netns, settled);
	struct device_port p;
	json_t *dev;
	size_t i;

	json_array_foreach(json_arr(spec, "devices"), i, dev) {
		json_t *j = device_has_port(dev, &p) ? json_object_get(all, p.name) : NULL;

		if (j)
			json_put_str(j, "host_name", p.host_name);
	}
	return all;
}

json_t *ct_network(pid_t pid, const json_t *spec)
{
	return network_of(pid, spec, false);
}

json_t *ct_settled_network(pid_t pid, const json_t *spec)
{
	return network_of(pid, spec, true);
}
