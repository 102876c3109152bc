/* SPDX-License-Identifier: Apache-2.0 */
/* What may be asked of commands and consoles, before anything runs. */
#include "tests/unit/api/instance/instance_world.h"

#define EXEC "POST /1.0/instances/c1/exec"
#define CONSOLE "POST /1.0/instances/c1/console"

static void commands(void **state)
{
	static const struct api_case cases[] = {
		{ EXEC, "{}", 400, "command" },
		{ EXEC, "{'command':[]}", 400, "\"command\" must have 1 to 4096 words" },
		{ EXEC, "{'command':'ls'}", 400, "command" },
		{ EXEC, "{'command':['ls', 1]}", 400, "command" },
		{ EXEC, "{'command':['ls'], 'shell':'sh'}", 400, "shell" },
		{ EXEC, "{'command':['ls'], 'environment':{'A':1}}", 400, "environment" },
		{ EXEC, "{'command':['ls'], 'user':-1}", 400, "user and group must be ids" },
		{ EXEC, "{'command':['ls'], 'group':-1}", 400, "user and group must be ids" },
		{ EXEC, "{'command':['ls'], 'user':4294967296}", 400,
		  "user and group must be ids" },
		{ EXEC, "{'command':['ls'], 'group':4294967296}", 400,
		  "user and group must be ids" },
		{ EXEC, "{'command':['ls'], 'interactive':true}", 400,
		  "interactive needs wait-for-websocket" },
		{ EXEC, "{'command':['ls'], 'record-output':true, 'wait-for-websocket':true}", 400,
		  "record-output goes with neither" },
		{ EXEC, "{'command':['ls'], 'record-output':true, 'interactive':true}", 400,
		  "record-output goes with neither" },
		/* nothing is wrong with what is asked */
		{ EXEC,
		  "{'command':['ls'], 'user':4294967295, 'group':0, 'record-output':true, "
		  "'environment':{'A':'1'}, 'cwd':'/', 'width':80, 'height':25}",
		  400, "Instance is not running: start \"c1\" first" },
		{ EXEC, "{'command':['ls'], 'wait-for-websocket':true, 'interactive':true}", 400,
		  "start \"c1\" first" },
		{ "POST /1.0/instances/c9/exec", "{'command':['ls']}", 404, "c9" },
	};
	struct api_world *t = *state;

	api_cases(t, cases, ARRAY_SIZE(cases));
}

static void more_words_than_linux_takes(void **state)
{
	struct api_world *t = *state;
	_json_ json_t *words = json_array(), *body = NULL;
	_free_ char *text = NULL;

	for (int i = 0; i < 4097; i++)
		json_array_append_new(words, json_string("a"));
	body = json_pack("{s:O}", "command", words);
	text = json_text(body);
	api_refused(t, EXEC, text, 400, "1 to 4096 words");
	json_array_remove(words, 0);
	free(text);
	text = json_text(body);
	api_refused(t, EXEC, text, 400, "start \"c1\" first");
}

static void consoles(void **state)
{
	static const struct api_case cases[] = {
		{ CONSOLE, "{'type':1}", 400, "type" },
		{ CONSOLE, "{'speed':9600}", 400, "speed" },
		{ CONSOLE, "{}", 400, "start \"c1\" first" },
		{ CONSOLE, "{'width':80, 'height':25}", 400, "start \"c1\" first" },
		{ "POST /1.0/instances/c9/console", "{}", 404, "c9" },
		{ "GET /1.0/instances/c9/console", NULL, 404, "c9" },
		{ "DELETE /1.0/instances/c9/console", NULL, 404, "c9" },
	};
	struct api_world *t = *state;

	api_cases(t, cases, ARRAY_SIZE(cases));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands),
		cmocka_unit_test(more_words_than_linux_takes),
		cmocka_unit_test(consoles),
	};

	return cmocka_run_group_tests(tests, instance_world_open, api_world_close);
}
