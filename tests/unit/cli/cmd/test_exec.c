/* SPDX-License-Identifier: Apache-2.0 */
/* exec, shell and console: what is asked for, and the streams of a session. */
#include "tests/unit/cli/server_world.h"

#define EXEC "POST /1.0/instances/c1/exec"
#define WAIT "GET /1.0/operations/o1/wait"
#define BEGINS(request_, fds)                                                                  \
	{                                                                                      \
		.request = request_, .status = 202,                                            \
		.body = "{\"id\":\"o1\",\"status_code\":103,\"metadata\":{\"fds\":{" fds "}}}" \
	}
#define FDS "\"0\":\"s0\",\"1\":\"s1\",\"2\":\"s2\",\"control\":\"sc\""
#define ENDS(status) \
	SAYS(WAIT, "{\"id\":\"o1\",\"status_code\":200,\"metadata\":{\"return\":" status "}}")
#define SOCKET(secret) "GET /1.0/operations/o1/websocket?secret=" secret "\n"

/* In the order in which the streams are opened. */
enum { CONTROL, INPUT, OUTPUT, ERRORS };
enum { TEXT = 1, BINARY = 2, CLOSE = 8 };

/* All of standard input, in brackets, to one output; something to the other. */
static void echoes(struct world *w)
{
	_sbuf_ struct sbuf in = SBUF(4096);
	int op;

	sbuf_puts(&in, "[");
	for (;;) {
		_free_ char *text = world_framed(w, INPUT, &op);

		if (op != BINARY)
			break;
		sbuf_puts(&in, text);
	}
	sbuf_puts(&in, op == TEXT ? "]" : "?");
	world_frame(w, OUTPUT, BINARY, in.data);
	world_frame(w, ERRORS, BINARY, "(oops)");
	world_frame(w, OUTPUT, TEXT, "");
	world_frame(w, ERRORS, TEXT, "");
	world_frame(w, CONTROL, CLOSE, "");
}

static void joins_the_streams(void **state)
{
	struct world *w = *state;
	const char *said;

	setenv("TERM", "dumb", 1);
	w->errors = true;
	w->input = "hello";
	WORLD_ANSWER(w, BEGINS(EXEC, FDS), ENDS("0"));
	world_will_talk(w, 4, echoes);
	said = world_says(w, "exec c1 -T --env A=b=c --user 7 --group 8 --cwd /srv -- ls -l");
	assert_non_null(strstr(said, "[hello]"));
	assert_non_null(strstr(said, "(oops)"));
	assert_int_equal(strlen(said), strlen("[hello](oops)"));
	world_has_talked(w);
	assert_string_equal(
		world_asked(w),
		EXEC " {\"command\":[\"ls\",\"-l\"],\"environment\":{\"TERM\":\"dumb\","
		     "\"A\":\"b=c\"},\"user\":7,\"group\":8,\"wait-for-websocket\":true,"
		     "\"interactive\":false,\"width\":0,\"height\":0,\"record-output\":false,"
		     "\"cwd\":\"/srv\"}\n" SOCKET("sc") SOCKET("s0") SOCKET("s1") SOCKET("s2")
			     WAIT "\n");
}

static void reads_nothing_when_told(void **state)
{
	struct world *w = *state;

	w->errors = true;
	w->input = "not to be read";
	WORLD_ANSWER(w, BEGINS(EXEC, FDS), ENDS("0"));
	world_will_talk(w, 4, echoes);
	assert_null(strstr(world_says(w, "exec c1 -T -n true"), "read"));
	world_has_talked(w);
}

/* The status of the command is that of dunlin; what was printed before it is all there. */
static void ends_as_the_command(void **state)
{
	static const struct {
		const char *wait, *end;
	} cases[] = {
		{ "{\"id\":\"o1\",\"status_code\":200,\"metadata\":{\"return\":3}}",
		  "status 3\n" },
		{ "{\"id\":\"o1\",\"status_code\":200,\"metadata\":{}}",
		  "Error: the server did not tell how the command ended\n" },
		{ "{\"id\":\"o1\",\"status_code\":400,\"err\":\"it was killed\"}",
		  "Error: it was killed\n" },
	};
	struct world *w = *state;

	w->errors = false;
	w->input = "x";
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *says = xasprintf("[x]%s", cases[i].end);

		WORLD_ANSWER(w, BEGINS(EXEC, FDS), SAYS(WAIT, cases[i].wait));
		world_will_talk(w, 4, echoes);
		assert_string_equal(world_says(w, "exec c1 --mode non-interactive cat"), says);
		world_has_talked(w);
	}
}

