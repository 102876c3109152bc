/* SPDX-License-Identifier: Apache-2.0 */
/* start, stop, restart, pause, delete: what is asked of the server. */
#include "tests/unit/cli/server_world.h"

#define BODY(action, timeout, force, stateful)                                 \
	" {\"action\":\"" action "\",\"timeout\":" timeout ",\"force\":" force \
	",\"stateful\":" stateful "}\n"
#define PUT_C1 "PUT /1.0/instances/c1/state"
#define PUT_C2 "PUT /1.0/instances/c2/state"
#define IS(name, status)                                           \
	SAYS("GET /1.0/instances/" name, "{\"name\":\"" name "\"," \
					 "\"status_code\":" status "}")
/* base/status.def */
#define STOPPED "102"
#define RUNNING "103"
#define FROZEN "110"
#define ERROR "112"
#define DOES(request_)                                                                             \
	{                                                                                          \
		.request = request_, .body = "{\"id\":\"op1\",\"status_code\":200}", .status = 202 \
	}

static void acts_on_one(void **state)
{
	static const struct dialogue cases[] = {
		{ "stop c1",
		  NULL,
		  { DOES(PUT_C1) },
		  "",
		  PUT_C1 BODY("stop", "-1", "false", "false") },
		{ "stop c1 --force --timeout 7",
		  NULL,
		  { DOES(PUT_C1) },
		  "",
		  PUT_C1 BODY("stop", "7", "true", "false") },
		{ "stop c1 --stateful",
		  NULL,
		  { DOES(PUT_C1) },
		  "",
		  PUT_C1 BODY("stop", "-1", "false", "true") },
		{ "restart local:c1",
		  NULL,
		  { DOES(PUT_C1) },
		  "",
		  PUT_C1 BODY("restart", "-1", "false", "false") },
		{ "pause c1",
		  NULL,
		  { DOES(PUT_C1) },
		  "",
		  PUT_C1 BODY("freeze", "-1", "false", "false") },
		{ "start c1",
		  NULL,
		  { IS("c1", STOPPED), DOES(PUT_C1) },
		  "",
		  "GET /1.0/instances/c1\n" PUT_C1 BODY("start", "-1", "false", "false") },
		/* memory that is kept is gone on from, unless it is given up */
		{ "start c1",
		  NULL,
		  { IS("c1", STOPPED ",\"stateful\":true"), DOES(PUT_C1) },
		  "",
		  "GET /1.0/instances/c1\n" PUT_C1 BODY("start", "-1", "false", "true") },
		{ "start c1 --stateless",
		  NULL,
		  { IS("c1", STOPPED ",\"stateful\":true"), DOES(PUT_C1) },
		  "",
		  "GET /1.0/instances/c1\n" PUT_C1 BODY("start", "-1", "false", "false") },
		/* whoever runs already is told so by the server */
		{ "start c1",
		  NULL,
		  { IS("c1", RUNNING), FAILS(PUT_C1, "instance \\\"c1\\\" is running", 400) },
		  "Error: instance \"c1\" is running\nstatus 1\n",
		  NULL },
		/* to start what is paused is to resume it */
		{ "start c1",
		  NULL,
		  { IS("c1", FROZEN), DOES(PUT_C1) },
		  "",
		  "GET /1.0/instances/c1\n" PUT_C1 BODY("unfreeze", "-1", "false", "false") },
	};
	struct world *w = *state;

	w->errors = true;
	world_check(w, cases, ARRAY_SIZE(cases));
}

