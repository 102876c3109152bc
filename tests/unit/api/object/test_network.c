/* SPDX-License-Identifier: Apache-2.0 */
/* What is special about networks: their addresses, their numbers, and the host they must fit. */
#include "tests/unit/api/api_world.h"

#include <net/if.h>

#include "base/proc.h"
#include "tests/unit/base/patience.h"

#define NEW "POST /1.0/networks"

/* An interface of the host's own. */
static void make_interface(const char *name)
{
	const char *const argv[] = { "ip", "link", "add", name, "type", "veth", NULL };
	struct err err = { 0 };

	if (proc_run(argv, NULL, PATIENCE, &err) < 0)
		fail_msg("%s", err.msg);
}

static json_t *shown(struct api_world *t, const char *name)
{
	_free_ char *line = xasprintf("GET /1.0/networks/%s", name);

	api_expect(t, line, NULL, 200);
	return api_answer(t);
}

static void what_is_refused(void **state)
{
	static const struct api_case cases[] = {
		{ NEW, "{}", 400, "name" },
		{ NEW, "{'name':'0123456789abcdef'}", 400, "at most 15 letters" },
		{ NEW, "{'name':'a b'}", 400, "at most 15 letters" },
		{ NEW, "{'name':'-a'}", 400, "no \"-\" first" },
		{ NEW, "{'name':'..'}", 400, "at most 15 letters" },
		{ NEW, "{'name':'lo'}", 400, "not a name that Linux itself uses" },
		{ NEW, "{'name':'taken0'}", 409, "this host has an interface of that name" },
		{ NEW, "{'name':'n', 'type':'carrier-pigeon'}", 400, "carrier-pigeon" },
		{ NEW, "{'name':'n', 'config':{'x':'1'}}", 400, "x" },
		{ NEW, "{'name':'n', 'config':{'ipv4.address':'10.1.2.300/24'}}", 400,
		  "ipv4.address" },
		{ NEW, "{'name':'n', 'config':{'ipv6.address':'fd00::1/64'}}", 400,
		  "ipv6.address" },
		/* only an overlay has a number */
		{ NEW, "{'name':'n', 'config':{'vxlan.id':'5'}}", 400, "vxlan.id" },
		{ NEW,
		  "{'name':'n', 'type':'overlay', 'config':{'vxlan.id':'0', "
		  "'ipv4.address':'none'}}",
		  400, "vxlan.id" },
		{ "GET /1.0/networks/none", NULL, 404, "Network not found: \"none\"" },
		{ "GET /1.0/networks/none/leases", NULL, 404, "Network not found: \"none\"" },
		{ "GET /1.0/networks/none/state", NULL, 404, "none" },
		{ "DELETE /1.0/networks/none", NULL, 404, "Network not found: \"none\"" },
	};
	struct api_world *t = *state;

	make_interface("taken0");
	api_cases(t, cases, ARRAY_SIZE(cases));
}

static void is_made_and_shown(void **state)
{
	struct api_world *t = *state;
	_json_ json_t *j = NULL;

	api_expect(t, NEW, "{\"name\":\"n1\", \"config\":{\"ipv4.address\":\"none\"}}", 201);
	assert_int_not_equal(if_nametoindex("n1"), 0);
	j = shown(t, "n1");
	assert_string_equal(json_str(j, "type", ""), "bridge");
	assert_string_equal(json_str(j, "status", ""), "Created");
	assert_true(json_bool(j, "managed", false));
	assert_int_equal(json_array_size(json_arr(j, "locations")), 1);
	assert_string_equal(json_str(json_obj(j, "config"), "ipv6.address", ""), "none");
	api_expect(t, "GET /1.0/networks/n1/leases", NULL, 200);
	api_answers(t, "[]");
	api_expect(t, "GET /1.0/networks/n1/state", NULL, 200);
	json_decref(j);
	j = api_answer(t);
	assert_string_equal(json_str(j, "type", ""), "broadcast");
	api_expect(t, "DELETE /1.0/networks/n1", NULL, 200);
	assert_int_equal(if_nametoindex("n1"), 0);
}

