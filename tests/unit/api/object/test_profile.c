/* SPDX-License-Identifier: Apache-2.0 */
/* What is special about profiles: what they may say, and what of it has to be there. */
#include "tests/unit/api/api_world.h"

static int open_world(void **state)
{
	struct api_world *t;

	api_world_open(state);
	t = *state;
	world_put(&t->w, ENT_POOL, "disks", json_pack("{s:s, s:{}}", "driver", "dir", "config"));
	world_put(&t->w, ENT_NETWORK, "lan",
		  json_pack("{s:s, s:{s:s}}", "type", "bridge", "config", "ipv4.address",
			    "none"));
	world_put(&t->w, ENT_NETWORK, "web~inner",
		  json_pack("{s:s, s:{s:s}}", "type", "bridge", "config", "ipv4.address",
			    "none"));
	world_put(&t->w, ENT_PROFILE, "default",
		  json_pack("{s:{}, s:{}, s:s}", "config", "devices", "description", ""));
	return 0;
}

#define ROOT(pool) "'root':{'type':'disk', 'path':'/', 'pool':'" pool "'}"
#define NIC(network) "'eth0':{'type':'nic', 'network':'" network "'}"

static void name_what_is_there(void **state)
{
	static const struct api_case cases[] = {
		{ "POST /1.0/profiles", "{'name':'p', 'devices':{" ROOT("none") "}}", 404,
		  "profile \"p\": device \"root\": Storage pool not found: \"none\"" },
		{ "POST /1.0/profiles", "{'name':'p', 'devices':{" NIC("none") "}}", 404,
		  "profile \"p\": device \"eth0\": Network not found: \"none\"" },
		/* of the profile's own project */
		{ "POST /1.0/profiles", "{'name':'p', 'devices':{" NIC("inner") "}}", 404,
		  "Network not found: \"inner\"" },
		{ "PUT /1.0/profiles/default", "{'devices':{" NIC("none") "}}", 404,
		  "device \"eth0\"" },
		{ "PATCH /1.0/profiles/default", "{'devices':{" ROOT("none") "}}", 404,
		  "device \"root\"" },
	};
	struct api_world *t = *state;

	api_cases(t, cases, ARRAY_SIZE(cases));
	api_expect(t, "POST /1.0/profiles",
		   "{\"name\":\"p\", \"devices\":{\"root\":{\"type\":\"disk\", \"path\":\"/\", "
		   "\"pool\":\"disks\"}, \"eth0\":{\"type\":\"nic\", \"network\":\"lan\"}}}",
		   201);
}

/* What was there when the profile was written may have gone: that part is left alone. */
static void what_stays_is_not_asked_again(void **state)
{
	struct api_world *t = *state;

	world_put(&t->w, ENT_PROFILE, "old",
		  json_pack("{s:{}, s:{s:{s:s,s:s}}, s:s}", "config", "devices", "eth0", "type",
			    "nic", "network", "gone", "description", ""));
	api_expect(t, "PATCH /1.0/profiles/old", "{\"description\":\"d\"}", 200);
	api_expect(t, "PATCH /1.0/profiles/old",
		   "{\"devices\":{\"eth0\":{\"type\":\"nic\", \"network\":\"gone\", "
		   "\"mtu\":\"1400\"}}}",
		   404);
}

static void what_is_refused(void **state)
{
	static const struct api_case cases[] = {
		{ "POST /1.0/profiles", "{'name':'a/b'}", 400, "1 to 64 bytes" },
		{ "POST /1.0/profiles", "{'name':''}", 400, "name" },
		{ "POST /1.0/profiles", "{'name':'default'}", 409, "default" },
		{ "POST /1.0/profiles", "{'name':'p', 'config':{'no.such':'1'}}", 400, "no.such" },
		{ "POST /1.0/profiles", "{'name':'p', 'config':{'limits.memory':'much'}}", 400,
		  "limits.memory" },
		{ "POST /1.0/profiles",
		  "{'name':'p', 'config':{'volatile.last_state.power':'STOPPED'}}", 400,
		  "\"volatile.last_state.power\" belongs to instances only" },
		{ "POST /1.0/profiles", "{'name':'p', 'config':{'image.os':'1'}}", 400,
		  "\"image.os\" belongs to instances only" },
		{ "POST /1.0/profiles", "{'name':'p', 'config':{'raw.lxc':'nonsense'}}", 400,
		  "raw.lxc" },
		{ "POST /1.0/profiles", "{'name':'p', 'devices':{'d':{'type':'toaster'}}}", 400,
		  "toaster" },
		{ "POST /1.0/profiles", "{'name':'p', 'devices':{'d':{}}}", 400, "\"d\"" },
		{ "POST /1.0/profiles", "{'name':'p', 'devices':{'d':{'type':'nic','x':'y'}}}",
		  400, "\"x\"" },
		{ "DELETE /1.0/profiles/default", NULL, 403, "default" },
		{ "POST /1.0/profiles/default", "{'name':'other'}", 403, "default" },
	};
	struct api_world *t = *state;

	api_cases(t, cases, ARRAY_SIZE(cases));
}

/* An instance that uses it must be able to live with what it becomes. */
static void its_instances_have_a_say(void **state)
{
	static const struct api_case cases[] = {
		{ "PATCH /1.0/profiles/p", "{'devices':{'root':{'type':'none'}}}", 400, "c1" },
		{ "PUT /1.0/profiles/p", "{'devices':{}}", 400, "c1" },
		{ "DELETE /1.0/profiles/p", NULL, 400, "by instance \"c1\"" },
	};
	struct api_world *t = *state;

	world_put(&t->w, ENT_PROFILE, "p",
		  json_pack("{s:{}, s:{s:{s:s,s:s,s:s}}, s:s}", "config", "devices", "root", "type",
			    "disk", "path", "/", "pool", "disks", "description", ""));
	world_put(&t->w, ENT_INSTANCE, "c1",
		  json_pack("{s:s,s:s,s:s,s:s,s:s,s:[s],s:{},s:{},s:s,s:s,s:s}", "name", "c1",
			    "uuid", "u", "member", "none", "architecture", "x86_64", "description",
			    "", "profiles", "p", "config", "devices", "image", "", "power", "off",
			    "state", "ready"));
	api_cases(t, cases, ARRAY_SIZE(cases));
	api_expect(t, "PATCH /1.0/profiles/p", "{\"config\":{\"limits.memory\":\"1GiB\"}}", 200);
}

#define T(name) cmocka_unit_test_setup_teardown(name, open_world, api_world_close)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(name_what_is_there),
		T(what_stays_is_not_asked_again),
		T(what_is_refused),
		T(its_instances_have_a_say),
	};

	return cmocka_run_group_tests(tests, api_own_netns, NULL);
}
