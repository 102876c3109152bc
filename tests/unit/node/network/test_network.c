/* SPDX-License-Identifier: Apache-2.0 */
/* The real thing: bridges, tunnels, nft and dnsmasq, in network namespaces of the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"
#include "node/device/port.h"
#include "node/netlink/netlink.h"
#include "node/network/network.h"
#include "node/network/network_int.h"
#include "node/node_int.h"
#include "tests/unit/node/network/netns.h"

struct world {
	struct node n;
	char dir[64];
	int home; /* the namespace that the test came from */
};

static int set_up(void **state)
{
	struct world *w = xnew(struct world);

	snprintf(w->dir, sizeof(w->dir), "/tmp/dunlin-test-network-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(chmod(w->dir, 0711), 0);
	w->n.dir = w->dir;
	w->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	*state = w;
	return 0;
}

static json_t *net_of(const char *text)
{
	struct err err = { 0 };
	json_t *j = json_parse(text, strlen(text), "test network", &err);

	if (!j)
		fail_msg("%s", err.msg);
	return j;
}

static void ensure(struct node *n, const char *text)
{
	_json_ json_t *net = net_of(text);
	struct err err = { 0 };

	if (network_ensure(n, net, &err) < 0)
		fail_msg("%s", err.msg);
}

static bool has_ended(pid_t pid)
{
	_free_ char *path = xasprintf("/proc/%d/cmdline", pid);
	struct err err;
	size_t len = 0;
	_free_ char *text = io_read_file(path, 4096, &len, &err);

	return !text || len == 0;
}

static pid_t pid_in(const char *dir, const char *network)
{
	_free_ char *path = xasprintf("%s/networks/%s/dnsmasq.pid", dir, network), *text = NULL;
	struct err err;
	uint64_t pid = 0;

	text = io_read_file(path, 32, NULL, &err);
	if (text)
		text[strcspn(text, "\n")] = '\0';
	return text && str_to_u64(text, INT32_MAX, &pid) ? (pid_t)pid : 0;
}

/* What a failed test left. */
static void end_dnsmasq(struct world *w)
{
	static const char *const members[] = { "", "/a", "/b" };
	static const char *const networks[] = { "dtbr0", "dtov0" };

	for (size_t i = 0; i < ARRAY_SIZE(members) * ARRAY_SIZE(networks); i++) {
		_free_ char *dir = xasprintf("%s%s", w->dir, members[i / ARRAY_SIZE(networks)]);
		pid_t pid = pid_in(dir, networks[i % ARRAY_SIZE(networks)]);

		if (pid > 1 && !has_ended(pid))
			kill(pid, SIGKILL);
	}
}

static int tear_down(void **state)
{
	struct world *w = *state;
	struct err err;

	enter(w->home);
	close(w->home);
	end_dnsmasq(w);
	assert_int_equal(io_remove_tree(w->dir, &err), 0);
	free(w);
	return 0;
}

/* --- descriptions --------------------------------------------------------------------------- */

static void refuses(void **state)
{
	static const struct {
		const char *net, *says;
	} cases[] = {
		{ "{\"name\":\"a/b\"}", "name" },
		{ "{\"name\":\"longer-than-fifteen\"}", "name" },
		{ "{\"name\":\"n\",\"type\":\"ovn\"}", "type" },
		{ "{\"name\":\"n\",\"config\":{\"ipv4.address\":\"10.1.2\"}}", "ipv4.address" },
		{ "{\"name\":\"n\",\"config\":{\"ipv4.address\":\"10.1.2.1\"}}", "prefix" },
		{ "{\"name\":\"n\",\"config\":{\"ipv4.address\":\"fd00::1/64\"}}", "ipv4.address" },
		{ "{\"name\":\"n\",\"config\":{\"ipv4.nat\":\"maybe\"}}", "ipv4.nat" },
		{ "{\"name\":\"n\",\"config\":{\"bridge.mtu\":\"12\"}}", "bridge.mtu" },
		{ "{\"name\":\"n\",\"type\":\"overlay\",\"vni\":0,\"local\":\"127.0.0.1\"}",
		  "VXLAN id" },
		{ "{\"name\":\"n\",\"type\":\"overlay\",\"vni\":7,"
		  "\"peers\":[{\"address\":\"192.0.2.1\"}]}",
		  "no address" },
		{ "{\"name\":\"n\",\"type\":\"overlay\",\"vni\":7,\"local\":\"192.0.2.7\"}",
		  "192.0.2.7" },
		{ "{\"name\":\"taken\"}", "not Dunlin's" },
	};
	struct world *w = *state;
	int ns = new_netns();

	must("ip link add taken type bridge");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *net = net_of(cases[i].net);
		struct err err = { 0 };

		assert_int_equal(network_ensure(&w->n, net, &err), -1);
		if (!strstr(err.msg, cases[i].says))
			fail_msg("\"%s\" does not say \"%s\"", err.msg, cases[i].says);
		assert_false(says(ns, "ip link", " n: "));
		assert_false(says(ns, "/usr/sbin/nft list ruleset", "dunlin"));
	}
	close(ns);
}

