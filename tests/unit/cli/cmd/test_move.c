/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of an instance that has moved. */
#include "tests/unit/cli/server_world.h"

#define ASKED(target)                                                              \
	{                                                                          \
		.request = "POST /1.0/instances/c1?target=" target, .status = 202, \
		.body = "{\"id\":\"op1\",\"status_code\":103}"                     \
	}
#define ENDED(metadata)                      \
	SAYS("GET /1.0/operations/op1/wait", \
	     "{\"id\":\"op1\",\"status_code\":200,\"metadata\":{" metadata "}}")
#define LIVE "\"migration\":{\"kind\":\"live\",\"total_ms\":900,\"downtime_ms\":40}"
#define COLD "\"migration\":{\"kind\":\"cold\",\"total_ms\":70}"

static void says_where_it_is(void **state)
{
	static const struct dialogue cases[] = {
		{ "move c1 --target m2",
		  NULL,
		  { ASKED("m2"), ENDED(COLD) },
		  "Moved c1 to m2 (cold), 70 ms in all\n",
		  NULL },
		{ "move c1 --target m2",
		  NULL,
		  { ASKED("m2"), ENDED(LIVE) },
		  "Moved c1 to m2 (live): downtime 40 ms, 900 ms in all\n",
		  NULL },
		{ "move c1 c2 --target m2 --cold",
		  NULL,
		  { ASKED("m2"), ENDED(COLD) },
		  "Moved c1 to m2 as c2 (cold), 70 ms in all\n",
		  NULL },
		{ "move c1 --target @gpu",
		  NULL,
		  { ASKED("%40gpu"),
		    ENDED("\"placement\":{\"member\":\"m3\",\"reason\":\"it is free\"}," COLD) },
		  "Moved c1 to m3 (cold), 70 ms in all\n",
		  NULL },
	};

	world_check(*state, cases, ARRAY_SIZE(cases));
}

static void refuses(void **state)
{
	static const struct dialogue cases[] = {
		{ "move c1",
		  NULL,
		  { NOTHING },
		  "Error: say where to: dunlin move c1 --target MEMBER, or a new name\n",
		  "" },
		{ "move c1 --target m2 --live --cold",
		  NULL,
		  { NOTHING },
		  "Error: --live and --cold exclude each other\n",
		  "" },
		{ "move c1 --dry-run c2",
		  NULL,
		  { NOTHING },
		  "Error: --dry-run needs --target\n",
		  "" },
		{ "move c1 --target m9",
		  NULL,
		  { FAILS("POST /1.0/instances/c1?target=m9", "no member m9", 400) },
		  "Error: no member m9\n",
		  NULL },
	};

	world_check(*state, cases, ARRAY_SIZE(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_where_it_is),
		cmocka_unit_test(refuses),
	};

	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
