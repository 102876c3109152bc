/* SPDX-License-Identifier: Apache-2.0 */
/* Devices of instances and profiles, and their interfaces on networks. */
#include "tests/unit/cli/server_world.h"

#define C1                                                                     \
	SAYS("GET /1.0/instances/c1",                                          \
	     "{\"devices\":{\"eth0\":{\"type\":\"nic\",\"network\":\"net\"}}," \
	     "\"expanded_devices\":{\"eth0\":{\"type\":\"nic\"},"              \
	     "\"root\":{\"type\":\"disk\",\"pool\":\"p\"}}}")
#define PUT_C1 DONE("PUT /1.0/instances/c1")
#define ASKED "GET /1.0/instances/c1\nPUT /1.0/instances/c1 "

static void changes_devices(void **state)
{
	static const struct dialogue cases[] = {
		{ "config device add c1 data disk path=/srv pool=p",
		  NULL,
		  { C1, PUT_C1 },
		  "Device data added to c1\n",
		  ASKED "{\"devices\":{\"eth0\":{\"type\":\"nic\",\"network\":\"net\"},"
			"\"data\":{\"path\":\"/srv\",\"pool\":\"p\",\"type\":\"disk\"}}}\n" },
		{ "config device add c1 eth0 nic network=x",
		  NULL,
		  { C1 },
		  "Error: instance \"c1\" has a device \"eth0\" already\n",
		  NULL },
		{ "config device add c1 data disk path",
		  NULL,
		  { NOTHING },
		  "Error: \"path\" is not of the form KEY=VALUE\n",
		  "" },
		{ "config device remove c1 eth0",
		  NULL,
		  { C1, PUT_C1 },
		  "Device eth0 removed from c1\n",
		  ASKED "{\"devices\":{}}\n" },
		{ "config device remove c1 root",
		  NULL,
		  { C1 },
		  "Error: device \"root\" of instance \"c1\" comes from a profile: change "
		  "it there, "
		  "or use \"dunlin config device override\"\n",
		  NULL },
		{ "config device remove c1 none",
		  NULL,
		  { C1 },
		  "Error: instance \"c1\" has no device \"none\"\n",
		  NULL },
	};

	world_check(*state, cases, ARRAY_SIZE(cases));
}

static void changes_keys_of_devices(void **state)
{
	static const struct dialogue cases[] = {
		{ "config device set c1 eth0 mtu=1400",
		  NULL,
		  { C1, PUT_C1 },
		  "",
		  ASKED "{\"devices\":{\"eth0\":{\"type\":\"nic\",\"network\":\"net\","
			"\"mtu\":\"1400\"}}}\n" },
		{ "config device unset c1 eth0 network",
		  NULL,
		  { C1, PUT_C1 },
		  "",
		  ASKED "{\"devices\":{\"eth0\":{\"type\":\"nic\"}}}\n" },
		{ "config device override c1 root size=1GiB",
		  NULL,
		  { C1, PUT_C1 },
		  "Device root overridden for c1\n",
		  ASKED "{\"devices\":{\"eth0\":{\"type\":\"nic\",\"network\":\"net\"},"
			"\"root\":{\"type\":\"disk\",\"pool\":\"p\",\"size\":\"1GiB\"}}}\n" },
		{ "config device override c1 eth0",
		  NULL,
		  { C1 },
		  "Error: instance \"c1\" has its own device \"eth0\": use \"dunlin config device "
		  "set\"\n",
		  NULL },
		{ "config device list c1", NULL, { C1 }, "eth0\n", NULL },
		{ "config device get c1 eth0 network", NULL, { C1 }, "net\n", NULL },
		{ "profile device list web",
		  NULL,
		  { SAYS("GET /1.0/profiles/web", "{\"devices\":{\"b\":{},\"a\":{}}}") },
		  "a\nb\n",
		  NULL },
		{ "profile device remove web x",
		  NULL,
		  { SAYS("GET /1.0/profiles/web", "{}") },
		  "Error: profile \"web\" has no device \"x\"\n",
		  NULL },
	};

	world_check(*state, cases, ARRAY_SIZE(cases));
}

