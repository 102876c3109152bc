/* SPDX-License-Identifier: Apache-2.0 */
/* What an overlay makes of its description. */
#include "tests/unit/node/network/netns.h"

#include "node/network/network_int.h"

static json_t *json_of(const char *text)
{
	struct err err = { 0 };
	json_t *j = json_parse(text, strlen(text), "test", &err);

	if (!j)
		fail_msg("%s: %s", text, err.msg);
	return j;
}

static int set_up(void **state)
{
	netns_set_up(state);
	must("ip link add under type bridge");
	must("ip link set under mtu 1500 up");
	must("ip addr add 192.0.2.1/24 dev under");
	must("ip addr add 2001:db8::1/64 dev under nodad");
	return 0;
}

#define LOCAL4 ",\"local\":\"192.0.2.1\""
#define LOCAL6 ",\"local\":\"2001:db8::1\""
#define PEER(address) "{\"address\":\"" address "\"}"

static void reads_its_description(void **state)
{
	static const struct {
		const char *desc;
		uint32_t given, mtu; /* of the bridge: by its configuration, and then */
		size_t npeers;
		int family;
	} cases[] = {
		/* Room for the headers of the tunnel: RFC 7348, section 5. */
		{ "{\"vni\":1" LOCAL4 "}", 0, 1450, 0, AF_INET },
		{ "{\"vni\":16777215" LOCAL6 "}", 0, 1430, 0, AF_INET6 },
		{ "{\"vni\":7" LOCAL4 "}", 1400, 1400, 0, AF_INET },
		/* Nobody else yet. */
		{ "{\"vni\":7}", 0, 1450, 0, 0 },
		{ "{\"vni\":7,\"local\":\"\",\"peers\":[]}", 0, 1450, 0, 0 },
		/* What loopback takes is more than a bridge does. */
		{ "{\"vni\":7,\"local\":\"127.0.0.1\"}", 0, 1500, 0, AF_INET },
		/* This member is in the list of all. */
		{ "{\"vni\":7" LOCAL4 ",\"peers\":[" PEER("192.0.2.2") "," PEER("192.0.2.1") ","
		  PEER("192.0.2.3") "]}", 0, 1450, 2, AF_INET },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *desc = json_of(cases[i].desc);
		struct net net = { .name = "ov0", .mtu = cases[i].given };
		struct err err = { 0 };

		if (network_overlay.parse(&net, desc, &err) < 0)
			fail_msg("%s: %s", cases[i].desc, err.msg);
		if (net.mtu != cases[i].mtu || net.npeers != cases[i].npeers ||
		    net.local.family != cases[i].family)
			fail_msg("%s: mtu %u, %zu peers", cases[i].desc, net.mtu, net.npeers);
		assert_int_equal(net.vni, json_int(desc, "vni", 0));
		net_done(&net);
	}
}

static void refuses(void **state)
{
	static const struct {
		const char *desc, *says;
	} cases[] = {
		{ "{}", "VXLAN id 0 is out of range" },
		{ "{\"vni\":-1" LOCAL4 "}", "VXLAN id -1 is out of range" },
		{ "{\"vni\":16777216" LOCAL4 "}", "VXLAN id 16777216 is out of range" },
		{ "{\"vni\":7,\"peers\":[" PEER("192.0.2.2") "]}", "set cluster.https_address" },
		{ "{\"vni\":7,\"local\":\"host\"}", "set cluster.https_address" },
		{ "{\"vni\":7,\"local\":\"192.0.2.9\"}", "has the address 192.0.2.9" },
		{ "{\"vni\":7" LOCAL4 ",\"peers\":[" PEER("2001:db8::2") "]}",
		  "the peer address \"2001:db8::2\" does not fit ours" },
		{ "{\"vni\":7" LOCAL6 ",\"peers\":[" PEER("192.0.2.2") "]}",
		  "the peer address \"192.0.2.2\" does not fit ours" },
		{ "{\"vni\":7" LOCAL4 ",\"peers\":[" PEER("m2") "]}", "\"m2\" does not fit ours" },
		{ "{\"vni\":7" LOCAL4 ",\"peers\":[{}]}", "\"\" does not fit ours" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *desc = json_of(cases[i].desc);
		struct net net = { .name = "ov0" };
		struct err err = { 0 };

		assert_int_equal(network_overlay.parse(&net, desc, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		if (!strstr(err.msg, cases[i].says) || !str_starts(err.msg, "network \"ov0\": "))
			fail_msg("%s: %s", cases[i].desc, err.msg);
		net_done(&net);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_its_description),
		cmocka_unit_test(refuses),
	};

	return cmocka_run_group_tests(tests, set_up, netns_tear_down);
}
