/* SPDX-License-Identifier: Apache-2.0 */
/* What a state tells of interfaces, in a namespace of the test's own. */
#include "tests/unit/node/network/netns.h"

#include "node/container/container_int.h"

static int set_up(void **state)
{
	netns_set_up(state);
	must("ip link add eth0 address 02:00:00:00:00:01 mtu 1400 type bridge");
	must("ip addr add 192.0.2.7/25 dev eth0");
	must("ip addr add 2001:db8::7/64 dev eth0 nodad");
	must("ip addr add fe80::7/64 dev eth0 nodad");
	return 0;
}

static char *part(const json_t *all, const char *interface, const char *key)
{
	return json_text(json_object_get(json_obj(all, interface), key));
}

static void tells_what_is_inside(void **state)
{
	static const struct {
		const char *interface, *key, *want;
	} cases[] = {
		{ "eth0", "hwaddr", "\"02:00:00:00:00:01\"" },
		{ "eth0", "mtu", "1400" },
		{ "eth0", "state", "\"down\"" },
		{ "eth0", "type", "\"broadcast\"" },
		{ "eth0", "host_name", "\"veth7\"" },
		{ "eth0", "addresses",
		  "[{\"family\":\"inet\",\"address\":\"192.0.2.7\",\"netmask\":\"25\","
		  "\"scope\":\"global\"},{\"family\":\"inet6\",\"address\":\"2001:db8::7\","
		  "\"netmask\":\"64\",\"scope\":\"global\"},{\"family\":\"inet6\","
		  "\"address\":\"fe80::7\",\"netmask\":\"64\",\"scope\":\"link\"}]" },
		{ "lo", "hwaddr", "\"\"" },
		{ "lo", "host_name", "\"\"" },
		{ "lo", "state", "\"up\"" },
		{ "lo", "type", "\"loopback\"" },
		{ "lo", "addresses",
		  "[{\"family\":\"inet\",\"address\":\"127.0.0.1\",\"netmask\":\"8\","
		  "\"scope\":\"local\"},{\"family\":\"inet6\",\"address\":\"::1\","
		  "\"netmask\":\"128\",\"scope\":\"local\"}]" },
	};
	_json_ json_t *spec = json_pack("{s[{ss,ss,ss,ss},{ss,ss}]}", "devices", "type", "nic",
					"device", "e", "name", "eth0", "host_name", "veth7", "type",
					"disk", "name", "lo");
	_json_ json_t *all = ct_network(getpid(), spec);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *text = part(all, cases[i].interface, cases[i].key);

		if (!str_eq(text, cases[i].want))
			fail_msg("%s of %s: %s", cases[i].key, cases[i].interface, text);
	}
}

/* The kernel asks only where the link is up, and somebody could answer. */
static void addresses_that_may_be_somebody_elses_are_not_settled(void **state)
{
	static const char *const how[] = { "", " nodad" };
	_json_ json_t *before = NULL, *after = NULL;
	_free_ char *seen = NULL, *settled = NULL, *proven = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(how); i++)
		must("ip addr add 2001:db8::%zu/64 dev eth0%s", 8 + i, how[i]);
	before = ct_network(getpid(), NULL);
	seen = part(before, "eth0", "addresses");
	after = ct_settled_network(getpid(), NULL);
	settled = part(after, "eth0", "addresses");
	proven = part(after, "lo", "addresses");
	assert_non_null(strstr(seen, "2001:db8::8"));
	assert_null(strstr(settled, "2001:db8::8"));
	assert_non_null(strstr(settled, "2001:db8::9"));
	assert_non_null(strstr(settled, "192.0.2.7"));
	assert_non_null(strstr(proven, "::1"));
	must("ip addr del 2001:db8::8/64 dev eth0");
	must("ip addr del 2001:db8::9/64 dev eth0");
}

/* What loopback sends it receives, and no packet is of one byte. */
static void counts(void **state)
{
	static const struct {
		const char *received, *sent;
		int64_t least, most;
	} cases[] = {
		{ "packets_received", "packets_sent", 1, 999 },
		{ "bytes_received", "bytes_sent", 1000, 99999 },
		{ "errors_received", "errors_sent", 0, 0 },
		{ "packets_dropped_inbound", "packets_dropped_outbound", 0, 0 },
	};
	_json_ json_t *all = NULL;
	const json_t *c;

	must("ping -c 1 -s 1000 127.0.0.1");
	all = ct_network(getpid(), NULL);
	c = json_obj(json_obj(all, "lo"), "counters");
	assert_int_equal(json_object_size(c), 2 * ARRAY_SIZE(cases));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t n = json_int(c, cases[i].received, -1);

		assert_int_equal(n, json_int(c, cases[i].sent, -2));
		if (n < cases[i].least || n > cases[i].most)
			fail_msg("%s: %lld", cases[i].received, (long long)n);
	}
}

/* Of a process that is no more nothing is told. */
static void nobody_has_none(void **state)
{
	_json_ json_t *all = ct_network(0, NULL);

	assert_int_equal(json_object_size(all), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_what_is_inside),
		cmocka_unit_test(addresses_that_may_be_somebody_elses_are_not_settled),
		cmocka_unit_test(counts),
		cmocka_unit_test(nobody_has_none),
	};

	return cmocka_run_group_tests(tests, set_up, netns_tear_down);
}
