/* SPDX-License-Identifier: Apache-2.0 */
/* Whether what was not found is the instance. */
#include "tests/unit/cli/server_world.h"

#include "cli/net/instance.h"

#define C1 "GET /1.0/instances/c1"
#define NONE "no instance \"c1\" (see dunlin list)"

static void what_was_not_found_is_looked_for(void **state)
{
	static const struct {
		struct answer answer; /* to whoever looks */
		enum err_kind kind;   /* of what failed before */
		const char *msg, *asked;
	} cases[] = {
		{ NOTHING, ERR_NOT_FOUND, NONE, C1 "\n" },
		/* it is there: what was missing is something else */
		{ SAYS(C1, "{}"), ERR_NOT_FOUND, "before", C1 "\n" },
		{ FAILS(C1, "no leader", 503), ERR_NOT_FOUND, "before", C1 "\n" },
		{ NOTHING, ERR_CONFLICT, "before", "" },
		{ NOTHING, ERR_UNAVAILABLE, "before", "" },
	};
	struct world *w = *state;
	struct cli *c = world_cli(w);
	struct err err = { 0 };
	struct client *cl = client_open(c, REMOTE_LOCAL, &err);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		world_answers(w, &cases[i].answer, 1);
		err_set(&err, cases[i].kind, "before");
		assert_int_equal(instance_missing(cl, "c1", &err), -1);
		assert_int_equal(err.kind, cases[i].kind);
		assert_string_equal(err.msg, cases[i].msg);
		assert_string_equal(world_asked(w), cases[i].asked);
	}
	world_end_cli(c);
}

static void is_read_by_its_name(void **state)
{
	struct world *w = *state;
	struct cli *c = world_cli(w);
	struct err err = { 0 };
	struct client *cl = client_open(c, REMOTE_LOCAL, &err);
	_json_ json_t *inst = NULL;

	WORLD_ANSWER(w, SAYS(C1, "{\"name\":\"c1\"}"));
	inst = instance_read(cl, "c1", &err);
	assert_string_equal(json_str(inst, "name", ""), "c1");
	assert_null(instance_read(cl, "", &err));
	assert_string_equal(err.msg, "the name of the instance is missing");
	WORLD_ANSWER(w, NOTHING);
	assert_null(instance_read(cl, "c1", &err));
	assert_string_equal(err.msg, NONE);
	world_end_cli(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, world_set_up, world_tear_down)
		T(what_was_not_found_is_looked_for),
		T(is_read_by_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
