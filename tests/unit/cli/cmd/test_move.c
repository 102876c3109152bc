/* SPDX-License-Identifier: Apache-2.0 */
/* move: what is asked for, what would be done, and what was. */
#include "tests/unit/cli/server_world.h"

#define POST "POST /1.0/instances/c1"
#define TO_M2 POST "?target=m2"
#define PLAN "GET /1.0/instances/c1/move-plan?target=m2"
#define RUNS(request_, metadata)                                                       \
	{                                                                              \
		.request = request_, .status = 202,                                    \
		.body = "{\"id\":\"o\",\"status_code\":200,\"metadata\":" metadata "}" \
	}

static const struct dialogue moves_cases[] = {
	{ "move c1 --target m2",
	  NULL,
	  { RUNS(TO_M2, "{\"migration\":{\"kind\":\"live\",\"downtime_ms\":12,"
			"\"total_ms\":340}}") },
	  "Moved c1 to m2 (live): downtime 12 ms, 340 ms in all\n",
	  TO_M2 " {\"name\":\"c1\",\"migration\":true,\"mode\":\"best\"}\n" },
	{ "move c1 c2 --target m2 --cold",
	  NULL,
	  { RUNS(TO_M2, "{\"migration\":{\"kind\":\"cold\",\"total_ms\":5}}") },
	  "Moved c1 to m2 as c2 (cold), 5 ms in all\n",
	  TO_M2 " {\"name\":\"c2\",\"migration\":true,\"mode\":\"cold\"}\n" },
	{ "move c1 --target m2 --end-sessions",
	  NULL,
	  { RUNS(TO_M2, "{}") },
	  "",
	  TO_M2 " {\"name\":\"c1\",\"migration\":true,\"mode\":\"best\",\"end_sessions\":true}\n" },
	{ "move c1 --target m2 --stateless --instance-only -s fast",
	  NULL,
	  { RUNS(TO_M2, "{\"migration\":{}}") },
	  "Moved c1 to m2\n",
	  TO_M2 " {\"name\":\"c1\",\"migration\":true,\"mode\":\"cold\",\"instance_only\":true,"
		"\"pool\":\"fast\"}\n" },
	{ "move c1 --target m2 --live",
	  NULL,
	  { RUNS(TO_M2, "{\"migration\":{\"kind\":\"live\",\"reason\":\"as asked for\","
			"\"downtime_ms\":12}}") },
	  "Moved c1 to m2 (live): downtime 12 ms\n",
	  TO_M2 " {\"name\":\"c1\",\"migration\":true,\"mode\":\"live\"}\n" },
	/* why it was not the best way is told when that was wanted, and it ran */
	{ "move c1 --target m2 --mode best",
	  NULL,
	  { RUNS(TO_M2, "{\"migration\":{\"kind\":\"near-live\",\"reason\":\"a mount; a disk\","
			"\"downtime_ms\":700,\"total_ms\":900}}") },
	  "Moved c1 to m2 (near-live): downtime 700 ms, 900 ms in all\nNot live: a mount; a disk\n",
	  TO_M2 " {\"name\":\"c1\",\"migration\":true,\"mode\":\"best\"}\n" },
	{ "move c1 --target m2 --mode near-live",
	  NULL,
	  { RUNS(TO_M2, "{\"migration\":{\"kind\":\"near-live\",\"reason\":\"as asked for\","
			"\"downtime_ms\":700}}") },
	  "Moved c1 to m2 (near-live): downtime 700 ms\n",
	  TO_M2 " {\"name\":\"c1\",\"migration\":true,\"mode\":\"near-live\"}\n" },
	{ "move c1 --target m2",
	  NULL,
	  { RUNS(TO_M2, "{\"migration\":{\"kind\":\"cold\",\"reason\":\"the instance is stopped\","
			"\"downtime_ms\":0,\"total_ms\":50}}") },
	  "Moved c1 to m2 (cold), 50 ms in all\n",
	  NULL },
	{ "move c1 --target m2 --mode cold --stateless --cold --live=false",
	  NULL,
	  { RUNS(TO_M2, "{}") },
	  "",
	  TO_M2 " {\"name\":\"c1\",\"migration\":true,\"mode\":\"cold\"}\n" },
	/* a group: the server has chosen one of its members */
	{ "move c1 --target @gpu",
	  NULL,
	  { RUNS(POST "?target=%40gpu", "{\"placement\":{\"member\":\"m3\"},"
					"\"migration\":{\"kind\":\"cold\",\"total_ms\":70}}") },
	  "Moved c1 to m3 (cold), 70 ms in all\n",
	  NULL },
	/* it was there */
	{ "move c1 --target m2", NULL, { RUNS(TO_M2, "{}") }, "", NULL },
	{ "move c1 local: --target m2",
	  NULL,
	  { RUNS(TO_M2, "{}") },
	  "",
	  TO_M2 " {\"name\":\"c1\",\"migration\":true,\"mode\":\"best\"}\n" },
	{ "move c1 c2", NULL, { DONE(POST) }, "", POST " {\"name\":\"c2\"}\n" },
};

