/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "base/mem.h"
#include "node/netlink/link.h"
#include "node/netlink/netlink.h"
#include "node/netlink/route.h"

static void messages(void **state)
{
	const struct rtattr *tb[4];
	struct err err = { 0 };
	struct nlmsg m;
	size_t nest;

	nl_begin(&m, RTM_NEWLINK, 0, "abcd", 4);
	nest = nl_nest(&m, 1);
	nl_put_u32(&m, 2, 77);
	nl_unnest(&m, nest);
	nl_put_u8(&m, 3, 9);
	nl_parse((char *)NLMSG_DATA(&m.h) + 4, m.h.nlmsg_len - NLMSG_HDRLEN - 4, tb, 3);
	assert_non_null(tb[1]);
	assert_null(tb[2]);
	assert_int_equal(nl_get_u8(tb[3], 0), 9);
	nl_parse_nest(tb[1], tb, 3);
	assert_int_equal(nl_get_u32(tb[2], 0), 77);
	assert_int_equal(nl_get_u32(tb[3], 5), 5);
	for (int i = 0; i < 100; i++)
		nl_put(&m, 1, (char[64]){ 0 }, 64);
	assert_true(m.overflow);
	assert_int_equal(nl_call(&m, "too much", &err), -1);
	assert_non_null(strstr(err.msg, "too large"));
	/* An attribute that claims more than there is ends the list. */
	nl_parse((struct rtattr[]){ { 400, 1 } }, sizeof(struct rtattr), tb, 3);
	assert_null(tb[1]);
}

static void parses_addresses(void **state)
{
	char text[INET6_ADDRSTRLEN], mac_buf[MAC_TEXT_SIZE];
	uint8_t mac[MAC_LEN];
	struct ip ip;

	assert_true(ip_parse("10.1.2.3/24", &ip));
	assert_int_equal(ip.prefix, 24);
	assert_string_equal(ip_text(&ip, text), "10.1.2.3");
	assert_true(ip_parse("fd00::1/64", &ip));
	assert_int_equal(ip.family, AF_INET6);
	assert_true(ip_parse("10.1.2.3", &ip));
	assert_int_equal(ip.prefix, 32);
	assert_false(ip_parse("10.1.2.3/33", &ip));
	assert_false(ip_parse("10.1.2", &ip));
	assert_false(ip_parse("10.1.2.3/", &ip));
	assert_false(ip_parse("", &ip));
	assert_false(ip_parse(NULL, &ip));
	assert_true(mac_parse("00:16:3E:aa:bb:0c", mac));
	assert_string_equal(mac_text(mac, mac_buf), "00:16:3e:aa:bb:0c");
	assert_false(mac_parse("00:16:3e:aa:bb", mac));
	assert_false(mac_parse("00-16-3e-aa-bb-cc", mac));
	assert_false(mac_parse("00:16:3e:aa:bb:cg", mac));
}

static void links(void **state)
{
	static const uint8_t mac[MAC_LEN] = { 0x02, 0xd0, 1, 2, 3, 4 };
	_close_ int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	struct link_info l;
	struct err err = { 0 };

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(link_get("none", &l, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(link_add_bridge("br-t", mac, &err), 0);
	assert_int_equal(link_add_bridge("br-t", mac, &err), -1);
	assert_int_equal(err.sys, EEXIST);
	assert_int_equal(link_get("br-t", &l, &err), 0);
	assert_string_equal(l.kind, "bridge");
	assert_memory_equal(l.mac, mac, MAC_LEN);
	assert_int_equal(l.forward_delay, 0);
	assert_false(l.stp);
	assert_int_equal(link_add_veth("va", "vb", mac, 1400, &err), 0);
	assert_int_equal(link_get("vb", &l, &err), 0);
	assert_memory_equal(l.mac, mac, MAC_LEN);
	assert_int_equal(l.mtu, 1400);
	assert_true(l.peer > 0);
	assert_int_equal(link_set_master("va", "no-such", &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(link_delete("va", &err), 0);
	assert_int_equal(link_delete("va", &err), 0);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
}

static int note_route(void *arg, const struct route *r)
{
	*(struct route *)arg = *r;
	return 0;
}

static void routes(void **state)
{
	_close_ int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), nl = -1;
	struct route r = { .metric = 7 }, seen = { .oif = 0 };
	struct err err = { 0 };

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	nl = nl_open(&err);
	assert_int_equal(link_up("lo", true, &err), 0);
	assert_true(ip_parse("10.9.8.0/25", &r.dst));
	r.oif = (int)if_nametoindex("lo");
	assert_int_equal(route_set(nl, &r, &err), 0);
	assert_int_equal(route_set(nl, &r, &err), 0);
	assert_int_equal(route_each(8, note_route, &seen, &err), 0);
	assert_int_equal(seen.oif, 0);
	assert_int_equal(route_each(7, note_route, &seen, &err), 0);
	assert_int_equal(seen.oif, r.oif);
	assert_true(ip_equal(&seen.dst, &r.dst) && seen.dst.prefix == 25);
	assert_int_equal(route_del(nl, &r, &err), 0);
	assert_int_equal(route_del(nl, &r, &err), 0);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
}

static void macs_of_one_interface(void **state)
{
	static const struct {
		const char *text;
		bool ok;
	} cases[] = {
		{ "00:16:3e:01:02:03", true },   { "02:d0:00:00:00:00", true },
		{ "FE:FF:FF:FF:FF:FF", true },   { "01:16:3e:01:02:03", false },
		{ "ff:ff:ff:ff:ff:ff", false },  { "00:00:00:00:00:00", false },
		{ "00:16:3e:01:02:03:", false }, { "00:16:3e:1:2:3", false },
		{ " 0:16:3e:01:02:03", false },  { "0016.3e01.0203", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (!mac_wrong(cases[i].text) != cases[i].ok)
			fail_msg("%s", cases[i].text);
	}
}

static void ipv4_in_numbers(void **state)
{
	static const char *const wrong[] = { "10.1.2",    "10.1.2.3/24", "10.1.2.256", "fd00::1",
					     "10.1.2.3 ", "010.1.2.3x",  "host" };
	struct err err = { 0 };
	uint32_t ip = 7;

	assert_int_equal(ip4_parse("10.1.2.3", &ip, &err), 0);
	assert_int_equal(ip, 0x0a010203);
	assert_int_equal(ip4_parse("255.255.255.255", &ip, &err), 0);
	assert_int_equal(ip, UINT32_MAX);
	assert_int_equal(ip4_parse("0.0.0.0", NULL, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		if (ip4_parse(wrong[i], &ip, &err) == 0)
			fail_msg("%s", wrong[i]);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_int_equal(ip, UINT32_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(macs_of_one_interface),
		cmocka_unit_test(ipv4_in_numbers),
		cmocka_unit_test(messages),
		cmocka_unit_test(parses_addresses),
		cmocka_unit_test(links),
		cmocka_unit_test(routes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
