/* SPDX-License-Identifier: Apache-2.0 */
/* What the rows want of a network here: its peers, names and forwarding entries. */
#include "tests/unit/api/work/work_world.h"

#include <string.h>

#include "api/work/netrows.h"

static struct work_world world;

static void assert_json(const json_t *is, const char *want)
{
	_json_ json_t *j = quoted(want);
	_free_ char *text = json_text(is);

	if (!json_equal(is, j))
		fail_msg("%s, not %s", text, want);
}

static void put(enum entity e, const char *key, const char *doc)
{
	world_put(&world.w, e, key, quoted(doc));
}

static int open_world(void **state)
{
	work_world_open(&world);
	world_start(&world.w);
	put(ENT_INSTANCE, "c1", "{'name': 'c1', 'uuid': '1', 'member': 'none'}");
	put(ENT_INSTANCE, "web~c2", "{'name': 'web~c2', 'uuid': '2', 'member': 'm2'}");
	put(ENT_INSTANCE, "c3", "{'name': 'c3', 'uuid': '3', 'member': 'm3'}");
	put(ENT_ADDRESS, "n1/10.0.0.1",
	    "{'network': 'n1', 'ip': '10.0.0.1', 'instance': 'c1', 'hwaddr': 'aa:1'}");
	put(ENT_ADDRESS, "n1/10.0.0.2",
	    "{'network': 'n1', 'ip': '10.0.0.2', 'instance': 'web~c2', 'hwaddr': 'aa:2'}");
	put(ENT_ADDRESS, "n1/10.0.0.3",
	    "{'network': 'n1', 'ip': '10.0.0.3', 'instance': 'c3', 'hwaddr': 'aa:3'}");
	/* free, kept for the next start, of another network with a like name */
	put(ENT_ADDRESS, "n1/10.0.0.4", "{'network': 'n1', 'ip': '10.0.0.4'}");
	put(ENT_ADDRESS, "n1/10.0.0.5",
	    "{'network': 'n1', 'ip': '10.0.0.5', 'instance': 'c1', 'hwaddr': 'aa:5', "
	    "'pending': true}");
	put(ENT_ADDRESS, "n11/10.1.0.1",
	    "{'network': 'n11', 'ip': '10.1.0.1', 'instance': 'c1', 'hwaddr': 'aa:6'}");
	return 0;
}

static int close_world(void **state)
{
	work_world_close(&world);
	return 0;
}

static void descriptions_are_made_of_rows(void **state)
{
	static const struct {
		const char *key, *doc, *underlays, *want;
	} cases[] = {
		{ "n1", "{'type': 'bridge', 'config': {'a': 'b'}}", "{}",
		  "{'name': 'n1', 'type': 'bridge', 'config': {'a': 'b'}, 'vni': 0, 'peers': []}" },
		{ "n2", "{'type': 'overlay', 'config': {}, 'vni': 7}",
		  "{'': '10.9.0.1', 'm2': '10.9.0.2', 'm3': '10.9.0.3'}",
		  "{'name': 'n2', 'type': 'overlay', 'config': {}, 'vni': 7, 'local': '10.9.0.1', "
		  "'peers': [{'address': '10.9.0.2'}, {'address': '10.9.0.3'}]}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *doc = quoted(cases[i].doc), *map = quoted(cases[i].underlays);
		struct row row = { .key = (char *)cases[i].key, .doc = doc };
		_json_ json_t *net = netrows_wanted(&row, map);

		assert_json(net, cases[i].want);
	}
}

static void a_network_of_a_project_has_a_short_name(void **state)
{
	_json_ json_t *doc = quoted("{'type': 'bridge', 'config': {}}"), *map = json_object();
	struct row row = { .key = (char *)"web~a-network-of-theirs", .doc = doc };
	_json_ json_t *net = netrows_wanted(&row, map);
	char name[REF_IFNAME_SIZE];

	assert_string_equal(json_str(net, "name", ""), ref_ifname(row.key, name));
}

static void assert_leases(const char *doc_text, const char *hosts_want, const char *macs_want)
{
	_json_ json_t *doc = quoted(doc_text), *hosts = json_array(), *macs = json_object();
	_json_ json_t *underlays = quoted("{'': '10.9.0.1', 'm2': '10.9.0.2'}");
	struct row row = { .key = (char *)"n1", .doc = doc };

	netrows_leases(&world.env, &row, underlays, hosts, macs);
	assert_json(hosts, hosts_want);
	assert_json(macs, macs_want);
}

#define C1 "{'hwaddr': 'aa:1', 'ipv4': '10.0.0.1', 'hostname': 'c1'}"
#define C2 "{'hwaddr': 'aa:2', 'ipv4': '10.0.0.2', 'hostname': 'c2'}"
#define C3 "{'hwaddr': 'aa:3', 'ipv4': '10.0.0.3', 'hostname': 'c3'}"

/* Of a member whose address is unknown there is nowhere to forward to. */
static void leases_are_those_that_the_network_reaches(void **state)
{
	assert_leases("{'type': 'bridge'}", "[" C1 "]", "{}");
	assert_leases("{'type': 'overlay'}", "[" C1 ", " C2 ", " C3 "]", "{'aa:2': '10.9.0.2'}");
}

/* No other member is reached through a network's tunnel. */
static void a_server_alone_has_no_underlays(void **state)
{
	_json_ json_t *map = netrows_underlays(&world.env);

	assert_json(map, "{}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(descriptions_are_made_of_rows),
		cmocka_unit_test(a_network_of_a_project_has_a_short_name),
		cmocka_unit_test(leases_are_those_that_the_network_reaches),
		cmocka_unit_test(a_server_alone_has_no_underlays),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
