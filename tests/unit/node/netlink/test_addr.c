/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and forwarding entries, in a network namespace of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <unistd.h>

#include "base/mem.h"
#include "node/netlink/link.h"
#include "node/netlink/netlink.h"

static const uint8_t mac[MAC_LEN] = { 0x02, 0xd0, 1, 2, 3, 4 };

static int setup(void **state)
{
	struct err err = { 0 };

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(link_add_bridge("br-t", mac, &err), 0);
	assert_int_equal(link_up("br-t", true, &err), 0);
	return 0;
}

static struct ip ip_of(const char *text)
{
	struct ip ip = { 0 };

	assert_true(ip_parse(text, &ip));
	return ip;
}

/* --- addresses ---------------------------------------------------------------------------- */

struct seen {
	struct ip v[16];
	int n;
	int stop_at; /* 0: never */
};

static int note_addr(void *arg, int index, uint8_t scope, const struct ip *ip)
{
	struct seen *s = arg;

	if (scope == RT_SCOPE_LINK)
		return 0;
	s->v[s->n++] = *ip;
	return s->n == s->stop_at;
}

static struct seen addresses(int index, int stop_at)
{
	struct seen s = { .stop_at = stop_at };
	struct err err = { 0 };

	assert_int_equal(addr_each(index, note_addr, &s, &err), 0);
	return s;
}

static void addresses_come_and_go(void **state)
{
	static const char *const texts[] = { "10.9.8.1/24", "192.0.2.9/31", "10.1.1.1/32",
					     "fd00:9::1/64" };
	int index = (int)if_nametoindex("br-t");
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct ip ip = ip_of(texts[i]);
		struct seen s;

		/* Twice is once. */
		assert_int_equal(addr_add(index, &ip, &err), 0);
		assert_int_equal(addr_add(index, &ip, &err), 0);
		s = addresses(index, 0);
		assert_int_equal(s.n, 1);
		assert_true(ip_equal(&s.v[0], &ip));
		assert_int_equal(s.v[0].prefix, ip.prefix);
		assert_int_equal(addr_del(index, &ip, &err), 0);
		assert_int_equal(addr_del(index, &ip, &err), 0);
		assert_int_equal(addresses(index, 0).n, 0);
	}
}

static void addresses_of_one_link_or_of_all(void **state)
{
	int index = (int)if_nametoindex("br-t"), lo = (int)if_nametoindex("lo");
	struct ip a = ip_of("10.9.8.1/24"), b = ip_of("10.9.7.1/24");
	struct err err = { 0 };

	assert_int_equal(addr_add(index, &a, &err), 0);
	assert_int_equal(addr_add(lo, &b, &err), 0);
	assert_int_equal(addresses(lo, 0).n, 1);
	assert_true(ip_equal(&addresses(lo, 0).v[0], &b));
	assert_int_equal(addresses(0, 0).n, 2);
	assert_int_equal(addresses(0, 1).n, 1);
	assert_int_equal(addr_add(4711, &a, &err), -1);
	assert_int_equal(err.sys, ENODEV);
	assert_non_null(strstr(err.msg, "add address 10.9.8.1"));
}