#define BEGUN                                                \
	{                                                    \
		.request = TO_M2, .status = 202,             \
		.body = "{\"id\":\"o\",\"status_code\":103," \
			"\"location\":\"m1\"}"               \
	}
#define WAIT "GET /1.0/operations/o/wait"
#define NOW(member)                   \
	SAYS("GET /1.0/instances/c1", \
	     "{\"name\":\"c1\",\"location\":\"" member "\",\"status\":\"Running\"}")

/* The member that had the operation is away. */
static const struct dialogue lost_cases[] = {
	{ "move c1 --target m2",
	  NULL,
	  { BEGUN, FAILS(WAIT, "gone", 404), NOW("m2") },
	  "c1 is on m2 (Running): the move was finished while m1 was away\n",
	  NULL },
	{ "move c1 --target m2",
	  NULL,
	  { BEGUN, FAILS(WAIT, "gone", 404), NOW("m1") },
	  "Error: m1 went away during the move of c1, which was given up: it is on m1 (Running)\n",
	  NULL },
	/* it was away for a moment only */
	{ "move c1 --target m2",
	  NULL,
	  { BEGUN, ONCE(WAIT, "no leader", 503), ONCE(WAIT, "no leader", 503),
	    SAYS(WAIT, "{\"id\":\"o\",\"status_code\":200,\"metadata\":{\"migration\":{"
		       "\"kind\":\"live\",\"finished_by\":\"m2\"}}}") },
	  "Moved c1 to m2 (live), which has finished the move alone: the member that it was on "
	  "went away\n",
	  NULL },
	{ "move c1 --target m2",
	  NULL,
	  { BEGUN, ONCE(WAIT, "no leader", 503),
	    SAYS(WAIT, "{\"id\":\"o\",\"status_code\":400,\"err\":\"given up\"}") },
	  "Error: given up\n",
	  NULL },
	/* a new name is tried first */
	{ "move c1 c2 --target m2",
	  NULL,
	  { BEGUN, FAILS(WAIT, "gone", 404), NOW("m1") },
	  "Error: m1 went away during the move of c1, which was given up: it is on m1 (Running)\n",
	  TO_M2 " {\"name\":\"c2\",\"migration\":true,\"mode\":\"best\"}\n" WAIT "\n" WAIT
		"\nGET /1.0/instances/c2\nGET /1.0/instances/c1\n" },
};

static void a_lost_move_is_asked_for_again(void **state)
{
	world_check(*state, lost_cases, ARRAY_SIZE(lost_cases));
}

static void moves(void **state)
{
	world_check(*state, moves_cases, ARRAY_SIZE(moves_cases));
}

#define YES "{\"possible\":true,\"reasons\":[],\"more\":0}"
#define NO(reasons, more) "{\"possible\":false,\"reasons\":[" reasons "],\"more\":" more "}"
/* What stands against live, and nothing else. */
#define NEAR                                                                \
	"{\"kind\":\"near-live\",\"running\":true,\"modes\":{\"live\":" NO( \
		"\"a mount\",\"a disk\"", "3") ",\"near-live\":" YES ",\"cold\":" YES "}}"
#define NEAR_TEXT                                                 \
	"live: not possible\n- a mount\n- a disk\n- and 3 more\n" \
	"near-live: possible\ncold: possible\n"
#define LIES                                                                               \
	"{\"kind\":\"cold\",\"running\":false,\"reasons\":[\"it is stopped\"],\"modes\":{" \
	"\"live\":" NO("", "0") ",\"near-live\":" NO("", "0") ",\"cold\":" YES "}}"

