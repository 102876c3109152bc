/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/base/key_rows.h"

#include "node/network/keys.h"
#include "node/network/type.h"

#define A31 "abcdefghijklmnopqrstuvwxyz01234"
#define A61 A31 "abcdefghijklmnopqrstuvwxyz0123"
#define A63 A31 "-" A31

static const struct key_value values[] = {
	{ &network_keys, "ipv4.dhcp.ranges", "10.0.0.2-10.0.0.2", true },
	{ &network_keys, "ipv4.dhcp.ranges", "10.0.0.2", false },
	{ &network_keys, "ipv4.dhcp.ranges", "10.0.0.2-10.0.0.9,", false },
	{ &network_keys, "ipv4.dhcp.ranges", "10.0.0.2-10.0.0.9, 10.0.0.20-10.0.0.30", false },
	{ &network_keys, "ipv4.dhcp.ranges", "10.0.0.2/31-10.0.0.9", false },
	{ &network_keys, "ipv4.dhcp.expiry", "2m", true },
	{ &network_keys, "ipv4.dhcp.expiry", "119s", false },
	{ &network_keys, "ipv4.dhcp.expiry", "120", true },
	{ &network_keys, "ipv4.dhcp.expiry", "3w", true },
	{ &network_keys, "ipv4.dhcp.expiry", "1y", false },
	{ &network_keys, "ipv4.dhcp.expiry", "h", false },
	{ &network_keys, "ipv4.dhcp.expiry", "99999999999w", false },
	{ &network_keys, "ipv4.dhcp.expiry", "30m", true },
	{ &network_keys, "ipv4.dhcp.expiry", "infinite", true },
	{ &network_keys, "ipv4.dhcp.expiry", "30s", false },
	{ &network_keys, "ipv4.dhcp.expiry", "soon", false },
	{ &network_keys, "volatile.x", "b", false },
	{ &network_keys, "ipv4.address", "10.1.2.1/7", false },
	{ &network_keys, "ipv4.address", "10.1.2.1/31", false },
	{ &network_keys, "ipv4.address", "10.1.2.2/30", true },
	{ &network_keys, "ipv4.address", "10.1.2.0/16", true },
	{ &network_keys, "ipv4.address", "223.1.2.1/24", true },
	{ &network_keys, "ipv4.address", "10.1.2.0/24", false },
	{ &network_keys, "ipv4.address", "10.1.2.255/24", false },
	{ &network_keys, "ipv4.address", "10.1.2.3/30", false },
	{ &network_keys, "ipv4.address", "224.0.0.1/24", false },
	{ &network_keys, "ipv4.address", "240.0.0.1/8", false },
	{ &network_keys, "ipv4.address", "255.255.255.254/24", false },
	{ &network_keys, "ipv4.address", "127.0.0.1/8", false },
	{ &network_keys, "ipv4.address", "169.254.0.1/16", false },
	{ &network_keys, "ipv4.address", "0.0.0.0/8", false },
	{ &network_keys, "ipv4.address", "0.1.2.3/24", false },
	{ &network_keys, "dns.domain", "lab.example", true },
	{ &network_keys, "dns.domain", "x-1.y", true },
	{ &network_keys, "dns.domain", ".", false },
	{ &network_keys, "dns.domain", "a.", false },
	{ &network_keys, "dns.domain", ".a", false },
	{ &network_keys, "dns.domain", "a..b", false },
	{ &network_keys, "dns.domain", "-x", false },
	{ &network_keys, "dns.domain", "-.a", false },
	{ &network_keys, "dns.domain", "a-.b", false },
	{ &network_keys, "dns.domain", "a_b", false },
	{ &network_keys, "dns.domain", A63, true },
	{ &network_keys, "dns.domain", A63 "a", false },
	{ &network_keys, "dns.domain", A63 "." A61 "." A63, true },
	{ &network_keys, "dns.domain", A63 "." A63 "." A63, false },
	{ &network_keys, "ipv4.address", "10.1.2.1/24", true },
	{ &network_keys, "ipv4.address", "auto", true },
	{ &network_keys, "ipv4.address", "none", true },
	{ &network_keys, "ipv4.address", "10.1.2.1", false },
	{ &network_keys, "ipv4.address", "10.1.2.1/33", false },
	{ &network_keys, "ipv4.address", "10.1.2.256/24", false },
	{ &network_keys, "ipv4.dhcp.ranges", "10.0.0.2-10.0.0.9,10.0.0.20-10.0.0.30", true },
	{ &network_keys, "ipv4.dhcp.ranges", "10.0.0.9-10.0.0.2", false },
	{ &network_keys, "ipv6.address", "fd00::1/64", false },
	{ &network_keys, "bridge.mtu", "1500", true },
	{ &network_keys, "bridge.mtu", "10", false },
	{ &network_bridge.keys, "vxlan.id", "7", false },
	{ &network_overlay.keys, "vxlan.id", "16777216", false },
	{ &network_overlay.keys, "vxlan.id", "16777215", true },
};

