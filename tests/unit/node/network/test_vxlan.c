/* SPDX-License-Identifier: Apache-2.0 */
/* The port to the other members: which it is, whom it floods, and where addresses are. */
#include "tests/unit/node/network/netns.h"

#include "node/network/network_int.h"

#define MAC1 "02:00:00:00:00:01"
#define MAC2 "02:00:00:00:00:02"

/* The bridge br0 and the underlay 192.0.2.1 of a member. */
static int set_up(void **state)
{
	netns_set_up(state);
	must("ip link add under type veth peer name wire");
	must("ip link set wire up");
	must("ip addr add 192.0.2.1/24 dev under");
	must("ip link set under mtu 1480 up");
	must("ip link add br0 type bridge");
	must("ip link set br0 up");
	return 0;
}

static struct net net_of(uint32_t vni, struct ip *peers, size_t npeers)
{
	struct net net = { .name = "br0", .mtu = 1430, .vni = vni };

	assert_true(ip_parse("192.0.2.1", &net.local));
	net.peers = peers;
	net.npeers = npeers;
	return net;
}

static void ensure(const struct net *net)
{
	struct err err = { 0 };

	if (vxlan_ensure(net, &err) < 0)
		fail_msg("%s", err.msg);
}

static void names_its_port(void **state)
{
	char name[IFNAMSIZ];

	vxlan_name(1, name);
	assert_string_equal(name, "vx1");
	vxlan_name(0xffffff, name);
	assert_string_equal(name, "vx16777215");
}

static void finds_the_underlay(void **state)
{
	struct err err = { 0 };
	struct ip ip;
	uint32_t mtu = 0;

	assert_true(ip_parse("192.0.2.1", &ip));
	assert_int_equal(vxlan_underlay_mtu(&ip, &mtu, &err), 0);
	assert_int_equal(mtu, 1480);
	assert_int_equal(ip.prefix, 24);
	assert_true(ip_parse("192.0.2.9", &ip));
	assert_int_equal(vxlan_underlay_mtu(&ip, &mtu, &err), -1);
	assert_string_equal(err.msg, "no interface of this member has the address 192.0.2.9");
}

static void is_a_port_of_the_bridge(void **state)
{
	struct net net = net_of(7, NULL, 0);
	struct link_info port;
	struct err err;

	ensure(&net);
	assert_true(says(-1, "ip -d link show vx7", "vxlan id 7 local 192.0.2.1"));
	assert_true(says(-1, "ip -d link show vx7", "dstport 4789"));
	assert_true(says(-1, "ip -d link show vx7", "nolearning"));
	assert_true(says(-1, "ip -d link show vx7", "master br0"));
	assert_true(says(-1, "ip -d link show vx7", "alias " NETWORK_ALIAS));
	assert_true(says(-1, "bridge -d link show dev vx7", "learning off"));
	assert_true(says(-1, "ip link show vx7", " mtu 1430 "));
	assert_int_equal(vxlan_port("br0", &port, &err), 0);
	assert_int_equal(port.vni, 7);
	/* what is right stays: another one would lose frames */
	ensure(&net);
	assert_int_equal(link_get("vx7", &port, &err), 0);
	assert_true(port.index > 0);
	must("ip link set vx7 nomaster");
	must("ip link set vx7 mtu 1400 down");
	ensure(&net);
	{
		struct link_info again;

		assert_int_equal(link_get("vx7", &again, &err), 0);
		assert_int_equal(again.index, port.index);
		assert_int_equal(again.mtu, 1430);
	}
	assert_true(says(-1, "ip -d link show vx7", "master br0"));
}

/* A port that leads elsewhere is replaced: one network has one number and one underlay. */
static void another_number_is_another_port(void **state)
{
	struct net net = net_of(8, NULL, 0);

	ensure(&net);
	assert_false(says(-1, "ip link show", "vx7:"));
	assert_true(says(-1, "ip -d link show vx8", "master br0"));
	must("ip addr add 192.0.2.3/24 dev under");
	assert_true(ip_parse("192.0.2.3", &net.local));
	ensure(&net);
	assert_true(says(-1, "ip -d link show vx8", "local 192.0.2.3"));
}

