/* SPDX-License-Identifier: Apache-2.0 */
/* network create, info, attach and detach. */
#include "tests/unit/cli/server_world.h"

#define CREATE "POST /1.0/networks"

static const struct dialogue creates_cases[] = {
	{ "network create n ipv4.address=10.0.0.1/24",
	  NULL,
	  { DONE(CREATE) },
	  "Network n created\n",
	  CREATE " {\"name\":\"n\",\"config\":{\"ipv4.address\":\"10.0.0.1/24\"}}\n" },
	{ "network create n --type overlay --description words --target m2",
	  NULL,
	  { DONE(CREATE "?target=m2") },
	  "Network n pending on member m2\n",
	  CREATE "?target=m2 {\"name\":\"n\",\"description\":\"words\",\"type\":\"overlay\","
		 "\"config\":{}}\n" },
	{ "network create n x",
	  NULL,
	  { NOTHING },
	  "Error: \"x\" is not of the form KEY=VALUE\n",
	  "" },
	{ "network create n",
	  NULL,
	  { FAILS(CREATE, "network n exists already", 409) },
	  "Error: network n exists already\n",
	  NULL },
};

static void creates(void **state)
{
	world_check(*state, creates_cases, ARRAY_SIZE(creates_cases));
}

#define STATE "GET /1.0/networks/n/state"

static const struct dialogue tells_cases[] = {
	{ "network info n",
	  NULL,
	  { SAYS(STATE, "{\"hwaddr\":\"aa:bb\",\"mtu\":1450,\"state\":\"up\",\"type\":"
			"\"broadcast\",\"addresses\":[{\"family\":\"inet\",\"address\":"
			"\"10.0.0.1\",\"netmask\":\"24\",\"scope\":\"global\"}],\"counters\":{"
			"\"bytes_received\":5000,\"bytes_sent\":7,\"packets_received\":2,"
			"\"packets_sent\":1}}") },
	  "Name: n\nMAC address: aa:bb\nMTU: 1450\nState: up\nType: broadcast\n\n"
	  "IP addresses:\n  inet\t10.0.0.1/24 (global)\n\nNetwork usage:\n"
	  "  Bytes received: 5.00kB\n  Bytes sent: 7B\n  Packets received: 2\n"
	  "  Packets sent: 1\n",
	  STATE "\n" },
	{ "network info n --target m2",
	  NULL,
	  { SAYS(STATE "?target=m2", "{\"state\":\"down\"}") },
	  "Name: n\nMAC address: \nMTU: 0\nState: down\nType: \n\nNetwork usage:\n"
	  "  Bytes received: 0B\n  Bytes sent: 0B\n  Packets received: 0\n"
	  "  Packets sent: 0\n",
	  NULL },
	{ "network info none", NULL, { NOTHING }, "Error: network \"none\": Not Found\n", NULL },
};

static void tells(void **state)
{
	world_check(*state, tells_cases, ARRAY_SIZE(tells_cases));
}

#define NET "GET /1.0/networks/n"
#define OURS SAYS(NET, "{\"managed\":true}")
#define HOSTS SAYS(NET, "{\"managed\":false}")
#define GET "GET /1.0/instances/c1"
#define PUT "PUT /1.0/instances/c1"
#define BARE SAYS(GET, "{\"name\":\"c1\"}")