static void test_types(void **state)
{
	struct err err = { 0 };

	assert_int_equal(key_try(&network_overlay.keys, "vxlan.id", "7", &err), 0);
	assert_int_equal(key_try(&network_bridge.keys, "vxlan.id", "7", &err), -1);
	assert_non_null(strstr(err.msg, "it is one of type overlay, and this is bridge"));
	assert_int_equal(key_try(&network_overlay.keys, "ipv4.nat", "true", &err), 0);
	assert_int_equal(key_try(&network_bridge.keys, "ipv4.nat", "true", &err), 0);
}

static void test_values(void **state)
{
	keys_take(values, ARRAY_SIZE(values));
}

static void test_rows(void **state)
{
	keys_rows_hold(&network_keys, values, ARRAY_SIZE(values));
}

static void test_gateway(void **state)
{
	struct ip ip = { .family = AF_INET6 };
	struct err err = { 0 };
	char text[INET6_ADDRSTRLEN];

	assert_int_equal(net_parse_cidr4("10.1.2.1/24", &ip, &err), 0);
	assert_int_equal(ip.family, AF_INET);
	assert_int_equal(ip.prefix, 24);
	assert_string_equal(ip_text(&ip, text), "10.1.2.1");
	assert_int_equal(net_parse_cidr4("10.1.2.0/24", &ip, &err), -1);
	assert_string_equal(ip_text(&ip, text), "10.1.2.1");
	assert_int_equal(net_parse_cidr4("none", &ip, &err), 0);
	assert_int_equal(ip.family, 0);
	/* What stands for a subnet to come has no address yet. */
	assert_int_equal(net_parse_cidr4(keys_text(&network_keys, NULL, "ipv4.address"), &ip, &err),
			 0);
	assert_int_equal(ip.family, 0);
}

static void test_ranges(void **state)
{
	_free_ char *many = xstrdup("10.0.0.1-10.0.0.1");
	struct ranges4 r = { 0 };
	struct err err = { 0 };

	assert_int_equal(net_parse_ranges4("10.0.0.9-10.0.0.9,10.0.0.2-10.0.1.0", &r, &err), 0);
	assert_int_equal(r.n, 2);
	assert_int_equal(r.v[0].first, 0x0a000009);
	assert_int_equal(r.v[0].last, 0x0a000009);
	assert_int_equal(r.v[1].first, 0x0a000002);
	assert_int_equal(r.v[1].last, 0x0a000100);
	for (int i = 1; i < RANGES4_MAX; i++) {
		char *more = xasprintf("%s,10.0.0.1-10.0.0.1", many);

		free(many);
		many = more;
	}
	assert_int_equal(net_parse_ranges4(many, &r, &err), 0);
	assert_int_equal(r.n, RANGES4_MAX);
	{
		_free_ char *more = xasprintf("%s,10.0.0.1-10.0.0.1", many);

		assert_int_equal(net_parse_ranges4(more, &r, &err), -1);
		assert_non_null(strstr(err.msg, "16 ranges"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gateway), cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_types),   cmocka_unit_test(test_values),
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