/* --- a bridge ------------------------------------------------------------------------------- */

#define BRIDGE                                                                                    \
	"{\"name\":\"dtbr0\",\"type\":\"bridge\",\"config\":{\"ipv4.address\":\"10.231.7.1/24\"," \
	"\"ipv4.nat\":\"true\",\"dns.mode\":\"managed\",\"dns.domain\":\"example\"}}"
#define NIC                                                                       \
	"{\"type\":\"nic\",\"device\":\"eth0\",\"hwaddr\":\"00:16:3e:01:02:03\"," \
	"\"host_name\":\"dveth0123456ab\",\"bridge\":\"dtbr0\",\"mtu\":0}"
#define HOSTS "[{\"hwaddr\":\"00:16:3e:01:02:03\",\"ipv4\":\"10.231.7.77\",\"hostname\":\"c1\"}]"

/* A link of namespace `from` goes to another one under a new name; that one becomes the current. */
static void send_link(int from, int to, const char *link, const char *name)
{
	struct ifinfomsg i = { 0 };
	struct err err = { 0 };
	struct nlmsg m;

	enter(from);
	i.ifi_index = (int)if_nametoindex(link);
	nl_begin(&m, RTM_NEWLINK, 0, &i, sizeof(i));
	nl_put_u32(&m, IFLA_NET_NS_FD, (uint32_t)to);
	nl_put_str(&m, IFLA_IFNAME, name);
	if (nl_call(&m, link, &err) < 0)
		fail_msg("%s", err.msg);
	enter(to);
	must("ip link set %s up", name);
}

static const char *const script =
	"#!/bin/sh\n[ \"$1\" = bound ] || exit 0\n"
	"ip addr add $ip/$mask dev $interface\nip route add default via $router\n"
	"echo \"$ip $router $domain\" > $OUT\n";

static char *lease(struct world *w, int container)
{
	_free_ char *path = xasprintf("%s/dhcp.sh", w->dir), *out = xasprintf("%s/lease", w->dir);
	struct err err;

	assert_int_equal(io_write_file(path, script, strlen(script), 0755, &err), 0);
	must_in(container, "env OUT=%s busybox udhcpc -i eth0 -n -q -f -t 5 -T 1 -s %s", out, path);
	return io_read_file(out, 4096, NULL, &err);
}

static void check_state(struct world *w)
{
	struct err err = { 0 };
	_json_ json_t *s = network_state(&w->n, "dtbr0", &err);
	json_t *bridge = json_obj(s, "bridge"),
	       *first = json_array_get(json_arr(s, "addresses"), 0);

	assert_non_null(s);
	assert_string_equal(json_str(s, "state", ""), "up");
	assert_string_equal(json_str(s, "type", ""), "broadcast");
	assert_int_equal(json_int(s, "mtu", 0), 1500);
	assert_string_equal(json_str(first, "address", ""), "10.231.7.1");
	assert_string_equal(json_str(first, "netmask", ""), "24");
	assert_string_equal(json_str(first, "scope", ""), "global");
	assert_int_equal(json_array_size(json_arr(bridge, "upper_devices")), 1);
	assert_true(str_starts(json_str(bridge, "id", ""), "8000.02d0"));
}

static void check_leases(struct world *w)
{
	_json_ json_t *l = network_leases(&w->n, "dtbr0");
	json_t *fixed = json_array_get(l, 1);

	assert_int_equal(json_array_size(l), 2);
	assert_string_equal(json_str(json_array_get(l, 0), "hostname", ""), "dtbr0.gw");
	assert_string_equal(json_str(json_array_get(l, 0), "type", ""), "gateway");
	assert_string_equal(json_str(fixed, "address", ""), "10.231.7.77");
	assert_string_equal(json_str(fixed, "hostname", ""), "c1");
	assert_string_equal(json_str(fixed, "hwaddr", ""), "00:16:3e:01:02:03");
	assert_string_equal(json_str(fixed, "type", ""), "static");
}