static const struct dialogue attaches_cases[] = {
	{ "network attach n c1",
	  NULL,
	  { OURS, BARE, DONE(PUT) },
	  "",
	  NET "\n" GET "\n" PUT " {\"devices\":{\"n\":{\"network\":\"n\",\"type\":\"nic\"}}}\n" },
	{ "network attach n c1 d",
	  NULL,
	  { OURS, BARE, DONE(PUT) },
	  "",
	  NET "\n" GET "\n" PUT " {\"devices\":{\"d\":{\"network\":\"n\",\"name\":\"d\","
	      "\"type\":\"nic\"}}}\n" },
	{ "network attach n c1 d eth7",
	  NULL,
	  { HOSTS, BARE, DONE(PUT) },
	  "",
	  NET "\n" GET "\n" PUT " {\"devices\":{\"d\":{\"nictype\":\"bridged\",\"parent\":\"n\","
	      "\"name\":\"eth7\",\"type\":\"nic\"}}}\n" },
	{ "network attach-profile n p",
	  NULL,
	  { OURS, SAYS("GET /1.0/profiles/p", "{\"name\":\"p\",\"devices\":{}}"),
	    DONE("PUT /1.0/profiles/p") },
	  "",
	  NET "\nGET /1.0/profiles/p\nPUT /1.0/profiles/p "
	      "{\"devices\":{\"n\":{\"network\":\"n\",\"type\":\"nic\"}}}\n" },
	{ "network attach n c1 eth0",
	  NULL,
	  { OURS, SAYS(GET, "{\"devices\":{\"eth0\":{\"type\":\"nic\"}}}") },
	  "Error: \"c1\" has a device \"eth0\" already\n",
	  NULL },
	{ "network attach none c1",
	  NULL,
	  { NOTHING },
	  "Error: network \"none\": Not Found\n",
	  NULL },
};

static void attaches(void **state)
{
	world_check(*state, attaches_cases, ARRAY_SIZE(attaches_cases));
}

#define TWO                                                                            \
	SAYS(GET, "{\"devices\":{\"a\":{\"type\":\"nic\",\"network\":\"n\"},"          \
		  "\"b\":{\"type\":\"nic\",\"nictype\":\"bridged\",\"parent\":\"n\"}," \
		  "\"c\":{\"type\":\"nic\",\"network\":\"m\"},"                        \
		  "\"n\":{\"type\":\"disk\",\"source\":\"k\"}}}")
#define REST                                          \
	"\"c\":{\"type\":\"nic\",\"network\":\"m\"}," \
	"\"n\":{\"type\":\"disk\",\"source\":\"k\"}}}\n"

static const struct dialogue detaches_cases[] = {
	{ "network detach n c1",
	  NULL,
	  { TWO },
	  "Error: \"c1\" has several devices on \"n\": name one\n",
	  GET "\n" },
	{ "network detach n c1 b",
	  NULL,
	  { TWO, DONE(PUT) },
	  "",
	  GET "\n" PUT " {\"devices\":{\"a\":{\"type\":\"nic\",\"network\":\"n\"}," REST },
	{ "network detach n c1 c",
	  NULL,
	  { TWO },
	  "Error: \"c1\" has no such device on network \"n\"\n",
	  GET "\n" },
	{ "network detach k c1",
	  NULL,
	  { TWO },
	  "Error: \"c1\" has no such device on network \"k\"\n",
	  GET "\n" },
	{ "network detach m c1",
	  NULL,
	  { TWO, DONE(PUT) },
	  "",
	  GET "\n" PUT " {\"devices\":{\"a\":{\"type\":\"nic\",\"network\":\"n\"},"
	      "\"b\":{\"type\":\"nic\",\"nictype\":\"bridged\",\"parent\":\"n\"},"
	      "\"n\":{\"type\":\"disk\",\"source\":\"k\"}}}\n" },
	{ "network detach-profile n p",
	  NULL,
	  { SAYS("GET /1.0/profiles/p", "{\"devices\":{\"x\":{\"type\":\"nic\","
					"\"network\":\"n\"}}}"),
	    DONE("PUT /1.0/profiles/p") },
	  "",
	  "GET /1.0/profiles/p\nPUT /1.0/profiles/p {\"devices\":{}}\n" },
	{ "network detach n c1",
	  NULL,
	  { SAYS(GET, "{}") },
	  "Error: \"c1\" has no such device on network \"n\"\n",
	  NULL },
};

static void detaches(void **state)
{
	world_check(*state, detaches_cases, ARRAY_SIZE(detaches_cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(creates),
		cmocka_unit_test(tells),
		cmocka_unit_test(attaches),
		cmocka_unit_test(detaches),
	};

	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