/* The output ends while the command runs on: only the control stream tells its end. */
static void closes_its_outputs(struct world *w)
{
	world_frame(w, OUTPUT, TEXT, "");
	world_frame(w, ERRORS, TEXT, "");
	world_frame(w, CONTROL, TEXT, "{}");
	world_frame(w, CONTROL, CLOSE, "");
}

static void waits_for_the_end(void **state)
{
	struct world *w = *state;

	w->errors = true;
	w->input = NULL;
	WORLD_ANSWER(w, BEGINS(EXEC, FDS), ENDS("0"));
	world_will_talk(w, 4, closes_its_outputs);
	assert_string_equal(world_says(w, "exec c1 -T daemon"), "");
	world_has_talked(w);
}

static const struct dialogue refuses_cases[] = {
	{ "exec c1 --mode odd ls",
	  NULL,
	  { NOTHING },
	  "Error: --mode \"odd\": auto, interactive or non-interactive\n",
	  "" },
	{ "exec c1 -t -T ls", NULL, { NOTHING }, "Error: -t and -T exclude each other\n", "" },
	{ "exec c1 --user root ls", NULL, { NOTHING }, "Error: --user \"root\" is no id\n", "" },
	{ "exec c1 --group 4294967295 ls",
	  NULL,
	  { NOTHING },
	  "Error: --group \"4294967295\" is no id\n",
	  "" },
	{ "exec c1 --env A ls",
	  NULL,
	  { NOTHING },
	  "Error: \"A\" is not of the form KEY=VALUE\n",
	  "" },
	{ "exec c1 \xff", NULL, { NOTHING }, "Error: argument 0 is not valid UTF-8\n", "" },
	{ "exec none ls",
	  NULL,
	  { NOTHING },
	  "Error: no instance \"none\" (see dunlin list)\n",
	  NULL },
	/* a server that offers too little */
	{ "exec c1 -T ls",
	  NULL,
	  { BEGINS(EXEC, ""), ENDS("0") },
	  "Error: the server offers no stream \"control\"\n",
	  NULL },
	{ "console c1 --type vga",
	  NULL,
	  { NOTHING },
	  "Error: --type \"vga\": containers have \"console\"\n",
	  "" },
	{ "console c1 --show-log",
	  NULL,
	  { { .request = "GET /1.0/instances/c1/console", .raw = "boot\nlogin:" } },
	  "boot\nlogin:",
	  NULL },
	{ "console none",
	  NULL,
	  { NOTHING },
	  "Error: no instance \"none\" (see dunlin list)\n",
	  NULL },
};

static void refuses(void **state)
{
	struct world *w = *state;

	w->errors = false;
	world_check(w, refuses_cases, ARRAY_SIZE(refuses_cases));
}

/* --- the console ----------------------------------------------------------------------------- */

static char typed[64];

/* Keeps what is typed, until the user leaves. */
static void keeps_what_is_typed(struct world *w)
{
	int op;

	world_frame(w, INPUT, BINARY, "login: ");
	*typed = '\0';
	do {
		_free_ char *text = world_framed(w, INPUT, &op);

		if (op == BINARY)
			strncat(typed, text, sizeof(typed) - strlen(typed) - 1);
	} while (op == BINARY);
	world_frame(w, INPUT, CLOSE, "");
}

/* Ctrl-a q leaves; two of them are one for the console, and any other key after one loses it. */
static void leaves_by_the_key(void **state)
{
	static const struct {
		const char *input, *typed;
	} cases[] = {
		{ "root\n\001q", "root\n" },
		{ "a\001\001b\001q", "a\001b" },
		{ "q\001xq\001q", "qxq" },
		{ "\001qlost", "" },
	};
	struct world *w = *state;

	w->errors = false;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		w->input = cases[i].input;
		WORLD_ANSWER(w, BEGINS("POST /1.0/instances/c1/console", FDS), ENDS("0"));
		world_will_talk(w, 2, keeps_what_is_typed);
		world_says(w, "console c1");
		world_has_talked(w);
		assert_string_equal(typed, cases[i].typed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joins_the_streams),
		cmocka_unit_test(reads_nothing_when_told),
		cmocka_unit_test(ends_as_the_command),
		cmocka_unit_test(waits_for_the_end),
		cmocka_unit_test(refuses),
		cmocka_unit_test(leaves_by_the_key),
	};

	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