static void check_nothing_left(struct world *w, int ns, pid_t dnsmasq)
{
	_free_ char *dir = xasprintf("%s/networks/dtbr0", w->dir);
	_free_ char *ruleset = output(ns, "/usr/sbin/nft list ruleset");

	assert_true(has_ended(dnsmasq));
	assert_false(io_exists(dir));
	assert_string_equal(ruleset, "");
	assert_false(says(ns, "ip link", "dtbr0"));
}

static void bridge_network(void **state)
{
	struct world *w = *state;
	_json_ json_t *nic = net_of(NIC), *hosts = net_of(HOSTS), *desc = net_of(BRIDGE);
	_close_ int inside = new_netns(), host = new_netns();
	_json_ json_t *names = NULL;
	_free_ char *got = NULL;
	_json_ json_t *spec = json_pack("{s[O]}", "devices", nic);
	struct err err = { 0 };
	pid_t pid, again;

	ensure(&w->n, BRIDGE);
	pid = pid_in(w->dir, "dtbr0");
	assert_true(pid > 1 && !has_ended(pid));
	assert_true(says(host, "/usr/sbin/nft list ruleset",
			 "ip saddr 10.231.7.0/24 ip daddr != 10.231.7.0/24"));
	assert_true(says(host, "cat /proc/sys/net/ipv4/ip_forward", "1"));
	assert_true(says(host, "ip addr show dtbr0", "10.231.7.1/24"));

	/* A second time changes nothing; another configuration restarts dnsmasq. */
	ensure(&w->n, BRIDGE);
	assert_int_equal(pid_in(w->dir, "dtbr0"), pid);
	names = network_list(&w->n);
	assert_int_equal(json_array_size(names), 1);
	assert_string_equal(json_string_value(json_array_get(names, 0)), "dtbr0");
	assert_int_equal(network_hosts(&w->n, desc, hosts, &err), 0);

	if (device_nic.prepare(nic, DEVICE_PLUG, &err) < 0 ||
	    device_nic.prepare(nic, DEVICE_PLUG, &err) < 0)
		fail_msg("%s", err.msg);
	assert_true(says(host, "bridge link", "dveth0123456ab"));
	check_state(w);
	send_link(host, inside, "dveth0123456abp", "eth0");
	enter(host);
	got = lease(w, inside);
	assert_string_equal(got, "10.231.7.77 10.231.7.1 example\n");
	must_in(inside, "ping -c 1 -W 2 10.231.7.1");
	must_in(inside, "busybox nslookup -type=a c1.example 10.231.7.1");
	check_leases(w);

	/* Unplugged it is alone; the bridge forgets nothing else. */
	assert_int_equal(devices_connect(spec, false, &err), 0);
	assert_int_not_equal(run_in(inside, NULL, "ping -c 1 -W 1 10.231.7.1"), 0);
	assert_int_equal(devices_connect(spec, true, &err), 0);
	must_in(inside, "ping -c 1 -W 2 10.231.7.1");
	assert_int_equal(device_nic.release(nic, &err), 0);
	assert_int_equal(device_nic.release(nic, &err), 0);

	ensure(&w->n, "{\"name\":\"dtbr0\",\"config\":{\"ipv4.address\":\"10.231.8.1/24\"}}");
	again = pid_in(w->dir, "dtbr0");
	assert_int_not_equal(again, pid);
	assert_true(has_ended(pid));
	assert_false(says(host, "/usr/sbin/nft list ruleset", "masquerade"));
	assert_false(says(host, "ip addr show dtbr0", "10.231.7.1"));
	assert_true(says(host, "ip addr show dtbr0", "10.231.8.1/24"));

	/* One that died is replaced. */
	assert_int_equal(kill(again, SIGKILL), 0);
	while (!has_ended(again))
		poll(NULL, 0, 10);
	ensure(&w->n, "{\"name\":\"dtbr0\",\"config\":{\"ipv4.address\":\"10.231.8.1/24\"}}");
	pid = pid_in(w->dir, "dtbr0");
	assert_true(pid != again && !has_ended(pid));

	assert_int_equal(network_remove(&w->n, "dtbr0", &err), 0);
	check_nothing_left(w, host, pid);
	assert_int_equal(network_remove(&w->n, "dtbr0", &err), 0);
}