static void networks_hold_their_addresses(void **state)
{
	static const struct {
		const char *ip, *net;
		bool in;
	} cases[] = {
		{ "10.1.2.3", "10.1.2.0/24", true },     { "10.1.3.3", "10.1.2.0/24", false },
		{ "10.1.2.129", "10.1.2.128/25", true }, { "10.1.2.127", "10.1.2.128/25", false },
		{ "10.1.2.3", "0.0.0.0/0", true },       { "10.1.2.3", "10.1.2.3/32", true },
		{ "10.1.2.4", "10.1.2.3/32", false },    { "fd00::1", "fd00::/64", true },
		{ "fd00:0:0:1::1", "fd00::/64", false }, { "fd00::1", "0.0.0.0/0", false },
		{ "fd00::1", "fd00::1/128", true },      { "fd00::2", "fd00::1/128", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ip ip = ip_of(cases[i].ip), net = ip_of(cases[i].net);

		if (ip_in(&ip, &net) != cases[i].in)
			fail_msg("%s in %s", cases[i].ip, cases[i].net);
	}
}

static void broadcasts_fill_the_rest(void **state)
{
	static const struct {
		const char *net, *broadcast;
	} cases[] = {
		{ "10.1.2.3/24", "10.1.2.255" },    { "10.1.2.3/30", "10.1.2.3" },
		{ "10.1.2.3/9", "10.127.255.255" }, { "10.1.2.3/32", "10.1.2.3" },
		{ "10.1.2.2/31", "10.1.2.3" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ip net = ip_of(cases[i].net), want = ip_of(cases[i].broadcast);
		uint32_t got = ip_broadcast(&net);

		if (memcmp(&got, want.bytes, sizeof(got)) != 0)
			fail_msg("%s", cases[i].net);
	}
}

/* --- forwarding entries ------------------------------------------------------------------- */

struct entries {
	struct fdb_entry v[16];
	int n;
	bool of_bridge; /* those that are wanted */
};

static int note_entry(void *arg, const struct fdb_entry *e)
{
	struct entries *s = arg;

	if (e->of_bridge == s->of_bridge)
		s->v[s->n++] = *e;
	return 0;
}

static struct entries entries_of(int index, bool of_bridge)
{
	struct entries s = { .of_bridge = of_bridge };
	struct err err = { 0 };

	assert_int_equal(fdb_each(index, note_entry, &s, &err), 0);
	return s;
}

static int make_tunnel(void)
{
	struct vxlan_spec v = {
		.name = "vx-t", .vni = 77, .mtu = 1400, .local = ip_of("127.0.0.1")
	};
	struct link_info l;
	struct err err = { 0 };

	assert_int_equal(link_add_vxlan(&v, &err), 0);
	assert_int_equal(link_set_master("vx-t", "br-t", &err), 0);
	assert_int_equal(link_get("vx-t", &l, &err), 0);
	assert_string_equal(l.kind, "vxlan");
	assert_int_equal(l.vni, 77);
	assert_int_equal(l.mtu, 1400);
	assert_true(ip_equal(&l.local, &v.local));
	assert_int_equal(l.master, if_nametoindex("br-t"));
	return l.index;
}

static void members_of_a_tunnel_come_and_go(void **state)
{
	int index = make_tunnel();
	struct fdb_entry a = { .dst = ip_of("192.0.2.1") }, b = { .dst = ip_of("192.0.2.2") };
	struct fdb_entry known = { .mac = { 2, 0, 0, 0, 0, 9 }, .dst = ip_of("192.0.2.1") };
	struct entries s;
	struct err err = { 0 };
	int nl = nl_open(&err);

	/* To all members goes what has no entry of its own: that of the address 0. */
	assert_int_equal(fdb_change(nl, index, FDB_APPEND, &a, &err), 0);
	assert_int_equal(fdb_change(nl, index, FDB_APPEND, &b, &err), 0);
	assert_int_equal(entries_of(index, false).n, 2);
	assert_int_equal(fdb_change(nl, index, FDB_REPLACE, &known, &err), 0);
	known.dst = b.dst;
	assert_int_equal(fdb_change(nl, index, FDB_REPLACE, &known, &err), 0);
	s = entries_of(index, false);
	assert_int_equal(s.n, 3);
	for (int i = 0; i < s.n; i++) {
		if (memcmp(s.v[i].mac, known.mac, MAC_LEN) == 0)
			assert_true(ip_equal(&s.v[i].dst, &b.dst));
	}
	assert_int_equal(fdb_change(nl, index, FDB_DELETE, &a, &err), 0);
	assert_int_equal(fdb_change(nl, index, FDB_DELETE, &a, &err), 0);
	assert_int_equal(entries_of(index, false).n, 2);
	close(nl);
}

static void entries_of_the_bridge_are_told_apart(void **state)
{
	int index = make_tunnel();
	struct fdb_entry e = { .mac = { 2, 0, 0, 0, 0, 8 }, .of_bridge = true };
	struct err err = { 0 };
	int nl = nl_open(&err);

	assert_int_equal(entries_of(index, true).n, 0);
	assert_int_equal(fdb_change(nl, index, FDB_REPLACE, &e, &err), 0);
	assert_int_equal(entries_of(index, true).n, 1);
	assert_memory_equal(entries_of(index, true).v[0].mac, e.mac, MAC_LEN);
	assert_int_equal(entries_of(index, true).v[0].dst.family, 0);
	assert_int_equal(entries_of(index, false).n, 0);
	assert_int_equal(fdb_change(nl, index, FDB_DELETE, &e, &err), 0);
	assert_int_equal(fdb_change(nl, 4711, FDB_REPLACE, &e, &err), -1);
	assert_non_null(strstr(err.msg, "set the forwarding entry of 02:00:00:00:00:08"));
	close(nl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(addresses_come_and_go, setup),
		cmocka_unit_test_setup(addresses_of_one_link_or_of_all, setup),
		cmocka_unit_test(networks_hold_their_addresses),
		cmocka_unit_test(broadcasts_fill_the_rest),
		cmocka_unit_test_setup(members_of_a_tunnel_come_and_go, setup),
		cmocka_unit_test_setup(entries_of_the_bridge_are_told_apart, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
