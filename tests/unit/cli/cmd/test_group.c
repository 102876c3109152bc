/* SPDX-License-Identifier: Apache-2.0 */
/* cluster group add, remove, assign: the groups of a member. */
#include "tests/unit/cli/server_world.h"

#define GET "GET /1.0/cluster/members/m1"
#define PUT "PUT /1.0/cluster/members/m1"
#define M1                                                                                     \
	TAGGED(GET, "{\"server_name\":\"m1\",\"config\":{},\"groups\":[\"default\",\"ssd\"]}", \
	       "\"e\"")

static const struct dialogue cases[] = {
	{ "cluster group add m1 big",
	  NULL,
	  { M1, DONE(PUT) },
	  "Cluster member m1 added to group big\n",
	  GET "\n" PUT " \"e\" {\"config\":{},\"groups\":[\"default\",\"ssd\",\"big\"]}\n" },
	{ "cluster group add m1 ssd",
	  NULL,
	  { M1 },
	  "Error: member \"m1\" is in the group \"ssd\" already\n",
	  GET "\n" },
	{ "cluster group remove m1 ssd",
	  NULL,
	  { M1, DONE(PUT) },
	  "Cluster member m1 removed from group ssd\n",
	  GET "\n" PUT " \"e\" {\"config\":{},\"groups\":[\"default\"]}\n" },
	{ "cluster group remove m1 big",
	  NULL,
	  { M1 },
	  "Error: member \"m1\" is not in the group \"big\"\n",
	  GET "\n" },
	{ "cluster group remove m1 default",
	  NULL,
	  { M1 },
	  "Error: member \"m1\" can't leave the group \"default\": all are in it\n",
	  GET "\n" },
	{ "cluster group assign m1 a,b",
	  NULL,
	  { M1, DONE(PUT) },
	  "Cluster groups of m1 set to a,b\n",
	  GET "\n" PUT " \"e\" {\"config\":{},\"groups\":[\"a\",\"b\"]}\n" },
	/* somebody else was faster: it is done again with what is there then */
	{ "cluster group add m1 big",
	  NULL,
	  { M1, ONCE(PUT, "changed meanwhile", 412), DONE(PUT) },
	  "Cluster member m1 added to group big\n",
	  GET "\n" PUT " \"e\" {\"config\":{},\"groups\":[\"default\",\"ssd\",\"big\"]}\n" GET
	      "\n" PUT " \"e\" {\"config\":{},\"groups\":[\"default\",\"ssd\",\"big\"]}\n" },
	{ "cluster group add none big",
	  NULL,
	  { NOTHING },
	  "Error: cluster member \"none\": Not Found\n",
	  "GET /1.0/cluster/members/none\n" },
};

static void changes_groups(void **state)
{
	world_check(*state, cases, ARRAY_SIZE(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_groups),
	};

	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