static void nat_reaches_outside(void **state)
{
	struct world *w = *state;
	_json_ json_t *nic = net_of(NIC), *hosts = net_of(HOSTS), *desc = net_of(BRIDGE);
	_close_ int outside = new_netns(), inside = new_netns(), host = new_netns();
	_free_ char *got = NULL;
	struct err err = { 0 };

	ensure(&w->n, BRIDGE);
	assert_int_equal(network_hosts(&w->n, desc, hosts, &err), 0);
	assert_int_equal(device_nic.prepare(nic, DEVICE_PLUG, &err), 0);
	send_link(host, inside, "dveth0123456abp", "eth0");
	enter(host);
	assert_int_equal(link_add_veth("out0", "out1", NULL, 0, &err), 0);
	must("ip addr add 198.51.100.1/24 dev out0");
	must("ip link set out0 up");
	send_link(host, outside, "out1", "eth0");
	must("ip addr add 198.51.100.2/24 dev eth0");
	enter(host);
	got = lease(w, inside);
	/* The outside has no route back: only a translated address is answered. */
	must_in(inside, "ping -c 1 -W 2 198.51.100.2");
	assert_int_equal(network_remove(&w->n, "dtbr0", &err), 0);
}

#define LONELY                                                             \
	"{\"name\":\"dtbr0\",\"type\":\"overlay\",\"vni\":5,\"peers\":[]," \
	"\"config\":{\"ipv4.address\":\"10.231.9.1/24\"}}"

/* Before there is another member, an overlay is a bridge with room for the tunnel's headers. */
static void lonely_overlay(void **state)
{
	struct world *w = *state;
	_close_ int ns = new_netns();
	_json_ json_t *none = json_object(), *net = net_of(LONELY);
	struct link_info l;
	struct err err = { 0 };

	ensure(&w->n, LONELY);
	assert_int_equal(link_get("dtbr0", &l, &err), 0);
	assert_int_equal(l.mtu, 1450);
	assert_int_equal(network_forwarding(&w->n, net, none, &err), 0);
	assert_false(says(ns, "ip link", "vx5"));
	assert_int_equal(network_remove(&w->n, "dtbr0", &err), 0);
}

/* --- an overlay over two members ------------------------------------------------------------ */

struct member {
	struct node n;
	char dir[100];
	int ns, inside;
	const char *underlay, *mac, *address;
};

#define OVERLAY                                                                   \
	"{\"name\":\"dtov0\",\"type\":\"overlay\",\"vni\":4711,\"local\":\"%s\"," \
	"\"peers\":[{\"address\":\"192.0.2.1\"},{\"address\":\"192.0.2.2\"}],"    \
	"\"config\":{\"ipv4.address\":\"10.232.7.1/24\",\"ipv4.nat\":\"true\"}}"

static void start_member(struct member *m)
{
	_free_ char *net = xasprintf(OVERLAY, m->underlay), *nic = NULL;
	_json_ json_t *j = NULL;
	struct err err = { 0 };

	m->n.dir = m->dir;
	m->inside = new_netns();
	enter(m->ns);
	must("ip addr add %s/24 dev under", m->underlay);
	must("ip link set under up");
	ensure(&m->n, net);
	ensure(&m->n, net);
	nic = xasprintf(
		"{\"type\":\"nic\",\"device\":\"eth0\",\"hwaddr\":\"%s\",\"host_name\":\"dvo\","
		"\"bridge\":\"dtov0\"}",
		m->mac);
	j = net_of(nic);
	if (device_nic.prepare(j, DEVICE_PLUG, &err) < 0)
		fail_msg("%s", err.msg);
	send_link(m->ns, m->inside, "dvop", "eth0");
	must("ip addr add %s/24 dev eth0", m->address);
	enter(m->ns);
}

static void stop_member(struct member *m)
{
	struct err err = { 0 };

	enter(m->ns);
	assert_int_equal(network_remove(&m->n, "dtov0", &err), 0);
	assert_false(says(-1, "ip link", "vx4711"));
	assert_false(says(-1, "ip route", "10.232.7"));
	close(m->ns);
	close(m->inside);
}

static void set_hosts(struct member *m, const json_t *hosts)
{
	_free_ char *text = xasprintf(OVERLAY, m->underlay);
	_json_ json_t *net = net_of(text);
	struct err err = { 0 };

	enter(m->ns);
	if (network_hosts(&m->n, net, hosts, &err) < 0)
		fail_msg("%s", err.msg);
}

static void forward(struct member *m, const char *text)
{
	_free_ char *desc = xasprintf(OVERLAY, m->underlay);
	_json_ json_t *macs = net_of(text), *net = net_of(desc);
	struct err err = { 0 };

	enter(m->ns);
	if (network_forwarding(&m->n, net, macs, &err) < 0)
		fail_msg("%s", err.msg);
}

static int count_in(const char *text, const char *what)
{
	int n = 0;

	for (const char *p = text; (p = strstr(p, what)); p += strlen(what))
		n++;
	return n;
}