/* The lowest free one, or the one asked for, which nobody else has. */
static void overlays_have_numbers_of_their_own(void **state)
{
	struct api_world *t = *state;
	static const struct {
		const char *name, *wanted;
		int64_t vni; /* 0: refused */
	} cases[] = {
		{ "o1", "", 1000 },
		{ "o2", ", \"vxlan.id\":\"1001\"", 1001 },
		{ "o3", "", 1002 },
		{ "o4", ", \"vxlan.id\":\"1002\"", 0 },
		{ "o5", ", \"vxlan.id\":\"16777215\"", 16777215 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *body = xasprintf("{\"name\":\"%s\", \"type\":\"overlay\", \"config\":"
					      "{\"ipv4.address\":\"none\"%s}}",
					      cases[i].name, cases[i].wanted);
		_row_ struct row row = { 0 };
		struct err err;

		if (!cases[i].vni) {
			api_refused(t, NEW, body, 409, "\"o3\" has vxlan.id 1002 already");
			continue;
		}
		api_expect(t, NEW, body, 201);
		assert_int_equal(store_get(t->w.store, ENT_NETWORK, cases[i].name, &row, &err), 0);
		assert_int_equal(json_int(row.doc, "vni", 0), cases[i].vni);
	}
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *line = xasprintf("DELETE /1.0/networks/%s", cases[i].name);

		api_expect(t, line, NULL, cases[i].vni ? 200 : 404);
	}
}

/* What instances have on it stays theirs. */
static void its_subnet_stays_while_it_is_used(void **state)
{
	static const struct api_case cases[] = {
		{ "PATCH /1.0/networks/n9", "{'config':{'ipv4.address':'10.9.8.1/24'}}", 400,
		  "network \"n9\": ipv4.address can't be changed while instances" },
		{ "PATCH /1.0/networks/n9", "{'config':{'ipv4.address':'10.1.2.2/24'}}", 400,
		  "ipv4.address can't be changed" },
		{ "PATCH /1.0/networks/n9", "{'config':{'ipv4.address':'10.1.2.1/16'}}", 400,
		  "ipv4.address can't be changed" },
		{ "PUT /1.0/networks/n9", "{}", 400, "ipv4.address can't be changed" },
		{ "PUT /1.0/networks/n9", "{'type':'overlay'}", 400, "type" },
		{ "POST /1.0/networks/n9", "{'name':'n8'}", 400, "c1" },
		{ "DELETE /1.0/networks/n9", NULL, 400, "c1" },
	};
	struct api_world *t = *state;

	/* it is not made on this host, which has something else of that name */
	make_interface("n9");
	world_put(&t->w, ENT_NETWORK, "n9",
		  json_pack("{s:s, s:s, s:s, s:{s:s, s:s}}", "name", "n9", "type", "bridge",
			    "description", "", "config", "ipv4.address", "10.1.2.1/24",
			    "ipv6.address", "none"));
	world_put(&t->w, ENT_INSTANCE, "c1",
		  json_pack("{s:s,s:s,s:s,s:s,s:s,s:[],s:{},s:{s:{s:s,s:s}},s:s,s:s,s:s}", "name",
			    "c1", "uuid", "u", "member", "none", "architecture", "x86_64",
			    "description", "", "profiles", "config", "devices", "eth0", "type",
			    "nic", "network", "n9", "image", "", "power", "off", "state",
			    "ready"));
	api_cases(t, cases, ARRAY_SIZE(cases));
}

#define T(name) cmocka_unit_test_setup_teardown(name, api_world_open, api_world_close)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(what_is_refused),
		T(is_made_and_shown),
		T(overlays_have_numbers_of_their_own),
		T(its_subnet_stays_while_it_is_used),
	};

	return cmocka_run_group_tests(tests, api_own_netns, NULL);
}
