/* SPDX-License-Identifier: Apache-2.0 */
/* The bridge of a network, from nothing and from whatever was there. */
#include "tests/unit/node/network/netns.h"

#include "node/network/network_int.h"

#define MAC                            \
	{                              \
		0x02, 0xd0, 1, 2, 3, 4 \
	}
#define MAC_SHOWN "02:d0:01:02:03:04"

static struct net net_at(const char *gateway)
{
	struct net net = { .name = "br0", .mtu = 1400, .mac = MAC, .v4.routing = true };

	if (gateway)
		assert_true(ip_parse(gateway, &net.v4.gateway));
	return net;
}

static void is_right(const struct net *net, bool made)
{
	struct err err = { 0 };
	bool created = !made;

	if (bridge_ensure(net, &created, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(created, made);
	assert_true(says(-1, "ip -d link show br0", MAC_SHOWN));
	assert_true(says(-1, "ip -d link show br0", " mtu 1400 "));
	assert_true(says(-1, "ip -d link show br0", "alias " NETWORK_ALIAS));
	assert_true(says(-1, "ip -d link show br0", ",UP"));
}

static bool sysctl_is(const char *path, const char *value)
{
	struct err err;
	_free_ char *text = io_read_file(path, 64, NULL, &err);

	return text && str_starts(text, value);
}

static void is_made_once(void **state)
{
	struct net net = net_at("10.9.0.1/24");

	is_right(&net, true);
	assert_true(says(-1, "ip addr show br0", "inet 10.9.0.1/24 "));
	assert_false(says(-1, "ip addr show br0", "inet6"));
	assert_true(sysctl_is("/proc/sys/net/ipv6/conf/br0/disable_ipv6", "1"));
	assert_true(sysctl_is("/proc/sys/net/ipv4/ip_forward", "1"));
	is_right(&net, false);
}

/* Whatever somebody did to it meanwhile. */
static void is_brought_back(void **state)
{
	struct net net = net_at("10.9.0.1/24");

	must("ip link set br0 mtu 1500");
	must("ip link set br0 address 02:00:00:00:00:01");
	must("ip link set br0 down");
	must("ip addr add 10.8.0.1/16 dev br0");
	must("ip addr del 10.9.0.1/24 dev br0");
	must("ip addr add 10.9.0.1/16 dev br0");
	is_right(&net, false);
	assert_true(says(-1, "ip addr show br0", "inet 10.9.0.1/24 "));
	assert_false(says(-1, "ip addr show br0", "10.8.0.1"));
	assert_false(says(-1, "ip addr show br0", "10.9.0.1/16"));
}

static void an_address_comes_and_goes(void **state)
{
	struct net net = net_at("10.7.0.1/24"), bare = net_at(NULL);

	is_right(&net, false);
	assert_true(says(-1, "ip addr show br0", "inet 10.7.0.1/24 "));
	assert_false(says(-1, "ip addr show br0", "10.9.0.1"));
	is_right(&bare, false);
	assert_false(says(-1, "ip addr show br0", "inet "));
}

/* A network that does not route turns no forwarding on. */
static void forwards_when_it_routes(void **state)
{
	struct net net = net_at("10.9.0.1/24");
	struct err err;

	assert_int_equal(bridge_sysctl("0", &err, "ipv4/ip_forward"), 0);
	net.v4.routing = false;
	is_right(&net, false);
	assert_true(sysctl_is("/proc/sys/net/ipv4/ip_forward", "0"));
	net.v4.routing = true;
	is_right(&net, false);
	assert_true(sysctl_is("/proc/sys/net/ipv4/ip_forward", "1"));
}

static void others_are_let_be(void **state)
{
	static const char *const kinds[] = { "veth peer name wire", "bridge" };
	struct net net = net_at("10.9.0.1/24");
	struct err err = { 0 };
	bool created;

	net.name = "br1";
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		must("ip link add br1 type %s", kinds[i]);
		assert_int_equal(bridge_ensure(&net, &created, &err), -1);
		assert_int_equal(err.kind, ERR_CONFLICT);
		assert_non_null(strstr(err.msg, "network \"br1\""));
		assert_false(created);
		assert_int_equal(bridge_remove("br1", &err), 0);
		assert_int_equal(run_in(-1, NULL, "ip link del br1"), 0);
	}
	/* one that says that it is ours, and is no bridge */
	must("ip link add br1 type veth peer name wire");
	must("ip link set br1 alias " NETWORK_ALIAS);
	assert_int_equal(bridge_ensure(&net, &created, &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	must("ip link del br1");
}

static void is_removed_once(void **state)
{
	struct err err = { 0 };

	assert_int_equal(bridge_remove("br0", &err), 0);
	assert_false(says(-1, "ip link show", "br0:"));
	assert_int_equal(bridge_remove("br0", &err), 0);
}

static void says_which_setting_failed(void **state)
{
	struct err err = { 0 };

	assert_int_equal(bridge_sysctl("1", &err, "ipv4/conf/%s/none", "lo"), -1);
	assert_non_null(strstr(err.msg, "/proc/sys/net/ipv4/conf/lo/none"));
	assert_int_equal(bridge_sysctl("x", &err, "ipv4/ip_forward"), -1);
	assert_non_null(strstr(err.msg, "write x to /proc/sys/net/ipv4/ip_forward"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_made_once),
		cmocka_unit_test(is_brought_back),
		cmocka_unit_test(an_address_comes_and_goes),
		cmocka_unit_test(forwards_when_it_routes),
		cmocka_unit_test(others_are_let_be),
		cmocka_unit_test(is_removed_once),
		cmocka_unit_test(says_which_setting_failed),
	};

	return cmocka_run_group_tests(tests, netns_set_up, netns_tear_down);
}
