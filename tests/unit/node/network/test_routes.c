/* SPDX-License-Identifier: Apache-2.0 */
/* How a member's own host reaches the containers of an overlay. */
#include "tests/unit/node/network/netns.h"

#include "node/network/network_int.h"

#define MAC1 "02:00:00:00:00:01"
#define MAC2 "02:00:00:00:00:02"

/* The overlay 7, 10.9.0.0/24, of the member 192.0.2.1. */
static int set_up(void **state)
{
	struct net net = { .name = "br0", .mtu = 1430, .vni = 7 };
	struct err err;

	netns_set_up(state);
	must("ip link add under type veth peer name wire");
	must("ip link set wire up");
	must("ip addr add 192.0.2.1/24 dev under");
	must("ip link set under up");
	must("ip link add br0 type bridge");
	must("ip addr add 10.9.0.1/24 dev br0");
	must("ip link set br0 up");
	assert_true(ip_parse("192.0.2.1", &net.local));
	return vxlan_ensure(&net, &err);
}

static void route(const char *macs, const char *ips)
{
	struct err err = { 0 };
	_json_ json_t *at = json_parse(macs, strlen(macs), "test", &err);
	_json_ json_t *of = json_parse(ips, strlen(ips), "test", &err);

	assert_true(at && of);
	assert_int_equal(vxlan_forwarding("br0", at, &err), 0);
	if (routes_set("br0", of, &err) < 0)
		fail_msg("%s", err.msg);
}

/* Two halves of the subnet, spoken to as the underlay address. */
static void the_subnet_is_spoken_to_as_the_member(void **state)
{
	route("{}", "{}");
	assert_true(says(-1, "ip route show", "10.9.0.0/25 dev br0 proto"));
	assert_true(says(-1, "ip route show", "10.9.0.128/25 dev br0 proto"));
	assert_true(says(-1, "ip route get 10.9.0.7", "src 192.0.2.1"));
	assert_true(says(-1, "ip route get 10.9.0.200", "src 192.0.2.1"));
	/* the kernel's own stays */
	assert_true(says(-1, "ip route show", "10.9.0.0/24 dev br0 proto kernel"));
}

static void a_container_elsewhere_has_a_route(void **state)
{
	route("{\"" MAC1 "\":\"192.0.2.11\",\"" MAC2 "\":\"192.0.2.12\"}",
	      "{\"" MAC1 "\":\"10.9.0.7\",\"" MAC2 "\":\"10.9.0.8\"}");
	assert_true(says(-1, "ip route get 10.9.0.7", "via 192.0.2.11"));
	assert_true(says(-1, "ip route get 10.9.0.8", "via 192.0.2.12"));
	/* it moved; the other came here */
	route("{\"" MAC1 "\":\"192.0.2.12\"}",
	      "{\"" MAC1 "\":\"10.9.0.7\",\"" MAC2 "\":\"10.9.0.8\"}");
	assert_true(says(-1, "ip route get 10.9.0.7", "via 192.0.2.12"));
	assert_false(says(-1, "ip route get 10.9.0.8", "via"));
	/* one without an address, and one with a new one */
	route("{\"" MAC1 "\":\"192.0.2.12\",\"" MAC2 "\":\"192.0.2.12\"}",
	      "{\"" MAC1 "\":\"10.9.0.9\"}");
	assert_true(says(-1, "ip route get 10.9.0.9", "via 192.0.2.12"));
	assert_false(says(-1, "ip route get 10.9.0.7", "via"));
}

/* Whoever is no neighbour can't be a way; the others are reached all the same. */
static void a_far_member_is_no_way(void **state)
{
	route("{\"" MAC1 "\":\"198.51.100.1\",\"" MAC2 "\":\"192.0.2.12\"}",
	      "{\"" MAC1 "\":\"10.9.0.7\",\"" MAC2 "\":\"10.9.0.8\"}");
	assert_false(says(-1, "ip route get 10.9.0.7", "via"));
	assert_true(says(-1, "ip route get 10.9.0.8", "via 192.0.2.12"));
}

/* What was changed is put right, and others' routes are let be. */
static void routes_are_brought_back(void **state)
{
	must("ip route add 10.9.0.77/32 dev br0");
	must("ip route flush 10.9.0.128/25");
	route("{\"" MAC2 "\":\"192.0.2.12\"}", "{\"" MAC2 "\":\"10.9.0.8\"}");
	assert_true(says(-1, "ip route show", "10.9.0.128/25"));
	assert_true(says(-1, "ip route show", "10.9.0.77"));
}

static void a_subnet_of_two_has_no_halves(void **state)
{
	must("ip addr flush dev br0");
	must("ip addr add 10.9.0.0/31 dev br0");
	route("{}", "{}");
	assert_false(says(-1, "ip route show", "src 192.0.2.1 metric 7"));
}

static void all_of_a_network_go(void **state)
{
	struct err err = { 0 };
	_json_ json_t *none = json_object();

	must("ip addr flush dev br0");
	must("ip addr add 10.9.0.1/24 dev br0");
	must("ip route replace 10.9.0.77/32 dev br0");
	route("{\"" MAC2 "\":\"192.0.2.12\"}", "{\"" MAC2 "\":\"10.9.0.8\"}");
	assert_true(says(-1, "ip route show", "metric 7"));
	assert_int_equal(routes_remove("br0", &err), 0);
	assert_false(says(-1, "ip route show", "metric 7"));
	assert_true(says(-1, "ip route show", "10.9.0.77"));
	/* without a port there is nothing to reach, which is no error */
	must("ip link del vx7");
	assert_int_equal(routes_remove("br0", &err), 0);
	assert_int_equal(routes_set("br0", none, &err), 0);
	assert_int_equal(routes_set("none", none, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_subnet_is_spoken_to_as_the_member),
		cmocka_unit_test(a_container_elsewhere_has_a_route),
		cmocka_unit_test(a_far_member_is_no_way),
		cmocka_unit_test(routes_are_brought_back),
		cmocka_unit_test(a_subnet_of_two_has_no_halves),
		cmocka_unit_test(all_of_a_network_go),
	};

	return cmocka_run_group_tests(tests, set_up, netns_tear_down);
}
