/* SPDX-License-Identifier: Apache-2.0 */
/* How operations end. What is drawn meanwhile, and Ctrl-C, is tried with whole commands. */
#include "tests/unit/cli/server_world.h"

#define RUNS "{\"id\":\"o1\",\"status_code\":103}"
#define WAIT "GET /1.0/operations/o1/wait"

static json_t *parsed(const char *text)
{
	json_t *j = json_loads(text, 0, NULL);

	assert_non_null(j);
	return j;
}

static void an_end_is_a_success_or_an_error(void **state)
{
	static const struct {
		const char *operation;
		enum err_kind kind; /* ERR_NONE: a success */
		const char *msg;
	} cases[] = {
		{ "{\"status_code\":200,\"err\":\"\"}", ERR_NONE, "" },
		{ "{\"status_code\":400,\"err\":\"no room\",\"metadata\":{\"error_code\":409}}",
		  ERR_CONFLICT, "no room" },
		{ "{\"status_code\":400,\"err\":\"no such thing\",\"metadata\":{\"error_code\":"
		  "404}}",
		  ERR_NOT_FOUND, "no such thing" },
		/* of a server that says no code */
		{ "{\"status_code\":400,\"err\":\"broken\",\"metadata\":null}", ERR_INTERNAL,
		  "broken" },
		{ "{\"status_code\":400}", ERR_INTERNAL, "the operation failed" },
		{ "{\"status_code\":401}", ERR_CANCELLED, "cancelled" },
		{ "{\"status_code\":401,\"err\":\"by joe\"}", ERR_CANCELLED, "by joe" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = { 0 };
		_json_ json_t *done = api_ended(parsed(cases[i].operation), &err);

		assert_int_equal(done != NULL, cases[i].kind == ERR_NONE);
		if (err.kind != cases[i].kind || !str_eq(err.msg, cases[i].msg))
			fail_msg("%s: %s: %s", cases[i].operation, err_name(err.kind), err.msg);
	}
}

typedef json_t *wait_fn(struct client *cl, const json_t *op, struct err *err);

static void is_asked_until_it_has_ended(void **state)
{
	static wait_fn *const waits[] = { api_wait, api_wait_quietly };
	static const struct {
		const char *operation;
		struct answer answers[3];
		const char *asked;
		enum err_kind kind;
	} cases[] = {
		/* known already: nobody is asked */
		{ "{\"id\":\"o1\",\"status_code\":200}", { NOTHING }, "", ERR_NONE },
		{ "{\"id\":\"o1\",\"status_code\":401}", { NOTHING }, "", ERR_CANCELLED },
		{ RUNS,
		  { SAYS(WAIT, "{\"id\":\"o1\",\"status_code\":200}") },
		  WAIT "\n",
		  ERR_NONE },
		/* the server ended the wait, and not the operation */
		{ RUNS,
		  { ONCE(WAIT, RUNS, 200), SAYS(WAIT, "{\"id\":\"o1\",\"status_code\":200}") },
		  WAIT "\n" WAIT "\n",
		  ERR_NONE },
		/* nobody knows how it ends */
		{ RUNS, { FAILS(WAIT, "going down", 503) }, WAIT "\n", ERR_UNKNOWN },
		{ RUNS, { NOTHING }, WAIT "\n", ERR_UNKNOWN },
	};
	struct world *w = *state;
	struct cli *c = world_cli(w);
	struct err err = { 0 };
	struct client *cl = client_open(c, REMOTE_LOCAL, &err);

	for (size_t i = 0; i < ARRAY_SIZE(cases) * ARRAY_SIZE(waits); i++) {
		size_t k = i / ARRAY_SIZE(waits);
		_json_ json_t *op = parsed(cases[k].operation), *done = NULL;

		world_answers(w, cases[k].answers, ARRAY_SIZE(cases[k].answers));
		err = (struct err){ 0 };
		done = waits[i % ARRAY_SIZE(waits)](cl, op, &err);
		assert_int_equal(done != NULL, cases[k].kind == ERR_NONE);
		assert_int_equal(err.kind, cases[k].kind);
		assert_string_equal(world_asked(w), cases[k].asked);
	}
	assert_true(str_starts(err.msg, "operation o1: "));
	world_end_cli(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, world_set_up, world_tear_down)
		T(an_end_is_a_success_or_an_error),
		T(is_asked_until_it_has_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