static void attaches_to_networks(void **state)
{
	static const struct dialogue cases[] = {
		{ "network attach lan c1",
		  NULL,
		  { SAYS("GET /1.0/networks/lan", "{\"managed\":true}"), C1, PUT_C1 },
		  "",
		  "GET /1.0/networks/lan\n" ASKED
		  "{\"devices\":{\"eth0\":{\"type\":\"nic\",\"network\":\"net\"},"
		  "\"lan\":{\"network\":\"lan\",\"type\":\"nic\"}}}\n" },
		{ "network attach br0 c1 eth1 in1",
		  NULL,
		  { SAYS("GET /1.0/networks/br0", "{\"managed\":false}"), C1, PUT_C1 },
		  "",
		  "GET /1.0/networks/br0\n" ASKED
		  "{\"devices\":{\"eth0\":{\"type\":\"nic\",\"network\":\"net\"},\"eth1\":"
		  "{\"nictype\":\"bridged\","
		  "\"parent\":\"br0\",\"name\":\"in1\",\"type\":\"nic\"}}}\n" },
		{ "network attach lan c1 eth0",
		  NULL,
		  { SAYS("GET /1.0/networks/lan", "{\"managed\":true}"), C1 },
		  "Error: \"c1\" has a device \"eth0\" already\n",
		  NULL },
		{ "network attach none c1",
		  NULL,
		  { NOTHING },
		  "Error: network \"none\": Not Found\n",
		  NULL },
		{ "network detach net c1", NULL, { C1, PUT_C1 }, "", ASKED "{\"devices\":{}}\n" },
		{ "network detach net c1 eth9",
		  NULL,
		  { C1 },
		  "Error: \"c1\" has no such device on network \"net\"\n",
		  NULL },
		{ "network detach-profile net web",
		  NULL,
		  { SAYS("GET /1.0/profiles/web",
			 "{\"devices\":{\"a\":{\"type\":\"nic\",\"network\":\"net\"},"
			 "\"b\":{\"type\":\"nic\",\"parent\":\"net\"}}}") },
		  "Error: \"web\" has several devices on \"net\": name one\n",
		  NULL },
	};

	world_check(*state, cases, ARRAY_SIZE(cases));
}

static void creates_networks_pools_and_profiles(void **state)
{
	static const struct dialogue cases[] = {
		{ "network create lan ipv4.nat=true --type overlay",
		  NULL,
		  { DONE("POST /1.0/networks") },
		  "Network lan created\n",
		  "POST /1.0/networks {\"name\":\"lan\",\"type\":\"overlay\","
		  "\"config\":{\"ipv4.nat\":\"true\"}}\n" },
		{ "network create lan --target m1",
		  NULL,
		  { DONE("POST /1.0/networks?target=m1") },
		  "Network lan pending on member m1\n",
		  NULL },
		{ "storage create fast dir source=/x",
		  NULL,
		  { DONE("POST /1.0/storage-pools") },
		  "Storage pool fast created\n",
		  "POST /1.0/storage-pools {\"name\":\"fast\",\"driver\":\"dir\","
		  "\"config\":{\"source\":\"/x\"}}\n" },
		{ "storage create fast dir source",
		  NULL,
		  { NOTHING },
		  "Error: \"source\" is not of the form KEY=VALUE\n",
		  "" },
		{ "profile create web --description text",
		  NULL,
		  { DONE("POST /1.0/profiles") },
		  "Profile web created\n",
		  "POST /1.0/profiles {\"name\":\"web\",\"description\":\"text\"}\n" },
		{ "profile create web",
		  "config:\n  a: 1\nname: other\n",
		  { DONE("POST /1.0/profiles") },
		  "Profile web created\n",
		  "POST /1.0/profiles {\"config\":{\"a\":\"1\"},\"name\":\"web\"}\n" },
		{ "profile create web",
		  "- a\n",
		  { NOTHING },
		  "Error: standard input: must be a YAML mapping\n",
		  "" },
		{ "image alias delete a/b",
		  NULL,
		  { DONE("DELETE /1.0/images/aliases/a%2Fb") },
		  "",
		  NULL },
		{ "image alias delete none",
		  NULL,
		  { NOTHING },
		  "Error: image alias \"none\": Not Found\n",
		  NULL },
		{ "image alias rename a b",
		  NULL,
		  { DONE("POST /1.0/images/aliases/a") },
		  "",
		  "POST /1.0/images/aliases/a {\"name\":\"b\"}\n" },
	};

	world_check(*state, cases, ARRAY_SIZE(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_devices),
		cmocka_unit_test(changes_keys_of_devices),
		cmocka_unit_test(attaches_to_networks),
		cmocka_unit_test(creates_networks_pools_and_profiles),
	};

	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