static const struct dialogue plans_cases[] = {
	{ "move c1 --target m2 --dry-run",
	  NULL,
	  { SAYS(PLAN, "{\"kind\":\"live\",\"running\":true,\"modes\":{\"live\":" YES "}}") },
	  "c1 would move to m2: live\nlive: possible\n",
	  PLAN "\n" },
	{ "move c1 --target m2 --dry-run",
	  NULL,
	  { SAYS(PLAN, "{\"kind\":\"live\",\"note\":\"one will end\",\"modes\":{\"live\":" YES
		       "}}") },
	  "c1 would move to m2: live\nlive: possible\nnote: one will end\n",
	  NULL },
	{ "move c1 --target m2 --dry-run",
	  NULL,
	  { SAYS(PLAN, "{\"kind\":\"live\",\"memory\":\"post-copy\","
		       "\"memory_reason\":\"as configured\",\"modes\":{\"live\":" YES
		       ",\"cold\":" YES "}}") },
	  "c1 would move to m2: live\nlive: possible\ncold: possible\n"
	  "memory: post-copy (as configured)\n",
	  NULL },
	{ "move c1 --target m2 --dry-run --cold",
	  NULL,
	  { SAYS(PLAN, "{\"kind\":\"live\",\"memory\":\"post-copy\","
		       "\"memory_reason\":\"as configured\",\"modes\":{\"live\":" YES
		       ",\"cold\":" YES "}}") },
	  "c1 would move to m2: cold\nlive: possible\ncold: possible\n",
	  NULL },
	{ "move c1 --target m2 --dry-run",
	  NULL,
	  { SAYS(PLAN, NEAR) },
	  "c1 would move to m2: near-live\n" NEAR_TEXT,
	  NULL },
	/* a group: the server has chosen one of its members */
	{ "move c1 --target @gpu --dry-run",
	  NULL,
	  { SAYS("GET /1.0/instances/c1/move-plan?target=%40gpu",
		 "{\"target\":\"m3\",\"kind\":\"cold\",\"running\":false,\"modes\":{\"cold\":" YES
		 "}}") },
	  "c1 would move to m3: cold\n",
	  NULL },
	{ "move c1 --target m2 --dry-run --mode near-live",
	  NULL,
	  { SAYS(PLAN, NEAR) },
	  "c1 would move to m2: near-live\n" NEAR_TEXT,
	  NULL },
	{ "move c1 --target m2 --dry-run --cold",
	  NULL,
	  { SAYS(PLAN, NEAR) },
	  "c1 would move to m2: cold\n" NEAR_TEXT,
	  NULL },
	/* the status of the same command without --dry-run */
	{ "move c1 --target m2 --dry-run --live",
	  NULL,
	  { SAYS(PLAN, NEAR) },
	  "c1 would not move to m2 live: only near-live\n" NEAR_TEXT "status 1\n",
	  NULL },
	{ "move c1 --target m2 --dry-run --mode warp",
	  NULL,
	  { SAYS(PLAN, NEAR) },
	  "Error: --mode: the server knows no way \"warp\" to move\n",
	  NULL },
	{ "move c1 --target m2 --dry-run --mode live",
	  NULL,
	  { SAYS(PLAN, LIES) },
	  "c1 would move to m2: cold\n- it is stopped\n",
	  NULL },
	{ "move c1 --target m2 --dry-run",
	  NULL,
	  { SAYS(PLAN, "{\"kind\":\"refused\",\"reasons\":[\"no room\"],\"more\":0,\"modes\":{"
		       "\"cold\":" NO("\"no room\"", "0") "}}") },
	  "c1 would not move to m2: refused\n- no room\nstatus 1\n",
	  NULL },
	{ "move c1 --target m2 --dry-run",
	  NULL,
	  { SAYS(PLAN, "{}") },
	  "c1 would not move to m2: unknown\nstatus 1\n",
	  NULL },
};

static void plans(void **state)
{
	world_check(*state, plans_cases, ARRAY_SIZE(plans_cases));
}

static const struct dialogue refuses_cases[] = {
	{ "move c1",
	  NULL,
	  { NOTHING },
	  "Error: say where to: dunlin move c1 --target MEMBER, or a new name\n",
	  "" },
	{ "move c1 --dry-run --target m2 c2",
	  NULL,
	  { NOTHING },
	  "Error: --dry-run and a new name exclude each other: what runs moves under its own name "
	  "only\n",
	  "" },
	{ "move c1 c2 --dry-run", NULL, { NOTHING }, "Error: --dry-run needs --target\n", "" },
	{ "move c1 --target m2 --live --cold",
	  NULL,
	  { NOTHING },
	  "Error: --live and --cold exclude each other\n",
	  "" },
	{ "move c1 --target m2 --live --stateless",
	  NULL,
	  { NOTHING },
	  "Error: --live and --stateless exclude each other\n",
	  "" },
	{ "move c1 --target m2 --mode near-live --cold",
	  NULL,
	  { NOTHING },
	  "Error: --mode and --cold exclude each other\n",
	  "" },
	{ "move c1 far: --target m2",
	  NULL,
	  { NOTHING },
	  "Error: no remote named \"far\" (see dunlin remote list)\n",
	  "" },
	{ "move none --target m2",
	  NULL,
	  { NOTHING },
	  "Error: no instance \"none\" (see dunlin list)\n",
	  NULL },
	{ "move none c2",
	  NULL,
	  { NOTHING },
	  "Error: no instance \"none\" (see dunlin list)\n",
	  NULL },
	{ "move none --target m2 --dry-run",
	  NULL,
	  { NOTHING },
	  "Error: no instance \"none\" (see dunlin list)\n",
	  NULL },
	/* the member is what is missing */
	{ "move c1 --target m9",
	  NULL,
	  { FAILS(POST "?target=m9", "no member m9", 404), SAYS("GET /1.0/instances/c1", "{}") },
	  "Error: no member m9\n",
	  NULL },
};

static void refuses(void **state)
{
	world_check(*state, refuses_cases, ARRAY_SIZE(refuses_cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moves),
		cmocka_unit_test(a_lost_move_is_asked_for_again),
		cmocka_unit_test(plans),
		cmocka_unit_test(refuses),
	};

	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