static void check_forwarding(struct member *m, const char *mac, const char *dst)
{
	_free_ char *fdb = output(m->ns, "bridge fdb show dev vx4711");
	_free_ char *device = xasprintf("%s dst %s", mac, dst),
		    *bridge = xasprintf("%s master", mac);
	_free_ char *zero = xasprintf("00:00:00:00:00:00 dst %s", dst);

	if (!strstr(fdb, device) || count_in(fdb, bridge) != 1 || !strstr(fdb, zero) ||
	    count_in(fdb, "00:00:00:00:00:00") != 1)
		fail_msg("%s", fdb);
}

static void overlay_network(void **state)
{
	struct world *w = *state;
	struct member a = { .underlay = "192.0.2.1",
			    .mac = "00:16:3e:00:00:0a",
			    .address = "10.232.7.10" };
	struct member b = { .underlay = "192.0.2.2",
			    .mac = "00:16:3e:00:00:0b",
			    .address = "10.232.7.11" };
	_free_ char *fdb = NULL;
	struct err err = { 0 };
	struct link_info l;

	snprintf(a.dir, sizeof(a.dir), "%s/a", w->dir);
	snprintf(b.dir, sizeof(b.dir), "%s/b", w->dir);
	b.ns = new_netns();
	a.ns = new_netns();
	assert_int_equal(link_add_veth("under", "under1", NULL, 0, &err), 0);
	send_link(a.ns, b.ns, "under1", "under");
	start_member(&b);
	enter(a.ns);
	start_member(&a);

	assert_int_equal(link_get("dtov0", &l, &err), 0);
	assert_int_equal(l.mtu, 1450);
	forward(&a, "{\"00:16:3E:00:00:0B\":\"192.0.2.2\"}");
	forward(&b, "{\"00:16:3e:00:00:0a\":\"192.0.2.1\"}");
	check_forwarding(&a, b.mac, b.underlay);
	check_forwarding(&b, a.mac, a.underlay);
	must_in(a.inside, "ping -c 1 -W 2 -M do -s 1422 10.232.7.11");
	must_in(b.inside, "ping -c 1 -W 2 10.232.7.10");

	/* A member's host reaches containers elsewhere, and they reach it, as itself. */
	_json_ json_t *hosts =
		net_of("[{\"hwaddr\":\"00:16:3e:00:00:0a\",\"ipv4\":\"10.232.7.10\"},"
		       "{\"hwaddr\":\"00:16:3e:00:00:0b\",\"ipv4\":\"10.232.7.11\"}]");
	set_hosts(&b, hosts);
	set_hosts(&a, hosts);
	must_in(b.inside, "ip route add default via 10.232.7.1");
	must_in(a.inside, "ip route add default via 10.232.7.1");
	must_in(a.ns, "ping -c 1 -W 2 10.232.7.11");
	must_in(a.ns, "ping -c 1 -W 2 10.232.7.10");
	must_in(b.inside, "ping -c 1 -W 2 192.0.2.1");
	assert_true(says(a.ns, "ip route get 10.232.7.11", "via 192.0.2.2"));
	assert_true(says(a.ns, "ip route get 10.232.7.10", "src 192.0.2.1"));

	/* Each has its gateway at home: the other member's never answers in its place. */
	must_in(a.inside, "ping -c 1 -W 2 10.232.7.1");
	must_in(a.ns, "ip addr del 10.232.7.1/24 dev dtov0");
	must_in(a.inside, "ip neigh flush dev eth0");
	assert_int_not_equal(run_in(a.inside, NULL, "ping -c 1 -W 1 10.232.7.1"), 0);
	assert_int_not_equal(run_in(a.inside, NULL,
				    "busybox udhcpc -i eth0 -n -q -f -t 1 -T 1 -s /bin/true"),
			     0);

	/* Neither learned nor lost; replaced and removed as told. */
	forward(&a, "{\"00:16:3e:00:00:0c\":\"192.0.2.2\",\"00:16:3e:00:00:0b\":\"192.0.2.2\"}");
	forward(&a, "{\"00:16:3e:00:00:0c\":\"192.0.2.9\"}");
	fdb = output(a.ns, "bridge fdb show dev vx4711");
	assert_null(strstr(fdb, "00:16:3e:00:00:0b"));
	assert_non_null(strstr(fdb, "00:16:3e:00:00:0c dst 192.0.2.9"));
	assert_int_equal(count_in(fdb, "00:16:3e:00:00:0c dst"), 1);
	assert_false(says(a.ns, "ip route get 10.232.7.11", "via 192.0.2.2"));
	stop_member(&a);
	stop_member(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(refuses),        T(bridge_network),  T(nat_reaches_outside),
		T(lonely_overlay), T(overlay_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
