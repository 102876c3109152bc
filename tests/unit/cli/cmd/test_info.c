/* SPDX-License-Identifier: Apache-2.0 */
/* info: an instance as people read it, and the server. */
#include "tests/unit/cli/server_world.h"

#define C1 "GET /1.0/instances/c1?recursion=1"

static const struct dialogue cases[] = {
	{ "info c1",
	  NULL,
	  { SAYS(C1, "{\"name\":\"c1\",\"status\":\"Stopped\",\"architecture\":\"x86_64\","
		     "\"location\":\"none\",\"created_at\":\"2026-11-23T11:30:00Z\","
		     "\"last_used_at\":\"1970-01-01T00:00:00Z\",\"state\":{\"pid\":0}}") },
	  "Name: c1\nStatus: STOPPED\nType: container\nArchitecture: x86_64\n"
	  "Created: 2026/11/23 11:30 UTC\n",
	  C1 "\n" },
	{ "info c1",
	  NULL,
	  { SAYS(C1, "{\"name\":\"c1\",\"status\":\"Running\",\"type\":\"container\","
		     "\"ephemeral\":true,\"location\":\"m1\",\"description\":\"web\","
		     "\"state\":{\"pid\":7,\"processes\":3,\"cpu\":{\"usage\":2500000000},"
		     "\"disk\":{\"root\":{\"usage\":1048576},\"none\":{\"usage\":0}},"
		     "\"memory\":{\"usage\":2097152,\"usage_peak\":3145728,\"swap_usage\":0},"
		     "\"network\":{\"eth0\":{\"type\":\"broadcast\",\"state\":\"up\","
		     "\"host_name\":\"veth1\",\"hwaddr\":\"aa:bb\",\"mtu\":1500,"
		     "\"counters\":{\"bytes_received\":1000,\"bytes_sent\":2000000,"
		     "\"packets_received\":3,\"packets_sent\":4},\"addresses\":["
		     "{\"family\":\"inet\",\"address\":\"10.0.0.2\",\"netmask\":\"24\","
		     "\"scope\":\"global\"},{\"family\":\"inet6\",\"address\":\"fe80::1\","
		     "\"netmask\":\"64\",\"scope\":\"link\"}]}}},"
		     "\"snapshots\":[{\"name\":\"s0\",\"created_at\":\"2026-11-23T11:30:00Z\","
		     "\"stateful\":true},{\"name\":\"s1\","
		     "\"created_at\":\"2026-11-24T11:30:00Z\"}]}") },
	  "Name: c1\nStatus: RUNNING\nType: container (ephemeral)\nLocation: m1\nPID: 7\n"
	  "Description: web\n\nResources:\n  Processes: 3\n  Disk usage:\n    root: 1.00MiB\n"
	  "  CPU usage:\n    CPU usage (in seconds): 2\n  Memory usage:\n"
	  "    Memory (current): 2.00MiB\n    Memory (peak): 3.00MiB\n  Network usage:\n"
	  "    eth0:\n      Type: broadcast\n      State: UP\n      Host interface: veth1\n"
	  "      MAC address: aa:bb\n      MTU: 1500\n      Bytes received: 1.00kB\n"
	  "      Bytes sent: 2.00MB\n      Packets received: 3\n      Packets sent: 4\n"
	  "      IP addresses:\n        inet:  10.0.0.2/24 (global)\n"
	  "        inet6: fe80::1/64 (link)\n\nSnapshots:\n"
	  "  s0 (2026/11/23 11:30 UTC) (stateful)\n  s1 (2026/11/24 11:30 UTC)\n",
	  NULL },
	{ "info c1",
	  NULL,
	  { SAYS(C1, "{\"name\":\"c1\",\"status\":\"Stopped\",\"stateful\":true,\"state\":{"
		     "\"pid\":0,\"disk\":{\"memory\":{\"usage\":2097152}}}}") },
	  "Name: c1\nStatus: STOPPED\nType: container\nKept memory: 2.00MiB\n",
	  C1 "\n" },
	/* a server that leaves out the state is asked for it */
	{ "info c1",
	  NULL,
	  { SAYS(C1, "{\"name\":\"c1\"}"),
	    SAYS("GET /1.0/instances/c1/state", "{\"pid\":5,\"processes\":1}") },
	  "Name: c1\nType: container\nPID: 5\n\nResources:\n  Processes: 1\n"
	  "  CPU usage:\n    CPU usage (in seconds): 0\n  Network usage:\n",
	  C1 "\nGET /1.0/instances/c1/state\n" },
	{ "info c1",
	  NULL,
	  { SAYS(C1, "{\"name\":\"c1\"}"), FAILS("GET /1.0/instances/c1/state", "gone", 503) },
	  "Error: gone\n",
	  NULL },
	{ "info c1 --show-log",
	  NULL,
	  { SAYS(C1, "{\"name\":\"c1\",\"state\":{}}"),
	    { .request = "GET /1.0/instances/c1/logs/lxc.log", .raw = "first\nsecond\n" } },
	  "Name: c1\nType: container\n\nLog:\n\nfirst\nsecond\n",
	  NULL },
	{ "info none", NULL, { NOTHING }, "Error: no instance \"none\" (see dunlin list)\n", NULL },
	{ "info", NULL, { SAYS("GET /1.0", "{\"b\":1,\"a\":2}") }, "b: 1\na: 2\n", NULL },
	{ "info local: --target m2",
	  NULL,
	  { SAYS("GET /1.0?target=m2", "{\"a\":2}") },
	  "a: 2\n",
	  NULL },
	{ "info --resources",
	  NULL,
	  { SAYS("GET /1.0/resources", "{\"cpu\":{\"total\":2}}") },
	  "cpu:\n  total: 2\n",
	  "GET /1.0/resources\n" },
};

static void tells(void **state)
{
	world_check(*state, cases, ARRAY_SIZE(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells),
	};

	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