static void refuses(void **state)
{
	static const struct dialogue cases[] = {
		{ "stop",
		  NULL,
		  { NOTHING },
		  "Error: too few arguments. Usage: dunlin stop [REMOTE:]INSTANCE...\n",
		  "" },
		{ "stop c1 --timeout soon",
		  NULL,
		  { NOTHING },
		  "Error: --timeout \"soon\" is no number of seconds\n",
		  "" },
		{ "stop c1 --timeout=-2",
		  NULL,
		  { NOTHING },
		  "Error: --timeout \"-2\" is no number of seconds\n",
		  "" },
		{ "stop local:",
		  NULL,
		  { NOTHING },
		  "Error: the name of the instance is missing\n",
		  "" },
		{ "stop --all c1",
		  NULL,
		  { NOTHING },
		  "Error: \"c1\" is no remote: write \"c1:\"\n",
		  "" },
		{ "stop --all local: c1", NULL, { NOTHING }, "Error: --all takes no names\n", "" },
		{ "start c1 c2 --console",
		  NULL,
		  { NOTHING },
		  "Error: --console works with one instance\n",
		  "" },
		{ "stop none",
		  NULL,
		  { NOTHING },
		  "Error: no instance \"none\" (see dunlin list)\nstatus 1\n",
		  NULL },
		/* a text that does not tell whom it is about gets the name */
		{ "stop c1",
		  NULL,
		  { FAILS(PUT_C1, "no leader", 503) },
		  "Error: instance \"c1\": no leader\nstatus 1\n",
		  NULL },
		{ "stop c1",
		  NULL,
		  { { .request = PUT_C1,
		      .body = "{\"id\":\"o\",\"status_code\":400,\"err\":\"it hangs\"}",
		      .status = 202 } },
		  "Error: instance \"c1\": it hangs\nstatus 1\n",
		  NULL },
	};
	struct world *w = *state;

	w->errors = true;
	world_check(w, cases, ARRAY_SIZE(cases));
}

/* Side by side, so that the order of what is asked is nobody's promise. */
static void acts_on_many(void **state)
{
	struct world *w = *state;

	WORLD_ANSWER(w, DOES(PUT_C1), FAILS(PUT_C2, "no c2 here", 500));
	assert_string_equal(world_says(w, "stop c1 c2"), "Error: no c2 here\nstatus 1\n");
	assert_non_null(strstr(world_asked(w), PUT_C1 BODY("stop", "-1", "false", "false")));
	assert_non_null(strstr(world_asked(w), PUT_C2 BODY("stop", "-1", "false", "false")));
}

static void check_action(struct world *w, const char *request, const char *action)
{
	_free_ char *line = xasprintf("%s {\"action\":\"%s\"", request, action ? action : "");

	assert_int_equal(strstr(world_asked(w), request) != NULL, action != NULL);
	assert_int_equal(strstr(world_asked(w), line) != NULL, action != NULL);
}

