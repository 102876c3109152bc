/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/base/key_rows.h"

#include "node/network/keys.h"

#define A31 "abcdefghijklmnopqrstuvwxyz01234"
#define A61 A31 "abcdefghijklmnopqrstuvwxyz0123"
#define A63 A31 "-" A31

static const struct key_value values[] = {
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
	{ &network_keys, "vxlan.id", "16777216", false },
};

static void test_values(void **state)
{
	keys_take(values, ARRAY_SIZE(values));
}

static void test_rows(void **state)
{
	keys_rows_hold(&network_keys, values, ARRAY_SIZE(values));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