static void floods_each_peer_once(void **state)
{
	struct ip peers[3];
	struct net net = net_of(9, peers, 2);

	assert_true(ip_parse("192.0.2.11", &peers[0]) && ip_parse("192.0.2.12", &peers[1]) &&
		    ip_parse("192.0.2.13", &peers[2]));
	ensure(&net);
	assert_true(says(-1, "bridge fdb show dev vx9", "00:00:00:00:00:00 dst 192.0.2.11"));
	assert_true(says(-1, "bridge fdb show dev vx9", "00:00:00:00:00:00 dst 192.0.2.12"));
	/* one member left, another came */
	net.peers = peers + 1;
	ensure(&net);
	assert_false(says(-1, "bridge fdb show dev vx9", "192.0.2.11"));
	assert_true(says(-1, "bridge fdb show dev vx9", "00:00:00:00:00:00 dst 192.0.2.12"));
	assert_true(says(-1, "bridge fdb show dev vx9", "00:00:00:00:00:00 dst 192.0.2.13"));
	net.npeers = 0;
	ensure(&net);
	assert_false(says(-1, "bridge fdb show dev vx9", "00:00:00:00:00:00"));
	net.npeers = 2;
	ensure(&net);
}

static int forward(const char *text, struct err *err)
{
	_json_ json_t *macs = json_parse(text, strlen(text), "test", err);

	assert_non_null(macs);
	return vxlan_forwarding("br0", macs, err);
}

static void knows_where_addresses_are(void **state)
{
	struct err err = { 0 };

	assert_int_equal(forward("{\"" MAC1 "\":\"192.0.2.11\",\"02:00:00:00:00:AB\":"
				 "\"192.0.2.12\"}",
				 &err),
			 0);
	assert_true(says(-1, "bridge fdb show dev vx9", MAC1 " dst 192.0.2.11"));
	assert_true(says(-1, "bridge fdb show dev vx9", MAC1 " master br0"));
	assert_true(says(-1, "bridge fdb show dev vx9", "02:00:00:00:00:ab dst 192.0.2.12"));
	/* it moved; the other is here now, or gone */
	assert_int_equal(forward("{\"" MAC1 "\":\"192.0.2.12\"}", &err), 0);
	assert_true(says(-1, "bridge fdb show dev vx9", MAC1 " dst 192.0.2.12"));
	assert_false(says(-1, "bridge fdb show dev vx9", "192.0.2.11"));
	assert_false(says(-1, "bridge fdb show dev vx9", "02:00:00:00:00:ab"));
	/* half of an entry is completed */
	must("bridge fdb del " MAC1 " dev vx9 master");
	assert_false(says(-1, "bridge fdb show dev vx9", MAC1 " master br0"));
	assert_int_equal(forward("{\"" MAC1 "\":\"192.0.2.12\"}", &err), 0);
	assert_true(says(-1, "bridge fdb show dev vx9", MAC1 " master br0"));
	assert_int_equal(forward("{}", &err), 0);
	assert_false(says(-1, "bridge fdb show dev vx9", MAC1));
	/* broadcasts are another matter */
	assert_true(says(-1, "bridge fdb show dev vx9", "00:00:00:00:00:00 dst 192.0.2.12"));
}

static void refuses_what_is_no_entry(void **state)
{
	static const char *const bad[] = { "{\"x\":\"192.0.2.1\"}", "{\"" MAC1 "\":\"x\"}",
					   "{\"" MAC1 "\":7}" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err err = { 0 };

		assert_int_equal(forward(bad[i], &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_false(says(-1, "bridge fdb show dev vx9", MAC1));
	}
}

static void goes_with_all_ports(void **state)
{
	struct err err = { 0 };
	struct link_info port;

	must("ip link add other type vxlan id 99 local 192.0.2.1 dstport 4789");
	assert_int_equal(vxlan_remove("br0", &err), 0);
	assert_false(says(-1, "ip link show", "vx9:"));
	assert_true(says(-1, "ip link show", "other:")); /* of nobody's bridge */
	assert_int_equal(vxlan_port("br0", &port, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(vxlan_remove("br0", &err), 0);
	assert_int_equal(vxlan_remove("none", &err), 0);
	/* there is no way for anybody, and none is asked for */
	assert_int_equal(forward("{}", &err), 0);
	assert_int_equal(forward("{\"" MAC1 "\":\"192.0.2.11\"}", &err), -1);
	assert_string_equal(err.msg, "network \"br0\" has no way to other members");
	assert_int_equal(vxlan_port("none", &port, &err), -1);
	assert_string_equal(err.msg, "network \"none\" is not on this member");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_its_port),
		cmocka_unit_test(finds_the_underlay),
		cmocka_unit_test(is_a_port_of_the_bridge),
		cmocka_unit_test(another_number_is_another_port),
		cmocka_unit_test(floods_each_peer_once),
		cmocka_unit_test(knows_where_addresses_are),
		cmocka_unit_test(refuses_what_is_no_entry),
		cmocka_unit_test(goes_with_all_ports),
	};

	return cmocka_run_group_tests(tests, set_up, netns_tear_down);
}