/* --all leaves alone what is there already. */
static void acts_on_all(void **state)
{
	static const struct {
		const char *line, *c1, *c2;
		const char *on_c1, *on_c2; /* NULL: nothing */
	} cases[] = {
		{ "start --all", STOPPED, RUNNING, "start", NULL },
		{ "start --all", FROZEN, RUNNING, "unfreeze", NULL },
		{ "stop --all", STOPPED, RUNNING, NULL, "stop" },
		{ "stop --all", FROZEN, RUNNING, "stop", "stop" },
		{ "stop --all", ERROR, RUNNING, NULL, "stop" },
		{ "restart --all local:", STOPPED, RUNNING, NULL, "restart" },
		{ "restart --all", FROZEN, RUNNING, "restart", "restart" },
		{ "pause --all", FROZEN, RUNNING, NULL, "freeze" },
		{ "pause --all", STOPPED, RUNNING, NULL, "freeze" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *c1 = xasprintf("{\"status_code\":%s}", cases[i].c1);
		_free_ char *c2 = xasprintf("{\"status_code\":%s}", cases[i].c2);

		WORLD_ANSWER(w,
			     SAYS("GET /1.0/instances",
				  "[\"/1.0/instances/c1\",\"/1.0/instances/c2\"]"),
			     SAYS("GET /1.0/instances/c1", c1), SAYS("GET /1.0/instances/c2", c2),
			     DOES(PUT_C1), DOES(PUT_C2));
		assert_string_equal(world_says(w, cases[i].line), "");
		check_action(w, PUT_C1, cases[i].on_c1);
		check_action(w, PUT_C2, cases[i].on_c2);
	}
	WORLD_ANSWER(w, SAYS("GET /1.0/instances", "[]"));
	assert_string_equal(world_says(w, "stop --all"), "");
}

#define GET "GET /1.0/instances/c1\n"
#define DELETE "DELETE /1.0/instances/c1\n"
#define IS_SPECIAL(more) SAYS("GET /1.0/instances/c1", "{\"status_code\":" RUNNING "," more "}")

static const struct dialogue deletes_cases[] = {
	{ "delete c1",
	  NULL,
	  { IS("c1", STOPPED), DONE("DELETE /1.0/instances/c1") },
	  "",
	  GET DELETE },
	/* what could not be read can be removed */
	{ "delete c1",
	  NULL,
	  { IS("c1", ERROR), DONE("DELETE /1.0/instances/c1") },
	  "",
	  GET DELETE },
	{ "delete c1",
	  NULL,
	  { IS("c1", RUNNING) },
	  "Error: instance \"c1\" is running: stop it first, or pass --force\nstatus 1\n",
	  GET },
	{ "delete c1 --force",
	  NULL,
	  { IS("c1", FROZEN), DOES(PUT_C1), DONE("DELETE /1.0/instances/c1") },
	  "",
	  GET PUT_C1 BODY("stop", "-1", "true", "false") DELETE },
	/* an ephemeral one goes by itself when it stops */
	{ "delete c1 --force",
	  NULL,
	  { IS_SPECIAL("\"ephemeral\":true"), DOES(PUT_C1) },
	  "",
	  GET PUT_C1 BODY("stop", "-1", "true", "false") },
	/* it would be stopped for nothing */
	{ "delete c1 --force",
	  NULL,
	  { IS_SPECIAL("\"expanded_config\":{\"security.protection.delete\":\"true\"}") },
	  "Error: instance \"c1\" is protected: unset security.protection.delete first\n"
	  "status 1\n",
	  GET },
	{ "delete c1 --force",
	  NULL,
	  { IS("c1", RUNNING), FAILS(PUT_C1, "it hangs", 500) },
	  "Error: it hangs\nstatus 1\n",
	  GET PUT_C1 BODY("stop", "-1", "true", "false") },
	/* the others are deleted all the same */
	{ "delete none c1",
	  NULL,
	  { IS("c1", STOPPED), DONE("DELETE /1.0/instances/c1") },
	  "Error: no instance \"none\" (see dunlin list)\nstatus 1\n",
	  "GET /1.0/instances/none\nGET /1.0/instances/none\n" GET DELETE },
	{ "delete c1 --interactive",
	  "yes\n",
	  { IS("c1", STOPPED), DONE("DELETE /1.0/instances/c1") },
	  "Delete instance c1? (yes/no) [default=no]: ",
	  GET DELETE },
	{ "delete c1 --interactive",
	  "perhaps\nno\n",
	  { IS("c1", STOPPED) },
	  "Delete instance c1? (yes/no) [default=no]: Please answer yes or no.\n"
	  "Delete instance c1? (yes/no) [default=no]: "
	  "Error: instance \"c1\": not deleted\nstatus 1\n",
	  GET },
	{ "delete c1 --interactive",
	  NULL,
	  { IS("c1", STOPPED) },
	  "Delete instance c1? (yes/no) [default=no]: \n"
	  "Error: instance \"c1\": not deleted\nstatus 1\n",
	  GET },
};

static void deletes(void **state)
{
	struct world *w = *state;

	w->errors = true;
	world_check(w, deletes_cases, ARRAY_SIZE(deletes_cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(acts_on_one),  cmocka_unit_test(refuses),
		cmocka_unit_test(acts_on_many), cmocka_unit_test(acts_on_all),
		cmocka_unit_test(deletes),
	};

	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
